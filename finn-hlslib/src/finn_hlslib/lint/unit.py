# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A translation unit: the files that are checked, their functions, and the instances of templates that they call."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clang import cindex
from clang.cindex import CursorKind

from finn_hlslib import include_dir, sim_dir
from finn_hlslib.lint.functions import Function
from finn_hlslib.lint.text import Text, without_tables
from finn_hlslib.lint.toolchain import arguments, parse, system_directories
from finn_hlslib.lint.tree import FUNCTIONS, Node, text_of

MAX_WIDTH = 4096
"""Bits of an integer or of a word of a stream: what Vitis HLS guarantees (UG1399, "Arbitrary Precision Data Types")."""


@dataclass(frozen=True)
class Found:
    """What a rule finds: where, what it is, why that is wrong, what to do instead."""

    path: str
    offset: int
    what: str
    why: str
    remedy: str


class Unit:
    """Files that are parsed together, as the HLS compiler sees them.

    files : what is checked. Other files of ours are so as far as instances of their templates are called.
    max_width : bits that an integer or a word of a stream may have.
    """

    def __init__(self, parsed: cindex.TranslationUnit, files: Sequence[str], max_width: int = MAX_WIDTH) -> None:
        self.parsed = parsed
        self.files = tuple(files)
        self.max_width = max_width
        text_of.cache_clear()  # files may have changed since the last unit
        self._texts: dict[str, Text] = {}

    def text(self, path: str) -> Text:
        if path not in self._texts:
            self._texts[path] = Text(path, text_of(path).raw, _skipped(self.parsed, path))
        return self._texts[path]

    @cached_property
    def roots(self) -> tuple[Node, ...]:
        """What stands at the top level of the files."""
        files = set(self.files)
        nodes = (Node(cursor) for cursor in self.parsed.cursor.get_children())
        return tuple(node for node in nodes if node.path in files)

    @cached_property
    def written(self) -> tuple[Node, ...]:
        """All nodes of the files."""
        return tuple(node for root in self.roots for node in root.walk())

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes of the files, of the instances, and of the members of their classes."""
        classes: dict[str, Node] = {}
        for function in self.instances:
            if function.class_ is not None:
                classes.setdefault(function.class_.cursor.get_usr(), function.class_)
        # clang shows no children of an instance of a class template, but its type has fields.
        members = [Node(field) for class_ in classes.values() for field in class_.cursor.type.get_fields()]
        instances = [function.node for function in self.instances]
        return (*self.written, *(node for top in (*members, *instances) for node in top.walk()))

    @cached_property
    def patterns(self) -> tuple[Function, ...]:
        """The functions of the files, as they are written."""
        return tuple(Function(node, self.text(node.path)) for node in self.written if has_body(node))

    @cached_property
    def instances(self) -> tuple[Function, ...]:
        """The instances of function templates, and the functions of other files of ours, that the files call."""
        found: dict[str, Function] = {function.usr: function for function in self.patterns}
        waiting = [function for function in self.patterns if not function.is_template]
        called: list[Function] = []
        while waiting:
            for target in (call.target for call in waiting.pop().calls):
                function = self._defined(target)
                if function is not None and function.usr not in found:
                    found[function.usr] = function
                    waiting.append(function)
                    called.append(function)
        return tuple(called)

    def _defined(self, target: Node | None) -> Function | None:
        definition = target.cursor.get_definition() if target is not None else None
        if definition is None:
            return None
        node = Node(definition)
        is_written = is_ours(node.path) and has_body(node) and node.at != definition.semantic_parent.location.offset
        return Function(node, self.text(node.path)) if is_written else None

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return (*self.patterns, *self.instances)

    @cached_property
    def main(self) -> str:
        """The file that the compiler is called with."""
        return str(self.parsed.spelling)


def has_body(node: Node) -> bool:
    return node.kind in FUNCTIONS and any(c.kind == CursorKind.COMPOUND_STMT for c in node.children)


def is_ours(path: str) -> bool:
    """Whether a file is neither a standard header nor one that simulations have in place of the vendor's."""
    return not path.startswith(tuple(f"{folder}/" for folder in (str(sim_dir()), *system_directories())))


def header_unit(headers: Sequence[Path], max_width: int, synthesis: bool = True) -> Unit:
    """Headers, included one after the other. Raises LintError."""
    paths = [str(header.resolve()) for header in headers]
    content = "".join(f'#include "{path}"\n' for path in paths)
    parsed = parse("headers.cpp", {"headers.cpp": content}, arguments(synthesis))
    return Unit(parsed, paths, max_width)


def source_unit(source: Path, max_width: int, synthesis: bool = True) -> Unit:
    """A source file with those headers that are neither the library's nor the system's. Raises LintError."""
    main = str(source.resolve())
    contents = {path: without_tables(text_of(path).raw) for path in _beside(main)}
    parsed = parse(main, contents, arguments(synthesis, str(source.resolve().parent)))
    included = {str(include.include.name) for include in parsed.get_includes()}
    own = sorted(path for path in included if is_ours(path) and not path.startswith(f"{include_dir()}/"))
    return Unit(parsed, [main, *own], max_width)


def _beside(source: str) -> list[str]:
    """A source file and what it includes from its own folder, directly or not."""
    found, waiting = [], [source]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        includes = text_of(path).includes
        beside = (Path(path).parent / include.name for include in includes if include.quoted)
        waiting.extend(str(header) for header in beside if header.is_file())
    return found


class _Ranges(ctypes.Structure):
    """CXSourceRangeList of clang-c/CXSourceLocation.h."""

    _fields_ = (("count", ctypes.c_uint), ("ranges", ctypes.POINTER(cindex.SourceRange)))


def _skipped(parsed: cindex.TranslationUnit, path: str) -> list[tuple[int, int]]:
    """The byte ranges of a file between preprocessor conditions that do not hold."""
    library = cindex.conf.lib
    library.clang_getSkippedRanges.restype = ctypes.POINTER(_Ranges)
    library.clang_getSkippedRanges.argtypes = [cindex.TranslationUnit, cindex.File]
    library.clang_disposeSourceRangeList.argtypes = [ctypes.POINTER(_Ranges)]
    found = library.clang_getSkippedRanges(parsed, parsed.get_file(path))
    try:
        return list(_offsets(found.contents))
    finally:
        library.clang_disposeSourceRangeList(found)


def _offsets(found: _Ranges) -> Iterator[tuple[int, int]]:
    for place in range(found.count):
        yield found.ranges[place].start.offset, found.ranges[place].end.offset
