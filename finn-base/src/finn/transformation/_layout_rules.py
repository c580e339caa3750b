"""Equations about Transpose: past operators, into weights, away.

A Transpose to channels first is [0, n-1, 1, ..., n-2], one to channels last its inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from finn.transformation._axes import Axes, Operand, moved_call
from finn.transformation.constants import annotated, rearranged, shape_of
from finn.transformation.rewrite import Call, Const, NoMatch, Rule, TensorRef, Var, maybe, op, require, rule
from finn.transformation.standard_ops import unsqueeze


class Weights(Const):
    """Binds a constant, or what one operator makes of constants, such as quantized weights, as a `TensorRef`.

    Looking further back for constants would take a walk through the network for every Transpose.
    """

    def bind(self, tensor: TensorRef) -> TensorRef:
        model, producer = tensor.model, tensor.model.find_producer(tensor.name)
        sources = [tensor.name] if producer is None else [name for name in producer.input if name]
        if not (sources and all(map(model.has_initializer, sources))):
            raise NoMatch(f"{self.name} = '{tensor.name}' is not computed from constants")
        return tensor


x, y, b = Var("x"), Var("y"), Var("b")
k, w = Const("k"), Weights("w")


def to_first(rank: int) -> list[int]:
    """The perm of a Transpose from channels last to channels first."""
    return [0, rank - 1, *range(1, rank - 1)]


def to_last(rank: int) -> list[int]:
    """The perm of a Transpose from channels first to channels last."""
    return [0, *range(2, rank), 1]


def inverse(perm: Sequence[int]) -> list[int]:
    """The perm that undoes `perm`."""
    return [int(i) for i in np.argsort(perm)]


def perm_of(transpose: Call, tensor: TensorRef) -> list[int]:
    """The perm of a Transpose of `tensor`; without the attribute the axes are reversed."""
    perm = transpose.attributes.get("perm")
    return list(range(tensor.rank))[::-1] if perm is None else list(perm)


def transposed(tensor: TensorRef, perm: list[int]) -> Call:
    """Transpose of a tensor, with leading axes of length 1 if it has too few."""
    full: Any = tensor
    if tensor.rank < len(perm):
        full = annotated(unsqueeze(tensor.model, tensor, range(len(perm) - tensor.rank)), tensor.datatype)
    result: Call = annotated(op.Transpose(full, perm=perm), tensor.datatype)
    return result


def _typed_like(call: Call, matched: Call) -> Call:
    """`call` with the annotation of what the matched call writes."""
    result: Call = call if matched.result is None else annotated(call, matched.result.datatype)
    return result


# --------------------------------------------------------------------------------------------------------------- away

_FIRST, _LAST = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}


@rule(
    op.Transpose(op.Transpose(x).named("first")).named("second"),
    shapes="x:n,c,h,k | x:n,c,h,k | x:c,h,k",
    attributes=[{"first": _FIRST, "second": _LAST}, {"first": _FIRST, "second": _FIRST}, {}],
)
def compose_transposes(x: TensorRef, first: Call, second: Call) -> Any:
    """transpose(transpose(x, p), q) == transpose(x, p[q]), x itself if that is the order it has"""
    p, q = perm_of(first, x), perm_of(second, x)
    perm = [p[i] for i in q]
    return x if perm == sorted(perm) else op.Transpose(x, perm=perm)


@rule(
    op.Transpose(x).named("t"),
    shapes="x:n,c,h,k | x:n,c,h,k",
    attributes=[{"t": {"perm": [0, 1, 2, 3]}}, {"t": _FIRST}],
)
def drop_idle_transpose(x: TensorRef, t: Call) -> Any:
    """transpose(x, 0 1 2 ...) == x"""
    perm = perm_of(t, x)
    require(perm == sorted(perm), "axes move")
    return x


def _require_no_moves(t: Call, x: TensorRef) -> None:
    """NoMatch unless the batch stays and only axes of length 1 change their places."""
    perm = perm_of(t, x)
    order = [i for i in perm[: x.rank] if x.shape and x.shape[i] != 1]
    require(perm[0] == 0 and order == sorted(order), "elements move")


@rule(
    op.Flatten(op.Transpose(x).named("t")).named("flat"),
    shapes="x:n,1,1,c | x:n,h,1,c | x:n,1,1,c | x:c,1,1",
    attributes=[{"t": _FIRST}, {"t": _FIRST}, {"t": _FIRST, "flat": {"axis": 2}}, {"t": {"perm": [1, 0, 2]}}],
)
def drop_transpose_before_flatten(x: TensorRef, t: Call, flat: Call) -> Any:
    """flatten(transpose(x)) == flatten(x), if only axes of length 1 move"""
    require(flat.attributes.get("axis", 1) == 1, "the samples are cut")
    _require_no_moves(t, x)
    return flat.on(x)


@rule(
    op.Reshape(op.Transpose(x).named("t"), k).named("r"),
    shapes="x:n,1,1,6 | x:2,h,1,3 | x:2,1,1,6 | x:1,6,2",
    attributes=[{"t": _FIRST}, {"t": _FIRST}, {"t": _FIRST}, {"t": {"perm": [1, 0, 2]}}],
    values=[{"k": [0, 2, -1]}, {"k": [2, -1]}, {"k": [0, 0, -1]}, {"k": [6, 2]}],
)
def drop_transpose_before_reshape(x: TensorRef, k: np.ndarray, t: Call, r: Call) -> Any:
    """reshape(transpose(x), k) == reshape(x, k), if only axes of length 1 move and k copies none of them"""
    require(not np.any(k[1:] == 0), "the shape copies an axis")
    _require_no_moves(t, x)
    return r.on(x, k)


@rule(
    op.any_of("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd")(op.Transpose(x).named("t")).named("f"),
    shapes="x:n,h,k,c | x:n,h,k,c | x:n,h,k,c | x:n,h,k,c",
    attributes=[
        {"t": _FIRST, "f": {"axes": [2, -1], "keepdims": 0}},
        {"t": _FIRST, "f": {"axes": [2], "keepdims": 0}},
        {"t": _FIRST, "f": {"axes": [2, 3]}},
        {"t": _FIRST, "f": {"keepdims": 0}},
    ],
)
def drop_transpose_before_reduction(x: TensorRef, t: Call, f: Call) -> Any:
    """reduce(transpose(x), axes) == reduce(x, axes moved), if the axes that remain keep their order"""
    perm = perm_of(t, x)
    require(not f.attributes.get("keepdims", 1) and "axes" in f.attributes, "the axes stay")
    return Call(f.op, (x,), {**f.attributes, "axes": _moved_axes(perm, f.attributes["axes"])})


@rule(
    op.any_of("ReduceSum", "ReduceMean", "ReduceMax")(op.Transpose(x).named("t"), k).named("f"),
    shapes="x:n,h,k,c | x:n,h,k,c | x:n,h,k,c",
    attributes=[{"t": _FIRST, "f": {"keepdims": 0}}, {"t": _FIRST, "f": {"keepdims": 0}}, {"t": _FIRST}],
    values=[{"k": [2, -1]}, {"k": [2]}, {"k": [2, 3]}],
)
def drop_transpose_before_reduction_over(x: TensorRef, k: np.ndarray, t: Call, f: Call) -> Any:
    """reduce(transpose(x), k) == reduce(x, k moved), if the axes that remain keep their order"""
    perm = perm_of(t, x)
    require(not f.attributes.get("keepdims", 1) and k.size > 0, "the axes stay")
    return f.on(x, np.array(_moved_axes(perm, k.tolist()), np.int64))


def _moved_axes(perm: list[int], axes: Sequence[int]) -> list[int]:
    gone = [perm[axis] for axis in axes]
    kept = [axis for axis in perm if axis not in gone]
    require(kept == sorted(kept), "the axes that remain change their places")
    return sorted(gone)


CANCELLATIONS: tuple[Rule, ...] = (
    compose_transposes,
    drop_idle_transpose,
    drop_transpose_before_flatten,
    drop_transpose_before_reshape,
    drop_transpose_before_reduction,
    drop_transpose_before_reduction_over,
)

# ----------------------------------------------------------------------------------- to channels first: down the graph

_SMOOTH = (
    "Abs", "Ceil", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "Identity", "LeakyRelu", "Neg", "Relu", "Round", "Selu",
    "Sigmoid", "Sign", "Tanh",
)  # fmt: skip
_JOINING = ("Add", "Div", "Max", "Min", "Mul", "Sub")
_AXIS = ("LogSoftmax", "LpNormalization", "Softmax")
_NHWC, _NCHW = "x:n,h,k,c", "x:n,c,h,k"
_T = op.Transpose(x).named("t")
_SCALE, _ZERO, _BITS = Const("scale"), Const("zero"), Const("bits")
_LEVELS = Const("levels")


def _down(x: TensorRef, t: Call, f: Call) -> Call:
    """f(transpose(x), others) == transpose(f'(x, others transposed back)), for a Transpose to channels first."""
    perm = perm_of(t, x)
    require(perm == to_first(len(perm)), "this is no Transpose to channels first")
    moved = moved_call(x.model, f, Axes.of_transpose(perm))
    inputs = tuple(_pushed(i, x, t, perm) for i in moved.inputs)
    new = Call(moved.op, inputs, moved.attributes, moved.domain)
    return op.Transpose(_typed_like(new, f), perm=perm)


def _pushed(item: Any, x: TensorRef, t: Call, perm: list[int]) -> Any:
    """An input of f': x where Transpose(x) was, the others transposed back."""
    if not isinstance(item, Operand):
        return item
    if item.array is not None:
        return annotated(item.array, item.tensor.datatype)
    if t.result is not None and item.tensor.name == t.result.name:
        return x
    producer = x.model.find_producer(item.tensor.name)
    if producer is not None and producer.op_type == "Transpose" and not producer.domain:
        given = [list(a.ints) for a in producer.attribute if a.name == "perm"]
        if given == [perm]:
            return TensorRef.of(x.model, producer.input[0])
    require(inverse(perm) != perm, "the Transpose would come back: in this rank it is its own inverse")
    return transposed(item.tensor, inverse(perm))


_OTHERS = f"{_NHWC} y:n,c,h,k | {_NHWC} y:c,1,1 | {_NHWC} y: | x:n,h,c y:n,c,h"
_ATTRIBUTES = [{"t": _FIRST}] * 3 + [{"t": {"perm": [0, 2, 1]}}]


@rule(
    op.any_of(*_SMOOTH)(_T).named("f"),
    shapes=f"{_NHWC} | x:n,h,c | {_NHWC}",
    attributes=[{"t": _FIRST}, {"t": {"perm": [0, 2, 1]}}, {"t": _LAST}],
    equivalent={"without require(perm == to_first(len(perm)))": "past these operators any Transpose may move"},
)
def move_transpose_past_function(x: TensorRef, t: Call, f: Call) -> Call:
    """f(transpose(x)) == transpose(f(x))"""
    return _down(x, t, f)


@rule(op.any_of(*_JOINING)(_T, y).named("f"), shapes=_OTHERS, attributes=_ATTRIBUTES)
def move_transpose_past_join(x: TensorRef, y: TensorRef, t: Call, f: Call) -> Call:
    """f(transpose(x), y) == transpose(f(x, transpose back(y)))"""
    return _down(x, t, f)


@rule(op.any_of(*_JOINING)(y, _T).named("f"), shapes=_OTHERS, attributes=_ATTRIBUTES)
def move_transpose_past_join_right(x: TensorRef, y: TensorRef, t: Call, f: Call) -> Call:
    """f(y, transpose(x)) == transpose(f(transpose back(y), x))"""
    return _down(x, t, f)


@rule(op.PRelu(_T, y).named("f"), shapes=f"{_NHWC} y:c,1,1", attributes={"t": _FIRST})
def move_transpose_past_prelu(x: TensorRef, y: TensorRef, t: Call, f: Call) -> Call:
    """prelu(transpose(x), y) == transpose(prelu(x, transpose back(y)))"""
    return _down(x, t, f)


@rule(
    op.any_of("Quant", "IntQuant")(_T, _SCALE, _ZERO, _BITS).named("f"),
    shapes=f"{_NHWC} scale:c,1,1 zero:c,1,1",
    datatypes={"scale": "UINT3"},
    values={"bits": 3.0},
    attributes={"t": _FIRST, "f": {"signed": 1, "narrow": 0}},
)
def move_transpose_past_quant(
    x: TensorRef, scale: np.ndarray, zero: np.ndarray, bits: np.ndarray, t: Call, f: Call
) -> Call:
    """quant(transpose(x), s, z, b) == transpose(quant(x, s, z, b)), the parameters transposed back"""
    return _down(x, t, f)


@rule(op.BipolarQuant(_T, _SCALE).named("f"), shapes=f"{_NHWC} scale:h,1", attributes={"t": _FIRST})
def move_transpose_past_bipolar_quant(x: TensorRef, scale: np.ndarray, t: Call, f: Call) -> Call:
    """quant(transpose(x), s) == transpose(quant(x, s transposed back))"""
    return _down(x, t, f)


@rule(
    op.MultiThreshold(_T, _LEVELS).named("f"),
    shapes=f"{_NHWC} levels:c,t | {_NHWC} levels:k,t",
    attributes=[{"t": _FIRST, "f": {"data_layout": "NCHW"}}, {"t": _FIRST, "f": {"data_layout": "NHWC"}}],
)
def move_transpose_past_thresholds(x: TensorRef, levels: np.ndarray, t: Call, f: Call) -> Call:
    """thresholds(transpose(x), NCHW) == transpose(thresholds(x, NHWC))"""
    return _down(x, t, f)


@rule(
    op.any_of(*_AXIS)(_T).named("f"),
    shapes=f"{_NHWC} | {_NHWC} | {_NHWC}",
    attributes=[{"t": _FIRST, "f": {"axis": 1}}, {"t": _FIRST, "f": {"axis": -1}}, {"t": _LAST, "f": {"axis": 2}}],
    equivalent={
        "without require(perm == to_first(len(perm)))": "past these operators any Transpose may move",
        "without require(s.opset >= since)": "ONNX's evaluator has the newer Softmax only, along one axis",
    },
)
def move_transpose_past_normalisation(x: TensorRef, t: Call, f: Call) -> Call:
    """f(transpose(x), axis) == transpose(f(x, axis moved))"""
    return _down(x, t, f)


@rule(
    op.any_of("ReduceMax", "ReduceMean", "ReduceMin")(_T).named("f"),
    shapes=f"{_NHWC} | {_NHWC} | {_NHWC}",
    attributes=[{"t": _FIRST, "f": {"axes": [2, -1]}}, {"t": _FIRST, "f": {"axes": [1]}}, {"t": _FIRST}],
)
def move_transpose_past_reduction(x: TensorRef, t: Call, f: Call) -> Call:
    """reduce(transpose(x), axes) == transpose(reduce(x, axes moved)), lengths of 1 kept"""
    return _down(x, t, f)


@rule(op.any_of("GlobalAveragePool", "GlobalMaxPool")(_T).named("f"), shapes=_NHWC, attributes={"t": _FIRST})
def move_transpose_past_global_pool(x: TensorRef, t: Call, f: Call) -> Call:
    """global_average_pool(transpose(x)) == transpose(reduce_mean(x, spatial axes))"""
    return _down(x, t, f)


@rule(
    op.any_of("Concat")(_T, y).named("f"),
    shapes=f"{_NHWC} y:n,m,h,k | {_NHWC} y:n,c,t,k",
    attributes=[{"t": _FIRST, "f": {"axis": 1}}, {"t": _FIRST, "f": {"axis": -2}}],
)
def move_transpose_past_concat(x: TensorRef, y: TensorRef, t: Call, f: Call) -> Call:
    """concat(transpose(x), y) == transpose(concat(x, transpose back(y)))"""
    return _down(x, t, f)


@rule(
    op.Pad(_T, k).named("f"),
    shapes=_NHWC,
    values={"k": [0, 0, 1, 2, 0, 0, 3, 0]},
    attributes={"t": _FIRST},
)
def move_transpose_past_pad(x: TensorRef, k: np.ndarray, t: Call, f: Call) -> Call:
    """pad(transpose(x), k) == transpose(pad(x, k moved))"""
    return _down(x, t, f)


MOVE_DOWN: tuple[Rule, ...] = (
    move_transpose_past_function,
    move_transpose_past_join,
    move_transpose_past_join_right,
    move_transpose_past_prelu,
    move_transpose_past_quant,
    move_transpose_past_bipolar_quant,
    move_transpose_past_thresholds,
    move_transpose_past_normalisation,
    move_transpose_past_reduction,
    move_transpose_past_global_pool,
    move_transpose_past_concat,
    move_transpose_past_pad,
)

# -------------------------------------------------------------------------------------- to channels last: up the graph


def _up(x: TensorRef, t: Call, f: Call) -> Call:
    """transpose(f(x, constants)) == f'(transpose(x), constants moved), for a Transpose to channels last."""
    perm = perm_of(t, x)
    require(perm == to_last(len(perm)), "this is no Transpose to channels last")
    moved = moved_call(x.model, f, Axes.of_transpose(inverse(perm)))
    inputs = tuple(_pulled(i, x, perm) for i in moved.inputs)
    return Call(moved.op, inputs, moved.attributes, moved.domain)


def _pulled(item: Any, x: TensorRef, perm: list[int]) -> Any:
    if not isinstance(item, Operand):
        return item
    if item.array is not None:
        return annotated(item.array, item.tensor.datatype)
    return transposed(x, perm)


def _t(call: Call) -> Call:
    return op.Transpose(call.named("f")).named("t")


@rule(
    _t(op.any_of(*_SMOOTH)(x)),
    shapes=f"{_NCHW} | x:n,c,h | x:n,c,h,2,k | {_NCHW}",
    attributes=[{"t": _LAST}, {"t": {"perm": [0, 2, 1]}}, {"t": {"perm": [0, 2, 3, 4, 1]}}, {"t": _FIRST}],
    equivalent={"without require(perm == to_last(len(perm)))": "past these operators any Transpose may move"},
)
def move_transpose_above_function(x: TensorRef, t: Call, f: Call) -> Call:
    """transpose(f(x)) == f(transpose(x))"""
    return _up(x, t, f)


@rule(
    _t(op.any_of(*_JOINING)(x, k)),
    shapes=f"{_NCHW} k: | {_NCHW} k:c,1,1 | x:n,c k:h,k,1,1",
    attributes={"t": _LAST},
)
def move_transpose_above_join(x: TensorRef, k: np.ndarray, t: Call, f: Call) -> Call:
    """transpose(f(x, k)) == f(transpose(x), transpose(k))"""
    return _up(x, t, f)


@rule(
    _t(op.any_of("Div", "Sub")(k, x)),
    shapes=f"{_NCHW} k: | {_NCHW} k:c,1,1",
    attributes={"t": _LAST},
)
def move_transpose_above_join_right(x: TensorRef, k: np.ndarray, t: Call, f: Call) -> Call:
    """transpose(f(k, x)) == f(transpose(k), transpose(x))"""
    return _up(x, t, f)


@rule(
    _t(op.any_of("Quant", "IntQuant")(x, _SCALE, _ZERO, _BITS)),
    shapes=f"{_NCHW} scale:c,1,1 zero:",
    datatypes={"scale": "UINT3"},
    values={"bits": 3.0},
    attributes={"t": _LAST, "f": {"signed": 1, "narrow": 1}},
)
def move_transpose_above_quant(
    x: TensorRef, scale: np.ndarray, zero: np.ndarray, bits: np.ndarray, t: Call, f: Call
) -> Call:
    """transpose(quant(x, s, z, b)) == quant(transpose(x), s, z, b), the parameters transposed"""
    return _up(x, t, f)


@rule(_t(op.BipolarQuant(x, _SCALE)), shapes=f"{_NCHW} scale:h,1", attributes={"t": _LAST})
def move_transpose_above_bipolar_quant(x: TensorRef, scale: np.ndarray, t: Call, f: Call) -> Call:
    """transpose(quant(x, s)) == quant(transpose(x), transpose(s))"""
    return _up(x, t, f)


@rule(
    _t(op.MultiThreshold(x, _LEVELS)),
    shapes=f"{_NCHW} levels:c,t",
    attributes={"t": _LAST, "f": {"data_layout": "NCHW"}},
)
def move_transpose_above_thresholds(x: TensorRef, levels: np.ndarray, t: Call, f: Call) -> Call:
    """transpose(thresholds(x, NCHW)) == thresholds(transpose(x), NHWC)"""
    return _up(x, t, f)


MOVE_UP: tuple[Rule, ...] = (
    move_transpose_above_function,
    move_transpose_above_join,
    move_transpose_above_join_right,
    move_transpose_above_quant,
    move_transpose_above_bipolar_quant,
    move_transpose_above_thresholds,
)

# --------------------------------------------------------------------------------------------------- into the weights


@rule(
    op.Transpose(w).named("t"),
    shapes="w:m,h,k | w:m,h",
    attributes=[{"t": {"perm": [2, 0, 1]}}, {}],
    datatypes=[{}, {"w": "INT4"}],
)
def transpose_constant(w: TensorRef, t: Call) -> Any:
    """transpose(w), computed now; quantized constants keep their quantizer"""
    shape = shape_of(w)
    return rearranged(w, np.arange(int(np.prod(shape))).reshape(shape).transpose(perm_of(t, w)))


def _rows_moved(w: TensorRef, x: TensorRef, t: Call, axis: int) -> Any:
    """w for samples that are flattened without the Transpose: element i of transpose(x) is element order[i] of x.

    That w has as many rows as a sample has elements says that the matrix before it has one row for each sample.
    """
    perm, shape = perm_of(t, x), shape_of(w)
    dims = (x.shape or ())[1 : x.rank]
    require(perm[0] == 0 and all(dims), "the batch moves, or a size is not known")
    order = np.arange(int(np.prod(dims))).reshape(dims).transpose([i - 1 for i in perm[1:]]).ravel()
    require(shape[axis] == len(order), "these are no weights for whole samples")
    return rearranged(w, np.arange(int(np.prod(shape))).reshape(shape).take(np.argsort(order), axis))


def _flat(x: TensorRef) -> Call:
    """x as (batch, elements)."""
    flattened: Call = annotated(op.Flatten(x, axis=1), x.datatype)
    return flattened


_FLAT = op.Flatten(_T).named("flat")
_RESHAPED = op.Reshape(_T, Const("shape"))


@rule(
    op.MatMul(_FLAT, w),
    shapes="x:n,2,2,3 w:12,m | x:n,2,2,3 w:12 | x:n,2,2,3 w:2,12,m | x:2,3,2 w:4,m | x:n,2,2,3 w:4,m",
    attributes=[{"t": _FIRST}] * 3 + [{"t": {"perm": [1, 2, 0]}}, {"t": _FIRST, "flat": {"axis": 2}}],
)
def absorb_transpose_into_matmul(x: TensorRef, w: TensorRef, t: Call, flat: Call) -> Call:
    """flatten(transpose(x)) @ w == flatten(x) @ (rows of w moved)"""
    return op.MatMul(_flat(x), _rows_moved(w, x, t, max(len(shape_of(w)) - 2, 0)))


@rule(
    op.MatMul(_RESHAPED, w),
    shapes="x:n,2,2,3 w:12,m | x:2,2,2,3 w:12,m | x:2,2,2,3 w:24,m | x:2,2,2,3 w:12,m",
    attributes={"t": _FIRST},
    values=[{"shape": [0, -1]}, {"shape": [2, 12]}, {"shape": [1, 24]}, {"shape": [2, 1, 12]}],
)
def absorb_transpose_before_reshape_into_matmul(x: TensorRef, shape: np.ndarray, w: TensorRef, t: Call) -> Call:
    """reshape(transpose(x)) @ w == flatten(x) @ (rows of w moved)"""
    require(len(shape) == 2, "the samples have several rows")
    return op.MatMul(_flat(x), _rows_moved(w, x, t, max(len(shape_of(w)) - 2, 0)))


def _gemm(x: TensorRef, w: TensorRef, b: TensorRef | None, t: Call, layer: Call) -> Call:
    attributes = layer.attributes
    require(not attributes.get("transA"), "the samples are columns")
    rows = _rows_moved(w, x, t, 1 if attributes.get("transB") else 0)
    return layer.on(_flat(x), rows) if b is None else layer.on(_flat(x), rows, b)


@rule(
    op.Gemm(_FLAT, w, maybe(b)).named("layer"),
    shapes="x:n,2,2,3 w:m,12 b:m | x:n,2,2,3 w:12,m | x:12,2,2,3 w:12,m",
    attributes=[
        {"t": _FIRST, "layer": {"transB": 1, "alpha": 0.5}},
        {"t": _FIRST},
        {"t": _FIRST, "layer": {"transA": 1}},
    ],
)
def absorb_transpose_into_gemm(
    x: TensorRef, w: TensorRef, b: TensorRef | None, t: Call, flat: Call, layer: Call
) -> Call:
    """gemm(flatten(transpose(x)), w, b) == gemm(flatten(x), rows of w moved, b)"""
    return _gemm(x, w, b, t, layer)


@rule(
    op.Gemm(_RESHAPED, w, maybe(b)).named("layer"),
    shapes="x:n,2,2,3 w:m,12 b:m | x:2,2,2,3 w:12,m | x:2,2,2,3 w:24,m",
    attributes=[{"t": _FIRST, "layer": {"transB": 1}}, {"t": _FIRST}, {"t": _FIRST}],
    values=[{"shape": [0, -1]}, {"shape": [-1, 12]}, {"shape": [-1, 24]}],
)
def absorb_transpose_before_reshape_into_gemm(
    x: TensorRef, shape: np.ndarray, w: TensorRef, b: TensorRef | None, t: Call, layer: Call
) -> Call:
    """gemm(reshape(transpose(x)), w, b) == gemm(flatten(x), rows of w moved, b)"""
    return _gemm(x, w, b, t, layer)


INTO_WEIGHTS: tuple[Rule, ...] = (
    transpose_constant,
    absorb_transpose_into_matmul,
    absorb_transpose_before_reshape_into_matmul,
    absorb_transpose_into_gemm,
    absorb_transpose_before_reshape_into_gemm,
)
