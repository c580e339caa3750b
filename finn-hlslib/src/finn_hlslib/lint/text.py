# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What stands in a file besides the syntax tree: pragmas, includes, comments that allow a finding.

Positions are byte offsets, as clang has them; text is decoded as Latin-1 so that a character is a byte.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HIDDEN = re.compile(
    r"//(?:\\\n|[^\n])*|/\*.*?\*/"
    r'|R"(?P<tag>[^()\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
ALLOWANCE = re.compile(r"//[ \t]*finn-lint:[ \t]*(?P<verb>\S*)[ \t]*(?P<rule>\S*)[ \t]*(?P<reason>[^\n]*)")
MACRO = re.compile(r"\b(FINN_HLS|_Pragma)\s*\(")
TABLE = re.compile(r"=\s*\{(?P<entries>[-+\w\s,.{}]{1000,})\}\s*;")
OPTION = re.compile(r"(?P<name>\w+)(?:\s*=\s*(?P<value>(?:\([^()]*\)|\[[^][]*\]|[^\s=()])+))?|(?P<junk>\S)")


@dataclass(frozen=True)
class Pragma:
    """One directive for the HLS compiler, however it is written: `#pragma HLS …`, `_Pragma("HLS …")`, `FINN_HLS(…)`.

    space : what stands behind `#pragma`; only "HLS" has a meaning.
    name : the directive in lower case. options : its options in lower case, with values; None if there is no `=`.
    """

    path: str
    offset: int
    space: str
    name: str
    options: tuple[tuple[str, str | None], ...]

    def has(self, option: str) -> bool:
        return any(name == option for name, _ in self.options)

    def value(self, option: str) -> str | None:
        """The value of an option, None without it."""
        return next((value for name, value in self.options if name == option), None)

    @property
    def variable(self) -> str:
        """The variable that it is about, without members and `this->`: `a` of `variable = a.b`; empty without one."""
        value = (self.value("variable") or self.value("port") or "").removeprefix("this->")
        return re.split(r"\.|->|\[", value)[0]


@dataclass(frozen=True)
class Include:
    """An `#include` that the compiler sees."""

    offset: int
    name: str
    quoted: bool

    @property
    def written(self) -> str:
        return f'"{self.name}"' if self.quoted else f"<{self.name}>"


@dataclass(frozen=True)
class Allowance:
    """`// finn-lint: allow RULE REASON`, for a finding on `line`: its own, or the next one if it stands alone."""

    offset: int
    line: int
    verb: str
    rule: str
    reason: str

    def silences(self, line: int, rule: str) -> bool:
        return (self.verb, self.rule, self.line) == ("allow", rule, line) and self.reason != ""


class Text:
    """A file.

    skipped : byte ranges that the preprocessor leaves out.
    """

    def __init__(self, path: str, raw: str, skipped: Sequence[tuple[int, int]] = ()) -> None:
        self.path = path
        self.raw = raw
        self.skipped = skipped
        self.no_comments = HIDDEN.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), raw)
        """The text with blanks for comments and for strings."""
        self.code = DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), self.no_comments)
        """The text with blanks for preprocessor lines, too, and for what they leave out."""
        for start, end in skipped:
            self.code = self.code[:start] + re.sub(r"[^\n]", " ", self.code[start:end]) + self.code[end:]

    @classmethod
    def read(cls, path: str) -> Text:
        return cls(path, Path(path).read_bytes().decode("latin-1"))

    def line(self, offset: int) -> int:
        """The line, from 1."""
        return bisect_right(self._line_starts, offset)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.raw))]

    def _seen(self, offset: int) -> bool:
        return not any(start <= offset < end for start, end in self.skipped)

    @cached_property
    def pragmas(self) -> tuple[Pragma, ...]:
        """All pragmas but `#pragma once`, in order."""
        found = [*self._written_pragmas(), *self._macro_pragmas()]
        return tuple(sorted((p for p in found if self._seen(p.offset)), key=lambda p: p.offset))

    def _written_pragmas(self) -> Iterator[Pragma]:
        for match in DIRECTIVE.finditer(self.no_comments):
            pragma = re.match(r"\s*#\s*pragma\s+(\w+)\s*", match[0])
            if pragma and pragma[1] != "once":
                rest = match[0][pragma.end() :].replace("\\\n", " ")
                yield self._pragma(match.start() + match[0].index("#"), pragma[1], rest)

    def _macro_pragmas(self) -> Iterator[Pragma]:
        for match in MACRO.finditer(self.code):
            inside = self.raw[match.end() : closing(self.code, match.end() - 1)]
            if match[1] == "_Pragma":
                space, _, rest = inside.strip(' \t\n"').partition(" ")
                yield self._pragma(match.start(), space, rest)
            else:
                yield self._pragma(match.start(), "HLS", inside)

    def _pragma(self, offset: int, space: str, text: str) -> Pragma:
        name, _, rest = text.strip().partition(" ")
        options = tuple(
            (match["junk"], None) if match["junk"] else (match["name"].lower(), match["value"])
            for match in OPTION.finditer(rest)
        )
        return Pragma(self.path, offset, space, name.lower(), options)

    @cached_property
    def includes(self) -> tuple[Include, ...]:
        found = []
        for match in DIRECTIVE.finditer(self.raw):
            include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', match[0])
            if include and self._seen(match.start()):
                offset = match.start() + match[0].index("#")
                found.append(Include(offset, include[2], include[1] == '"'))
        return tuple(found)

    @cached_property
    def allowances(self) -> tuple[Allowance, ...]:
        return tuple(
            Allowance(
                match.start(), self._meant_line(match.start()), match["verb"], match["rule"], match["reason"].strip()
            )
            for comment in HIDDEN.finditer(self.raw)
            if (match := ALLOWANCE.match(self.raw, comment.start()))
        )

    def _meant_line(self, offset: int) -> int:
        line = self.line(offset)
        if self.raw[self._line_starts[line - 1] : offset].strip():
            return line
        follows = re.compile(r"\S").search(self.code, offset)
        return self.line(follows.start()) if follows else line


def without_tables(raw: str) -> str:
    """The same text with blanks for the entries of large tables of numbers.

    clang takes minutes for the weights of a layer, since each is an object with a constructor; no rule is about them.
    """

    def emptied(match: re.Match[str]) -> str:
        entries = re.sub(r"[^\n]", " ", match["entries"])
        return match[0].replace(match["entries"], entries)

    return TABLE.sub(emptied, raw)


def closing(code: str, start: int) -> int:
    """The offset of the bracket that closes the one at `start`; the end of the text if there is none."""
    pairs = {"(": ")", "[": "]", "{": "}", "<": ">"}
    opening, depth = code[start], 0
    for at in range(start, len(code)):
        depth += (code[at] == opening) - (code[at] == pairs[opening])
        if depth == 0:
            return at
    return len(code)
