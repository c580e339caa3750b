"""An independent reading of the operators in float64, of any rank: windows are visited one by one.

    tensors = execute(model, {"x": x})

Nothing of the package under test is used. An operator is a function (a, *inputs), `a` its attributes with "opset" and
"outputs" (how many) added; inputs that are left out are None. Tensors that no float64 can hold exactly (behind Sigmoid,
a division by 3, ...) are inexact: a quantizer that would decide otherwise on a float32 near such a number raises Tie.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import erf
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

Array = Any
Attributes = dict[str, Any]


class Tie(Exception):
    """The result of a quantizer hangs on the last bits of a number."""


# --- quantizers ---

ROUND: dict[str, Callable[[Any], Any]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "DOWN": np.trunc,
    "UP": lambda x: np.where(x < 0, np.floor(x), np.ceil(x)),
    "HALF_UP": lambda x: np.where(x < 0, np.ceil(x - 0.5), np.floor(x + 0.5)),
    "HALF_DOWN": lambda x: np.where(x < 0, np.floor(x + 0.5), np.ceil(x - 0.5)),
}


def limits(bits: Array, signed: int, narrow: int) -> tuple[Array, Array]:
    low = -(2.0 ** (bits - 1)) + narrow if signed else 0.0 * bits
    return low, 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1 - narrow


def quant(a: Attributes, x: Array, scale: Array, zero_point: Array, bits: Array) -> Array:
    q = x / scale + zero_point
    if a["signed"] and (bits == 1).all():
        return (np.where(q >= 0, 1.0, -1.0) - zero_point) * scale
    q = np.clip(q, *limits(bits, a["signed"], a["narrow"]))
    return (ROUND[a.get("rounding_mode", "ROUND")](q) - zero_point) * scale


def trunc(a: Attributes, x: Array, scale: Array, zero_point: Array, bits: Array, *rest: Array) -> Array:
    """Version 1 has the bits of the output; version 2 scale and bits of the output."""
    mode, q = ROUND[a.get("rounding_mode", "FLOOR")], np.rint(x / scale + zero_point)
    if len(rest) == 1:
        return (mode(q / 2.0 ** (bits - rest[0])) - zero_point) * scale
    out_scale, out_bits = rest
    t = 2.0 ** np.rint(np.log2(out_scale / scale))
    q = np.clip(q / t, *limits(out_bits, a.get("signed", 1), a.get("narrow", 0)))
    return (mode(q) - zero_point / t) * out_scale


def multithreshold(a: Attributes, x: Array, thresholds: Array) -> Array:
    layout = a.get("data_layout", "NCHW")
    axis = -1 if layout.endswith("C") or x.ndim < 2 else 1
    count = (np.moveaxis(x, axis, -1)[..., None] >= thresholds).sum(-1)
    return a.get("out_scale", 1.0) * np.moveaxis(count, -1, axis) + a.get("out_bias", 0.0)


# --- windows ---


def paddings(a: Attributes, sizes: Any, spans: list[int], strides: list[int]) -> list[tuple[int, int]]:
    """(before, after) of each axis; spans : dilated kernels."""
    auto = a.get("auto_pad", "NOTSET")
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(sizes, spans, strides, strict=True)]
        return [(t // 2, t - t // 2) if auto == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]
    pads = a.get("pads") if auto == "NOTSET" else None
    rank = len(spans)
    return list(zip(pads[:rank], pads[rank:], strict=True)) if pads else [(0, 0)] * rank


def windows(a: Attributes, x: Array, kernel: Any, fill: float) -> tuple[tuple[int, ...], Any]:
    """The counts of output positions, and (position, window (N, C, *kernel)) of each. Data is (N, C, *sizes)."""
    rank = len(kernel)
    strides, dilations = a.get("strides") or [1] * rank, a.get("dilations") or [1] * rank
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = paddings(a, x.shape[2:], spans, strides)
    counts = []
    for axis, (n, span, s) in enumerate(zip(x.shape[2:], spans, strides, strict=True)):
        before, after = pads[axis]
        room = n + before + after - span
        count = (-(-room // s) if a.get("ceil_mode") else room // s) + 1
        if a.get("ceil_mode") and (count - 1) * s >= n + before:  # a window must not begin in the padding behind
            count -= 1
        counts.append(count)
        pads[axis] = (before, max(after, (count - 1) * s + span - n - before))
    padded = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=fill)

    def visit() -> Any:
        for position in np.ndindex(*counts):
            places = [
                slice(p * s, p * s + span, d) for p, s, span, d in zip(position, strides, spans, dilations, strict=True)
            ]
            yield position, padded[(slice(None), slice(None), *places)]

    return tuple(counts), visit()


def conv(a: Attributes, x: Array, w: Array, b: Array = None) -> Array:
    groups, outputs = a.get("group", 1), len(w)
    counts, visit = windows(a, x, w.shape[2:], 0.0)
    y = np.zeros((len(x), outputs, *counts))
    for position, window in visit:
        for g, (xs, ws) in enumerate(zip(np.split(window, groups, 1), np.split(w, groups), strict=True)):
            size = outputs // groups
            y[(slice(None), slice(g * size, (g + 1) * size), *position)] = np.einsum(
                "nk,ok->no", xs.reshape(len(x), -1), ws.reshape(size, -1)
            )
    return y if b is None else y + b.reshape(-1, *[1] * len(counts))


def conv_transpose(a: Attributes, x: Array, w: Array, b: Array = None) -> Array:
    """Each input value adds its kernel, weights (C, M / group, *kernel), to the output."""
    rank, groups = x.ndim - 2, a.get("group", 1)
    strides, dilations = a.get("strides") or [1] * rank, a.get("dilations") or [1] * rank
    more, pads = a.get("output_padding") or [0] * rank, a.get("pads") or [0] * 2 * rank
    full = [
        (n - 1) * s + (k - 1) * d + 1 + m
        for n, k, s, d, m in zip(x.shape[2:], w.shape[2:], strides, dilations, more, strict=True)
    ]
    y = np.zeros((len(x), w.shape[1] * groups, *full))
    for position, tap in product(np.ndindex(*x.shape[2:]), np.ndindex(*w.shape[2:])):
        place = tuple(p * s + t * d for p, s, t, d in zip(position, strides, tap, dilations, strict=True))
        xs = np.split(x[(slice(None), slice(None), *position)], groups, 1)
        ws = np.split(w[(slice(None), slice(None), *tap)], groups)
        y[(slice(None), slice(None), *place)] += np.concatenate([i @ j for i, j in zip(xs, ws, strict=True)], 1)
    cut = [slice(pads[i], full[i] - pads[rank + i]) for i in range(rank)]
    y = y[(slice(None), slice(None), *cut)]
    return y if b is None else y + b.reshape(-1, *[1] * rank)


def max_pool(a: Attributes, x: Array) -> Array:
    counts, visit = windows(a, x, a["kernel_shape"], -np.inf)
    y = np.zeros((*x.shape[:2], *counts))
    for position, window in visit:
        y[(slice(None), slice(None), *position)] = window.max(tuple(range(2, x.ndim)))
    return y


def average_pool(a: Attributes, x: Array) -> Array:
    if a.get("count_include_pad"):  # but not what only ceil_mode adds
        rank = x.ndim - 2
        pads = a.get("pads") or [0] * 2 * rank
        x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])
        a = {**a, "pads": None}
    counts, visit = windows(a, x, a["kernel_shape"], np.nan)
    y = np.zeros((*x.shape[:2], *counts))
    axes = tuple(range(2, x.ndim))
    for position, window in visit:
        present = (~np.isnan(window)).sum(axes)
        y[(slice(None), slice(None), *position)] = np.nansum(window, axes) / present
    return y


def quant_avg_pool(a: Attributes, x: Array) -> Array:
    k, s = a["kernel"], a["stride"]
    last = a.get("data_layout", "NCHW") == "NHWC"
    x = np.moveaxis(x, -1, 1) if last else x
    mean = average_pool({"kernel_shape": [k, k], "strides": [s, s]}, x)
    bits = int((2 ** a["ibits"] - 1) * k * k).bit_length()
    y = np.floor(np.rint(mean * k * k) / 2.0 ** max(0, bits - a["obits"]))
    return np.moveaxis(y, 1, -1) if last else y


def channels_last(f: Callable[..., Array]) -> Callable[..., Array]:
    """(N, *sizes, C); weights (M, *kernel, C / group)."""

    def of_last(a: Attributes, x: Array, *more: Array) -> Array:
        more = tuple(np.moveaxis(w, -1, 1) if w is not None and w.ndim > 2 else w for w in more)
        return np.moveaxis(f(a, np.moveaxis(x, -1, 1), *more), 1, -1)

    return of_last


# --- shapes ---


def reshape(a: Attributes, x: Array, shape: Array) -> Array:
    keep = not a.get("allowzero")
    return x.reshape([x.shape[i] if d == 0 and keep else int(d) for i, d in enumerate(shape)])


def flatten(a: Attributes, x: Array) -> Array:
    axis = a.get("axis", 1) % (x.ndim + 1) if a.get("axis", 1) < 0 else a.get("axis", 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def axes_of(a: Attributes, axes: Array, rank: int) -> tuple[int, ...] | None:
    axes = a.get("axes") if axes is None else axes
    return None if axes is None else tuple(int(i) % rank for i in axes)


def squeeze(a: Attributes, x: Array, axes: Array = None) -> Array:
    return np.squeeze(x, axes_of(a, axes, x.ndim))


def unsqueeze(a: Attributes, x: Array, axes: Array = None) -> Array:
    given = a.get("axes") if axes is None else axes
    return np.expand_dims(x, axes_of(a, axes, x.ndim + len(given)))


def split(a: Attributes, x: Array, sizes: Array = None) -> tuple[Array, ...]:
    axis = a.get("axis", 0)
    sizes = a.get("split") if sizes is None else sizes
    if sizes is None:
        size = -(-x.shape[axis] // a["outputs"])
        sizes = [size] * (a["outputs"] - 1)
    else:
        sizes = sizes[:-1]
    return tuple(np.split(x, np.cumsum([int(s) for s in sizes]), axis))


def slice_(a: Attributes, x: Array, starts: Array, ends: Array, axes: Array = None, steps: Array = None) -> Array:
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        n, start, end, step = x.shape[int(axis)], int(start), int(end), int(step)
        start, end = (i + n if i < 0 else i for i in (start, end))
        if step > 0:
            places = range(min(max(start, 0), n), min(max(end, 0), n), step)
        else:
            places = range(min(max(start, 0), n - 1), min(max(end, -1), n - 1), step)
        x = np.take(x, list(places), int(axis))
    return x


def pad(a: Attributes, x: Array, pads: Array, value: Array = None, axes: Array = None) -> Array:
    half, every = len(pads) // 2, [(0, 0)] * x.ndim
    for i, axis in enumerate(range(x.ndim) if axes is None else axes):
        every[int(axis)] = (int(pads[i]), int(pads[half + i]))
    mode = a.get("mode", "constant")
    if mode != "constant":
        return np.pad(x, every, mode=mode)
    return np.pad(x, every, constant_values=0.0 if value is None else float(np.ravel(value)[0]))


def resize(a: Attributes, x: Array, roi: Array = None, scales: Array = None, sizes: Array = None) -> Array:
    """Nearest."""
    assert a.get("mode", "nearest") == "nearest"
    if scales is None or not scales.size:
        scales = np.asarray(sizes) / np.asarray(x.shape)
    rounding = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda p: np.ceil(p - 0.5),
        "round_prefer_ceil": lambda p: np.floor(p + 0.5),
    }[a.get("nearest_mode", "round_prefer_floor")]
    for axis, scale in enumerate(scales):
        out = np.arange(int(np.floor(x.shape[axis] * scale)))
        where = a.get("coordinate_transformation_mode", "half_pixel")
        positions = out / scale if where == "asymmetric" else (out + 0.5) / scale - 0.5
        x = np.take(x, np.clip(rounding(positions), 0, x.shape[axis] - 1).astype(int), axis)
    return x


def depth_to_space(a: Attributes, x: Array) -> Array:
    (n, c, h, w), b = x.shape, a["blocksize"]
    if a.get("mode", "DCR") == "DCR":
        return x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)
    return x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)


def space_to_depth(a: Attributes, x: Array) -> Array:
    (n, c, h, w), b = x.shape, a["blocksize"]
    return x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


# --- the rest ---


def batch_normalization(a: Attributes, x: Array, gamma: Array, beta: Array, mean: Array, var: Array) -> Array:
    shape = (-1, *[1] * (x.ndim - 2))
    gamma, beta, mean, var = (p.reshape(shape) for p in (gamma, beta, mean, var))
    return (x - mean) / np.sqrt(var + a.get("epsilon", float(np.float32(1e-5)))) * gamma + beta


def gemm(a: Attributes, x: Array, w: Array, c: Array = None) -> Array:
    y = a.get("alpha", 1.0) * ((x.T if a.get("transA") else x) @ (w.T if a.get("transB") else w))
    return y if c is None else y + a.get("beta", 1.0) * c


def reduced(f: Callable[..., Array]) -> Callable[..., Array]:
    def reduce(a: Attributes, x: Array, axes: Array = None) -> Array:
        axes = axes_of(a, axes, x.ndim)
        if axes is None and a.get("noop_with_empty_axes"):
            return x
        return f(x, axis=axes, keepdims=bool(a.get("keepdims", 1)))

    return reduce


def top_k(a: Attributes, x: Array, k: Array) -> tuple[Array, Array]:
    axis = a.get("axis", -1)
    order = np.argsort(-x if a.get("largest", 1) else x, axis=axis, kind="stable")
    order = np.take(order, range(int(np.ravel(k)[0])), axis)
    return np.take_along_axis(x, order, axis), order


def arg_max(a: Attributes, x: Array) -> Array:
    axis = a.get("axis", 0)
    index = np.argmax(x, axis)
    return np.expand_dims(index, axis) if a.get("keepdims", 1) else index


def softmax(a: Attributes, x: Array) -> Array:
    axis = a.get("axis", -1)
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def clip(a: Attributes, x: Array, low: Array = None, high: Array = None) -> Array:
    low, high = a.get("min") if low is None else low, a.get("max") if high is None else high
    x = x if low is None else np.where(x < low, low, x)
    return x if high is None else np.where(x > high, high, x)


def gelu(a: Attributes, x: Array) -> Array:
    if a.get("approximate", "none") == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + ERF(x / np.sqrt(2)))


def selu(a: Attributes, x: Array) -> Array:
    alpha, gamma = a.get("alpha", float(np.float32(1.67326319))), a.get("gamma", float(np.float32(1.05070102)))
    return gamma * np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def hard_sigmoid(a: Attributes, x: Array) -> Array:
    return np.clip(a.get("alpha", float(np.float32(0.2))) * x + a.get("beta", 0.5), 0, 1)


def sigmoid(a: Attributes, x: Array) -> Array:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


ERF = np.frompyfunc(erf, 1, 1)

EXACT: dict[str, Callable[..., Any]] = {
    "Quant": quant,
    "IntQuant": quant,
    "BipolarQuant": lambda a, x, s: np.where(x >= 0, 1.0, -1.0) * s,
    "Trunc": trunc,
    "MultiThreshold": multithreshold,
    "Sign": lambda a, x: np.sign(x),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda a, x: x.mean(tuple(range(2, x.ndim)), keepdims=True),
    "GlobalMaxPool": lambda a, x: x.max(tuple(range(2, x.ndim)), keepdims=True),
    "QuantAvgPool2d": quant_avg_pool,
    "ReduceMean": reduced(np.mean),
    "ReduceSum": reduced(np.sum),
    "ReduceMax": reduced(np.max),
    "MatMul": lambda a, x, w: x @ w,
    "Gemm": gemm,
    "BatchNormalization": batch_normalization,
    "Reshape": reshape,
    "Flatten": flatten,
    "Transpose": lambda a, x: x.transpose(a.get("perm")),
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": lambda a, *xs: np.concatenate(xs, a["axis"]),
    "Split": split,
    "Slice": slice_,
    "Gather": lambda a, x, i: np.take(x, i.astype(int), a.get("axis", 0)),
    "Pad": pad,
    "Resize": resize,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Expand": lambda a, x, shape: x * np.ones([int(d) for d in shape]),
    "Tile": lambda a, x, repeats: np.tile(x, [int(r) for r in repeats]),
    "Add": lambda a, x, y: x + y,
    "Sub": lambda a, x, y: x - y,
    "Mul": lambda a, x, y: x * y,
    "Div": lambda a, x, y: x / y,
    "Sum": lambda a, *xs: sum(xs),
    "Neg": lambda a, x: -x,
    "Abs": lambda a, x: np.abs(x),
    "Relu": lambda a, x: np.where(x > 0, x, 0.0),
    "Clip": clip,
    "LeakyRelu": lambda a, x: np.where(x < 0, a.get("alpha", float(np.float32(0.01))) * x, x),
    "PRelu": lambda a, x, slope: np.where(x < 0, slope * x, x),
    "Min": lambda a, *xs: np.minimum.reduce(np.broadcast_arrays(*xs)),
    "Max": lambda a, *xs: np.maximum.reduce(np.broadcast_arrays(*xs)),
    "Floor": lambda a, x: np.floor(x),
    "Ceil": lambda a, x: np.ceil(x),
    "Round": lambda a, x: np.rint(x),
    "Identity": lambda a, x: x,
    "Dropout": lambda a, x, *_: x,
    "Cast": lambda a, x: x,
    "Constant": lambda a: numpy_helper.to_array(a["value"]),
    "Shape": lambda a, x: np.array(x.shape),
    "TopK": top_k,
    "ArgMax": arg_max,
    "ThresholdedRelu": lambda a, x: np.where(x > a.get("alpha", 1.0), x, 0.0),
    "Pow": lambda a, x, y: x**y,
}
"""Of numbers with few binary digits these give such numbers, but for divisions."""

INEXACT: dict[str, Callable[..., Any]] = {
    "Sigmoid": sigmoid,
    "Tanh": lambda a, x: np.tanh(x),
    "HardSigmoid": hard_sigmoid,
    "HardSwish": lambda a, x: x * np.clip(x / 6 + 0.5, 0, 1),
    "Gelu": gelu,
    "Erf": lambda a, x: ERF(x),
    "Selu": selu,
    "Elu": lambda a, x: np.where(x > 0, x, a.get("alpha", 1.0) * (np.exp(np.minimum(x, 0)) - 1)),
    "Celu": lambda a, x: np.maximum(x, 0) + np.minimum(0, a.get("alpha", 1.0) * np.expm1(x / a.get("alpha", 1.0))),
    "Sqrt": lambda a, x: np.sqrt(x),
    "Exp": lambda a, x: np.exp(x),
    "Log": lambda a, x: np.log(x),
    "Softplus": lambda a, x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "Softsign": lambda a, x: x / (1 + np.abs(x)),
    "Mish": lambda a, x: x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
    "Softmax": softmax,
    "LogSoftmax": lambda a, x: np.log(softmax(a, x)),
    "Reciprocal": lambda a, x: 1 / x,
}

LAST: dict[str, Callable[..., Any]] = {
    name: channels_last(EXACT[name]) for name in ("Conv", "MaxPool", "BatchNormalization")
}
QUANTIZERS = {"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold", "Sign"}
INDICES = {"ArgMax": 0, "TopK": 1}
"""Which output is an index."""


def attributes_of(node: NodeProto, opset: int) -> Attributes:
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    decoded = {k: v.decode() if isinstance(v, bytes) else v for k, v in given.items()}
    return decoded | {"opset": opset, "outputs": len(node.output)}


def few_digits(x: Array) -> bool:
    """Whether all numbers are multiples of 2**-30 and exact for sums in float64."""
    scaled = np.asarray(x, np.float64) * 2.0**30
    return bool((np.abs(scaled) < 2.0**52).all() and (scaled == np.rint(scaled)).all())


def rounds(op_type: str, a: Attributes, inputs: list[Array], output: Array) -> bool:
    """Whether the order of its operations can make a difference in the last bits."""
    if op_type == "HardSigmoid":
        return a.get("alpha", 0.2) % 2**-8 != 0
    if op_type == "Div":
        return bool((np.frexp(inputs[1])[0] != np.copysign(0.5, inputs[1])).any())
    if op_type == "AveragePool":
        partial = any(a.get("pads") or [0]) and not a.get("count_include_pad") and max(a["kernel_shape"]) > 2
        return partial or not is_power(int(np.prod(a["kernel_shape"])))
    if op_type in {"GlobalAveragePool", "ReduceMean"}:
        return not is_power(inputs[0].size // output.size)
    return op_type in INEXACT


def is_power(n: int) -> bool:
    return n & (n - 1) == 0


def run_node(node: NodeProto, opset: int, inputs: list[Array], inexact: bool) -> tuple[tuple[Array, ...], bool]:
    """The outputs in float64, and whether they are inexact. `inexact` : some input is."""
    table = LAST if node.domain.endswith("channels_last") else EXACT
    attributes = attributes_of(node, opset)

    def compute(*values: Array) -> tuple[Array, ...]:
        f = INEXACT[node.op_type] if node.op_type in INEXACT else table[node.op_type]
        result = f(attributes, *values)
        return tuple(np.asarray(r, np.float64) for r in (result if isinstance(result, tuple) else (result,)))

    outputs = compute(*inputs)
    if node.op_type in QUANTIZERS and inexact:
        for part in (-1e-6, 1e-6):  # floats on the host are float32
            near = inputs[0] * (1 + part) + part
            if (compute(near, *inputs[1:])[0] != outputs[0]).any():
                raise Tie(node.name)
    if node.op_type in QUANTIZERS or not all(np.isfinite(o).all() for o in outputs):
        return outputs, False
    rough = inexact or rounds(node.op_type, attributes, inputs, outputs[0])
    return outputs, rough or not all(map(few_digits, outputs))


def execute(model: ModelProto, inputs: dict[str, Array], inexact: set[str] | None = None) -> dict[str, Array]:
    """All tensors of the model. With `inexact`, names of those that are not exact are added to it; raises Tie."""
    opsets = {o.domain: o.version for o in model.opset_import}
    tensors: dict[str, Array] = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    tensors |= {name: np.asarray(x, np.float64) for name, x in inputs.items()}
    for node in model.graph.node:
        values = [tensors[name] if name else None for name in node.input]
        tainted = inexact is not None and bool(inexact.intersection(node.input))
        outputs, rough = run_node(node, opsets.get(node.domain, 1), values, tainted)
        for i, (name, value) in enumerate(zip(node.output, outputs, strict=False)):
            if name:
                tensors[name] = value
                if inexact is not None and rough and INDICES.get(node.op_type) != i:
                    inexact.add(name)
    return tensors
