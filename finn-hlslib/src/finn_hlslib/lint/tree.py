# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""clang's syntax tree with what its Python interface lacks: parents, byte positions, and what is constant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property

from clang.cindex import Cursor, CursorKind, Type, TypeKind

from finn_hlslib.lint.text import Text, closing

REFERENCES = frozenset({CursorKind.DECL_REF_EXPR, CursorKind.MEMBER_REF_EXPR})
FUNCTIONS = frozenset(
    {
        CursorKind.FUNCTION_DECL,
        CursorKind.CXX_METHOD,
        CursorKind.FUNCTION_TEMPLATE,
        CursorKind.CONSTRUCTOR,
        CursorKind.DESTRUCTOR,
        CursorKind.CONVERSION_FUNCTION,
        CursorKind.LAMBDA_EXPR,
    }
)
CLASSES = frozenset(
    {
        CursorKind.CLASS_DECL,
        CursorKind.STRUCT_DECL,
        CursorKind.UNION_DECL,
        CursorKind.CLASS_TEMPLATE,
        CursorKind.CLASS_TEMPLATE_PARTIAL_SPECIALIZATION,
    }
)
LOOPS = frozenset({CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT, CursorKind.CXX_FOR_RANGE_STMT})
VARIABLES = frozenset({CursorKind.VAR_DECL, CursorKind.PARM_DECL, CursorKind.FIELD_DECL})
ARRAYS = frozenset({TypeKind.CONSTANTARRAY, TypeKind.DEPENDENTSIZEDARRAY, TypeKind.INCOMPLETEARRAY})
CONSTANT_PLACES = frozenset(
    {
        CursorKind.STATIC_ASSERT,
        CursorKind.ENUM_CONSTANT_DECL,
        CursorKind.TYPE_ALIAS_DECL,
        CursorKind.TYPEDEF_DECL,
        CursorKind.CXX_BASE_SPECIFIER,
        CursorKind.TEMPLATE_NON_TYPE_PARAMETER,
        CursorKind.TEMPLATE_TYPE_PARAMETER,
        CursorKind.DECL_REF_EXPR,  # what is below one is its qualifier or its template arguments
    }
)

ANGLE = re.compile(r"\s*<")


class Node:
    """A cursor that knows where it hangs in the tree.

    start, end : byte offsets in the file `path`.
    """

    def __init__(self, cursor: Cursor, parent: Node | None = None) -> None:
        self.cursor = cursor
        self.parent = parent

    @cached_property
    def kind(self) -> CursorKind:
        return self.cursor.kind

    @cached_property
    def children(self) -> tuple[Node, ...]:
        return tuple(Node(child, self) for child in self.cursor.get_children())

    @cached_property
    def name(self) -> str:
        return str(self.cursor.spelling)

    @cached_property
    def path(self) -> str:
        file = self.cursor.location.file or self.cursor.extent.start.file
        return "" if file is None else str(file.name)

    @cached_property
    def start(self) -> int:
        return int(self.cursor.extent.start.offset)

    @cached_property
    def end(self) -> int:
        return int(self.cursor.extent.end.offset)

    @cached_property
    def at(self) -> int:
        """Where the name stands."""
        return int(self.cursor.location.offset)

    @cached_property
    def target(self) -> Node | None:
        """What it refers to."""
        found = self.cursor.referenced
        return None if found is None or found == self.cursor else Node(found)

    @cached_property
    def text(self) -> str:
        """The code, without comments."""
        return text_of(self.path).code[self.start : self.end]

    def walk(self) -> Iterator[Node]:
        """Itself and all below it, from the top."""
        yield self
        for child in self.children:
            yield from child.walk()

    def above(self) -> Iterator[Node]:
        """What it is in, from the bottom."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def same(self, other: Node | None) -> bool:
        return other is not None and bool(self.cursor == other.cursor)

    def same_target(self, other: Node) -> bool:
        """Whether it is a name, perhaps converted or in parentheses, of `other`."""
        node = self
        while len(node.children) == 1 and node.kind not in REFERENCES:
            node = node.children[0]
        return node.kind in REFERENCES and node.target is not None and node.target.same(other)

    @property
    def specifiers(self) -> str:
        """What stands in front of the name of a declaration."""
        return text_of(self.path).code[self.start : self.at]


def mentions(node: Node, *variables: Node) -> bool:
    """Whether an expression uses one of the variables."""
    targets = [n.target for n in node.walk() if n.kind in REFERENCES]
    return any(target is not None and target.same(v) for target in targets for v in variables)


@cache
def text_of(path: str) -> Text:
    """The text of a file, with what the preprocessor leaves out: enough for the words of a declaration."""
    return Text.read(path)


def canonical(kind: Type) -> Type:
    """The type without aliases and references."""
    found = kind.get_canonical()
    while found.kind in (TypeKind.LVALUEREFERENCE, TypeKind.RVALUEREFERENCE):
        found = found.get_pointee().get_canonical()
    return found


def is_constexpr(node: Node) -> bool:
    return re.search(r"\bconstexpr\b", node.specifiers) is not None


def is_constant(node: Node, variable: Node | None = None) -> bool:
    """Whether an expression is constant once all template parameters are; `variable` counts as constant, too."""
    if node.kind in REFERENCES:
        target = node.target
        if target is not None and not _is_constant_target(target, variable):
            return False
    return node.kind != CursorKind.CXX_THIS_EXPR and all(is_constant(child, variable) for child in node.children)


def _is_constant_target(target: Node, variable: Node | None) -> bool:
    if target.same(variable):
        return True
    if target.kind == CursorKind.VAR_DECL:
        return _is_constant_variable(target)
    if target.kind in FUNCTIONS:
        return is_constexpr(target)
    if target.kind == CursorKind.OVERLOADED_DECL_REF:
        return True  # a dependent name; what it is given decides
    return target.kind in (CursorKind.TEMPLATE_NON_TYPE_PARAMETER, CursorKind.ENUM_CONSTANT_DECL)


def _is_constant_variable(variable: Node) -> bool:
    if is_constexpr(variable):
        return True
    value = initializer(variable)
    return bool(variable.cursor.type.is_const_qualified()) and value is not None and is_constant(value)


def initializer(variable: Node) -> Node | None:
    """The value with which a variable or a member begins: what stands behind the name and the bounds of an array."""
    if not variable.children:
        return None
    last = variable.children[-1]
    between = text_of(variable.path).code[variable.at + len(variable.name) : last.start]
    behind = last.start > variable.at and between.count("[") == between.count("]")
    return last if behind and re.search(r"[={(]", between + last.text[:1]) else None


def is_constant_place(node: Node) -> bool:
    """Whether an expression is evaluated by the compiler because of where it stands: a type, a bound, a constant."""
    below = node
    for above in node.above():
        if above.kind in CONSTANT_PLACES or _is_template_argument(below, above):
            return True
        if above.kind in VARIABLES:
            value = initializer(above)
            return is_constexpr(above) or value is None or not value.start <= node.start < value.end
        if above.kind in FUNCTIONS:
            return below.kind != CursorKind.COMPOUND_STMT and not _is_member_initializer(below, above)
        below = above
    return True


def _is_template_argument(node: Node, above: Node) -> bool:
    """Whether a child stands between the angle brackets behind the name of a template."""
    code = text_of(above.path).code
    names = [child for child in above.children if child.kind == CursorKind.TEMPLATE_REF and child.end <= node.start]
    ends = [child.end for child in names]
    if above.kind == CursorKind.MEMBER_REF_EXPR and above.at + len(above.name) <= node.start:
        ends.append(above.at + len(above.name))
    for end in ends:
        bracket = ANGLE.match(code, end)
        if bracket and node.end <= closing(code, bracket.end() - 1):
            return True
    return False


def _is_member_initializer(node: Node, function: Node) -> bool:
    names = [child for child in function.children if child.kind == CursorKind.MEMBER_REF]
    return any(name.end <= node.start for name in names)
