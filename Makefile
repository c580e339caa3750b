# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Every verb of the repository; `make help` lists them. All work happens in $(VENV), which `make setup` creates.

VENV ?= .venv
PYTHON ?= python3
PYTEST_ARGS ?= -n 2 -q
SWEEP ?= 60
EXAMPLE ?= finn-examples/build/tfc_w1a1_mnist

BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
QONNX := $(VENV)-qonnx
DISTRIBUTIONS := finn-base finn-hlslib finn finn-examples brevitas-export
# Not the bad examples of the lint, whose lines are marked.
CXX_FILES = $(shell find finn-hlslib finn/src -path finn-hlslib/tests/lint -prune -o \( -name '*.h' -o -name '*.hpp' -o -name '*.cpp' \) -print)
CXX_HEADERS = $(filter finn-hlslib/include/% finn/src/%,$(filter %.h %.hpp,$(CXX_FILES)))

# Functions for synthesis, which have instances of the library's templates.
HLS_TOPS := finn-hlslib/examples/digits/digits.cpp finn-hlslib/tests/lint_kernels.cpp

# The folder finn/ in this directory must not hide the installed package finn.
export PYTHONSAFEPATH := 1

.DEFAULT_GOAL := help
.PHONY: help setup test slow formal sweep differential bench bench-base lint format demo notebooks docs clean

help:  ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(TOOLS)  ## create the environment, install the five distributions in it

$(READY): ci/setup.sh ci/packages.sh ci/constraints.txt $(DISTRIBUTIONS:%=%/pyproject.toml)
	ci/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

$(TOOLS): $(READY) ci/requirements-dev.txt ci/setup-tools.sh
	ci/setup-tools.sh
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c ci/constraints.txt -r ci/requirements-dev.txt
	@touch $@

test: $(TOOLS)  ## run all tests except the slow ones
	$(BIN)/pytest $(PYTEST_ARGS)

slow: $(TOOLS)  ## run the slow tests, with newly generated examples
	$(BIN)/pytest -m slow --hypothesis-seed=$$(date +%s) $(PYTEST_ARGS)

sweep: $(TOOLS)  ## thousands of random layers as RTL against NumPy and their schedules; SWEEP=60 per layer, in sixes
	FINN_SWEEP=$(SWEEP) $(BIN)/pytest -m slow -k long_ladder --hypothesis-seed=$$(date +%s) $(PYTEST_ARGS)

formal: $(TOOLS)  ## prove that the modules keep to AXI4-Stream
	$(BIN)/pytest -m slow -q finn/tests/synth/test_formal.py

$(QONNX)/.ready: ci/requirements-qonnx.txt
	"$(PYTHON)" -m venv "$(QONNX)"
	"$(QONNX)/bin/pip" install --quiet --disable-pip-version-check -r ci/requirements-qonnx.txt
	@touch $@

differential: $(TOOLS) $(QONNX)/.ready  ## compare finn-base with qonnx 1.0
	FINN_QONNX_PYTHON="$(abspath $(QONNX))/bin/python" $(BIN)/pytest -q finn-base/tests/differential

bench bench-base: export PYTHONPATH := finn-base/benchmarks:benchmarks

bench: $(READY)  ## measure speed and print the figures
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/folding.py
	$(BIN)/python benchmarks/large_networks.py
	$(BIN)/python benchmarks/cppsim.py
	$(BIN)/python benchmarks/packing.py

bench-base: $(READY) $(QONNX)/.ready  ## measure finn-base against qonnx 1.0 and the size of the graph
	$(BIN)/python finn-base/benchmarks/compare.py --qonnx "$(abspath $(QONNX))/bin/python"
	$(BIN)/python finn-base/benchmarks/scaling.py
	$(BIN)/python finn-base/benchmarks/streamlining.py

lint: $(TOOLS)  ## check style, formatting, types, SystemVerilog and C++
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy finn-base/src finn/src finn-hlslib/src finn-examples/src brevitas-export/src
	$(BIN)/python -m finn.rtl.lint
	$(BIN)/python -m finn_hlslib.lint $(wildcard finn-hlslib/include/finn/*.hpp) $(HLS_TOPS)
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)
	$(BIN)/clang-tidy --quiet $(CXX_HEADERS) -- -x c++ -std=c++14 -Wall -Wextra -Ifinn-hlslib/include -isystem finn-hlslib/include/finn/sim

format: $(TOOLS)  ## rewrite Python and C++ files in the common format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

demo: $(READY)  ## build the MNIST example up to the bitstream and print the result table
	$(BIN)/finn build $(EXAMPLE)

notebooks: $(TOOLS)  ## run the notebooks and keep what they show
	$(BIN)/python finn-examples/notebooks/run.py

docs: $(READY)  ## write the HTML documentation to docs/_build
	$(BIN)/pip install -q -r ci/requirements-docs.txt
	$(BIN)/sphinx-build -W -q docs docs/_build
	@echo "docs/_build/index.html"

clean:  ## remove the environment, caches and build products
	rm -rf $(VENV) $(QONNX) docs/_build docs/api finn-examples/build/*/output .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -o -name '*.egg-info' | xargs rm -rf
