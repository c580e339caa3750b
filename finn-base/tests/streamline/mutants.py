"""Wrong versions of functions: the code of one function is replaced while it runs, and put back.

    for mutant in mutants(module):
        with mutant.applied():
            ...

A mutant differs from the module in one operator, comparison or number, or in words that a person chose.
"""

from __future__ import annotations

import ast
import copy
import inspect
import signal
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
EXTREMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "low": "high", "high": "low"}


@dataclass(frozen=True, eq=False)
class Mutant:
    """function : its path in the module, such as "Range.map". wrong : its wrong source. line : where it differs."""

    module: ModuleType
    function: str
    line: int
    change: str
    wrong: Callable[[], ast.Module]

    def __str__(self) -> str:
        return f"{self.module.__name__.rsplit('.', 1)[-1]}.py:{self.line} {self.function}: {self.change}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        target = function_at(self.module, self.function)
        assert target is not None
        code = compile(self.wrong(), self.module.__file__ or "", "exec")
        for part in self.function.split("."):
            code = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == part)
        right, target.__code__ = target.__code__, code
        try:
            yield
        finally:
            target.__code__ = right


def function_at(module: ModuleType, path: str) -> FunctionType | None:
    """The function, method or getter; None if it cannot be replaced."""
    found: Any = module
    for part in path.split("."):
        found = inspect.getattr_static(found, part, None)
    found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
    return found if isinstance(found, FunctionType) and not found.__closure__ else None


# --- all small changes ---


def mutants(module: ModuleType) -> Iterator[Mutant]:
    """Every small change of every function of the module, in the order of the source."""
    tree = ast.parse(inspect.getsource(module))
    for path, function in _functions(tree):
        if function_at(module, path) is None:
            continue
        for change in _changes(function):
            yield _mutant(module, path, function, *change)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{f.name}", f) for f in node.body if isinstance(f, ast.FunctionDef))


Edit = Callable[[Any], None]


def _changes(function: ast.FunctionDef) -> list[tuple[int, str, Edit]]:
    """(position among the nodes of the function, what changes, how)."""
    quiet = {id(part) for node in ast.walk(function) if isinstance(node, ast.Raise) for part in ast.walk(node)}
    quiet |= {id(part) for node in ast.walk(function) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    quiet |= {id(part) for annotation in _annotations(function) for part in ast.walk(annotation)}
    found = []
    for position, node in enumerate(ast.walk(function)):
        if id(node) not in quiet:
            found += [(position, change, edit) for change, edit in _of(node)]
    return found


def _annotations(function: ast.FunctionDef) -> list[ast.AST]:
    found = [a.annotation for a in ast.walk(function) if isinstance(a, ast.arg) and a.annotation]
    found += [n.returns for n in ast.walk(function) if isinstance(n, ast.FunctionDef) and n.returns]
    return found + [n.annotation for n in ast.walk(function) if isinstance(n, ast.AnnAssign)]


def _of(node: ast.AST) -> list[tuple[str, Edit]]:
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPS:
        other = SWAPS[type(node.op)]
        return [(f"{type(node.op).__name__} -> {other.__name__}", lambda n: setattr(n, "op", other()))]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        swapped = SWAPS[type(node.ops[0])]
        change = f"{type(node.ops[0]).__name__} -> {swapped.__name__}"
        return [(change, lambda n: n.ops.__setitem__(0, swapped()))]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        return [(f"no {type(node.op).__name__}", lambda n: setattr(n, "op", ast.UAdd()))] if _number(node) else []
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return [(f"{node.value} -> {node.value + 1}", lambda n: setattr(n, "value", n.value + 1))]
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        return [(f"{node.value} -> {not node.value}", lambda n: setattr(n, "value", not n.value))]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node.attr in EXTREMES:
        extreme = EXTREMES[node.attr]
        return [(f"{node.attr} -> {extreme}", lambda n: setattr(n, "attr", extreme))]
    return []


def _number(node: ast.UnaryOp) -> bool:
    return isinstance(node.op, ast.USub)


def _mutant(module: ModuleType, path: str, function: ast.FunctionDef, position: int, change: str, edit: Edit) -> Mutant:
    def wrong() -> ast.Module:
        other = copy.deepcopy(function)
        edit(list(ast.walk(other))[position])
        return _alone(path, other)

    node = list(ast.walk(function))[position]
    return Mutant(module, path, getattr(node, "lineno", function.lineno), change, wrong)


def _alone(path: str, function: ast.FunctionDef) -> ast.Module:
    """A module of this function, in its class if it has one."""
    function.decorator_list = []
    body: ast.stmt = function
    if "." in path:
        body = ast.ClassDef(path.split(".")[0], [], [], [function], [])
    head = ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
    return ast.fix_missing_locations(ast.Module([head, body], []))


def text_mutant(module: ModuleType, path: str, old: str, new: str) -> Mutant:
    """The function with other words. The words have to occur once in it."""
    source = inspect.getsource(module)
    function = dict(_functions(ast.parse(source)))[path]
    lines = source.splitlines(keepends=True)
    body = "".join(lines[function.lineno - 1 : function.end_lineno])
    assert body.count(old) == 1, f"{module.__name__}.{path} has {old!r} {body.count(old)} times, not once"
    line = function.lineno + body[: body.index(old)].count("\n")

    def wrong() -> ast.Module:
        tree = ast.parse("".join(lines[: function.lineno - 1]) + body.replace(old, new))
        return _alone(path, dict(_functions(tree))[path])

    return Mutant(module, path, line, f"{old} -> {new}", wrong)


# --- running ---


def lines_of(run: Callable[[], object], files: set[str]) -> set[tuple[str, int]]:
    """The lines of these files that a call executes."""
    seen: set[tuple[str, int]] = set()

    def local(frame: types.FrameType, event: str, _: object) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def enter(frame: types.FrameType, event: str, _: object) -> Any:
        return local if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        run()
    finally:
        sys.settrace(before)
    return seen


class TooLong(Exception):
    """A mutant that does not come to an end."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
