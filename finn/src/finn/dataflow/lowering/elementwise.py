"""Operators on single elements: thresholds, arithmetic of streams and constants, tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from finn.core.datatype import DataType
from finn.dataflow import arithmetic
from finn.dataflow.arithmetic import MOST_SHIFT
from finn.dataflow.layers.channelwise_op import ChannelwiseOp
from finn.dataflow.layers.elementwise import Elementwise
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.lookup import Lookup
from finn.dataflow.layers.requant import Requant
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.lowering.expressions import Activation, Flow, Matrix, T, c, w, x, y
from finn.transformation.rewrite import Call, Const, TensorRef, op, require, rule

factors, terms, low, high = Const("factors"), Const("terms"), Const("low"), Const("high")

FUNCTIONS = tuple(
    name
    for name in arithmetic.FUNCTIONS
    if onnx.defs.has(name) and "tensor(float)" in onnx.defs.get_schema(name).inputs[0].types
)
"""The functions of streams that are operators of ONNX, by their names, on the floats that integers are kept in."""


@rule(op.MultiThreshold(x, T).named("mt"), shapes="x:1,k T:k,1 | x:1,k T:1,3", datatypes={"x": "INT4"})
def thresholds_to_layer(x: TensorRef, T: Matrix, mt: Call) -> Call:
    """multithreshold(x, T) == Thresholding(x, T)"""
    return thresholding(Flow.of(x), Activation.of(T, mt, x.rank)).call


def thresholding(stream: Flow, activation: Activation) -> Flow:
    """Thresholding."""
    values, out = activation.thresholds, activation.dtype
    assert values is not None
    assert out is not None
    return stream.through(lambda shape, dtype: Thresholding(shape, dtype, values, out, activation.bias))


@rule(op.ArgMax(x).named("node"), shapes="x:1,k", attributes={"node": {"axis": 1}}, datatypes={"x": "INT4"})
def argmax_to_label_select(x: TensorRef, node: Call) -> Call:
    """argmax(x) == LabelSelect(x, K=1)"""
    axis = int(node.attributes.get("axis", 0))
    require(axis in (-1, x.rank - 1), f"axis {axis} is not the last")
    require(not node.attributes.get("select_last_index", 0), "of equal values the last is wanted")
    require(node.attributes.get("keepdims", 1), "keepdims is 0: the axis would have to be removed on the host")
    return Flow.of(x).through(LabelSelect).call


@rule(
    op.Abs(op.Sub(x, y)),
    shapes="x:1,2,k y:1,2,k",
    datatypes={"x": "INT4", "y": "UINT3"},
)
def abs_difference_to_elementwise(x: TensorRef, y: TensorRef) -> Call:
    """abs(x - y) == Elementwise(x, y, AbsDiff)"""
    return two_streams("AbsDiff", x, y)


@rule(
    op.Abs(op.Sub(x, c)),
    shapes="x:1,2,k c:k | x:1,2,3,k c:1",
    datatypes={"x": "INT4"},
)
def abs_difference_to_channelwise(x: TensorRef, c: Matrix) -> Call:
    """abs(x - c) == ChannelwiseOp(x, c, AbsDiff)"""
    return with_constant(x, c, "AbsDiff", left=False)


@rule(
    op.Abs(op.Sub(c, x)),
    shapes="x:1,2,k c:k | x:1,2,3,k c:1",
    datatypes={"x": "INT4"},
)
def abs_difference_of_constant_to_channelwise(x: TensorRef, c: Matrix) -> Call:
    """abs(c - x) == ChannelwiseOp(x, c, AbsDiff)"""
    return with_constant(x, c, "AbsDiff", left=False)


@rule(
    op.Clip(op.Floor(op.Add(op.Mul(x, factors), terms)), low, high),
    shapes="x:1,2,k | x:1,2,3,k | x:1,4",
    values=[
        {"factors": np.array([0.75]), "terms": np.array([0.5]), "low": -4.0, "high": 3.0},
        {"factors": np.array([0.0625]), "terms": np.array([-1.5]), "low": 0.0, "high": 7.0},
        {"factors": np.array([-3.0]), "terms": np.array([1.0]), "low": -7.0, "high": 7.0},
    ],
    datatypes={"x": "INT6"},
)
def scaled_floor_to_requant(x: TensorRef, factors: Any, terms: Any, low: Any, high: Any) -> Call:
    """clip(floor(x factors + terms), low, high) == Requant(x): with factors and terms that are multiples of 2^-shift"""
    least, most = int(low.reshape(-1)[0]), int(high.reshape(-1)[0])
    dtype = DataType.spanning(least, most)
    narrow = int(dtype.signed() and least == dtype.min() + 1)
    require(least == dtype.min() + narrow and most == dtype.max(), f"{least} to {most} are not the ends of a type")
    both = [per_channel(values, x) for values in (factors, terms)]
    shift = next(
        (s for s in range(MOST_SHIFT) if all(np.array_equal(v * 2.0**s, np.rint(v * 2.0**s)) for v in both)), -1
    )
    require(shift >= 0, f"a factor or a term is no multiple of 2^-{MOST_SHIFT - 1}")
    # The layer rounds: it adds a half before it drops `shift` bits.
    m, b = (np.rint(v * 2.0**shift).astype(np.int64) for v in both)
    b = b - (1 << shift - 1 if shift else 0)
    return Flow.of(x).through(lambda s, d: Requant(s, d, m, shift, b, dtype, narrow)).call


def per_channel(values: np.ndarray, x: TensorRef) -> np.ndarray:
    """A constant that varies along the channels at most, (1,) or (C,)."""
    require(values.size == 1 or values.shape[-1:] == (values.size,) == x.sizes[-1:], "a constant varies over pixels")
    return values.reshape(-1).astype(np.float64)


@rule(
    op.any_of(*FUNCTIONS)(x, y).named("f"),
    shapes="x:1,2,k y:1,2,k | x:1,2,3,k y:1,1,1,k | x:1,2,3,1 y:1,2,3,k",
    datatypes={"x": "INT4", "y": "UINT3"},
)
def arithmetic_to_elementwise(x: TensorRef, y: TensorRef, f: Call) -> Call:
    """f(x, y) == Elementwise(x, y)"""
    return two_streams(f.op, x, y)


def two_streams(function: str, x: TensorRef, y: TensorRef) -> Call:
    return Flow.of(x).through(lambda s, d, t, e: Elementwise(s, t, function, d, e), Flow.of(y)).call


@rule(
    op.any_of(*FUNCTIONS)(x, c).named("f"),
    shapes="x:1,2,k c:k | x:1,2,3,k c:1 | x:1,2,3,k c:2,1,k",
    datatypes={"x": "INT4"},
)
def arithmetic_to_channelwise(x: TensorRef, c: Matrix, f: Call) -> Call:
    """f(x, c) == ChannelwiseOp(x, c)"""
    return with_constant(x, c, f.op, left=False)


@rule(
    op.any_of(*FUNCTIONS)(c, x).named("f"),
    shapes="x:1,2,k c:k | x:1,2,3,k c:1 | x:1,2,3,k c:2,1,k",
    datatypes={"x": "INT4"},
)
def arithmetic_of_constant_to_channelwise(x: TensorRef, c: Matrix, f: Call) -> Call:
    """f(c, x) == ChannelwiseOp(x, c, left=1)"""
    return with_constant(x, c, f.op, left=True)


def with_constant(x: TensorRef, c: Matrix, function: str, left: bool) -> Call:
    require(not _transposed(x), "the host transposes in front of it; alone, it would be another accelerator")
    shape = c.values.shape
    require(len(shape) <= x.rank, f"a constant of {len(shape)} axes adds axes")
    while shape and shape[0] == 1 and len(shape) > 1:  # the batch, and axes along which it does not vary
        shape = shape[1:]
    require(len(shape) < x.rank, f"a constant of shape {c.values.shape} is not for one frame")
    sizes = (1,) * len(shape) if not shape else x.sizes[-len(shape) :]
    require(all(n in (1, m) for n, m in zip(shape, sizes, strict=True)), f"a constant of shape {shape} adds axes")
    values = c.values.reshape(shape or (1,))
    return Flow.of(x).through(lambda s, d: ChannelwiseOp(s, function, d, values, c.dtype, int(left))).call


def _transposed(x: TensorRef) -> bool:
    """Whether a Transpose makes it, of something that is computed: as at the output, in front of the scale."""
    producer = x.model.find_producer(x.name)
    if producer is None or producer.op_type != "Transpose":
        return False
    return x.model.find_producer(producer.input[0]) is not None


@rule(
    op.Gather(w, op.Cast(x, to=TensorProto.INT64).named("index")).named("f"),
    shapes="x:1,2,k w:16 | x:1,5 w:16,d",
    attributes={"f": {"axis": 0}},
    datatypes={"x": "UINT4"},
)
def gather_to_lookup(x: TensorRef, w: Matrix, index: Call, f: Call) -> Call:
    """gather(table, cast(x)) == Lookup(x, table)"""
    require(int(f.attributes.get("axis", 0)) == 0, "rows are not chosen along the first axis")
    require(w.values.ndim in (1, 2), f"a table of {w.values.ndim} axes; it has 1 or 2")
    known = index.result.datatype if index.result is not None and index.result.datatype.is_integer() else x.datatype
    require(known.min() >= 0, "the index may be negative")
    require(w.values.ndim == 1 or x.rank == 2, "an embedding takes indices (1, T)")
    table = w.values[: int(known.max()) + 1]  # an index beyond it does not occur
    return Flow.of(x).through(lambda s, d: Lookup(s, d, table, w.dtype)).call


SINGLE = (
    thresholds_to_layer,
    argmax_to_label_select,
    arithmetic_to_elementwise,
    arithmetic_to_channelwise,
    arithmetic_of_constant_to_channelwise,
    gather_to_lookup,
)
FUSED = (
    abs_difference_to_elementwise,
    abs_difference_to_channelwise,
    abs_difference_of_constant_to_channelwise,
    scaled_floor_to_requant,
)
