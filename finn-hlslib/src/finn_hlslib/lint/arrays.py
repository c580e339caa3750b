# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about memory and widths."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clang.cindex import CursorKind, Type, TypeKind

from finn_hlslib.lint.calls import Graph
from finn_hlslib.lint.functions import Call, Function
from finn_hlslib.lint.language import at
from finn_hlslib.lint.loops import header_of
from finn_hlslib.lint.text import Pragma
from finn_hlslib.lint.tree import (
    ARRAYS,
    CLASSES,
    REFERENCES,
    VARIABLES,
    Node,
    canonical,
    initializer,
    is_constant,
    is_constexpr,
    mentions,
)
from finn_hlslib.lint.unit import Found, Unit, is_ours

PARTITIONS = frozenset({"array_partition", "array_reshape"})
WORDS = PARTITIONS | {"aggregate"}
INTEGER = re.compile(r"\bap_(u?)int<(-?\d+)>")


def array_partition(unit: Unit) -> Iterator[Found]:
    """An array that an unrolled loop indexes with its counter has `array_partition` or `array_reshape`.

    A memory has two ports; without it the turns would wait for each other. The pragma stands in the same function for
    variables, in any function of the class for its members. A counter that is given to a function is followed there. An
    array in another object is a memory if something else indexes it, too; a beat, which nothing else does, is a word.
    Limits: arrays that are parameters (the caller decides) and constexpr ones are not looked at, and of several
    dimensions it need not be the right one.
    """
    for function, counters in _parallel(unit):
        for node in function.own:
            memory = _indexed_memory(node, counters)
            if memory is not None and not _has_pragma(unit, function, *memory):
                name = memory[0].name
                why = "a memory has two ports, and all turns of the loop need one"
                remedy = f"add FINN_HLS(array_partition variable = {name} complete)"
                yield at(memory[0], f"an unrolled loop indexes {name}, which is one memory", why, remedy)


def _parallel(unit: Unit) -> list[tuple[Function, list[Node]]]:
    """Functions with the counters of their unrolled loops, and with parameters that are counters elsewhere."""
    graph = Graph(unit)
    functions = {function.usr: function for function in graph.at_run_time()}
    found = {usr: _own_counters(function) for usr, function in functions.items()}
    waiting = [usr for usr, counters in found.items() if counters]
    while waiting:
        usr = waiting.pop()
        for call in functions[usr].calls:
            for target in graph.targets(call):
                given = [p for p in _given(call, target, found[usr]) if not any(p.same(c) for c in found[target.usr])]
                if given:
                    found[target.usr] += given
                    waiting.append(target.usr)
    return [(function, found[usr]) for usr, function in functions.items() if found[usr]]


def _own_counters(function: Function) -> list[Node]:
    loops = (loop for loop in function.loops if loop.node.kind == CursorKind.FOR_STMT and function.is_unrolled(loop))
    counters = [header_of(loop).counter for loop in loops]
    return [counter for counter in counters if counter is not None]


def _given(call: Call, target: Function, counters: list[Node]) -> list[Node]:
    """The parameters of a function that a call makes of counters."""
    pairs = zip(target.parameters, call.arguments, strict=False)
    return [parameter for parameter, argument in pairs if mentions(argument, *counters)]


def _indexed_memory(node: Node, counters: list[Node]) -> tuple[Node, frozenset[str]] | None:
    """The variable or member behind `array[… counter …]`, and the pragmas that answer; None if it needs none."""
    if node.kind != CursorKind.ARRAY_SUBSCRIPT_EXPR or not mentions(node.children[1], *counters):
        return None
    of_object = varies = False
    while (below := _below(node)) is not None:
        of_object = of_object or node.kind == CursorKind.MEMBER_REF_EXPR
        if node.kind == CursorKind.ARRAY_SUBSCRIPT_EXPR:
            index = node.children[1]
            varies = varies or not (is_constant(index) or mentions(index, *counters))
        node = below
    target = node.target if node.kind in REFERENCES else None
    if target is None or target.kind not in VARIABLES or is_constexpr(target):
        return None
    if of_object:
        return (target, WORDS) if varies else None
    is_array = target.cursor.type.get_canonical().kind in ARRAYS and target.kind != CursorKind.PARM_DECL
    return (target, PARTITIONS) if is_array else None


def _below(node: Node) -> Node | None:
    """What an expression takes a part of, or is another name of."""
    if node.kind == CursorKind.DECL_REF_EXPR:
        target = node.target
        is_reference = target is not None and target.cursor.type.kind == TypeKind.LVALUEREFERENCE
        return (
            initializer(target) if target is not None and is_reference and target.kind == CursorKind.VAR_DECL else None
        )
    if node.kind == CursorKind.MEMBER_REF_EXPR:
        return next((c for c in node.children if c.kind.is_expression() and c.kind != CursorKind.CXX_THIS_EXPR), None)
    is_part = node.kind in (CursorKind.ARRAY_SUBSCRIPT_EXPR, CursorKind.UNEXPOSED_EXPR, CursorKind.PAREN_EXPR)
    return node.children[0] if is_part and node.children else None


def _has_pragma(unit: Unit, function: Function | None, array: Node, names: frozenset[str]) -> bool:
    """Whether one of these pragmas is about an array: in the class of a member, in the function of a variable."""
    pragmas: Iterator[Pragma] = iter(unit.text(array.path).pragmas)
    if array.kind == CursorKind.FIELD_DECL:
        class_ = Node(array.cursor.semantic_parent)
        pragmas = (p for p in pragmas if class_.start <= p.offset < class_.end)
    elif function is not None and function.node.start <= array.start < function.body.end:
        pragmas = (p for scope in function.scopes for p in scope.pragmas)
    return any(p.name in names and p.variable == array.name for p in pragmas)


def word_memory(unit: Unit) -> Iterator[Found]:
    """An array of structs that contain an array (beats, tiles) has `aggregate`, or is partitioned.

    Vitis HLS takes structs apart: of an array of beats it makes a memory of single elements, with two ports, though a
    cycle reads all elements of a beat. `aggregate` makes words of them. Patterns show it only if the type of the
    struct is no template parameter.
    """
    homes = {id(node): function for function in unit.functions for node in function.own}
    for node in unit.nodes:
        if node.kind not in (CursorKind.VAR_DECL, CursorKind.FIELD_DECL) or is_constexpr(node):
            continue
        kind = canonical(node.cursor.type)
        if kind.kind in ARRAYS and _holds_array(kind) and not _has_pragma(unit, homes.get(id(node)), node, WORDS):
            what = f"{node.name} is an array of structs with arrays"
            remedy = f"add FINN_HLS(aggregate variable = {node.name}) to a function that uses it"
            yield at(node, what, "its elements become single words of a memory with two ports", remedy)


def _holds_array(kind: Type) -> bool:
    """Whether the elements of an array are structs of ours with an array as member."""
    while kind.kind in ARRAYS:
        kind = kind.element_type.get_canonical()
    declaration = kind.get_declaration()
    if not is_ours(Node(declaration).path):
        return False
    fields = [field.type for field in kind.get_fields()] if kind.kind == TypeKind.RECORD else []
    if not fields:
        members = declaration.get_children()
        fields = [member.type for member in members if member.kind == CursorKind.FIELD_DECL]
    return any(field.get_canonical().kind in ARRAYS for field in fields)


def array_size(unit: Unit) -> Iterator[Found]:
    """The size of an array is constant, and known where it is declared.

    Memory cannot grow.
    """
    for node in unit.nodes:
        if node.kind in VARIABLES and node.kind != CursorKind.PARM_DECL:
            kind = node.cursor.type.get_canonical().kind
            is_open = kind == TypeKind.INCOMPLETEARRAY and initializer(node) is None
            if kind == TypeKind.VARIABLEARRAY or is_open:
                yield at(
                    node, f"the size of {node.name} is not constant", "memory cannot grow", "use a template parameter"
                )


def zero_width(unit: Unit) -> Iterator[Found]:
    """No integer has fewer than one bit.

    Such types are illegal; a counter with one value needs a case of its own, as in `bits_of` of types.hpp.
    """
    for node, bits in _integers(unit):
        if bits < 1:
            why = "integers have at least one bit"
            yield at(
                node,
                f"{node.name} has an integer of {bits} bits",
                why,
                "compute the width with bits_of(), which is at least 1",
            )


def word_width(unit: Unit) -> Iterator[Found]:
    """Integers and words of streams have at most 4096 bits; `--max-width` sets another limit.

    More is not guaranteed (UG1399; the tool itself stops at 8191), nor is AP_INT_MAX_W set. A word of a stream of
    structs is as wide as all their members together. Widths are those of instances; patterns have none.
    """
    remedy = "use fewer lanes per beat, or convert widths in front"
    for node, bits in _integers(unit):
        if bits > unit.max_width:
            yield at(node, f"{node.name} has an integer of {bits} bits", f"the limit is {unit.max_width}", remedy)
    for node in unit.nodes:
        if node.kind in VARIABLES:
            element = _element_of_stream(canonical(node.cursor.type))
            bits = _bits(element) if element is not None else 0
            if bits > unit.max_width:
                why = f"the limit is {unit.max_width}"
                yield at(node, f"{node.name} is a stream of words of {bits} bits", why, remedy)


def _integers(unit: Unit) -> Iterator[tuple[Node, int]]:
    """Variables, members, parameters and aliases with the widths of integers in their types."""
    for node in unit.nodes:
        if node.kind in VARIABLES or node.kind in (CursorKind.TYPE_ALIAS_DECL, CursorKind.TYPEDEF_DECL):
            written = node.cursor.type.get_canonical().spelling
            yield from ((node, int(match[2])) for match in INTEGER.finditer(written))


def _element_of_stream(kind: Type) -> Type | None:
    """T of hls::stream<T>."""
    is_stream = re.sub(r"^const ", "", kind.spelling).startswith("hls::stream<")
    return (
        kind.get_template_argument_type(0).get_canonical()
        if is_stream and kind.get_num_template_arguments() > 0
        else None
    )


def _bits(kind: Type) -> int:
    """Bits of a value in hardware."""
    kind = kind.get_canonical()
    if kind.kind == TypeKind.CONSTANTARRAY:
        return int(kind.element_count) * _bits(kind.element_type)
    integer = INTEGER.search(kind.spelling)
    if integer and kind.spelling.removeprefix("const ").startswith("ap_"):
        return int(integer[2])
    if kind.kind == TypeKind.RECORD and kind.get_declaration().kind in CLASSES:
        return sum(_bits(member.type) for member in kind.get_fields())
    return max(0, 8 * int(kind.get_size()))


RULES = (array_partition, word_memory, array_size, zero_width, word_width)
