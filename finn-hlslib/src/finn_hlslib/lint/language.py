# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about the language: what of C++ has no hardware (UG1399, "Unsupported C/C++ Constructs")."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clang.cindex import CursorKind, StorageClass, Type, TypeKind

from finn_hlslib.lint.tree import ARRAYS, CLASSES, FUNCTIONS, VARIABLES, Node, is_constexpr
from finn_hlslib.lint.unit import Found, Unit, is_ours

ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "free", "alloca", "aligned_alloc", "strdup"})
CONTAINERS = frozenset(
    {"basic_string", "deque", "forward_list", "list", "map", "multimap", "multiset", "priority_queue", "queue", "set"}
    | {"stack", "unordered_map", "unordered_multimap", "unordered_multiset", "unordered_set", "valarray", "vector"}
    | {"shared_ptr", "unique_ptr", "weak_ptr"}
)
METHODS = frozenset({CursorKind.CXX_METHOD, CursorKind.DESTRUCTOR})
FLOATS = frozenset({TypeKind.FLOAT, TypeKind.DOUBLE, TypeKind.HALF})
DECLARED = VARIABLES | {CursorKind.TYPE_ALIAS_DECL, CursorKind.TYPEDEF_DECL}


def at(node: Node, what: str, why: str, remedy: str) -> Found:
    """A finding at the name of a declaration, or where an expression begins."""
    offset = node.at if node.kind in DECLARED | FUNCTIONS | CLASSES else node.start
    return Found(node.path, offset, what, why, remedy)


def _words(unit: Unit, pattern: str, what: str, why: str, remedy: str) -> Iterator[Found]:
    """Keywords, wherever they stand: also in templates of which clang keeps little before they have arguments."""
    for path in unit.files:
        for match in re.finditer(pattern, unit.text(path).code):
            yield Found(path, match.start(), what.format(match[0].strip()), why, remedy)


def goto(unit: Unit) -> Iterator[Found]:
    """No `goto`.

    The scheduler works on structured loops; a jump leaves or enters them where it cannot see it.
    """
    yield from _words(unit, r"\bgoto\b", "goto", "it breaks the structure of loops", "use a condition")


def exceptions(unit: Unit) -> Iterator[Found]:
    """No `throw`, `try` or `catch`.

    There is no stack to unwind. What can go wrong is refused by `static_assert`, or cannot be expressed.
    """
    why, remedy = "hardware has no stack to unwind", "refuse wrong parameters with static_assert"
    yield from _words(unit, r"\b(throw|try|catch)\b", "{}", why, remedy)


def rtti(unit: Unit) -> Iterator[Found]:
    """No `dynamic_cast` and no `typeid`.

    Objects in hardware carry no type at run time.
    """
    remedy = "make the type a template parameter"
    yield from _words(unit, r"\b(dynamic_cast|typeid)\b", "{}", "hardware knows no types at run time", remedy)


def virtual(unit: Unit) -> Iterator[Found]:
    """No virtual functions and no virtual bases.

    A call whose target is known at run time alone has no circuit. Templates choose when the design is made.
    """
    remedy = "make the class a template parameter, or use the curiously recurring template pattern"
    yield from _words(unit, r"\bvirtual\b", "virtual", "what is called must be known when hardware is made", remedy)
    written = {id(function.node) for function in unit.functions if "virtual" in function.node.specifiers}
    for function in unit.functions:
        node = function.node
        if id(node) not in written and node.kind in METHODS and node.cursor.is_virtual_method():
            yield at(node, f"{node.name} overrides a virtual function", "its calls are not static", remedy)


def inline_assembly(unit: Unit) -> Iterator[Found]:
    """No `asm`.

    There is no processor that could execute it.
    """
    yield from _words(unit, r"\b(asm|__asm|__asm__)\b", "{}", "there is no processor", "write it in C++")


def assertion(unit: Unit) -> Iterator[Found]:
    """No `assert`; `static_assert` is welcome.

    Vitis HLS does not support it and may make logic of its condition.
    """
    remedy = "use static_assert, or test the condition in a test bench"
    yield from _words(unit, r"\bassert\s*(?=\()", "{}", "it is not supported and may become logic", remedy)


def pointer_cast(unit: Unit) -> Iterator[Found]:
    """No `reinterpret_cast`, and no cast in C's manner to a pointer.

    Bits of arbitrary precision types lie in memory otherwise in simulation than in hardware.
    """
    why = "bits lie otherwise in simulation than in hardware"
    for node in unit.nodes:
        is_pointer = (
            node.kind == CursorKind.CSTYLE_CAST_EXPR and node.cursor.type.get_canonical().kind == TypeKind.POINTER
        )
        if is_pointer or node.kind == CursorKind.CXX_REINTERPRET_CAST_EXPR:
            what = "a cast to a pointer" if is_pointer else "reinterpret_cast"
            yield at(node, what, why, "use range() of the type, encode() or Decode")


def union(unit: Unit) -> Iterator[Found]:
    """No unions, except of one floating point number and one integer of the same size.

    This is how the bits of a number are had; any other union depends on where members lie in memory.
    """
    for node in unit.nodes:
        if node.kind in CLASSES and re.search(r"\bunion\b", node.specifiers + node.text[:5]):
            types = [c.cursor.type.get_canonical() for c in node.children if c.kind == CursorKind.FIELD_DECL]
            if not _is_bits_of_float(types):
                yield at(
                    node, f"union {node.name}".strip(), "where members lie is not defined in hardware", "use a struct"
                )


def _is_bits_of_float(types: list[Type]) -> bool:
    floats = [kind for kind in types if kind.kind in FLOATS]
    return len(types) == 2 and len(floats) == 1 and types[0].get_size() == types[1].get_size()


def dynamic_memory(unit: Unit) -> Iterator[Found]:
    """No `new`, `delete`, `malloc`, no containers and smart pointers of the standard library.

    All memory of a circuit is there from the beginning.
    """
    why, remedy = "all memory of a circuit is there from the beginning", "use an array of constant size"
    kinds = {CursorKind.CXX_NEW_EXPR: "new", CursorKind.CXX_DELETE_EXPR: "delete"}
    for node in unit.nodes:
        if node.kind in kinds:
            yield at(node, kinds[node.kind], why, remedy)
        elif node.kind == CursorKind.CALL_EXPR and node.name in ALLOCATORS and _is_foreign(node.target):
            yield at(node, f"{node.name}()", why, remedy)
        elif node.kind in (CursorKind.TEMPLATE_REF, CursorKind.TYPE_REF) and _is_container(node.target):
            yield at(node, f"std::{node.target.name if node.target else ''}", why, remedy)


def _is_container(target: Node | None) -> bool:
    if target is None or is_ours(target.path):
        return False
    kind = target.cursor.type.get_canonical().spelling if target.kind == CursorKind.TYPEDEF_DECL else ""
    name = re.sub(r"std::(__\w+::)?|<.*", "", kind) or target.name
    return name in CONTAINERS


def _is_foreign(target: Node | None) -> bool:
    return target is not None and not is_ours(target.path)


def system_call(unit: Unit) -> Iterator[Found]:
    """No functions of the C library and no objects of the standard library (`printf`, `time`, `exit`, `std::cout`).

    There is no operating system below a circuit.
    """
    why, remedy = "a circuit has no operating system", "keep it in the test bench"
    for node in unit.nodes:
        target = node.target if node.kind in (CursorKind.CALL_EXPR, CursorKind.DECL_REF_EXPR) else None
        parent = target.cursor.semantic_parent if target is not None and _is_foreign(target) else None
        if target is None or parent is None or target.name in ALLOCATORS:
            continue
        is_global = parent.kind in (CursorKind.TRANSLATION_UNIT, CursorKind.LINKAGE_SPEC)
        if node.kind == CursorKind.CALL_EXPR and target.kind == CursorKind.FUNCTION_DECL and is_global:
            yield at(node, f"{target.name}() of the C library", why, remedy)
        elif target.kind == CursorKind.VAR_DECL and parent.kind == CursorKind.NAMESPACE and not _is_const(target):
            yield at(node, f"the object {parent.spelling}::{target.name}", why, remedy)


def _is_const(variable: Node) -> bool:
    kind = variable.cursor.type
    while kind.kind in ARRAYS:
        kind = kind.element_type
    return bool(kind.is_const_qualified())


def function_pointer(unit: Unit) -> Iterator[Found]:
    """No pointers or references to functions or to members, and no `std::function`.

    What is called must be known when hardware is made. A functor as template parameter is.
    """
    why, remedy = "what is called must be known when hardware is made", "pass a functor as a template parameter"
    for node in unit.nodes:
        kind = node.cursor.type.get_canonical() if node.kind in DECLARED else None
        while kind is not None and kind.kind in (TypeKind.CONSTANTARRAY, TypeKind.INCOMPLETEARRAY):
            kind = kind.element_type
        if kind is not None and (
            _points_to_function(kind) or kind.spelling.startswith(("std::function<", "const std::function<"))
        ):
            yield at(node, f"{node.name} is of type {node.cursor.type.spelling}", why, remedy)


def _points_to_function(kind: Type) -> bool:
    if kind.kind == TypeKind.MEMBERPOINTER:
        return True
    is_indirect = kind.kind in (TypeKind.POINTER, TypeKind.LVALUEREFERENCE, TypeKind.RVALUEREFERENCE)
    return is_indirect and kind.get_pointee().get_canonical().kind == TypeKind.FUNCTIONPROTO


def pointer_to_pointer(unit: Unit) -> Iterator[Found]:
    """No pointers to pointers, and no arrays of pointers.

    A pointer becomes the memory that it points to, and that must be known when hardware is made.
    """
    pointers = (TypeKind.POINTER, TypeKind.CONSTANTARRAY, TypeKind.INCOMPLETEARRAY)
    for node in unit.nodes:
        kind = node.cursor.type.get_canonical() if node.kind in DECLARED else None
        depth = 0
        while kind is not None and kind.kind in pointers:
            depth += 1
            inner = (kind.get_pointee() if kind.kind == TypeKind.POINTER else kind.element_type).get_canonical()
            if inner.kind == TypeKind.POINTER:
                what = f"{node.name} is of type {node.cursor.type.spelling}"
                yield at(
                    node, what, "memory behind it is not known when hardware is made", "use an array, or references"
                )
                break
            kind = inner


def static_local(unit: Unit) -> Iterator[Found]:
    """No static local variables in templates, unless they are constant.

    There is one per instance: two layers with the same configuration would share their state. Keep it in an object that
    the caller declares, or say with an allowance why it may be shared.
    """
    for function in unit.patterns:
        for node in function.own:
            is_static = node.kind == CursorKind.VAR_DECL and node.cursor.storage_class == StorageClass.STATIC
            if is_static and function.is_template and not _is_const(node):
                why = "layers with the same configuration would share it"
                yield at(node, f"static {node.name} in a template", why, "make it a member of the kernel's class")


def global_variable(unit: Unit) -> Iterator[Found]:
    """Global variables and static members are constant.

    State outside of kernels would be shared by all layers, and none of them could be made alone.
    """
    places = (CursorKind.NAMESPACE, CursorKind.TRANSLATION_UNIT, CursorKind.LINKAGE_SPEC, *CLASSES)
    for node in unit.written:
        if node.kind != CursorKind.VAR_DECL or (node.parent is not None and node.parent.kind not in places):
            continue
        if not _is_const(node) and not is_constexpr(node):
            why = "state outside of kernels is shared by all layers"
            yield at(
                node, f"the variable {node.name} is not constant", why, "make it static const, or a member of a kernel"
            )


RULES = (
    goto,
    exceptions,
    rtti,
    virtual,
    inline_assembly,
    assertion,
    pointer_cast,
    union,
    dynamic_memory,
    system_call,
    function_pointer,
    pointer_to_pointer,
    static_local,
    global_variable,
)
