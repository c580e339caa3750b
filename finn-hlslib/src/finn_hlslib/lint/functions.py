# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Functions with what the rules ask about them: their loops, their pragmas by scope, what they call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from clang.cindex import CursorKind

from finn_hlslib.lint.text import Pragma, Text
from finn_hlslib.lint.tree import CLASSES, FUNCTIONS, LOOPS, Node, is_constant_place, is_constexpr


@dataclass(eq=False)
class Scope:
    """A pair of braces: the body of a function ("function"), that of a loop ("loop"), or another ("block")."""

    node: Node
    kind: str
    loop: Loop | None
    pragmas: tuple[Pragma, ...]

    def pragma(self, name: str) -> Pragma | None:
        """The pragma of that name; `pipeline off` and `unroll off = true` are as none."""
        mine = (p for p in self.pragmas if p.name == name)
        return next((p for p in mine if name not in ("pipeline", "unroll") or not p.has("off")), None)


@dataclass(eq=False)
class Loop:
    """A loop; `outer` is the next one around it in the same function."""

    node: Node
    outer: Loop | None
    scope: Scope | None = None

    @property
    def body(self) -> Node:
        """What is done in each turn; `do` is the one loop whose condition stands behind it."""
        return self.node.children[0 if self.node.kind == CursorKind.DO_STMT else -1]

    def pragma(self, name: str) -> Pragma | None:
        """The pragma of that name in the loop's braces."""
        return self.scope.pragma(name) if self.scope else None

    def around(self) -> Iterator[Loop]:
        """Itself and the loops around it, from the inside."""
        loop: Loop | None = self
        while loop is not None:
            yield loop
            loop = loop.outer


@dataclass(frozen=True, eq=False)
class Call:
    """A call.

    target : the function, None if it depends on template parameters. What is known then: the name, and what stands in
    front of it, "." or "->" behind an object, "::" behind a class or a namespace, or nothing.
    """

    node: Node
    name: str
    target: Node | None
    access: str = ""

    @property
    def arguments(self) -> list[Node]:
        """What is given to the function; to an operator without the object whose operator it is."""
        given = [Node(argument) for argument in self.node.cursor.get_arguments()]
        is_operator = self.target is not None and self.target.kind == CursorKind.CXX_METHOD and "operator" in self.name
        return given[1:] if is_operator else given

    def may_be(self, function: Function) -> bool:
        """Whether a call that depends on template parameters can mean a function of that name."""
        is_member = function.class_ is not None and function.node.kind != CursorKind.LAMBDA_EXPR
        is_static = re.search(r"\bstatic\b", function.node.specifiers) is not None
        fits = {"::": not is_member or is_static, "": True}.get(self.access, is_member)
        return fits and (function.is_variadic or len(self.arguments) <= len(function.parameters))


class Function:
    """A function that has a body, a lambda, or the pattern or an instance of a template.

    text : that of the file. usr : clang's name for it, unique for each instance.
    """

    def __init__(self, node: Node, text: Text) -> None:
        self.node = node
        self.text = text
        self.body = next(c for c in reversed(node.children) if c.kind == CursorKind.COMPOUND_STMT)
        self.usr = str(node.cursor.get_usr()) or f"{node.path}:{node.start}"

    @property
    def name(self) -> str:
        return re.sub(r"<.*", "", self.node.name) if "operator" not in self.node.name else self.node.name

    @cached_property
    def parameters(self) -> tuple[Node, ...]:
        return tuple(c for c in self.node.children if c.kind == CursorKind.PARM_DECL)

    @cached_property
    def is_variadic(self) -> bool:
        """Whether it takes a pack of arguments."""
        return any("..." in parameter.text for parameter in self.parameters)

    @cached_property
    def own(self) -> tuple[Node, ...]:
        """The nodes of the body, without those of lambdas in it."""
        return tuple(_without_functions(self.body))

    @cached_property
    def class_(self) -> Node | None:
        """The class whose member it is; of a lambda that of the function around it."""
        if self.node.kind == CursorKind.LAMBDA_EXPR:
            around = next((a for a in self.node.above() if a.kind in FUNCTIONS), None)
            parent = around.cursor.semantic_parent if around else None
        else:
            parent = self.node.cursor.semantic_parent
        return Node(parent) if parent is not None and parent.kind in CLASSES else None

    @cached_property
    def is_template(self) -> bool:
        """Whether it, or the class around it, is the pattern of a template."""
        nodes = (self.node, *self.node.above())
        owner = self.class_
        return any(n.kind == CursorKind.FUNCTION_TEMPLATE or "TEMPLATE" in n.kind.name for n in nodes) or (
            owner is not None and "TEMPLATE" in owner.kind.name
        )

    @cached_property
    def is_constexpr(self) -> bool:
        return is_constexpr(self.node)

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """All braces with their pragmas, the body first."""
        found: list[tuple[Node, str, Loop | None]] = []
        _collect(self.body, None, found)
        inside: dict[int, list[Pragma]] = {id(node): [] for node, _, _ in found}
        lambdas = [n for n in self.own if n.kind == CursorKind.LAMBDA_EXPR]
        for pragma in self.text.pragmas:
            if pragma.offset > self.body.end:
                break
            if pragma.offset < self.body.start or any(n.start <= pragma.offset < n.end for n in lambdas):
                continue
            innermost = max((n for n, _, _ in found if n.start <= pragma.offset < n.end), key=lambda n: n.start)
            inside[id(innermost)].append(pragma)
        scopes = tuple(Scope(node, kind, loop, tuple(inside[id(node)])) for node, kind, loop in found)
        for scope in scopes:
            if scope.kind == "loop" and scope.loop is not None:
                scope.loop.scope = scope
        return scopes

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """All loops, outer ones first."""
        scopes = self.scopes  # they tie pragmas to the loops below
        bodies = {id(scope.loop.node): scope.loop for scope in scopes if scope.kind == "loop" and scope.loop}
        found: dict[int, Loop] = {}
        for node in self.own:
            if node.kind in LOOPS:
                loop = bodies.get(id(node)) or Loop(node, None)
                loop.outer = next((found[id(a)] for a in node.above() if id(a) in found), None)
                found[id(node)] = loop
        return tuple(found.values())

    def pragma(self, name: str) -> Pragma | None:
        """The pragma of that name that is about the whole function."""
        return self.scopes[0].pragma(name)

    def loop_of(self, node: Node) -> Loop | None:
        """The innermost loop that repeats `node`."""
        around = {id(loop.node): loop for loop in self.loops}
        return next((around[id(a)] for a in node.above() if id(a) in around), None)

    def is_pipelined(self, loop: Loop | None) -> bool:
        """Whether what is in `loop` is part of a pipeline: of the loop, of one around it or of the function."""
        around = loop.around() if loop is not None else ()
        return self.pragma("pipeline") is not None or any(outer.pragma("pipeline") for outer in around)

    def is_unrolled(self, loop: Loop) -> bool:
        """Whether all turns of a loop are done at once, by pragma or because what is around it is a pipeline."""
        return loop.pragma("unroll") is not None or self.is_pipelined(loop.outer)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Calls at run time: those of the compiler are not among them."""
        inits = [n for c in self.node.children if c is not self.body for n in c.walk()]
        nodes = [n for n in (*inits, *self.own) if n.kind == CursorKind.CALL_EXPR and not is_constant_place(n)]
        return tuple(call for node in nodes if (call := _call(node)))


def _without_functions(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children if node.kind != CursorKind.LAMBDA_EXPR else ():
        yield from _without_functions(child)


def _collect(node: Node, loop: Loop | None, found: list[tuple[Node, str, Loop | None]]) -> None:
    """Add all pairs of braces below `node`, and `node` itself, with the loop that they are in."""
    if node.kind == CursorKind.LAMBDA_EXPR:
        return
    if node.kind == CursorKind.COMPOUND_STMT:
        of_loop = loop is not None and loop.node is node.parent
        found.append((node, "loop" if of_loop else "function" if not found else "block", loop))
    inner = Loop(node, None) if node.kind in LOOPS else loop
    for child in node.children:
        _collect(child, inner, found)


def _call(node: Node) -> Call | None:
    target = node.target
    if target is not None and target.kind in FUNCTIONS:
        return Call(node, target.name, target)
    if not node.children:
        return None
    callee = node.children[0]
    if callee.target is not None and callee.target.kind in (CursorKind.PARM_DECL, CursorKind.VAR_DECL):
        return Call(node, "operator()", None, ".")
    written = re.sub(r"\s*<[^<>]*(<[^<>]*(<[^<>]*>)?[^<>]*>)*[^<>]*>\s*$", "", callee.text)
    name = re.search(r"(?P<access>\.|->|::|)\s*(?:template\s+)?(?P<name>\w+)\s*$", written)
    return Call(node, name["name"], None, name["access"]) if name else None
