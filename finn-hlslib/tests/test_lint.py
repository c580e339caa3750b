# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Each rule of the lint finds its bad examples, on the marked lines alone, and nothing at all in their good twins.

`lint/RULE.cpp` has pairs of a part below a line "// bad" and one below "// good".
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finn_hlslib import include_dir
from finn_hlslib.lint import driver, headers, loops
from finn_hlslib.lint.directives import DIRECTIVES
from finn_hlslib.lint.toolchain import LintError, system_directories
from finn_hlslib.lint.unit import MAX_WIDTH, header_unit, source_unit

MARK = "/*!*/"
FOLDER = Path(__file__).parent / "lint"
KERNELS = Path(__file__).parent / "lint_kernels.cpp"
DIGITS = include_dir().parent / "examples" / "digits" / "digits.cpp"
RULES = [driver.name_of(rule) for rule in driver.RULES]


def parts(kind: str) -> list[object]:
    """All parts of one kind, as parameters (rule, code)."""
    found = []
    for path in sorted(FOLDER.glob("*.cpp")):
        pieces = re.split(r"^// (bad|good)\n", path.read_text(), flags=re.MULTILINE)
        assert pieces[0] == "", f"{path} does not begin with // bad or // good"
        codes = [code for word, code in zip(pieces[1::2], pieces[2::2], strict=True) if word == kind]
        found += [pytest.param(path.stem, code, id=f"{path.stem}-{n}") for n, code in enumerate(codes)]
    return found


def lint(code: str, folder: Path) -> list[driver.Finding]:
    path = folder / "example.cpp"
    path.write_text(code)
    return driver.lint([path])


def test_every_rule_has_examples_and_says_why() -> None:
    assert {path.stem for path in FOLDER.glob("*.cpp")} == set(RULES)
    for rule in driver.RULES:
        first, _, reason = (rule.__doc__ or "").partition("\n\n")
        assert first.endswith("."), f"{rule.__name__} says what it wants in its first paragraph"
        assert reason.strip(), f"{rule.__name__} gives no reason"


@pytest.mark.parametrize(("rule", "code"), parts("bad"))
def test_bad_example_is_found_where_it_is_wrong(rule: str, code: str, tmp_path: Path) -> None:
    expected = [n for n, line in enumerate(code.splitlines(), 1) if MARK in line]
    found = [f.line for f in lint(code, tmp_path) if f.rule == rule and f.path.endswith("example.cpp")]
    assert expected
    assert sorted(set(found)) == expected


@pytest.mark.parametrize(("rule", "code"), parts("good"))
def test_good_example_passes(rule: str, code: str, tmp_path: Path) -> None:
    assert [str(finding) for finding in lint(code, tmp_path)] == []


def test_the_library_and_the_example_pass() -> None:
    library = sorted((include_dir() / "finn").glob("*.hpp"))
    assert library
    assert [str(finding) for finding in driver.lint([*library, DIGITS, KERNELS])] == []


def test_instances_of_all_kernels_are_seen() -> None:
    """The library's own run has patterns alone; lint_kernels.cpp has an instance of every `step`."""
    library = header_unit(sorted((include_dir() / "finn").glob("*.hpp")), MAX_WIDTH)
    kernels = source_unit(KERNELS, MAX_WIDTH)
    steps = {(f.node.path, f.body.start) for f in library.patterns if f.name == "step"}
    assert steps
    missing = steps - {(f.node.path, f.body.start) for f in kernels.instances}
    assert not missing, f"add kernels of {sorted(Path(path).name for path, _ in missing)} to {KERNELS.name}"


def test_a_file_that_does_not_exist_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert driver.main(["nowhere.hpp"]) == 2
    assert capsys.readouterr().err == "nowhere.hpp cannot be read (there is no such file): name headers and sources\n"


def test_a_file_that_is_no_cpp_is_told_by_clang(tmp_path: Path) -> None:
    """clang stops after 20 errors, and says so of no place."""
    path = tmp_path / "f.hpp"
    path.write_text("".join(f"nothing{n} f{n}();\n" for n in range(30)))
    found = [finding for finding in driver.lint([path]) if finding.rule == "compiler"]
    assert {finding.path for finding in found} == {str(path)}
    assert [f.line for f in found if "too many errors" in f.what] == [1]
    assert {f.line for f in found if "unknown type name" in f.what} == set(range(1, 20))


def test_large_tables_are_no_work(tmp_path: Path) -> None:
    """clang would take minutes for these weights; lines behind them are told right."""
    rows = ",\n".join("{{" + ", ".join(["{" + ", ".join(["-1"] * 32) + "}"] * 8) + "}}" for _ in range(1000))
    (tmp_path / "tables.hpp").write_text(
        f"static const finn::Weights<ap_int<2>, 1000, 8, 32> weights = {{{{{rows}}}}};\n"
    )
    (tmp_path / "f.cpp").write_text(
        '#include <finn/weights.hpp>\n#include "tables.hpp"\n'
        "void f(unsigned i, ap_int<2> &w) { w = weights.fetch(i).lane[0][0]; }\nint bad;\n"
    )
    start = time.process_time()
    assert [(f.rule, f.line) for f in driver.lint([tmp_path / "f.cpp"])] == [("global-variable", 4)]
    assert time.process_time() - start < 10


def test_message_says_where_what_why_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.cpp").write_text(
        "void f(int &x) {\n#pragma HLS pipeline II = 1 style = flp\n#pragma HLS unrol\n  x = 1;\n}\n"
    )
    assert driver.main(["f.cpp"]) == 1
    assert capsys.readouterr().out == (
        "f.cpp:3: there is no directive unrol (Vitis HLS ignores it or stops): did you mean unroll? [directive]\n"
        "files: 1, findings: 1\n"
    )
    Path("f.cpp").write_text("void f(int &x) { x = 1; }\n")
    assert driver.main(["f.cpp"]) == 0


def test_width_is_an_option(tmp_path: Path) -> None:
    path = tmp_path / "f.cpp"
    path.write_text("#include <ap_int.h>\nusing Word = ap_uint<100>;\n")
    assert driver.lint([path]) == []
    assert [finding.rule for finding in driver.lint([path], 99)] == ["word-width"]
    assert MAX_WIDTH == 4096


def test_lists_in_docstrings_are_complete() -> None:
    for name in headers.ALLOWED:
        assert f"<{name}>" in str(headers.header.__doc__)
    for word in loops.COUNTS:
        assert re.search(rf"\b{word}\b", str(loops.loop_bound.__doc__))


def test_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert driver.main(["--rules"]) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line and not line.startswith(" ")] == RULES
    assert "There is no processor that could execute it." in printed


def test_an_interface_in_a_header_is_found(tmp_path: Path) -> None:
    (tmp_path / "f.hpp").write_text("inline void f(int &a) {\n#pragma HLS interface ap_none port = a\n  a = 1;\n}\n")
    (tmp_path / "f.cpp").write_text('#include "f.hpp"\nvoid top(int &a) { f(a); }\n')
    for path in (tmp_path / "f.hpp", tmp_path / "f.cpp"):
        assert [(f.rule, Path(f.path).name, f.line) for f in driver.lint([path])] == [("interface", "f.hpp", 2)]


def test_an_instance_is_told_at_its_pattern(tmp_path: Path) -> None:
    """What only an instance shows is found in a header of the library's kind, through the file that makes it."""
    (tmp_path / "f.hpp").write_text(
        "#include <ap_int.h>\ntemplate <int N>\nstruct S {\n  ap_uint<N> x;\n  void f() { x = 1; }\n};\n"
    )
    (tmp_path / "f.cpp").write_text('#include "f.hpp"\nvoid top(S<5000> &s) { s.f(); }\n')
    assert driver.lint([tmp_path / "f.hpp"]) == []
    assert [(f.rule, Path(f.path).name, f.line) for f in driver.lint([tmp_path / "f.cpp"])] == [
        ("word-width", "f.hpp", 4)
    ]


def test_directives_of_the_documentation_are_known() -> None:
    """UG1399 2022.1, "HLS Pragmas": its list, written down independently of the table."""
    listed = (
        "aggregate alias allocation array_partition array_reshape bind_op bind_storage dataflow dependence "
        "disaggregate expression_balance function_instantiate inline interface latency loop_flatten loop_merge "
        "loop_tripcount occurrence performance pipeline protocol reset stable stream top unroll"
    )
    assert set(listed.split()) <= set(DIRECTIVES)


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    system_directories.cache_clear()
    with pytest.raises(LintError) as caught:
        system_directories()
    assert str(caught.value) == (
        "no standard headers of C++ are found (libclang brings none, and none of g++, clang++ is on the PATH): "
        "install a compiler, on Debian or Ubuntu with apt-get install g++"
    )


def test_without_libclang_it_says_what_to_install(tmp_path: Path) -> None:
    """`python -m finn_hlslib.lint` in an environment in which the package clang cannot be imported."""
    hide = "import runpy, sys; sys.modules['clang'] = None; runpy.run_module('finn_hlslib.lint', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "the lint needs libclang (it is not installed): pip install 'finn-hlslib[lint]'\n"
