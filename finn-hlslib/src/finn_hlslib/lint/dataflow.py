# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about dataflow regions: the canonical form (UG1399, "Canonical Forms")."""

from __future__ import annotations

from collections.abc import Iterator

from clang.cindex import CursorKind, TypeKind

from finn_hlslib.lint.functions import Function, Scope
from finn_hlslib.lint.language import at
from finn_hlslib.lint.tree import Node, canonical, is_constexpr
from finn_hlslib.lint.unit import Found, Unit

CANONICAL = "regions of another form are not, or not always, split into processes"


def _regions(unit: Unit) -> Iterator[tuple[Function, Scope]]:
    for function in unit.functions:
        for scope in function.scopes:
            if scope.pragma("dataflow"):
                yield function, scope


def _streams(scope: Scope) -> list[Node]:
    """The streams that a region declares."""
    declared = (v for s in scope.node.children if s.kind == CursorKind.DECL_STMT for v in s.children)
    return [node for node in declared if node.kind == CursorKind.VAR_DECL and _is_stream(node)]


def _is_stream(node: Node) -> bool:
    # A stream of a type that depends on a template's parameters is spelt without its namespace.
    return str(canonical(node.cursor.type).spelling).removeprefix("hls::").startswith("stream<")


def _is_dependent(node: Node) -> bool:
    """Whether the type is a member of a template parameter: instances tell."""
    return bool(canonical(node.cursor.type).kind == TypeKind.UNEXPOSED)


def dataflow_form(unit: Unit) -> Iterator[Found]:
    """A dataflow region has local streams and calls of functions without a result, nothing else.

    Conditions, loops, objects with an initial value and expressions between the calls belong into the processes.
    """
    for _, scope in _regions(unit):
        for statement in scope.node.children:
            if (what := _not_canonical(statement)) is not None:
                yield at(statement, what, CANONICAL, "move it into one of the functions that are called")


def _not_canonical(statement: Node) -> str | None:
    while statement.kind == CursorKind.UNEXPOSED_EXPR and len(statement.children) == 1:
        statement = statement.children[0]  # what destroys temporary objects at the end
    if statement.kind == CursorKind.DECL_STMT:
        variables = (n for n in statement.children if n.kind == CursorKind.VAR_DECL and not is_constexpr(n))
        others = [n for n in variables if not _is_stream(n) and not _is_dependent(n)]
        return f"the variable {others[0].name} in a dataflow region" if others else None
    if statement.kind == CursorKind.CALL_EXPR:
        result = statement.cursor.type.get_canonical().kind
        is_plain = result in (TypeKind.VOID, TypeKind.DEPENDENT)
        return None if is_plain else f"the result of {statement.name} in a dataflow region"
    return None if statement.kind == CursorKind.NULL_STMT else "a statement that is no call in a dataflow region"


def dataflow_stream(unit: Unit) -> Iterator[Found]:
    """Each stream of a dataflow region says its depth: `stream variable = … depth = …`.

    The default is 2, which makes networks whose paths differ in latency stop.
    """
    for _, scope in _regions(unit):
        for stream in _streams(scope):
            mine = [p for p in scope.pragmas if p.name == "stream" and p.variable == stream.name]
            if not any(pragma.value("depth") for pragma in mine):
                remedy = f"add FINN_HLS(stream variable = {stream.name} depth = …)"
                yield at(stream, f"the stream {stream.name} has no depth", "the default may be too small", remedy)


def dataflow_channel(unit: Unit) -> Iterator[Found]:
    """Each stream of a dataflow region is given to exactly two calls: one that writes and one that reads.

    Which is which clang does not tell.
    """
    for _, scope in _regions(unit):
        calls = [child for child in scope.node.children if child.kind == CursorKind.CALL_EXPR]
        for stream in _streams(scope):
            users = [call for call in calls if any(n.same_target(stream) for n in call.children)]
            if len(users) != 2:
                what = f"{len(users)} calls use the stream {stream.name}"
                yield at(stream, what, "a stream has one writer and one reader", "give each pair a stream of its own")


RULES = (dataflow_form, dataflow_stream, dataflow_channel)
