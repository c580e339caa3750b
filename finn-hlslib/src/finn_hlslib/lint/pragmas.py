# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about directives, which other compilers ignore, however they are written.

clang's tree has no pragmas. They are read from the text and belong to the innermost braces around them.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from clang.cindex import CursorKind, LinkageKind

from finn_hlslib.lint.directives import DIRECTIVES, PROTOCOLS, Directive
from finn_hlslib.lint.functions import Function, Scope
from finn_hlslib.lint.text import Pragma
from finn_hlslib.lint.tree import CLASSES, FUNCTIONS, Node
from finn_hlslib.lint.unit import Found, Unit

IGNORED = "Vitis HLS ignores it or stops"


def _at(pragma: Pragma, what: str, why: str, remedy: str) -> Found:
    return Found(pragma.path, pragma.offset, what, why, remedy)


def _all(unit: Unit) -> Iterator[Pragma]:
    """The pragmas of the files that are meant for HLS."""
    for path in unit.files:
        yield from (pragma for pragma in unit.text(path).pragmas if pragma.space == "HLS")


def _known(unit: Unit) -> Iterator[tuple[Pragma, Directive]]:
    for pragma in _all(unit):
        if pragma.name in DIRECTIVES:
            yield pragma, DIRECTIVES[pragma.name]


def _scopes(unit: Unit) -> Iterator[tuple[Function, Scope]]:
    for function in unit.patterns:
        for scope in function.scopes:
            yield function, scope


def _like(word: str, known: set[str]) -> str:
    close = get_close_matches(word, known, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def pragma_space(unit: Unit) -> Iterator[Found]:
    """A pragma is `#pragma HLS`, or `#pragma once`.

    All others, `#pragma AP` of old releases among them, mean nothing to Vitis HLS.
    """
    for path in unit.files:
        for pragma in unit.text(path).pragmas:
            if pragma.space != "HLS":
                remedy = "write #pragma HLS, or FINN_HLS(…)"
                yield _at(pragma, f"#pragma {pragma.space}", "Vitis HLS does not know it", remedy)


def directive(unit: Unit) -> Iterator[Found]:
    """The directive is one that Vitis HLS has.

    A misspelt one is ignored, or stops the synthesis hours later; other compilers say nothing at all.
    """
    for pragma in _all(unit):
        if pragma.name not in DIRECTIVES:
            yield _at(pragma, f"there is no directive {pragma.name}", IGNORED, _like(pragma.name, set(DIRECTIVES)))


def option(unit: Unit) -> Iterator[Found]:
    """The options of a directive exist, have values where they need them, and none is missing.

    As for a directive itself: nothing but the synthesis would tell. Known are those of Vitis HLS 2022.1 to 2024.2.
    """
    for pragma, known in _known(unit):
        for name, value in pragma.options:
            values = known.values.get(name)
            if name not in known.values and (name not in known.words or value is not None):
                remedy = _like(name, {*known.values, *known.words})
                yield _at(
                    pragma,
                    f"{pragma.name} has no option {name}{'' if value is None else ' = ' + value}",
                    IGNORED,
                    remedy,
                )
            elif name not in known.words and value is None:
                yield _at(pragma, f"{name} of {pragma.name} has no value", IGNORED, f"write {name} = …")
            elif value is not None and values and value.lower() not in values:
                yield _at(
                    pragma, f"{name} of {pragma.name} cannot be {value}", IGNORED, _like(value.lower(), set(values))
                )
        for name in known.needs:
            if not pragma.has(name):
                yield _at(pragma, f"{pragma.name} without {name}", IGNORED, f"add {name} = …")


def pragma_place(unit: Unit) -> Iterator[Found]:
    """A directive stands in the braces of what it is about: a function, a loop, or any block in a function.

    `pipeline`: function or loop; `unroll`, `loop_tripcount`, `loop_flatten`: loop; `inline`, `interface`: function. A
    loop without braces has no place for one.
    """
    places = {id(p): scope.kind for _, scope in _scopes(unit) for p in scope.pragmas}
    for pragma, known in _known(unit):
        place = places.get(id(pragma))
        if place is None:
            yield _at(pragma, f"{pragma.name} outside of a function", IGNORED, "move it into the body of a function")
        elif place not in known.places:
            remedy = f"move it into the braces of a {' or '.join(sorted(known.places))}"
            yield _at(pragma, f"{pragma.name} in the braces of a {place}", IGNORED, remedy)


def pragma_variable(unit: Unit) -> Iterator[Found]:
    """`variable = …` and `port = …` name what exists there: a variable declared above, a parameter, a member, a global.

    Of `a.b` the name a is looked at. `port = return` is the function itself.
    """
    for function, scope in _scopes(unit):
        for pragma in scope.pragmas:
            name = pragma.variable
            if not name or name == "return":
                continue
            if name not in _visible(unit, function, scope, pragma):
                what = f"{pragma.name} is about {name}, which does not exist here"
                yield _at(pragma, what, IGNORED, "name a variable that is declared above, a parameter or a member")


def _visible(unit: Unit, function: Function, scope: Scope, pragma: Pragma) -> set[str]:
    """The names of variables at a pragma."""
    names = {c.name for c in function.node.children if c.kind == CursorKind.PARM_DECL}
    around = [scope.node, *scope.node.above()]
    for node in function.own:
        if node.kind == CursorKind.VAR_DECL and node.start < pragma.offset:
            home = next(a for a in node.above() if a.kind == CursorKind.COMPOUND_STMT or a.kind == CursorKind.FOR_STMT)
            if any(home is a for a in around):
                names.add(node.name)
    if function.class_ is not None:
        names |= _members(function.class_)
    if function.node.kind == CursorKind.LAMBDA_EXPR:
        names |= {n.name for a in function.node.above() if a.kind in FUNCTIONS for n in a.walk() if n.name}
    return names | _globals(unit)


def _members(class_: Node) -> set[str]:
    """Data members, those of known bases among them."""
    names = {c.name for c in class_.children if c.kind in (CursorKind.FIELD_DECL, CursorKind.VAR_DECL)}
    for base in class_.children:
        if base.kind == CursorKind.CXX_BASE_SPECIFIER:
            for child in base.children:
                if child.target is not None and child.target.kind in CLASSES:
                    names |= _members(child.target)
    return names


def _globals(unit: Unit) -> set[str]:
    return {
        node.name
        for node in unit.written
        if node.kind == CursorKind.VAR_DECL and not any(a.kind in FUNCTIONS for a in node.above())
    }


def interface(unit: Unit) -> Iterator[Found]:
    """`interface` stands in top functions alone, and says a protocol.

    A top function is in a source file, is no template and no member, and can be called from elsewhere. In any other
    function it is ignored; without a protocol, ports depend on the type of the argument and on the flow.
    """
    for function, scope in _scopes(unit):
        for pragma in (p for p in scope.pragmas if p.name == "interface"):
            if function.node.path != unit.main or not _can_be_top(function):
                why, remedy = "only a top function has ports", "move it into the top function, in a source file"
                yield _at(pragma, f"interface in {function.name}, which is no top function", why, remedy)
            if not pragma.has("mode") and not any(pragma.has(protocol) for protocol in PROTOCOLS):
                yield _at(pragma, "interface without a protocol", "defaults differ", "add mode = axis or another one")


def _can_be_top(function: Function) -> bool:
    is_plain = function.node.kind == CursorKind.FUNCTION_DECL and not function.is_template
    return is_plain and bool(function.node.cursor.linkage == LinkageKind.EXTERNAL)


def pipeline_style(unit: Unit) -> Iterator[Found]:
    """`pipeline` says its initiation interval and its style: flp, frp or stp.

    The default style differs between releases, and the stalling one (stp) keeps results inside when input stops.
    """
    for pragma, _ in _known(unit):
        if pragma.name == "pipeline" and not pragma.has("off"):
            for name, example in (("ii", "II = 1"), ("style", "style = flp")):
                if not pragma.has(name):
                    why = "its default differs between releases"
                    yield _at(pragma, f"pipeline without {example.split()[0]}", why, f"add {example}")


RULES = (pragma_space, directive, option, pragma_place, pragma_variable, interface, pipeline_style)
