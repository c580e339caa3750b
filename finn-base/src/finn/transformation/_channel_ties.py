"""Which entries of the tensors around a node have to go together when channels are removed.

A slot is one axis of a tensor. A tie joins entries of two slots: if one is removed, so is the other. A slot of a node
without a tie cannot lose entries: the node mixes them, or nobody here knows what it does with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from finn.core.data_layout import channel_axis
from finn.core.domains import CHANNELS_LAST, GENERAL
from finn.core.modelwrapper import ModelWrapper

Slot = tuple[str, int]
Pairs = np.ndarray
"""(n, 2): entry [j, 0] of the one slot goes with entry [j, 1] of the other."""


@dataclass(frozen=True)
class Tie:
    """pairs of entries of slots a and b. sums: the node sums over them, so that both are inputs of the node."""

    a: Slot
    b: Slot
    pairs: Pairs
    sums: bool = False


@dataclass(frozen=True)
class Touch:
    """The slot of the node that loses entries first, and which (a boolean for each)."""

    slot: Slot
    mask: np.ndarray


class View:
    """A node with the shapes, constants and attributes around it."""

    def __init__(self, model: ModelWrapper, node: NodeProto) -> None:
        self.model, self.node = model, node
        self.inputs, self.outputs = list(node.input), list(node.output)
        self.attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self.opset = model.get_opset_imports().get("", 11)

    def shape(self, name: str) -> list[int]:
        """[] if the shape is not known."""
        return (self.model.get_tensor_shape(name) or []) if name else []

    def constant(self, position: int) -> np.ndarray | None:
        name = self.inputs[position] if position < len(self.inputs) else ""
        return self.model.get_initializer(name) if name else None

    def ints(self, attribute: str, position: int) -> list[int] | None:
        """A list that older operators have as attribute and newer ones as constant input."""
        if attribute in self.attributes:
            return list(self.attributes[attribute])
        value = self.constant(position)
        return None if value is None else [int(v) for v in value.ravel()]

    def text(self, attribute: str, default: str) -> str:
        value = self.attributes.get(attribute, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def same(self, a: str, b: str, axes: Iterable[tuple[int, int]], sums: bool = False) -> list[Tie]:
        """Ties of axis i of a with axis j of b, entry by entry, where both have the same known size."""
        left, right = self.shape(a), self.shape(b)
        ties = []
        for i, j in axes:
            if 0 <= i < len(left) and 0 <= j < len(right) and left[i] == right[j] > 0:
                ties.append(Tie((a, i), (b, j), np.repeat(np.arange(left[i])[:, None], 2, 1), sums))
        return ties

    def broadcast(self, a: str, b: str) -> list[Tie]:
        """Ties of a with b, to which it broadcasts."""
        shift = len(self.shape(b)) - len(self.shape(a))
        return self.same(a, b, [(i, i + shift) for i in range(len(self.shape(a)))])

    def keeping(self, axes: Iterable[int]) -> list[Tie]:
        """Ties of these axes of input 0 with the same ones of output 0."""
        return self.same(self.inputs[0], self.outputs[0], [(i, i) for i in axes])


Rule = Callable[[View, Touch], list[Tie]]


def ties_of(model: ModelWrapper, node: NodeProto, touch: Touch) -> list[Tie]:
    """The ties of a node; [] for an operator that is not known."""
    rules = CHANNELS_LAST_RULES if node.domain == CHANNELS_LAST else RULES
    known = node.domain in ("", "ai.onnx", GENERAL, CHANNELS_LAST)
    rule = rules.get(node.op_type) if known else None
    return rule(View(model, node), touch) if rule is not None else []


def _elementwise(v: View, touch: Touch) -> list[Tie]:
    return [t for y in v.outputs if y for x in v.inputs if x for t in v.broadcast(x, y)]


def _per_channel(v: View, touch: Touch) -> list[Tie]:
    """Parameters are vectors over axis 1."""
    y = v.outputs[0]
    rank = len(v.shape(y))
    return v.keeping(range(rank)) + [t for p in v.inputs[1:] if p for t in v.same(p, y, [(0, min(1, rank - 1))])]


def _multithreshold(v: View, touch: Touch) -> list[Tie]:
    rank = len(v.shape(v.inputs[0]))
    axis = channel_axis(v.text("data_layout", "NCHW"), rank)
    return v.keeping(range(rank)) + v.same(v.inputs[1], v.outputs[0], [(0, axis)])


def _quantize_linear(v: View, touch: Touch) -> list[Tie]:
    y = v.outputs[0]
    rank = len(v.shape(y))
    axis = int(v.attributes.get("axis", 1)) % max(rank, 1)
    return v.keeping(range(rank)) + [t for p in v.inputs[1:] if p for t in v.same(p, y, [(0, axis)])]


def _matmul(v: View, touch: Touch) -> list[Tie]:
    (a, b), y = v.inputs, v.outputs[0]
    m, n, out = len(v.shape(a)), len(v.shape(b)), len(v.shape(y))
    ties = v.same(a, b, [(m - 1, max(n - 2, 0))], sums=True)
    shift = out - (n > 1)  # axes of y that belong to a: those before its last one
    if m > 1:
        ties += v.same(a, y, [(i, i + shift - (m - 1)) for i in range(m - 1)])
    if n > 1:
        batch = out - (m > 1) - 1  # axes before the matrices
        ties += v.same(b, y, [(n - 1, out - 1), *((i, i + batch - (n - 2)) for i in range(n - 2))])
    return ties


def _gemm(v: View, touch: Touch) -> list[Tie]:
    a, b, y = v.inputs[0], v.inputs[1], v.outputs[0]
    i, j = int(bool(v.attributes.get("transA"))), int(bool(v.attributes.get("transB")))
    ties = v.same(a, b, [(1 - i, j)], sums=True) + v.same(a, y, [(i, 0)]) + v.same(b, y, [(1 - j, 1)])
    return ties + [t for c in v.inputs[2:] if c for t in v.broadcast(c, y)]


def _conv(v: View, touch: Touch) -> list[Tie]:
    """Weights (M, K/g, ...), or with the channels last (M, ..., K/g). Groups of several channels lose the same ones in
    each group; a group of one input channel goes with all its outputs."""
    x, w, y = v.inputs[0], v.inputs[1], v.outputs[0]
    groups = int(v.attributes.get("group", 1))
    kernel = v.shape(w)
    if len(kernel) < 3:
        return []
    c = len(kernel) - 1 if v.node.domain == CHANNELS_LAST else 1  # of the channels of x and y, and of K/g
    ties = v.same(w, y, [(0, c)]) + [t for b in v.inputs[2:] if b for t in v.same(b, y, [(0, c)])]
    if groups > 1 and kernel[c] == 1:
        return [*ties, Tie((x, c), (y, c), _blocks(groups, kernel[0] // groups))]
    inner = np.arange(kernel[c] * groups)
    ties.append(Tie((x, c), (w, c), np.stack([inner, inner % kernel[c]], 1), sums=True))
    return ties + _across_groups((y, c), kernel[0], groups)


def _conv_transpose(v: View, touch: Touch) -> list[Tie]:
    """Weights (K, M/g, ...). Groups as for Conv."""
    x, w, y = v.inputs[0], v.inputs[1], v.outputs[0]
    groups = int(v.attributes.get("group", 1))
    kernel = v.shape(w)
    if len(kernel) < 3:
        return []
    ties = [t for b in v.inputs[2:] if b for t in v.same(b, y, [(0, 1)])]
    if groups > 1 and kernel[0] == groups:
        blocks = _blocks(groups, kernel[1])
        return [*ties, *v.same(x, w, [(1, 0)]), Tie((x, 1), (y, 1), blocks), Tie((w, 0), (y, 1), blocks)]
    outer = np.arange(kernel[1] * groups)
    ties += v.same(x, w, [(1, 0)], sums=True)
    ties.append(Tie((w, 1), (y, 1), np.stack([outer % kernel[1], outer], 1)))
    return ties + _across_groups((x, 1), kernel[0], groups)


def _blocks(count: int, size: int) -> Pairs:
    """Entry i goes with the i-th block of `size`."""
    return np.stack([np.repeat(np.arange(count), size), np.arange(count * size)], 1)


def _across_groups(slot: Slot, size: int, groups: int) -> list[Tie]:
    """The entries at the same place of all groups."""
    if groups == 1:
        return []
    entries = np.arange(size)
    return [Tie(slot, slot, np.stack([entries % (size // groups), entries], 1))]


def _transpose(v: View, touch: Touch) -> list[Tie]:
    rank = len(v.shape(v.inputs[0]))
    perm = list(v.attributes.get("perm", range(rank)[::-1]))
    return v.same(v.inputs[0], v.outputs[0], [(axis, i) for i, axis in enumerate(perm)])


def _concat(v: View, touch: Touch) -> list[Tie]:
    y = v.outputs[0]
    return _pieces(v, y, v.inputs, int(v.attributes["axis"]))


def _split(v: View, touch: Touch) -> list[Tie]:
    return _pieces(v, v.inputs[0], v.outputs, int(v.attributes.get("axis", 0)))


def _pieces(v: View, whole: str, parts: Sequence[str], axis: int) -> list[Tie]:
    """`whole` is `parts` one after the other along `axis`."""
    rank = len(v.shape(whole))
    axis %= max(rank, 1)
    if not all(len(v.shape(part)) == rank for part in parts):
        return []
    ties = []
    offset = 0
    for part in parts:
        ties += v.same(part, whole, [(i, i) for i in range(rank) if i != axis])
        entries = np.arange(v.shape(part)[axis])
        ties.append(Tie((part, axis), (whole, axis), np.stack([entries, entries + offset], 1)))
        offset += len(entries)
    return ties


def _reshape(v: View, touch: Touch) -> list[Tie]:
    """Axes that stay, are merged into one or come of one.

    Of several that become one, or come of one, only that one may lose entries which is touched first. If their common
    axis is touched first, it is the one of which whole entries are touched, else the outermost.
    """
    x, y = v.inputs[0], v.outputs[0]
    before, after = v.shape(x), v.shape(y)
    fixed = v.node.op_type != "Reshape" or v.constant(1) is not None
    if not fixed or not before or not after or math.prod(before) != math.prod(after) or math.prod(before) == 0:
        return []
    ties = []
    for left, right in _groups(before, after):
        if len(left) == 1 and len(right) == 1:
            ties += v.same(x, y, [(left[0], right[0])])
        elif len(right) == 1:
            ties.append(_merge(x, left, before, (y, right[0]), touch))
        elif len(left) == 1:
            ties.append(_merge(y, right, after, (x, left[0]), touch))
    return ties


def _merge(many: str, axes: list[int], shape: list[int], one: Slot, touch: Touch) -> Tie:
    """The tie of one of `axes` of `many` with the axis `one` that they make together."""
    indices = np.indices([shape[axis] for axis in axes]).reshape(len(axes), -1)
    chosen = 0
    if touch.slot[0] == many and touch.slot[1] in axes:
        chosen = axes.index(touch.slot[1])
    elif touch.slot == one:
        chosen = next((i for i, index in enumerate(indices) if _is_whole(index, touch.mask)), 0)
    return Tie((many, axes[chosen]), one, np.stack([indices[chosen], np.arange(indices.shape[1])], 1))


def _is_whole(index: np.ndarray, mask: np.ndarray) -> bool:
    """Whether all places with the same index are masked, or none is."""
    return bool(np.array_equal(np.isin(index, index[mask]), mask))


def _groups(before: list[int], after: list[int]) -> list[tuple[list[int], list[int]]]:
    """The least groups of axes, without those of size 1, that have as many entries on both sides."""
    left = [axis for axis, size in enumerate(before) if size != 1]
    right = [axis for axis, size in enumerate(after) if size != 1]
    groups = []
    while left and right:
        a, b = [left.pop(0)], [right.pop(0)]
        while (m := math.prod(before[i] for i in a)) != (n := math.prod(after[i] for i in b)):
            (a if m < n else b).append((left if m < n else right).pop(0))
        groups.append((a, b))
    return groups


def _pad(v: View, touch: Touch) -> list[Tie]:
    pads, rank = v.ints("pads", 1), len(v.shape(v.inputs[0]))
    if pads is None or len(pads) != 2 * rank or any(v.inputs[3:]):  # with a list of axes
        return []
    return v.keeping(axis for axis in range(rank) if not pads[axis] and not pads[axis + rank])


def _pool(v: View, touch: Touch) -> list[Tie]:
    """Batch and channels stay; the second output of MaxPool, indices into the whole tensor, cannot."""
    return v.keeping((0, 1)) if len([y for y in v.outputs if y]) == 1 else []


def _pool_by_layout(v: View, touch: Touch) -> list[Tie]:
    return v.keeping((0, channel_axis(v.text("data_layout", "NCHW"), 4)))


def _pool_channels_last(v: View, touch: Touch) -> list[Tie]:
    return v.keeping((0, len(v.shape(v.inputs[0])) - 1))


def _resize(v: View, touch: Touch) -> list[Tie]:
    scales = v.attributes.get("scales", v.constant(1 if v.node.op_type == "Upsample" or v.opset < 11 else 2))
    rank = len(v.shape(v.inputs[0]))
    if scales is not None and len(scales) == rank:
        return v.keeping(axis for axis in range(rank) if scales[axis] == 1)
    sizes = v.constant(3) if v.opset >= 11 else None
    if sizes is None or len(sizes) != rank or v.text("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        return []
    return v.keeping(axis for axis, size in enumerate(sizes) if size == v.shape(v.inputs[0])[axis])


def _reduce(v: View, touch: Touch) -> list[Tie]:
    rank = len(v.shape(v.inputs[0]))
    axes = v.ints("axes", 1)
    if axes is None or not axes:
        return []
    reduced = {axis % rank for axis in axes}
    kept = [axis for axis in range(rank) if axis not in reduced]
    if v.attributes.get("keepdims", 1):
        return v.keeping(kept)
    return v.same(v.inputs[0], v.outputs[0], [(axis, i) for i, axis in enumerate(kept)])


def _gather(v: View, touch: Touch) -> list[Tie]:
    """Of a table of numbers: each index by itself."""
    indices, y = v.inputs[1], v.outputs[0]
    return v.broadcast(indices, y) if len(v.shape(v.inputs[0])) == 1 else []


def _softmax(v: View, touch: Touch) -> list[Tie]:
    rank = len(v.shape(v.inputs[0]))
    since_13 = v.opset >= 13
    axis = int(v.attributes.get("axis", -1 if since_13 else 1)) % max(rank, 1)
    return v.keeping(i for i in range(rank) if (i != axis if since_13 else i < axis))


def _slice(v: View, touch: Touch) -> list[Tie]:
    rank = len(v.shape(v.inputs[0]))
    axes = v.ints("axes", 3)
    cut = {axis % max(rank, 1) for axis in axes} if axes is not None else set(range(rank))
    return v.keeping(axis for axis in range(rank) if axis not in cut)


PRODUCTS = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose", "Mul", "And"})
"""Zero where one operand is, but for a bias."""

MOVING = frozenset(
    {"Transpose", "Concat", "Split", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Identity", "Resize"}
    | {"Upsample", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "QuantAvgPool2d", "MaxPoolNHWC"}
    | {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"}
)
"""Zero where all of their input is."""

MAPS = frozenset(
    {"Add", "Sub", "Div", "Sum", "Max", "Min", "Mean", "Pow", "Or", "Xor", "Where", "PRelu", "Clip", "Cast", "Dropout"}
    | {"Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Not", "Mod"}
    | {"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "ThresholdedRelu", "HardSigmoid", "HardSwish", "Sigmoid"}
    | {"Tanh", "Softplus", "Softsign", "Mish", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Sqrt", "Exp", "Log"}
    | {"Erf", "Reciprocal", "Sin", "Cos", "Tan", "Atan", "Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc"}
    | {"BatchNormalization", "MultiThreshold", "QuantizeLinear", "DequantizeLinear"}
)
"""Each element by itself: what they make of zero is found by running them."""

RULES: dict[str, Rule] = {
    **dict.fromkeys([*MAPS, "Mul", "And", "Identity"], _elementwise),
    **dict.fromkeys(["BatchNormalization", "InstanceNormalization"], _per_channel),
    "MultiThreshold": _multithreshold,
    **dict.fromkeys(["QuantizeLinear", "DequantizeLinear"], _quantize_linear),
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    **dict.fromkeys(["Reshape", "Flatten", "Squeeze", "Unsqueeze"], _reshape),
    "Pad": _pad,
    **dict.fromkeys(["MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"], _pool),
    "QuantAvgPool2d": _pool_by_layout,
    "MaxPoolNHWC": _pool_channels_last,
    **dict.fromkeys(["Resize", "Upsample"], _resize),
    **{
        f"Reduce{kind}": _reduce for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp")
    },
    **dict.fromkeys(["Softmax", "LogSoftmax", "Hardmax"], _softmax),
    "Slice": _slice,
    "Gather": _gather,
}

CHANNELS_LAST_RULES: dict[str, Rule] = {"Conv": _conv, "MaxPool": _pool_channels_last}
