"""Equal operators past the operator that joins them, and operators past a Split: equations in any number of tensors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._axes import call_of
from finn.transformation._layout_regions import node_perm, set_type, transposed_tensor, type_of
from finn.transformation._layout_rules import inverse, perm_of
from finn.transformation.base import Transformation
from finn.transformation.constants import annotated
from finn.transformation.rewrite import Call, NoMatch, TensorRef, op, require
from finn.transformation.rewrite._editing import Editor
from finn.transformation.streamline._reorder_linear import LINEAR

ELEMENTWISE = ("Add", "Div", "Max", "Mean", "Min", "Mul", "Sub", "Sum")


class MoveIdenticalOpPastJoinOp(Transformation):
    """join(f(x), f(y), ...) becomes f'(join'(x, y, ...)), where f reads nothing else that is computed.

    identical_op_list: op types of f; join_node_list: of the join, which reads nothing but the results of f, each once
    and alone. Constants of f become those of f':

    - Transpose past elementwise operators and Concat, all with one perm; the axis of Concat is that of x.
    - Mul past Add, Sub, Sum and Mean, all by equal constants.
    - Add past Add and Sum: the sum of the constants.
    - Mul, Add, Div and Sub past Concat: equal constants that do not vary along its axis stay, others are concatenated.

    ConfigError for an op type that stands in none of these pairs.
    """

    def __init__(self, identical_op_list: Iterable[str], join_node_list: Iterable[str]) -> None:
        super().__init__()
        self.ops_to_move = tuple(identical_op_list)
        self.join_node_op = tuple(join_node_list)
        pairs = [(f, join) for f in self.ops_to_move for join in self.join_node_op if (f, join) in EQUATIONS]
        used = {op_type for pair in pairs for op_type in pair}
        lonely = [op_type for op_type in (*self.ops_to_move, *self.join_node_op) if op_type not in used]
        if lonely or not pairs:
            known = ", ".join(sorted(f"{f} past {join}" for f, join in EQUATIONS))
            what = f"no equation speaks of {', '.join(lonely) or 'no operators at all'}"
            raise ConfigError(what, where=type(self).__name__, remedy=f"these can move: {known}")

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = False
        with model.trusted_index():
            editor = Editor(model)
            try:
                for node in list(model.graph.node):
                    changed |= node.op_type in self.join_node_op and self._move(model, editor, node)
            finally:
                editor.finish()
        return model, changed

    def _move(self, model: ModelWrapper, editor: Editor, join: NodeProto) -> bool:
        """Apply the equation for `join`; False if there is none."""
        producers = [model.find_producer(name) for name in join.input]
        if join.domain or not all(p is not None and _is_read_once(model, p) for p in producers):
            return False
        found = [p for p in producers if p is not None]
        types = {p.op_type for p in found}
        equation = EQUATIONS.get((min(types), join.op_type)) if len(types) == 1 else None
        if equation is None or not types <= set(self.ops_to_move):
            return False
        try:
            replacement = equation(_named(model, join), [_named(model, p) for p in found])
            editor.replace([join, *found], join.output[0], replacement)
        except NoMatch:
            return False
        return True


def _is_read_once(model: ModelWrapper, node: NodeProto) -> bool:
    result = node.output[0]
    return not node.domain and len(model.find_consumers(result)) == 1 and not model.is_graph_output(result)


def _named(model: ModelWrapper, node: NodeProto) -> Call:
    """The node with `TensorRef`s as inputs."""
    call = call_of(node)
    inputs = tuple(TensorRef.of(model, name) for name in call.inputs)
    return Call(call.op, inputs, call.attributes, result=TensorRef.of(model, node.output[0]))


# ----------------------------------------------------------------------------------------------------------- equations


def _like(call: Call, join: Call) -> Any:
    """`call` with the data type of what the join writes."""
    return call if join.result is None else annotated(call, join.result.datatype)


def _one_perm(transposes: Sequence[Call]) -> list[int]:
    perms = [perm_of(t, t.inputs[0]) for t in transposes]
    require(all(perm == perms[0] for perm in perms), "they transpose in different ways")
    return perms[0]


def _transposes_past_elementwise(join: Call, transposes: Sequence[Call]) -> Call:
    """join(x^T, y^T) == join(x, y)^T"""
    perm = _one_perm(transposes)
    return op.Transpose(_like(join.on(*(t.inputs[0] for t in transposes)), join), perm=perm)


def _transposes_past_concat(concat: Call, transposes: Sequence[Call]) -> Call:
    """concat(x^T, y^T, axis) == concat(x, y, axis before the transposes)^T"""
    perm = _one_perm(transposes)
    axis = perm[concat.attributes["axis"]]
    joined = op.Concat(*(t.inputs[0] for t in transposes), axis=axis)
    return op.Transpose(_like(joined, concat), perm=perm)


def _split_operands(f: Call) -> tuple[TensorRef, TensorRef, np.ndarray]:
    """What f computes with: a tensor, a constant and its value. NoMatch if there are no such two."""
    for position in (1, 0) if f.op in ("Add", "Mul") else (1,):
        c: TensorRef = f.inputs[position]
        if (value := c.value) is not None:
            return f.inputs[1 - position], c, value
    raise NoMatch(f"{f.op} reads no constant")


def _products_past_sum(join: Call, products: Sequence[Call]) -> Call:
    """x*c + y*c == (x + y) * c"""
    operands = [_split_operands(f) for f in products]
    c, value = operands[0][1:]
    require(all(np.array_equal(value, v) for _, _, v in operands), "the factors differ")
    return op.Mul(join.on(*(x for x, _, _ in operands)), annotated(value, c.datatype))


def _sums_past_sum(join: Call, sums: Sequence[Call]) -> Call:
    """(x + a) + (y + b) == (x + y) + (a + b)"""
    operands = [_split_operands(f) for f in sums]
    total = operands[0][2]
    for _, _, value in operands[1:]:
        total = total + value
    return op.Add(join.on(*(x for x, _, _ in operands)), total)


def _affine_past_concat(concat: Call, calls: Sequence[Call]) -> Call:
    """concat(f(x, a), f(y, b)) == f(concat(x, y), concat(a, b)); f(concat(x, y), a) if a == b for every place"""
    operands = [_split_operands(f) for f in calls]
    rank = operands[0][0].rank
    axis = concat.attributes["axis"] % rank
    full = [_along(x, value, rank) for x, _, value in operands]
    first, datatypes = full[0], {constant.datatype.name for _, constant, _ in operands}
    if first.shape[axis] != 1 or not all(np.array_equal(first, value) for value in full):
        lengths = [(x.shape or ())[axis] for x, _, _ in operands]
        require(all(lengths), "the lengths that are joined are not known")
        common = np.broadcast_shapes(*(value.shape[:axis] + value.shape[axis + 1 :] for value in full))
        shapes = [(*common[:axis], length, *common[axis:]) for length in lengths]
        first = np.concatenate([np.broadcast_to(v, shape) for v, shape in zip(full, shapes, strict=True)], axis)
    else:
        first = operands[0][2]
    joined = annotated(first, operands[0][1].datatype) if len(datatypes) == 1 else first
    return calls[0].on(concat.on(*(x for x, _, _ in operands)), joined)


def _along(x: TensorRef, value: np.ndarray, rank: int) -> np.ndarray:
    """The constant with as many axes as x. NoMatch if it may enlarge x."""
    require(value.ndim <= rank == x.rank, "the constant has more axes than the tensor")
    shape: tuple[int, ...] = (1,) * (rank - value.ndim) + value.shape
    fits = all(length in (1, dim) for length, dim in zip(shape, x.shape or (), strict=True))
    require(fits, f"a constant of shape {value.shape} may enlarge '{x.name}'")
    return value.reshape(shape)


Equation = Callable[[Call, Sequence[Call]], Call]
EQUATIONS: dict[tuple[str, str], Equation] = {
    **{("Transpose", join): _transposes_past_elementwise for join in ELEMENTWISE},
    ("Transpose", "Concat"): _transposes_past_concat,
    **{("Mul", join): _products_past_sum for join in ("Add", "Sub", "Sum", "Mean")},
    **{("Add", join): _sums_past_sum for join in ("Add", "Sum")},
    **{(f, "Concat"): _affine_past_concat for f in LINEAR},
}
"""(f, join): how the expression join(f(x), f(y), ...) is computed instead. NoMatch if it has to stay."""


# --------------------------------------------------------------------------------------------------------------- Split


class MovePastSplit(Transformation):
    """split(f(x)) becomes f of every output of split(x), for an f that Split alone reads."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = False
        with model.trusted_index():
            for node in list(model.graph.node):
                split = _reading_split(model, node)
                changed |= split is not None and self.move(model, node, split)
        return model, changed

    @abstractmethod
    def move(self, model: ModelWrapper, node: NodeProto, split: NodeProto) -> bool:
        """Move `node` past `split`; False, with nothing changed, if it has to stay."""


def _reading_split(model: ModelWrapper, node: NodeProto) -> NodeProto | None:
    """The Split that alone reads the node."""
    if len(node.output) != 1 or not _is_read_once(model, node):
        return None
    reader = model.find_consumers(node.output[0])[0]
    is_split = reader.op_type == "Split" and not reader.domain and reader.input[0] == node.output[0]
    return reader if is_split else None


class MoveScalarLinearPastSplit(MovePastSplit):
    """split(f(x, s)) == f(part, s) for every part of split(x); f one of x*s, x+s, x/s, x-s, s a scalar constant."""

    def move(self, model: ModelWrapper, node: NodeProto, split: NodeProto) -> bool:
        if node.op_type not in LINEAR:
            return False
        try:
            x, _, value = _split_operands(_named(model, node))
            require(value.size == 1 and value.ndim <= x.rank, "this is no scalar")
        except NoMatch:
            return False
        parts = [_like_tensor(model, name) if name else "" for name in split.output]
        _distribute(model, node, split, list(node.input).index(x.name), parts)
        return True


class MoveTransposePastSplit(MovePastSplit):
    """split(transpose(x), axis) == transpose(part) for every part of split(x, the axis before the Transpose)."""

    def move(self, model: ModelWrapper, node: NodeProto, split: NodeProto) -> bool:
        perm = node_perm(model, node)
        if perm is None:
            return False
        axis = next((a for a in split.attribute if a.name == "axis"), None) or split.attribute.add()
        axis.CopyFrom(helper.make_attribute("axis", perm[axis.i]))
        parts = [transposed_tensor(model, name, inverse(perm)) if name else "" for name in split.output]
        _distribute(model, node, split, 0, parts)
        return True


def _like_tensor(model: ModelWrapper, name: str) -> str:
    """A new tensor name with the shape and element type of `name`."""
    new, kind = model.unique_tensor_name(f"{name}_part"), type_of(model, name)
    if kind is not None:
        set_type(model, new, kind)
    return new


def _distribute(model: ModelWrapper, node: NodeProto, split: NodeProto, position: int, parts: Sequence[str]) -> None:
    """Let `split` read input `position` of `node` and write `parts`, and a copy of `node` make each old output."""
    whole, index = node.output[0], (model.get_node_index(split) or 0) + 1
    model.set_node_input(split, 0, node.input[position])
    for i, (name, part) in enumerate(zip(list(split.output), parts, strict=True)):
        if name:
            model.set_node_output(split, i, part)
            copy = NodeProto()
            copy.CopyFrom(node)
            copy.name, copy.output[0], copy.input[position] = f"{node.op_type}_{name}", name, part
            model.insert_node(index, copy)
            index += 1
    model.remove_node(node)
    model.remove_tensors([whole])
