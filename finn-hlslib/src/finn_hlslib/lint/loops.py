# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about loops: how often they are done, and what becomes of them.

Functions that only the compiler calls (constexpr, for constants) may loop as they like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clang.cindex import CursorKind, TypeKind

from finn_hlslib.lint.calls import Graph
from finn_hlslib.lint.functions import Function, Loop
from finn_hlslib.lint.language import at
from finn_hlslib.lint.text import closing
from finn_hlslib.lint.tree import LOOPS, REFERENCES, Node, initializer, is_constant, mentions, text_of
from finn_hlslib.lint.unit import Found, Unit

INTEGERS = frozenset(
    {TypeKind.SHORT, TypeKind.USHORT, TypeKind.INT, TypeKind.UINT, TypeKind.LONG, TypeKind.ULONG}
    | {TypeKind.LONGLONG, TypeKind.ULONGLONG, TypeKind.UCHAR, TypeKind.SCHAR, TypeKind.CHAR_S}
)
COUNTS = (
    "n",
    "num",
    "number",
    "count",
    "size",
    "length",
    "reps",
    "times",
    "frames",
    "words",
    "beats",
    "steps",
    "turns",
)
"""Words in the names of parameters that are counts."""
ASSIGNMENTS = frozenset(
    {CursorKind.BINARY_OPERATOR, CursorKind.COMPOUND_ASSIGNMENT_OPERATOR, CursorKind.UNARY_OPERATOR}
)


@dataclass(frozen=True, eq=False)
class Header:
    """`for (counter = start; condition; step)`, as far as it has this form; what is missing is None.

    bound : the side of the condition without the counter. position : the side with it.
    """

    counter: Node | None
    start: Node | None
    position: Node | None
    bound: Node | None
    relation: str
    step: Node | None


def header_of(loop: Loop) -> Header:
    """The parts of a `for`."""
    init, condition, step = _parts(loop.node)
    declared = init.children if init is not None and init.kind == CursorKind.DECL_STMT else ()
    counter = declared[0] if len(declared) == 1 and declared[0].kind == CursorKind.VAR_DECL else None
    start = initializer(counter) if counter is not None else None
    if condition is None or condition.kind != CursorKind.BINARY_OPERATOR or len(condition.children) != 2:
        return Header(counter, start, None, None, "", step)
    left, right = condition.children
    relation = text_of(loop.node.path).code[left.end : right.start].strip(" ()")
    if counter is not None and mentions(right, counter):
        left, right = right, left
        relation = relation.translate(str.maketrans("<>", "><"))
    return Header(counter, start, left, right, relation, step)


def _parts(node: Node) -> tuple[Node | None, Node | None, Node | None]:
    """What stands between the semicolons of a `for`; clang's children lack what is left out."""
    code = text_of(node.path).code
    opening = code.index("(", node.start)
    end = closing(code, opening)
    first = code.index(";", opening)
    second = code.index(";", first + 1)
    bounds = ((opening, first), (first, second), (second, end))
    parts = [next((c for c in node.children if low < c.start < high), None) for low, high in bounds]
    return parts[0], parts[1], parts[2]


def _of_hardware(unit: Unit) -> Iterator[tuple[Function, Loop]]:
    """All loops that are not the compiler's own."""
    for function in Graph(unit).at_run_time():
        for loop in function.loops:
            yield function, loop


def loop_form(unit: Unit) -> Iterator[Found]:
    """Loops are `for` loops over an integer of their own that changes by a constant after each turn, and nowhere else.

    Of these, the compiler knows the number of turns; of `while`, `do` and loops over ranges it does not, or not always.
    """
    why, remedy = "the number of turns must be known", "write for (unsigned i = 0; i < N; i++), with a condition inside"
    for _, loop in _of_hardware(unit):
        if loop.node.kind != CursorKind.FOR_STMT:
            kind = {CursorKind.WHILE_STMT: "while", CursorKind.DO_STMT: "do"}.get(loop.node.kind, "for over a range")
            yield at(loop.node, f"a loop with {kind}", why, remedy)
        elif (what := _wrong_form(loop)) is not None:
            yield at(loop.node, what, why, remedy)


def _wrong_form(loop: Loop) -> str | None:
    header = header_of(loop)
    if header.counter is None or header.counter.cursor.type.get_canonical().kind not in INTEGERS:
        return "a loop without an integer of its own as its counter"
    if header.bound is None or header.relation not in ("<", "<=", ">", ">=", "!="):
        return f"the condition of the loop does not compare {header.counter.name} with a bound"
    direction = _direction(header.counter, header.step)
    if direction == 0 or (header.relation[0] in "<>" and (direction > 0) != (header.relation[0] == "<")):
        return f"{header.counter.name} does not move to its bound by a constant after each turn"
    if any(_changes(node, header.counter) for node in loop.body.walk()):
        return f"the body of the loop changes {header.counter.name}"
    return None


def _direction(counter: Node, step: Node | None) -> int:
    """1 if the counter grows by a constant, -1 if it falls, 0 if it does neither or something else is stepped, too."""
    if step is None or not step.children or not step.children[0].same_target(counter):
        return 0
    if step.kind == CursorKind.UNARY_OPERATOR:
        return {"++": 1, "--": -1}.get(re.sub(r"[\s\w()]", "", step.text), 0)
    if step.kind != CursorKind.COMPOUND_ASSIGNMENT_OPERATOR or not is_constant(step.children[1]):
        return 0
    between = text_of(step.path).code[step.children[0].end : step.children[1].start].strip(" (")
    return {"+=": 1, "-=": -1}.get(between, 0)


def _changes(node: Node, counter: Node) -> bool:
    """Whether an expression assigns to the counter."""
    if node.kind not in ASSIGNMENTS or not node.children or not node.children[0].same_target(counter):
        return False
    if node.kind == CursorKind.UNARY_OPERATOR:
        return "++" in node.text or "--" in node.text
    if node.kind == CursorKind.COMPOUND_ASSIGNMENT_OPERATOR:
        return True
    between = text_of(node.path).code[node.children[0].end : node.children[1].start]
    return between.strip(" ()") == "="


def loop_bound(unit: Unit) -> Iterator[Found]:
    """A loop goes from a constant to a constant; or to a parameter named as a count, with `loop_tripcount`.

    Constants may be made of template parameters. Names of counts have one of the words n, num, number, count, size,
    length, reps, times, frames, words, beats, steps, turns. Without both, latency and resources are unknown.
    """
    why = "the number of turns must be known"
    for _, loop in _of_hardware(unit):
        header = header_of(loop) if loop.node.kind == CursorKind.FOR_STMT else None
        if header is None or header.counter is None or header.bound is None or header.position is None:
            continue
        if header.start is None or not is_constant(header.start):
            yield at(loop.node, f"{header.counter.name} does not start at a constant", why, "start at a constant")
        if not is_constant(header.position, header.counter):
            remedy = "compare the counter, or it and constants, with the bound"
            yield at(loop.node, f"{header.position.text} is not the counter", why, remedy)
        if not is_constant(header.bound) and not (_is_count(header.bound) and loop.pragma("loop_tripcount")):
            remedy = "make it a template parameter, or a count among the parameters and add loop_tripcount max = …"
            yield at(loop.node, f"the bound {header.bound.text} is not constant", why, remedy)


def _is_count(bound: Node) -> bool:
    leaves = [n.target for n in bound.walk() if n.kind in REFERENCES and n.target is not None]
    is_parameter = len(leaves) == 1 and leaves[0].kind == CursorKind.PARM_DECL
    return is_parameter and not set(COUNTS).isdisjoint(leaves[0].name.split("_"))


def loop_exit(unit: Unit) -> Iterator[Found]:
    """A loop ends by its condition alone, not by `break` or `return`.

    A second exit makes the number of turns unknown, and the pipeline wait for the decision.
    """
    for function, loop in _of_hardware(unit):
        for node in function.own:
            if node.kind in (CursorKind.BREAK_STMT, CursorKind.RETURN_STMT) and _left(node) is loop.node:
                word = "break" if node.kind == CursorKind.BREAK_STMT else "return"
                why = "the number of turns must be known"
                yield at(node, f"{word} in a loop", why, "let the rest of the turns do nothing")


def _left(node: Node) -> Node | None:
    """What a `break` or `return` leaves first: a loop, or a switch."""
    kinds = LOOPS | {CursorKind.SWITCH_STMT} if node.kind == CursorKind.BREAK_STMT else LOOPS
    return next((a for a in node.above() if a.kind in kinds), None)


def loop_fate(unit: Unit) -> Iterator[Found]:
    """Of loops inside each other exactly one is pipelined, or all are unrolled.

    Loops in a pipelined loop or function are unrolled by that alone. What else becomes of a loop depends on the release
    and its settings. A loop whose body is a dataflow region needs no pipeline.
    """
    for function, loop in _of_hardware(unit):
        chain = list(loop.around())
        if loop.pragma("pipeline") and function.is_pipelined(loop.outer):
            why = "what is around it is pipelined, which unrolls it"
            yield at(loop.node, "a pipelined loop in a pipeline", why, "pipeline one of them")
        is_decided = function.is_pipelined(loop) or any(around.pragma("dataflow") for around in chain)
        if is_decided or any(inner.outer is loop for inner in function.loops):
            continue  # of loops inside each other, the innermost one tells
        for open_loop in (around for around in chain if not around.pragma("unroll")):
            remedy = "add FINN_HLS(pipeline II = 1 style = flp) or FINN_HLS(unroll) to its body"
            what, why = "a loop that is neither pipelined nor unrolled", "what becomes of it depends on the release"
            yield at(open_loop.node, what, why, remedy)


def unrolled_bound(unit: Unit) -> Iterator[Found]:
    """Loops that are unrolled, by pragma or because what is around them is pipelined, have constant bounds.

    Each turn becomes a circuit of its own. In a pipeline no part of the turns can be left over, so that `factor` has no
    place there.
    """
    for function, loop in _of_hardware(unit):
        if loop.node.kind != CursorKind.FOR_STMT or not function.is_unrolled(loop):
            continue
        unroll = loop.pragma("unroll")
        bound = header_of(loop).bound
        if bound is not None and not is_constant(bound):
            why = "each turn of an unrolled loop is a circuit of its own"
            yield at(loop.node, f"the bound {bound.text} is not constant", why, "make it a template parameter")
        if function.is_pipelined(loop.outer) and unroll and unroll.value("factor"):
            why, remedy = "a pipeline unrolls the loops inside it completely", "split it into two, or drop the factor"
            yield at(loop.node, "a partly unrolled loop in a pipeline", why, remedy)


RULES = (loop_form, loop_bound, loop_exit, loop_fate, unrolled_bound)
