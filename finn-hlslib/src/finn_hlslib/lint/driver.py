# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""All rules on all files; findings that a comment allows; the command line."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finn_hlslib import include_dir
from finn_hlslib.lint import arrays, calls, dataflow, headers, language, loops, pragmas
from finn_hlslib.lint.toolchain import LintError
from finn_hlslib.lint.unit import MAX_WIDTH, Found, Unit, header_unit, source_unit

Rule = Callable[[Unit], Iterator[Found]]


@dataclass(frozen=True, order=True)
class Finding:
    """A finding as it is told: file, line from 1, the rule, what, why, what to do."""

    path: str
    line: int
    rule: str
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        path = os.path.relpath(self.path)
        return f"{min(path, self.path, key=len)}:{self.line}: {self.what} ({self.why}): {self.remedy} [{self.rule}]"


def allowance(unit: Unit) -> Iterator[Found]:
    """`// finn-lint: allow RULE REASON` names a rule, says a reason, and silences a finding.

    It stands on the line of the finding, or alone on the line above. One that silences nothing is out of date.
    """
    for path in unit.files:
        for found in unit.text(path).allowances:
            what = f"finn-lint: {found.verb} {found.rule}".strip()
            if found.verb != "allow" or found.rule not in {name_of(rule) for rule in RULES}:
                remedy = "write // finn-lint: allow RULE REASON; --rules lists them"
                yield Found(path, found.offset, what, "there is no such rule", remedy)
            elif not found.reason:
                yield Found(path, found.offset, what, "the reason is missing", "say why this is right here")


RULES: tuple[Rule, ...] = (
    *language.RULES,
    *headers.RULES,
    *calls.RULES,
    *loops.RULES,
    *pragmas.RULES,
    *arrays.RULES,
    *dataflow.RULES,
    allowance,
)


def name_of(rule: Rule) -> str:
    """The name in messages and allowances."""
    return rule.__name__.replace("_", "-")


def check(unit: Unit) -> list[Finding]:
    """What the rules find in a unit, without what is allowed, in the order of files and lines."""
    used: set[tuple[str, int]] = set()
    findings: set[Finding] = set()
    for finding in (finding for rule in RULES for finding in _told(unit, rule)):
        allowed = [a for a in unit.text(finding.path).allowances if a.silences(finding.line, finding.rule)]
        used.update((finding.path, a.offset) for a in allowed)
        if not allowed:
            findings.add(finding)
    return sorted([*findings, *_unused(unit, used)])


def _told(unit: Unit, rule: Rule) -> Iterator[Finding]:
    for item in rule(unit):
        line = unit.text(item.path).line(item.offset)
        yield Finding(item.path, line, name_of(rule), item.what, item.why, item.remedy)


def _unused(unit: Unit, used: set[tuple[str, int]]) -> Iterator[Finding]:
    names = {name_of(rule) for rule in RULES}
    for path in unit.files:
        text = unit.text(path)
        for item in text.allowances:
            if item.rule in names and item.reason and (path, item.offset) not in used:
                what = f"finn-lint: {item.verb} {item.rule}"
                yield Finding(path, text.line(item.offset), "allowance", what, "nothing is found there", "remove it")


def lint(paths: Sequence[Path], max_width: int = MAX_WIDTH) -> list[Finding]:
    """What is found in source files (.cpp), and in headers, which are parsed together. Raises LintError."""
    for path in paths:
        if not path.is_file():
            raise LintError(f"{path} cannot be read", "there is no such file", "name headers and sources")
    headers_given = [path for path in paths if path.suffix in (".h", ".hpp")]
    sources = [path for path in paths if path.suffix not in (".h", ".hpp")]
    units: list[tuple[Unit, Unit]] = []
    if headers_given:
        units.append((header_unit(headers_given, max_width), header_unit(headers_given, max_width, synthesis=False)))
    units += [(source_unit(path, max_width), source_unit(path, max_width, synthesis=False)) for path in sources]
    findings: set[Finding] = set()
    for hardware, simulation in units:
        findings.update(check(hardware))
        findings.update(_told(simulation, headers.compiler))
    return sorted(findings)


def rules_text(rules: Iterable[Rule] = RULES) -> str:
    """The rules with their reasons."""
    return "\n\n".join(f"{name_of(rule)}\n{_indented(inspect.getdoc(rule) or '')}" for rule in rules)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print findings; 1 if there are any, 2 if the lint cannot work."""
    parser = argparse.ArgumentParser(prog="python -m finn_hlslib.lint", description="Can this C++ become hardware?")
    parser.add_argument(
        "files", nargs="*", type=Path, help="headers and sources; all headers of the library by default"
    )
    parser.add_argument("--rules", action="store_true", help="list the rules with their reasons")
    parser.add_argument(
        "--max-width", type=int, default=MAX_WIDTH, metavar="BITS", help="of a word (default %(default)s)"
    )
    given = parser.parse_args(arguments)
    if given.rules:
        sys.stdout.write(rules_text() + "\n")
        return 0
    files = given.files or sorted((include_dir() / "finn").glob("*.hpp"))
    try:
        findings = lint(files, given.max_width)
    except LintError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"files: {len(files)}, findings: {len(findings)}\n")
    return 1 if findings else 0
