# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about who calls whom.

Calls that depend on template parameters have no known target before there is an instance. In patterns, they are taken
to reach every function of that name that is checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from clang.cindex import CursorKind, conf

from finn_hlslib.lint.functions import Call, Function
from finn_hlslib.lint.language import at
from finn_hlslib.lint.tree import LOOPS, Node, is_constexpr
from finn_hlslib.lint.unit import Found, Unit

DECLARATIONS = frozenset({CursorKind.STATIC_ASSERT, CursorKind.TYPE_ALIAS_DECL, CursorKind.TYPEDEF_DECL})
CONTROL = LOOPS | {CursorKind.IF_STMT, CursorKind.SWITCH_STMT, CursorKind.COMPOUND_STMT}


class Graph:
    """The functions of a unit, and which of them others call at run time."""

    def __init__(self, unit: Unit) -> None:
        self.functions = unit.functions
        self._by_usr = {function.usr: function for function in self.functions}
        self._by_name: dict[str, list[Function]] = defaultdict(list)
        for function in unit.patterns:
            self._by_name[function.name].append(function)

    def target(self, call: Call) -> Function | None:
        """The function that is called, if it is known and one of ours."""
        definition = call.target.cursor.get_definition() if call.target is not None else None
        return self._by_usr.get(definition.get_usr()) if definition is not None else None

    def targets(self, call: Call) -> list[Function]:
        """The function that is called; all that it may be if it depends on template parameters."""
        if call.target is None:
            return [function for function in self._by_name[call.name] if call.may_be(function)]
        target = self.target(call)
        return [target] if target is not None else []

    def reached(self, calls: Iterable[Call]) -> dict[str, Function]:
        """The functions that calls lead to, at once or over others."""
        found: dict[str, Function] = {}
        waiting = [function for call in calls for function in self.targets(call)]
        while waiting:
            function = waiting.pop()
            if function.usr not in found:
                found[function.usr] = function
                waiting.extend(target for call in function.calls for target in self.targets(call))
        return found

    def at_run_time(self) -> list[Function]:
        """The functions that become hardware: all but those that are constexpr and only called where constants are."""
        roots = [function for function in self.functions if not function.is_constexpr]
        found = {function.usr: function for function in roots}
        found.update(self.reached(call for function in roots for call in function.calls))
        return list(found.values())


def recursion(unit: Unit) -> Iterator[Found]:
    """No function calls itself at run time, directly or over others.

    Each call would be a circuit inside itself. Templates that end in a specialization, and constexpr functions for
    constants, are recursive at compile time alone. Limit: in the pattern of a template, a call that depends on its
    parameters counts if it names no other function than the caller.
    """
    graph = Graph(unit)
    for function in graph.at_run_time():
        for call in function.calls:
            target = graph.target(call)
            back = target is not None and (target is function or function.usr in _certain(graph, target))
            if back or _calls_itself(function, call):
                remedy = "use a loop of constant bounds, or a template that ends in a specialization"
                yield at(call.node, f"{function.name} calls itself", "a circuit cannot contain itself", remedy)


def _certain(graph: Graph, start: Function) -> set[str]:
    """The functions that are certainly reached from `start`."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for call in waiting.pop().calls:
            target = graph.target(call)
            if target is not None and target.usr not in found:
                found.add(target.usr)
                waiting.append(target)
    return found


def _calls_itself(function: Function, call: Call) -> bool:
    """Whether a dependent call names the function itself, no overload, and gives no template arguments."""
    if call.target is not None or call.name != function.name or not call.node.children:
        return False
    callee = call.node.children[0]
    names = [n for n in callee.walk() if n.kind == CursorKind.OVERLOADED_DECL_REF]
    candidates = [n.cursor.get_usr() for n in _candidates(names)]
    return "<" not in callee.text and bool(candidates == [function.usr])


def _candidates(names: Iterable[Node]) -> Iterator[Node]:
    for name in names:
        for place in range(conf.lib.clang_getNumOverloadedDecls(name.cursor)):
            yield Node(conf.lib.clang_getOverloadedDecl(name.cursor, place))


def inline(unit: Unit) -> Iterator[Found]:
    """What a pipelined loop or function calls says `inline`, if it is more than one expression.

    A function of its own has its own schedule and start signal, and some releases keep one. A body of one expression is
    always inlined; constexpr constants, static_assert and aliases do not count. `inline off`, `pipeline` and `dataflow`
    are other answers.
    """
    graph = Graph(unit)
    calls = ((function, call) for function in unit.functions for call in function.calls)
    pipelined = [call for function, call in calls if function.is_pipelined(function.loop_of(call.node))]
    for function in graph.reached(pipelined).values():
        answers = ("inline", "pipeline", "dataflow")
        if not _is_expression(function) and not any(map(function.pragma, answers)):
            why = "a pipeline calls it, where a function of its own has a schedule of its own"
            yield at(function.node, f"{function.name} does not say inline", why, "add FINN_HLS(inline) to its body")


def _is_expression(function: Function) -> bool:
    """Whether the body is one expression, or nothing."""
    statements = [node for node in function.body.children if not _is_declaration(node)]
    return len(statements) <= 1 and not any(node.kind in CONTROL for node in statements)


def _is_declaration(statement: Node) -> bool:
    constants = (n.kind in DECLARATIONS or is_constexpr(n) for n in statement.children)
    return statement.kind in (CursorKind.DECL_STMT, CursorKind.NULL_STMT) and all(constants)


RULES = (recursion, inline)
