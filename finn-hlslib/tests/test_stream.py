# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Each header compiles alone without warnings; the width converter keeps order and count."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from finn_hlslib import include_dir

FLAGS = ["-std=c++14", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-I", str(include_dir())]

# (elements, lanes in, lanes out): equal, integer ratios both ways, non-integer ratios both ways, lanes that share no
# factor, and a frame of one beat.
RATIOS = [
    *[(12, 3, 3), (12, 2, 6), (12, 6, 2), (12, 4, 6), (12, 6, 4)],
    *[(35, 5, 7), (35, 7, 5), (8, 8, 1), (8, 1, 8), (1, 1, 1)],
]

DRIVER = """
#include <cstdio>
#include <deque>
#include <finn/stream.hpp>

template <typename T>
struct Queue {
  std::deque<T> items;
  T read() { T item = items.at(0); items.pop_front(); return item; }
  void write(const T &item) { items.push_back(item); }
};

template <unsigned Elements, unsigned In, unsigned Out>
void print_converted() {
  Queue<finn::Beat<int, In>> source;
  Queue<finn::Beat<int, Out>> destination;
  for (unsigned frame = 0, next = 0; frame < 2; frame++) {
    for (unsigned i = 0; i < Elements / In; i++) {
      finn::Beat<int, In> beat;
      for (int &element : beat.lane) element = int(next++);
      source.write(beat);
    }
    finn::convert_width<Elements, int, In, Out>(source, destination);
  }
  std::printf("%zu %zu", source.items.size(), destination.items.size());
  for (const auto &beat : destination.items)
    for (int element : beat.lane) std::printf(" %d", element);
  std::printf("\\n");
}

int main() {
"""


@pytest.fixture(scope="module")
def compiler() -> str:
    found = shutil.which("g++") or shutil.which("clang++")
    assert found is not None, "a C++ compiler is needed: apt-get install g++"
    return found


def _compile(compiler: str, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [compiler, *FLAGS, "-x", "c++", "-", *arguments]
    return subprocess.run(command, input=source, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("header", sorted(path.name for path in (include_dir() / "finn").glob("*.hpp")))
def test_header_compiles_alone(compiler: str, header: str) -> None:
    result = _compile(compiler, f"#include <finn/{header}>\n", "-fsyntax-only")
    assert result.returncode == 0, result.stderr


def test_convert_width_keeps_every_element_in_order(compiler: str, tmp_path: Path) -> None:
    calls = "".join(f"  print_converted<{n}, {i}, {o}>();\n" for n, i, o in RATIOS)
    program = tmp_path / "driver"
    result = _compile(compiler, DRIVER + calls + "}\n", "-fsanitize=address,undefined", "-o", str(program))
    assert result.returncode == 0, result.stderr
    printed = subprocess.run([program], text=True, capture_output=True, check=True).stdout.splitlines()
    expected = [f"0 {2 * n // o} " + " ".join(map(str, range(2 * n))) for n, _, o in RATIOS]
    assert printed == expected


def test_illegal_ratio_is_refused_by_name(compiler: str) -> None:
    result = _compile(compiler, DRIVER + "  print_converted<12, 3, 5>();\n}\n", "-fsyntax-only")
    assert result.returncode != 0
    assert "Elements must be a multiple of Out" in result.stderr
