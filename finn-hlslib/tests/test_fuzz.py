# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Fuzzing of what moves beats: each file in fuzz/ is a target of libFuzzer, with all sanitizers of the other tests.

`pytest -m slow` gives each target a minute and a seed that is drawn; a failure prints the input in base64.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest
from compilers import HOW_TO_INSTALL, SANITIZERS, Cxx, output_of

FOLDER = Path(__file__).with_name("fuzz")
TARGETS = sorted(FOLDER.glob("*.cpp"))
CLANGS = ("clang++", *(f"clang++-{version}" for version in range(20, 10, -1)))
TARGET = '#include <cstddef>\n#include <cstdint>\nextern "C" int LLVMFuzzerTestOneInput(const uint8_t *, size_t)'
LARGEST_MB = 512  # of one allocation
LONGEST = 400
"""Bytes of an input: beats, and the decisions of a bench."""

# Passes a beat late if it had to wait for another one, and then loses it.
FAULTY = """
#include "{folder}/fuzz.hpp"
using namespace finn::test;
struct Impatient {{
  bool waited = false;
  template <typename In, typename Out>
  void step(In &in, Out &out) {{
    if (in.empty()) waited = true;
    if (in.empty()) return;
    const auto beat = in.read();
    if (!waited) out.write(beat);
    waited = false;
  }}
}};
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, std::size_t size) {{
  Dice dice(bytes, size);
  const auto sent = any_beats<ap_uint<8>, 1>(dice, 1 + dice.below(8));
  Bench bench(dice);
  auto &in = bench.source(sent);
  auto &out = bench.sink<finn::Beat<ap_uint<8>, 1>>();
  bench.add(Impatient(), in, out);
  bench.run(Rest);
  expect(numbers(out.items) == numbers(sent), "beats are lost");
  return 0;
}}
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where targets are built."""
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="session")
def fuzzing(folder: Path) -> Cxx:
    """Clang with the run-time library of libFuzzer."""
    command = next(filter(None, map(shutil.which, CLANGS)), None)
    install = f"{HOW_TO_INSTALL} clang libclang-rt-dev"
    if command is None:
        pytest.skip(f"no clang++: {install}")
    cxx = Cxx(command, sanitizers=("-fsanitize=fuzzer", *SANITIZERS, "-O1"))
    source = folder / "empty.cpp"
    source.write_text(f"{TARGET} {{ return 0; }}\n")
    try:
        cxx.program(folder / "empty", cxx.object(source, folder / "empty.o"))
    except AssertionError as error:
        pytest.skip(f"{command} has no libFuzzer: {install} ({str(error).splitlines()[0]})")
    return cxx


@cache
def target(cxx: Cxx, folder: Path, source: Path) -> Path:
    return cxx.program(folder / source.stem, cxx.object(source, folder / f"{source.stem}.o"))


def fuzz(program: Path, *limits: str) -> None:
    """The peak of memory has no limit, for it is inherited from the process of the tests; allocations have one."""
    memory = ("-rss_limit_mb=0", f"-malloc_limit_mb={LARGEST_MB}")
    options = (f"-max_len={LONGEST}", "-len_control=0", f"-artifact_prefix={program.parent}/", *memory, *limits)
    output_of(program, *options)


@pytest.mark.parametrize("source", TARGETS, ids=lambda path: path.stem)
def test_fuzz(fuzzing: Cxx, folder: Path, source: Path) -> None:
    fuzz(target(fuzzing, folder, source), "-runs=3000", "-seed=1")


@pytest.mark.slow
@pytest.mark.parametrize("source", TARGETS, ids=lambda path: path.stem)
def test_long_fuzz(fuzzing: Cxx, folder: Path, source: Path) -> None:
    fuzz(target(fuzzing, folder, source), "-max_total_time=60")


def test_a_fault_is_found(fuzzing: Cxx, folder: Path) -> None:
    source = folder / "faulty.cpp"
    source.write_text(FAULTY.format(folder=FOLDER))
    with pytest.raises(AssertionError, match="beats are lost"):
        fuzz(target(fuzzing, folder, source), "-runs=3000", "-seed=1")
