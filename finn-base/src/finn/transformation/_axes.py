"""What operators do when the axes of their tensors move: f(move(x)) == move(f'(x)), operator by operator.

Moving is a permutation (channels first or last) or the addition of axes of length 1 (3-D to 4-D). `moved_call` gives f'
for every operator that computes along axes of its own choice; the meaning of axes is that of
https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from onnx import NodeProto, helper

from finn.core.data_layout import channel_axis
from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.rewrite import Call, NoMatch, TensorRef, require
from finn.transformation.standard_ops import opset_of

T = TypeVar("T")

UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu", "Cos", "Cosh",
    "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log",
    "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
)  # fmt: skip
BINARY = (
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Xor",
)  # fmt: skip
VARIADIC = ("Clip", "Max", "Mean", "Min", "Sum", "Where")
QUANTIZERS = ("BipolarQuant", "FloatQuant", "IntQuant", "Quant", "Trunc")
REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip


@dataclass(frozen=True)
class Axes:
    """Axis i of a tensor becomes axis `to[i]` of `rank`; the other axes of the result have length 1."""

    to: tuple[int, ...]
    rank: int

    @staticmethod
    def of_transpose(perm: Sequence[int]) -> Axes:
        """From Transpose(x, perm) back to x."""
        return Axes(tuple(perm), len(perm))

    @property
    def is_permutation(self) -> bool:
        return len(self.to) == self.rank

    def axis(self, axis: int) -> int:
        """Where `axis` (may be negative) goes."""
        return self.to[axis % len(self.to)]

    def spread(self, values: Sequence[T], fill: T) -> list[T]:
        """One value for each axis, in the new order; `fill` for the new axes."""
        require(len(values) == len(self.to), f"{len(values)} values for {len(self.to)} axes")
        out = [fill] * self.rank
        for axis, value in zip(self.to, values, strict=True):
            out[axis] = value
        return out

    def array(self, array: np.ndarray) -> np.ndarray:
        """A constant that broadcasts against the moved tensor as `array` does against the tensor."""
        full = array.reshape([1] * (len(self.to) - array.ndim) + list(array.shape))
        return np.ascontiguousarray(full.transpose(np.argsort(self.to)).reshape(self.spread(full.shape, 1)))


def layout_name(rank: int, channels_last: bool) -> str:
    """NHWC, NCHW and their kin of 2 to 5 axes; "" for other ranks."""
    if rank not in (2, 3, 4, 5):
        return ""
    space = {2: "", 3: "W", 4: "HW", 5: "DHW"}[rank]
    return f"N{space}C" if channels_last else f"NC{space}"


@dataclass(frozen=True)
class Operand:
    """An input that moves along: the tensor, and the moved array if it is a constant."""

    tensor: TensorRef
    array: np.ndarray | None = None


@dataclass(frozen=True)
class Site:
    """One operator in the model: what the handlers below look at."""

    call: Call  # its inputs are names
    model: ModelWrapper
    axes: Axes

    @property
    def opset(self) -> int:
        return opset_of(self.model)

    def get(self, attribute: str, default: Any = None) -> Any:
        return self.call.attributes.get(attribute, default)

    def count(self) -> int:
        return len(self.call.inputs)

    def kept(self, position: int) -> TensorRef | None:
        """Input `position`, as it is; None if it is left out."""
        name = self.call.inputs[position] if position < self.count() else ""
        return TensorRef.of(self.model, name) if name else None

    def operand(self, position: int) -> Operand | TensorRef | None:
        """Input `position`, moved; a single element stays as it is."""
        tensor = self.kept(position)
        if tensor is None:
            return None
        require(tensor.rank <= len(self.axes.to), f"'{tensor.name}' has more axes than the result")
        if all(dim == 1 for dim in tensor.shape or ()) and tensor.rank < len(self.axes.to):
            return tensor
        value = self.model.get_initializer(tensor.name)
        return Operand(tensor) if value is None else Operand(tensor, self.axes.array(value))

    def constant(self, position: int) -> np.ndarray | None:
        """The value of a parameter input; None if it is left out. NoMatch if it is computed."""
        tensor = self.kept(position)
        if tensor is None:
            return None
        value = self.model.get_initializer(tensor.name)
        if value is None:
            raise NoMatch(f"'{tensor.name}' is computed")
        return value

    def given(self, position: int) -> np.ndarray:
        """The value of a parameter input. NoMatch if it is computed or left out."""
        value = self.constant(position)
        if value is None:
            raise NoMatch(f"{self.call.op} has no input {position}")
        return value

    def make(self, *inputs: Any, **attributes: Any) -> Call:
        """The same operator on these inputs, with some attributes replaced."""
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        return replace(self.call, inputs=inputs, attributes={**self.call.attributes, **attributes})


def moved_call(model: ModelWrapper, call: Call, axes: Axes) -> Call:
    """The operator that computes f' of the module's equation. Its inputs are `Operand`s that have to move as well,
    tensors that stay, and new constants. NoMatch if there is none."""
    handler = _HANDLERS.get(call.op) if is_custom_domain(call.domain) == (call.op in _CUSTOM) else None
    if handler is None:
        raise NoMatch(f"{call.op} is bound to its axes")
    return handler(Site(call, model, axes))


def call_of(node: NodeProto) -> Call:
    """A node as a call on names."""
    inputs = list(node.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    attributes = {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute}
    return Call(node.op_type, tuple(inputs), attributes, node.domain, name=node.name)


def _plain(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value


# ----------------------------------------------------------------------------------------------------------- handlers


def _elementwise(s: Site) -> Call:
    return s.make(*(s.operand(i) for i in range(s.count())))


def _dropout(s: Site) -> Call:
    return s.make(s.operand(0), *(s.kept(i) for i in range(1, s.count())))


def _concat(s: Site) -> Call:
    operands = [s.operand(i) for i in range(s.count())]
    require(all(isinstance(o, Operand) and o.tensor.rank == len(s.axes.to) for o in operands), "ranks differ")
    return s.make(*operands, axis=s.axes.axis(s.get("axis", 1)))


def _along_axis(default: int, since: int = 1) -> Callable[[Site], Call]:
    """Operators on input 0 with an attribute `axis`; before opset `since` they mean something else."""

    def handler(s: Site) -> Call:
        require(s.opset >= since, f"{s.call.op} flattens its input before opset {since}")
        require(s.get("keepdims", 1), "the axis disappears")
        return s.make(s.operand(0), *(s.kept(i) for i in range(1, s.count())), axis=s.axes.axis(s.get("axis", default)))

    return handler


def _reduce(s: Site) -> Call:
    require(s.get("keepdims", 1), "axes disappear")
    given = s.constant(1)
    if given is not None and given.size:
        return s.make(s.operand(0), np.array([s.axes.axis(int(a)) for a in given], np.int64))
    if "axes" in s.call.attributes:
        return s.make(s.operand(0), axes=[s.axes.axis(a) for a in s.get("axes")])
    return s.make(s.operand(0), *(s.kept(i) for i in range(1, s.count())))


def _cumsum(s: Site) -> Call:
    axis = s.given(1)
    require(axis.size == 1, "no single axis")
    return s.make(s.operand(0), np.asarray(s.axes.axis(int(axis.ravel()[0])), np.int64))


def _pad(s: Site) -> Call:
    if "pads" in s.call.attributes:
        return s.make(s.operand(0), pads=_spread_pads(s, s.get("pads")))
    pads, axes = s.given(1), s.constant(3)
    if axes is not None:
        moved = np.array([s.axes.axis(int(a)) for a in axes], np.int64)
        return s.make(s.operand(0), s.kept(1), s.kept(2), moved)
    return s.make(s.operand(0), np.array(_spread_pads(s, pads.ravel().tolist()), np.int64), s.kept(2))


def _spread_pads(s: Site, pads: list[int]) -> list[int]:
    half = len(pads) // 2
    return s.axes.spread(pads[:half], 0) + s.axes.spread(pads[half:], 0)


def _slice(s: Site) -> Call:
    if "starts" in s.call.attributes:
        axes = s.get("axes", list(range(len(s.get("starts")))))
        return s.make(s.operand(0), axes=[s.axes.axis(a) for a in axes])
    axes = s.constant(3)
    old = range(s.given(1).size) if axes is None else axes
    new = np.array([s.axes.axis(int(a)) for a in old], np.int64)
    return s.make(s.operand(0), s.kept(1), s.kept(2), new, s.kept(4))


def _resize(s: Site) -> Call:
    """Cubic interpolation and cropping stay: onnxruntime has them for channels first only."""
    require(s.get("mode", "nearest") in ("nearest", "linear"), "only nearest and linear interpolation")
    require(s.get("coordinate_transformation_mode") != "tf_crop_and_resize", "crops")
    if "axes" in s.call.attributes:
        return s.make(s.operand(0), *(s.kept(i) for i in range(1, s.count())), axes=[*map(s.axes.axis, s.get("axes"))])
    if "scales" in s.call.attributes:
        return s.make(s.operand(0), scales=s.axes.spread(s.get("scales"), 1.0))
    # Inputs are (x, scales) up to opset 10, (x, roi, scales, sizes) since; only cropping reads the roi.
    first = 1 if s.count() == 2 else 2
    values = [s.constant(i) for i in range(first, s.count())]
    moved = [np.array(s.axes.spread(list(v), 1), v.dtype) if v is not None and v.size else None for v in values]
    kept = [s.kept(i) for i in range(first, s.count())]
    roi = [s.kept(1)] if first == 2 else []
    return s.make(s.operand(0), *roi, *(k if m is None else m for k, m in zip(kept, moved, strict=True)))


def _quantize_linear(s: Site) -> Call:
    scale = s.kept(1)
    require(scale is not None and scale.rank <= 1, "the scale is given by blocks")
    others = [s.kept(i) for i in range(1, s.count())]
    if scale is not None and scale.rank == 0:
        return s.make(s.operand(0), *others)
    return s.make(s.operand(0), *others, axis=s.axes.axis(s.get("axis", 1)))


def _multithreshold(s: Site) -> Call:
    channel = s.axes.axis(channel_axis(s.get("data_layout", "NCHW"), len(s.axes.to)))
    require(channel in (1, s.axes.rank - 1), f"the channels would be on axis {channel}")
    return s.make(s.operand(0), s.kept(1), data_layout=layout_name(s.axes.rank, channel != 1))


def _quant_avg_pool(s: Site) -> Call:
    last = s.get("data_layout", "NCHW") == "NHWC"
    wanted = (0, 2, 3, 1) if last else (0, 3, 1, 2)
    require(s.axes.to == wanted, "only between channels first and last")
    return s.make(s.operand(0), data_layout="NCHW" if last else "NHWC")


def _global_pool(reduction: str) -> Callable[[Site], Call]:
    def handler(s: Site) -> Call:
        return _reduce_space(s, reduction)

    return handler


def _average_pool(s: Site) -> Call:
    """AveragePool with one window, the whole input."""
    tensor = s.kept(0)
    require(
        tensor is not None and list((tensor.shape or ())[2:]) == list(s.get("kernel_shape")), "more than one window"
    )
    require(s.get("auto_pad", "NOTSET") in ("NOTSET", "VALID") and not any(s.get("pads", ())), "padded")
    require(all(d == 1 for d in s.get("dilations", ())), "dilated")
    return _reduce_space(s, "ReduceMean")


def _reduce_space(s: Site, reduction: str) -> Call:
    axes = sorted(s.axes.axis(a) for a in range(2, len(s.axes.to)))
    if s.opset < 18:
        return Call(reduction, (s.operand(0),), {"axes": axes, "keepdims": 1}, name=s.call.name)
    return Call(reduction, (s.operand(0), np.array(axes, np.int64)), {"keepdims": 1}, name=s.call.name)


_CUSTOM = frozenset({*QUANTIZERS, "MultiThreshold", "QuantAvgPool2d"})
_HANDLERS: dict[str, Callable[[Site], Call]] = {
    **dict.fromkeys((*UNARY, *BINARY, *VARIADIC, *QUANTIZERS), _elementwise),
    **dict.fromkeys(REDUCTIONS, _reduce),
    "ArgMax": _along_axis(0),
    "ArgMin": _along_axis(0),
    "AveragePool": _average_pool,
    "Concat": _concat,
    "CumSum": _cumsum,
    "Dropout": _dropout,
    "DequantizeLinear": _quantize_linear,
    "GlobalAveragePool": _global_pool("ReduceMean"),
    "GlobalMaxPool": _global_pool("ReduceMax"),
    "Hardmax": _along_axis(-1, since=13),
    "LogSoftmax": _along_axis(-1, since=13),
    "LpNormalization": _along_axis(-1),
    "MultiThreshold": _multithreshold,
    "Pad": _pad,
    "QuantAvgPool2d": _quant_avg_pool,
    "QuantizeLinear": _quantize_linear,
    "Resize": _resize,
    "Slice": _slice,
    "Softmax": _along_axis(-1, since=13),
    "Split": _along_axis(0),
    "TopK": _along_axis(-1),
    "Upsample": _resize,
}
