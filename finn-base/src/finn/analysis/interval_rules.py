"""One rule per operator: from the intervals of its inputs to those of its outputs.

Most operators are monotonic in each input, at least between known turning points. Their bounds are the least and the
greatest result of the node itself at the corners. The table `RULES` is at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper

from finn.analysis.intervals import (
    Array,
    Interval,
    Shape,
    Unknown,
    along,
    expanded,
    hull_of,
    shrunk_interval,
    size_along,
    with_rank,
)
from finn.analysis.window_sums import Axis, conv_axes, conv_interval, conv_transpose_axes, matmul_interval
from finn.core import numpy_ops
from finn.core.data_layout import channel_axis
from finn.core.domains import CHANNELS_LAST, is_custom_domain
from finn.custom_op.registry import getCustomOp

Rule = Callable[["Call"], Sequence[Interval]]


@dataclass(frozen=True, eq=False)
class Call:
    """A node with the intervals of its inputs (None: left out) and its shapes (None: not known).

    out_kind : the ONNX element type of output 0; opset : the version of the operator's domain.
    """

    node: NodeProto
    inputs: tuple[Interval | None, ...]
    shapes: tuple[Shape | None, ...]
    out_shapes: tuple[Shape | None, ...]
    out_kind: int
    opset: int
    graph: GraphProto

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """As Python values; text is str."""
        values = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        return {name: v.decode() if isinstance(v, bytes) else v for name, v in values.items()}

    def x(self, i: int = 0) -> Interval:
        """The interval of an input. Unknown if it is left out."""
        if i >= len(self.inputs) or (found := self.inputs[i]) is None:
            raise Unknown(f"it has no input {i}")
        return found

    def has(self, i: int) -> bool:
        return i < len(self.inputs) and self.inputs[i] is not None

    def shape(self, i: int = 0) -> Shape:
        """The shape of an input. Unknown if it is not known."""
        if (shape := self.shapes[i]) is None:
            raise Unknown("the shape of its input is not known")
        return shape

    def constant(self, i: int, role: str) -> Array:
        """The value of a constant input. Unknown if it is none."""
        if not self.x(i).constant:
            raise Unknown(f"its {role} is not constant")
        return self.x(i).low

    def with_data(self, *intervals: Interval) -> Call:
        """The same node on other intervals of its first inputs."""
        return replace(self, inputs=(*intervals, *self.inputs[len(intervals) :]))

    @property
    def rank(self) -> int:
        return len(self.shape(0))

    @cached_property
    def channel(self) -> int:
        """The axis of the channels."""
        layout = self.attributes.get("data_layout", "NCHW")
        if self.node.domain == CHANNELS_LAST or self.node.op_type in ("MaxPoolNHWC", "Im2Col"):
            return self.rank - 1
        return channel_axis(layout, self.rank)

    @property
    def spatial(self) -> list[int]:
        """All axes but those of the batch and the channels."""
        return [axis for axis in range(1, self.rank) if axis != self.channel]

    def run(self, arrays: Sequence[Array | None], dtype: Any = np.float64) -> tuple[Array, ...]:
        """The outputs of the node for these inputs, floats computed in `dtype` (None: as they are)."""
        cast = [a if a is None or dtype is None or a.dtype.kind != "f" else a.astype(dtype) for a in arrays]
        if not is_custom_domain(self.node.domain):
            return numpy_ops.run_node(self.node, cast, self.opset)
        node = NodeProto()
        node.CopyFrom(self.node)
        del node.input[:]
        node.input.extend("" if a is None else f"{i}" for i, a in enumerate(cast))
        context = {f"{i}": a for i, a in enumerate(cast) if a is not None}
        try:
            with np.errstate(all="ignore"):
                getCustomOp(node, self.opset).execute_node(context, self.graph)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise Unknown(f"it cannot be computed: {error}") from error
        return tuple(context[name] for name in node.output if name)


# ------------------------------------------------------------------------------------------------------- corner cases


def corners(
    *turning: float,
    data: Iterable[int] = (0,),
    steps: bool = False,
    channel: Callable[[Call], int] | None = None,
) -> Rule:
    """The node itself at the corners of the inputs `data` (the others have to be constant) and at turning points.

    steps : the output jumps, so that rounding the input matters; float32 and float64 are both considered.
    channel : the axis along which the parameters are vectors.
    """
    dtypes = (np.float32, np.float64) if steps else (np.float64,)
    movable = frozenset(data)

    def rule(call: Call) -> list[Interval]:
        points: list[list[Array | None]] = []
        for i, x in enumerate(call.inputs):
            if x is None or x.constant:
                points.append([None if x is None else x.low])
            elif i in movable:
                x = _spread(call, x, channel)
                points.append([x.low, x.high, *(np.clip(t, x.low, x.high) for t in turning)])
            else:
                raise Unknown(f"its input {i} is not constant")
        results = [call.run(p, dtype)[0] for p in itertools.product(*points) for dtype in dtypes]
        return [Interval.between(np.minimum.reduce(results), np.maximum.reduce(results))]

    return rule


def _spread(call: Call, x: Interval, channel: Callable[[Call], int] | None) -> Interval:
    if channel is None or call.shapes[0] is None or not call.rank:
        return x
    return x.map(lambda b: expanded(b, [channel(call) % call.rank], call.shape()))


def rising(call: Call) -> Sequence[Interval]:
    """Operators that rise with each input: the node itself on all lower and on all upper bounds."""
    ends = ([None if x is None else getattr(x, end) for x in call.inputs] for end in ("low", "high"))
    return [Interval.between(*(call.run(end)[0] for end in ends))]


def variadic(call: Call) -> Sequence[Interval]:
    """The same for any number of inputs, which broadcast."""
    lows, highs = (np.broadcast_arrays(*(getattr(x, end) for x in call.inputs if x)) for end in ("low", "high"))
    return [Interval.between(call.run(lows)[0], call.run(highs)[0])]


def linear_parameters(call: Call) -> tuple[Array, Array]:
    """(scale, zero point) of QuantizeLinear and DequantizeLinear, laid along their axis."""
    axis, rank = int(call.attributes.get("axis", 1)), call.x().low.ndim
    scale = call.constant(1, "scale")
    zero = call.constant(2, "zero point") if call.has(2) else np.zeros(scale.shape, np.uint8)
    if scale.ndim > 1:
        raise Unknown("its scale is given per block")
    return (scale, zero) if scale.size == 1 else (along(scale, axis, rank), along(zero, axis, rank))


def quantize_linear(call: Call) -> Sequence[Interval]:
    """saturate(round(x / scale) + zero point), in the type of the zero point."""
    scale, zero = linear_parameters(call)
    if zero.dtype.kind not in "iu":
        raise Unknown("it quantizes to floats")
    limits = np.iinfo(zero.dtype)
    results = []
    for bound, dtype in itertools.product((call.x().low, call.x().high), (np.float32, np.float64)):
        whole = np.rint(bound.astype(dtype) / scale.astype(dtype)).astype(np.float64) + zero
        results.append(np.clip(whole, limits.min, limits.max))
    return [Interval.between(np.minimum.reduce(results), np.maximum.reduce(results))]


def dequantize_linear(call: Call) -> Sequence[Interval]:
    """(x - zero point) * scale"""
    scale, zero = (parameter.astype(np.float64) for parameter in linear_parameters(call))
    return [call.x().affine(scale, -scale * zero)]


BINARY = corners(data=(0, 1))


def divide(call: Call) -> Sequence[Interval]:
    """Between integers the quotient is cut off."""
    divisor = call.x(len(call.inputs) - 1)
    if ((divisor.low <= 0) & (divisor.high >= 0)).any():
        raise Unknown("it may divide by 0")
    y = BINARY(call)
    return [i.map(np.trunc) for i in y] if is_integer_kind(call.out_kind) else y


def is_integer_kind(kind: int) -> bool:
    """Whether an ONNX element type holds integers."""
    return bool(kind) and np.dtype(helper.tensor_dtype_to_np_dtype(kind)).kind in "iu"


def power(call: Call) -> Sequence[Interval]:
    """Negative powers have a pole at 0."""
    x, exponent = call.x(), call.constant(1, "exponent")
    if (exponent < 0).any() and ((x.low <= 0) & (x.high >= 0)).any():
        raise Unknown("it may divide by 0")
    return corners(0.0)(call)


def cast(call: Call) -> Sequence[Interval]:
    """To integers: towards zero, without wrapping around."""
    to = call.attributes["to"]
    if to == TensorProto.BOOL:
        return [Interval.uniform(0, 1, call.x().low.ndim)]
    if not is_integer_kind(to):
        return corners()(call)
    x, limits = call.x().map(np.trunc), np.iinfo(helper.tensor_dtype_to_np_dtype(to))
    if x.span[0] < limits.min or x.span[1] > limits.max:
        raise Unknown(f"its input may exceed {limits.dtype}")
    return [x]


def always(low: float, high: float) -> Rule:
    """All outputs are within these bounds, whatever goes in."""

    def rule(call: Call) -> list[Interval]:
        if call.out_shapes[0] is None:
            raise Unknown("the shape of its output is not known")
        return [Interval.uniform(low, high, len(call.out_shapes[0]))]

    return rule


def where(call: Call) -> Sequence[Interval]:
    """One of two."""
    return [hull_of([call.x(1), call.x(2)])]


# ------------------------------------------------------------------------------------------------------ data movement


def moved(*data: int, extra: Callable[[Call], Interval | None] = lambda call: None) -> Rule:
    """Each output element is an element of one of the inputs `data` (none given: of all), or one of `extra`."""

    def rule(call: Call) -> list[Interval]:
        chosen = data or range(len(call.inputs))
        parts = [*map(call.x, chosen), *filter(None, [extra(call)])]
        low, high = parts[0].span
        if all(p.low.size <= 1 and p.high.size <= 1 and p.span == (low, high) for p in parts):
            return [Interval.uniform(low, high, _rank(s)) for s in call.out_shapes]
        for i, x in enumerate(call.inputs):
            if i not in chosen and x is not None and not x.constant:
                raise Unknown(f"its input {i} is not constant")
        return _run_moved(call, frozenset(chosen))

    return rule


def _rank(shape: Shape | None) -> int:
    if shape is None:
        raise Unknown("the shape of its output is not known")
    return len(shape)


def _run_moved(call: Call, data: frozenset[int]) -> list[Interval]:
    """The node on all elements of both bounds."""
    ends = []
    for end in ("low", "high"):
        arrays: list[Array | None] = []
        for i, x in enumerate(call.inputs):
            bound = None if x is None else getattr(x, end)
            if bound is not None and i in data:
                bound = expanded(bound, range(bound.ndim), call.shape(i))
            arrays.append(bound)
        ends.append(call.run(arrays))
    return [shrunk_interval(Interval.between(low, high)) for low, high in zip(*ends, strict=True)]


def padding(call: Call) -> Interval | None:
    """What Pad adds."""
    if call.attributes.get("mode", "constant") != "constant":
        return None
    if call.opset < 11:
        return Interval.uniform(call.attributes.get("value", 0.0), call.attributes.get("value", 0.0), call.rank)
    value = call.constant(2, "padding") if call.has(2) else np.zeros(())
    return Interval.between(*[with_rank(np.asarray(value, np.float64).reshape(()), call.rank)] * 2)


def gathered(call: Call) -> Sequence[Interval]:
    """With unknown indices any element along the axis."""
    if call.x(1).constant:
        return moved(0)(call)
    axis = int(call.attributes.get("axis", 0)) % call.rank
    x = call.x().over([axis])
    rest = [1] * len(call.shape(1))
    return [x.map(lambda b: b.reshape(*b.shape[:axis], *rest, *b.shape[axis + 1 :]))]


def im2col(call: Call) -> Sequence[Interval]:
    """Channel (kh, kw, c) has the values of channel c, or the padding."""
    x = call.x().over([0, *call.spatial])
    if any(call.attributes.get("pad_amount", ())):
        fill = float(call.attributes.get("pad_value", 0))
        x = x.hull(fill, fill)
    return [x.map(lambda b: columns(call, b))]


def columns(call: Call, channels: Array) -> Array:
    """What belongs to the channels of an image, for those of Im2Col."""
    repeats = [1] * (call.rank - 1) + [int(np.prod(call.attributes["kernel_size"]))]
    return np.tile(expanded(channels, [call.channel], call.shape()), repeats)


def resized(call: Call) -> Sequence[Interval]:
    """Nearest copies and linear averages its neighbours; cubic may overshoot."""
    if call.attributes.get("mode", "nearest") == "cubic":
        raise Unknown("cubic interpolation may overshoot")
    out = call.out_shapes[0]
    if out is None:
        raise Unknown("the shape of its output is not known")
    x = call.x().over([i for i, (a, b) in enumerate(zip(call.shape(), out, strict=True)) if a != b or not a])
    if call.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        beyond = call.attributes.get("extrapolation_value", 0.0)
        x = x.over(range(call.rank)).hull(beyond, beyond)
    return [x]


def dropout(call: Call) -> Sequence[Interval]:
    """The identity in inference."""
    if call.has(2) and call.constant(2, "training mode").any():
        raise Unknown("it is in training mode")
    return [call.x(), Interval.uniform(0, 1, call.x().low.ndim)][: len(call.node.output)]


# --------------------------------------------------------------------------------------------------------- reductions


def reduced_axes(call: Call) -> list[int]:
    """The axes of a reduction: an attribute, later an input. All if there are none."""
    given = call.constant(1, "list of axes") if call.has(1) else call.attributes.get("axes")
    if given is None or not len(given):
        return [] if call.attributes.get("noop_with_empty_axes") else list(range(call.rank))
    return [int(axis) % call.rank for axis in given]


def reduced(call: Call) -> Sequence[Interval]:
    """Operators that rise with every element: the node itself on both bounds."""
    axes = reduced_axes(call)
    size_along(call.shape(), axes)
    rest = [None if x is None else x.low for x in call.inputs[1:]]
    ends = (expanded(bound, axes, call.shape()) for bound in (call.x().low, call.x().high))
    return [Interval.between(*(call.run([end, *rest])[0] for end in ends))]


def reduced_magnitude(call: Call) -> Sequence[Interval]:
    """Operators that rise with the magnitude of every element."""
    low, high = call.x().low, call.x().high
    least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return reduced(call.with_data(Interval.between(least, np.maximum(np.abs(low), np.abs(high)))))


def pooled(call: Call) -> Sequence[Interval]:
    """The greatest element of a window, padding not among them; with indices if they are asked for."""
    y = [call.x().over(call.spatial)]
    if len(call.node.output) > 1:
        y.append(Interval.uniform(0, max(size_along(call.shape(), range(call.rank)) - 1, 0), call.rank))
    return y


def averaged(call: Call) -> Sequence[Interval]:
    """Between the least and the greatest element of a window; 0 among them if the padding counts."""
    x = call.x().over(call.spatial)
    return [x.hull(0.0, 0.0) if call.attributes.get("count_include_pad") and is_padded(call) else x]


def is_padded(call: Call) -> bool:
    """Whether a window of a pooling operator may exceed the image."""
    attributes = call.attributes
    same = attributes.get("auto_pad", "NOTSET").startswith("SAME")
    return bool(any(attributes.get("pads", ())) or attributes.get("ceil_mode") or same)


def global_average(call: Call) -> Sequence[Interval]:
    axes = tuple(call.spatial)
    return [call.x().map(lambda b: b.mean(axis=axes, keepdims=True))]


def global_maximum(call: Call) -> Sequence[Interval]:
    axes = tuple(call.spatial)
    return [call.x().map(lambda b: b.max(axis=axes, keepdims=True))]


def quant_avg_pool(call: Call) -> Sequence[Interval]:
    """It rises with every element: the node itself on one window."""
    x = call.x().over(call.spatial)
    shape = tuple(call.attributes["kernel"] if axis in call.spatial else 1 for axis in range(call.rank))
    return [Interval.between(*(call.run([expanded(b, call.spatial, shape)])[0] for b in (x.low, x.high)))]


def index_along(call: Call) -> Interval:
    """An index along the axis of ArgMax or TopK."""
    axis = int(call.attributes.get("axis", -1 if call.node.op_type == "TopK" else 0))
    rank = call.rank if call.attributes.get("keepdims", 1) else call.rank - 1
    return Interval.uniform(0, size_along(call.shape(), [axis]) - 1, rank)


def top_k(call: Call) -> Sequence[Interval]:
    return [call.x().over([int(call.attributes.get("axis", -1)) % call.rank]), index_along(call)]


def shape_of(call: Call) -> Sequence[Interval]:
    dims = np.array(call.shape()[call.attributes.get("start", 0) : call.attributes.get("end")], np.int64)
    if call.node.op_type == "Size":
        dims = np.array(size_along(call.shape(), range(call.rank)), np.int64)
    if not dims.all():
        return [Interval.uniform(0, np.inf, dims.ndim)]
    return [Interval.of_constant(dims)]


# ------------------------------------------------------------------------------------------------------ linear layers


def matmul(call: Call) -> Sequence[Interval]:
    return [matmul_interval(call.x(), call.x(1), call.shape(), call.shape(1))]


def gemm(call: Call) -> Sequence[Interval]:
    """alpha * A' @ B' + beta * C"""
    operands, shapes = [call.x(), call.x(1)], [call.shape(), call.shape(1)]
    for i, flag in enumerate(("transA", "transB")):
        if call.attributes.get(flag):
            operands[i], shapes[i] = operands[i].map(np.transpose), shapes[i][::-1]
    y = matmul_interval(operands[0], operands[1], shapes[0], shapes[1]).affine(call.attributes.get("alpha", 1.0))
    return [y.plus(call.x(2).affine(call.attributes.get("beta", 1.0))) if call.has(2) else y]


def conv(call: Call) -> Sequence[Interval]:
    y = conv_product(call)
    if call.has(2):
        y = y.plus(call.x(2).map(lambda b: along(b.reshape(-1), call.channel, call.rank)))
    return [y]


def conv_product(call: Call) -> Interval:
    """Conv or ConvTranspose without the bias."""
    weights, x = call.x(1), channels_of(call, call.x())
    if not weights.constant:
        weights = weights.map(lambda w: np.broadcast_to(w, call.shape(1)))
    weights = weights.map(lambda w: filters(call, w))
    y = conv_interval(x, weights, int(call.attributes.get("group", 1)), window_axes(call, weights.low.shape[2:]))
    return y.map(lambda b: along(b, call.channel, call.rank))


def channels_of(call: Call, x: Interval) -> Interval:
    """Bounds per channel, (C,) or one."""
    return x.over([0, *call.spatial]).map(lambda b: b.reshape(-1))


def filters(call: Call, weights: Array) -> Array:
    """The weights of a convolution as (O, I / group, *kernel)."""
    if call.node.domain == CHANNELS_LAST:
        return np.moveaxis(weights, -1, 1)
    if call.node.op_type != "ConvTranspose":
        return weights
    group = int(call.attributes.get("group", 1))  # as (I, O / group, *kernel)
    inner, out, *kernel = weights.shape
    grouped = weights.reshape(group, inner // group, out, *kernel)
    return np.swapaxes(grouped, 1, 2).reshape(group * out, inner // group, *kernel)


def window_axes(call: Call, kernel: Shape) -> list[Axis]:
    """The spatial axes of a convolution."""
    size, out = (
        None if s is None else tuple(s[axis] for axis in call.spatial) for s in (call.shapes[0], call.out_shapes[0])
    )
    axes_of = conv_transpose_axes if call.node.op_type == "ConvTranspose" else conv_axes
    return axes_of(call.attributes, kernel, size, out)


def xnor_popcount(call: Call) -> Sequence[Interval]:
    """#{k : a_k == b_k} == sum a_k (2 b_k - 1) + #{k : b_k == 0}, for bits."""
    a, b = (call.x(i) for i in (0, 1))
    inner = size_along(call.shape(), [-1])
    rank = max(len(call.shape()), len(call.shape(1)))
    if not (a.constant or b.constant):
        return [Interval.uniform(0, inner, rank)]
    first, second = (a, b) if b.constant else (b.map(_flip), a.map(_flip))
    signs = 2.0 * second.low - 1
    product = matmul_interval(first, Interval.of_constant(signs), (inner,), signs.shape)
    zeros = (second.low == 0).sum(axis=-2, keepdims=True)
    matches = product.map(lambda bound: bound + zeros)
    return [matches if b.constant else matches.map(_flip)]


def _flip(array: Array) -> Array:
    return np.swapaxes(array, -1, -2)


# --------------------------------------------------------------------------------------------------------- the table

STEP = corners(steps=True)
RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "Atan",
            "Celu",
            "Exp",
            "Erf",
            "HardSigmoid",
            "Identity",
            "Log",
            "Neg",
            "Relu",
            "Sigmoid",
            "Softplus",
            "Softsign",
            "Sqrt",
            "Tanh",
            "DebugMarker",
        ),
        corners(),
    ),
    **dict.fromkeys(("Abs", "Elu", "LeakyRelu", "Selu"), corners(0.0)),
    "PRelu": corners(0.0, data=(0, 1)),
    "Gelu": corners(-0.7517915246935645, -0.7524614220710162),  # least value, without and with approximation
    "HardSwish": corners(-1.5),
    "Mish": corners(-1.1924312145923815),
    **dict.fromkeys(("Max", "Mean", "Min", "Sum"), variadic),
    **dict.fromkeys(("Add", "Clip"), rising),
    **dict.fromkeys(("Mul", "Sub"), BINARY),
    "Div": divide,
    "Reciprocal": divide,
    "Pow": power,
    "Where": where,
    "BatchNormalization": corners(channel=lambda call: call.channel),
    **dict.fromkeys(("Ceil", "Floor", "Round", "Sign"), STEP),
    **dict.fromkeys(("Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant"), STEP),
    "MultiThreshold": corners(steps=True, channel=lambda call: call.channel),
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
    "Cast": cast,
    **dict.fromkeys(("Sin", "Cos"), always(-1, 1)),
    **dict.fromkeys(("Softmax", "Hardmax"), always(0, 1)),
    "LogSoftmax": always(-np.inf, 0),
    **dict.fromkeys(("And", "Equal", "Greater", "Less", "Not", "Or", "Xor", "IsNaN", "IsInf"), always(0, 1)),
    **dict.fromkeys(("GreaterOrEqual", "LessOrEqual"), always(0, 1)),
    **dict.fromkeys(
        ("DepthToSpace", "Expand", "Flatten", "GatherElements", "GatherND", "Reshape", "Slice", "SpaceToDepth"),
        moved(0),
    ),
    **dict.fromkeys(("Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"), moved(0)),
    "Concat": moved(),
    "Gather": gathered,
    "Pad": moved(0, extra=padding),
    "Im2Col": im2col,
    **dict.fromkeys(("Resize", "Upsample"), resized),
    "Dropout": dropout,
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), reduced),
    **dict.fromkeys(("ReduceLogSum", "ReduceLogSumExp"), reduced),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceSumSquare"), reduced_magnitude),
    **dict.fromkeys(("MaxPool", "MaxPoolNHWC"), pooled),
    "AveragePool": averaged,
    "GlobalAveragePool": global_average,
    "GlobalMaxPool": global_maximum,
    "QuantAvgPool2d": quant_avg_pool,
    **dict.fromkeys(("ArgMax", "ArgMin"), lambda call: [index_along(call)]),
    "TopK": top_k,
    **dict.fromkeys(("Shape", "Size"), shape_of),
    "MatMul": matmul,
    "Gemm": gemm,
    **dict.fromkeys(("Conv", "ConvTranspose"), conv),
    "XnorPopcountMatMul": xnor_popcount,
}
"""The operators whose ranges are known, also those of our own domains; data types of integers in float tensors."""
