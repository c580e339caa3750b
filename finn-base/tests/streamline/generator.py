"""Random quantized networks as exporters write them, in NCHW, NCW or NC form.

A network is made of steps; each takes live tensors of a suitable form and adds a few nodes behind them. Whatever is not
read at the end is an output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .generator_net import Builder, Choices, Rejected, Tensor  # noqa: TID252 - test helpers are no installed package

# --- linear layers ---


def conv(b: Builder, t: Tensor | None = None, *, same: bool = False) -> Tensor:
    """same : the output has the shape of the input."""
    c, t = b.c, t or b.pick(*b.c.of([("q",), ("q", "sum")]), ranks=(3, 4))
    sizes, channels = t.shape[2:], t.shape[1]
    group = c.of([g for g in (1, 1, channels, 2, 3) if channels % g == 0])
    outputs = channels if same else group * c.integer(1, max(1, 6 // group))
    kernel = [1 if n == 1 else c.of([3, 1]) if same else c.integer(1, min(3, n)) for n in sizes]
    dilations = [1 if same or k == 1 else c.of([1, 1, 2]) for k in kernel]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "group": group, "dilations": dilations}
    auto = "" if same else c.of(["", "", "", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if not same:
        attributes["strides"] = [c.of([1, 1, 2]) for _ in kernel]
    if auto and max(dilations) == 1:
        attributes["auto_pad"] = auto
    else:
        sides = 2 * len(kernel)
        attributes["pads"] = [k // 2 for k in kernel] * 2 if same else [c.integer(0, 1) for _ in range(sides)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if "auto_pad" not in attributes or auto == "VALID":
        pads = attributes.get("pads", [0] * 2 * len(kernel))
        room = [n + pads[i] + pads[len(kernel) + i] for i, n in enumerate(sizes)]
        if any(r < s for r, s in zip(room, spans, strict=True)):
            raise Rejected
    padded = bool(sum(attributes.get("pads", [0]))) or auto.startswith("SAME")
    doubt = "padding with a 0 that is no integer" if padded and t.offset else along(t)
    w = b.weights((outputs, channels // group, *kernel))
    y = b.add("Conv", t, w, *bias(b, outputs), kind="sum", doubt=doubt, **attributes)
    y.last = False
    return offset(y)


def along(t: Tensor) -> str:
    return "the scale varies along the image" if t.last else ""


def bias(b: Builder, size: int) -> list[Any]:
    """None, floats, or a quantized one."""
    kind = b.c.of(["", "", "float", "quantized"])
    if not kind:
        return []
    values = b.dyadic(size)
    if kind == "float":
        return [values]
    return [b.add("Quant", b.constant(values), 0.25, 0.0, 6.0, signed=1, narrow=0, rounding_mode="ROUND")]


def offset(y: Tensor) -> Tensor:
    y.offset, y.varied = True, True
    return y


def conv_transpose(b: Builder) -> Tensor:
    c, t = b.c, b.pick("q", ranks=(3, 4))
    channels = t.shape[1]
    group = c.of([g for g in (1, 1, channels, 2) if channels % g == 0])
    kernel = [c.integer(1, 3) for _ in t.shape[2:]]
    strides = [c.integer(1, 2) for _ in kernel]
    pads = [min(c.integer(0, 1), k - 1) for k in kernel]
    more = [c.integer(0, s - 1) if k > 1 else 0 for s, k in zip(strides, kernel, strict=True)]
    w = b.weights((channels, c.integer(1, 2), *kernel), axis=None if group > 1 else 1)
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads * 2, "output_padding": more, "group": group}
    doubt = "at the border fewer offsets are summed" if t.offset else along(t)
    y = b.add("ConvTranspose", t, w, *bias(b, w.shape[1] * group), kind="sum", doubt=doubt, **attributes)
    y.last = False
    return offset(y)


def matmul(b: Builder) -> Tensor:
    c, t = b.c, b.pick(*b.c.of([("q",), ("q", "sum")]), ranks=(2, 2, 3, 4))
    size, outputs = t.shape[-1], c.integer(1, 6)
    if t.rank == 2 and c.flag():
        transposed = c.integer(0, 1)
        w = b.weights((outputs, size) if transposed else (size, outputs), axis=1 - transposed)
        more = bias(b, outputs)
        attributes = c.of([{}, {"alpha": 0.5, "beta": 2.0}]) | ({"transB": 1} if transposed else {})
        return offset(b.add("Gemm", t, w, *more, kind="sum", **attributes))
    if c.integer(0, 3) == 3:
        w = b.add("Transpose", b.weights((outputs, size), axis=0), perm=[1, 0])
    else:
        w = b.weights((size, outputs), axis=1)
    doubt = "the scale varies along two axes" if t.rank > 2 and t.varied and not t.last else ""
    y = b.add("MatMul", t, w, kind="sum", doubt=doubt)
    y.last, y.varied = True, True
    more = bias(b, outputs)
    return offset(b.add("Add", y, *more, kind="sum")) if more else y


def matmul_of_two(b: Builder) -> Tensor:
    """q @ k^T, the same tensor twice or two of them."""
    q = b.pick("q", ranks=(3, 4))
    k = b.pick("q", where=lambda t: t.rank == q.rank and t.shape[:-2] == q.shape[:-2] and t.shape[-1] == q.shape[-1])
    axes = [*range(q.rank - 2), q.rank - 1, q.rank - 2]
    doubt = "the scale varies between the terms of the sum" if q.varied or k.varied else ""
    return offset(b.add("MatMul", q, transposed(b, k, axes), kind="sum", doubt=doubt or uneven(q, k)))


def strangers(*tensors: Tensor) -> str:
    return "the scales have no common measure" if len({t.odd for t in tensors}) > 1 else ""


def uneven(*tensors: Tensor) -> str:
    return "an operand has an offset" if any(t.offset for t in tensors) else ""


def embedding(b: Builder) -> Tensor:
    entries, size = b.c.integer(2, 6), b.c.integer(1, 4)
    index = b.new_input((b.c.integer(1, 2), b.c.integer(1, 4)), indices=entries)
    y = b.add("Gather", b.weights((entries, size), axis=None), index, kind="q")
    if y not in b.tensors:
        b.tensors.append(y)
    return y


# --- joins and forks ---


def residual(b: Builder) -> Tensor:
    """t + f(t), or t - f(t)."""
    t = b.pick("q", ranks=(2, 3, 4))
    if t.rank > 2:
        y = conv(b, t, same=True)
    else:
        y = b.add("MatMul", t, b.weights((t.shape[-1], t.shape[-1]), axis=1), kind="sum")
    if b.c.flag():
        y = b.quantize(y)
    both = b.c.of([(t, y), (y, t)])
    return offset(b.add(b.c.of(["Add", "Add", "Sub"]), *both, kind="sum", doubt=strangers(t, y)))


def join(b: Builder) -> Tensor:
    """Two live tensors of one shape."""
    t = b.pick()
    u = b.pick(where=lambda o: o.shape == t.shape)
    return offset(b.add(b.c.of(["Add", "Sub"]), t, u, kind="sum", doubt=strangers(t, u)))


def product(b: Builder) -> Tensor:
    t = b.pick("q")
    u = b.pick(
        "q",
        where=lambda o: o.rank == t.rank and np.broadcast_shapes(o.shape, t.shape) == t.shape if fits(o, t) else False,
    )
    return offset(b.add("Mul", t, u, kind="sum", doubt=uneven(t, u)))


def fits(small: Tensor, large: Tensor) -> bool:
    """Whether `small` broadcasts to the shape of `large`."""
    return small.rank == large.rank and all(s in (1, n) for s, n in zip(small.shape, large.shape, strict=True))


def concat(b: Builder) -> Tensor:
    t = b.pick(*b.c.of([("q",), ("q", "sum")]), ranks=(2, 3, 4))
    axis = b.c.of([1, 1, *range(1, t.rank)])

    def rest(o: Tensor) -> tuple[int, ...]:
        return (*o.shape[:axis], *o.shape[axis + 1 :])

    others = [b.pick(where=lambda o: o.rank == t.rank and rest(o) == rest(t)) for _ in range(b.c.integer(1, 2))]
    every = b.c.of([[t, *others], [*others, t]])
    doubt = "scales differ along an axis that is not that of the channels" if axis != 1 and len(set(every)) > 1 else ""
    y = b.add("Concat", *every, axis=b.c.of([axis, axis - t.rank]), doubt=doubt or strangers(*every))
    y.kind = "q" if all(o.kind == "q" for o in every) else "sum"
    return offset(y)


def split(b: Builder) -> Tensor:
    t = b.pick("q", "sum", "float", ranks=(2, 3, 4), where=lambda t: max(t.shape[1:]) > 1)
    axis = b.c.of([i for i in range(1, t.rank) if t.shape[i] > 1])
    first = b.c.integer(1, t.shape[axis] - 1)
    sizes = b.ints([first, t.shape[axis] - first])
    return b.c.of(b.add_all("Split", t, sizes, outputs=2, axis=axis))


def slice_(b: Builder) -> Tensor:
    t = b.pick("q", "sum", "float", ranks=(2, 3, 4), where=lambda t: max(t.shape[1:]) > 1)
    axis = b.c.of([i for i in range(1, t.rank) if t.shape[i] > 1])
    n = t.shape[axis]
    start, step = b.c.integer(0, n - 1), b.c.of([1, 2])
    forward = b.c.flag()
    values = [[start], [2**31 - 1], [axis], [step]] if forward else [[start], [-n - 1], [axis], [-step]]
    return b.add("Slice", t, *map(b.ints, values))


# --- pooling, padding, shapes ---


def max_pool(b: Builder) -> Tensor:
    c, t = b.c, b.pick("q", "sum", "float", ranks=(3, 4))
    kernel = [c.integer(1, min(3, n)) for n in t.shape[2:]]
    pads = [c.integer(0, min(1, k - 1)) for k in kernel * 2]
    strides = [c.integer(1, 2) for _ in kernel]
    return b.add("MaxPool", t, kernel_shape=kernel, pads=pads, strides=strides)


def average_pool(b: Builder) -> Tensor:
    c, t = b.c, b.pick(ranks=(3, 4))
    kernel = [c.integer(1, min(3, n)) for n in t.shape[2:]]
    pads = [c.integer(0, min(1, k - 1)) for k in kernel * 2] if c.flag() else [0, 0] * len(kernel)
    include = 1 if sum(pads) and c.flag() else 0
    doubt = "border windows have fewer values" if sum(pads) and not include else ""
    doubt = doubt or ("padding with a 0 that is no integer" if include and t.offset else "")
    strides = [c.integer(1, 3) for _ in kernel]
    return b.add(
        "AveragePool",
        t,
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
        count_include_pad=include,
        kind="sum",
        doubt=doubt,
    )


def average_and_trunc(b: Builder) -> Tensor:
    """As Brevitas exports its TruncAvgPool2d."""
    c, t = b.c, b.pick("q", "sum", "float", ranks=(4,), where=lambda t: min(t.shape[2:]) > 1)
    k, bits, scale = c.of([2, min(3, *t.shape[2:])]), c.integer(2, 6), 2.0 ** -c.integer(0, 3)
    signed, zero = c.integer(0, 1), c.of([0.0, 0.0, 1.0, -2.0])
    q = b.add("Quant", t, scale, zero, float(bits), kind="q", signed=signed, narrow=0, rounding_mode="ROUND")
    y = b.add("AveragePool", q, kernel_shape=[k, k], strides=[k, k], kind="sum")
    mode = c.of(["FLOOR", "FLOOR", "ROUND", "CEIL"])
    more = int(np.ceil(np.log2(k * k)))
    if b.trunc_version == 1:
        y = b.add("Mul", y, float(k * k), kind="sum")
        zero = c.of([0.0, 0.0, 1.0, -2.0])
        return b.add("Trunc", y, scale, zero, float(bits + more), float(bits), kind="q", rounding_mode=mode)
    return b.add(
        "Trunc", y, scale / (k * k), c.of([0.0, 0.0, 4.0]), float(bits + more), scale, float(bits),
        kind="q", rounding_mode=mode, signed=signed, narrow=c.integer(0, 1),
    )  # fmt: skip


def mean(b: Builder) -> Tensor:
    t = b.pick(ranks=(3, 4))
    kind = b.c.of(["GlobalAveragePool", "ReduceMean", "ReduceSum", "channels"])
    if kind == "GlobalAveragePool":
        return b.add(kind, t, kind="sum")
    keep = b.c.integer(0, 1)
    if kind == "channels":
        doubt = "the scale varies between the terms of the sum" if t.varied else ""
        return b.add("ReduceSum", t, b.ints([1]), keepdims=keep, kind="sum", doubt=doubt)
    axes = list(range(2, t.rank))
    if kind == "ReduceSum" or b.opset >= 18:
        return b.add(kind, t, b.ints(axes), keepdims=keep, kind="sum")
    return b.add(kind, t, axes=axes, keepdims=keep, kind="sum")


def pad(b: Builder) -> Tensor:
    t = b.pick("q", ranks=(3, 4))
    mode = b.c.of(["constant", "constant", "edge", "reflect"])
    sides = [b.c.integer(0, 1 if min(t.shape[2:]) > 1 else 0) for _ in range(2 * (t.rank - 2))]
    half = len(sides) // 2
    pads = b.ints([0, 0, *sides[:half], 0, 0, *sides[half:]])
    if mode != "constant":
        return b.add("Pad", t, pads, mode=mode)
    doubt = "padding with a 0 that is no integer" if t.offset else ""
    return b.add("Pad", t, pads, *b.c.of([[], [np.float32(0.0)]]), mode=mode, doubt=doubt)


def resize(b: Builder) -> Tensor:
    t = b.pick("q", "sum", "float", ranks=(3, 4))
    factors = [1, 1, *(b.c.integer(1, 2) for _ in t.shape[2:])]
    modes = b.c.of([("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")])
    if b.c.flag():
        sized = [None, None, b.ints([n * f for n, f in zip(t.shape, factors, strict=True)])]
    else:
        sized = [None, np.array(factors, np.float32)]
    return b.add("Resize", t, *sized, mode="nearest", coordinate_transformation_mode=modes[0], nearest_mode=modes[1])


def reshape(b: Builder) -> Tensor:
    t = b.pick("q", "sum", "float", ranks=(2, 3, 4))
    rest = int(np.prod(t.shape[1:]))
    kinds = ["Flatten", "Reshape", "rows", "Unsqueeze", "Squeeze"]
    kind = b.c.of(kinds)
    if kind == "Flatten":
        return b.add(kind, t, axis=1)
    if kind == "Reshape":
        return b.add(kind, t, b.ints([b.c.of([0, t.shape[0]]), -1]))
    if kind == "rows" and t.rank == 4:  # (N, C, H, W) to (N, C, H * W), as attention and heads do
        return b.add("Reshape", t, b.ints([0, t.shape[1], -1]))
    doubt = "the channels are on a strange axis" if t.varied else ""
    if kind == "Unsqueeze" and t.rank < 4:
        return b.add(kind, t, b.ints([b.c.of([t.rank, -1, 1])]), doubt=doubt)
    ones = [i for i in range(1, t.rank) if t.shape[i] == 1]
    if kind == "Squeeze" and ones and t.rank > 2:
        return b.add(kind, t, b.ints([b.c.of(ones)]), doubt=doubt)
    factor = next((f for f in (2, 3) if rest % f == 0 and rest > f), 0)
    if not factor or t.rank > 2:
        raise Rejected
    return b.add("Reshape", t, b.ints([t.shape[0], rest // factor, factor]), doubt=doubt)


def transpose(b: Builder) -> Tensor:
    t = b.pick("q", "sum", "float", ranks=(3, 4))
    rest = list(range(1, t.rank))
    perm = b.c.of([[0, *rest[1:], 1], [0, rest[-1], *rest[:-1]], [0, *rest[::-1]]])
    return transposed(b, t, perm)


def transposed(b: Builder, t: Tensor, perm: list[int]) -> Tensor:
    channels = perm.index(t.rank - 1 if t.last else 1)
    doubt = "the channels are on a strange axis" if t.varied and channels not in (1, t.rank - 1) else ""
    y = b.add("Transpose", t, perm=perm, doubt=doubt)
    y.last = y.varied and channels == t.rank - 1
    return y


def blocks(b: Builder) -> Tensor:
    """Between depth and space."""
    t = b.pick("q", ranks=(4,))
    if t.shape[1] % 4 == 0 and b.c.flag():
        return b.add("DepthToSpace", t, blocksize=2, mode=b.c.of(["DCR", "CRD"]))
    if t.shape[2] % 2 or t.shape[3] % 2:
        raise Rejected
    return b.add("SpaceToDepth", t, blocksize=2)


# --- activations ---

Tail = Callable[[Builder, Tensor], Tensor]


def batch_norm(b: Builder, t: Tensor) -> Tensor:
    if t.last and t.rank > 2:
        raise Rejected
    n, rng = t.channels, b.c.rng
    gamma = b.dyadic(n) * rng.choice([0, 1, 1, 1, 1], n)
    variance = 4.0 ** rng.integers(-1, 3, n)
    return b.add("BatchNormalization", t, gamma, b.dyadic(n), b.dyadic(n), variance, epsilon=0.0)


def affine(b: Builder, t: Tensor) -> Tensor:
    shape = b.c.of([(), b.per_channel(t)])
    kind, power = b.c.of(["Mul", "Add", "Sub", "rsub", "Div", "Neg"]), 2.0 ** b.c.rng.integers(-1, 3, shape)
    if kind == "Neg":
        return b.add(kind, t)
    if kind in {"Mul", "Div"}:
        return b.add(kind, t, power * b.c.rng.choice([-1, 1, 1, 1], shape))
    if kind == "rsub":
        return b.add("Sub", b.dyadic(*shape), t)
    return b.add(kind, t, b.dyadic(*shape))


def prelu(b: Builder, t: Tensor) -> Tensor:
    shape = b.c.of([(1,), b.per_channel(t)])
    return b.add("PRelu", t, b.dyadic(*shape, low=b.c.of([0, -4]), high=9))


def clip(b: Builder, t: Tensor) -> Tensor:
    low, high = b.c.of([(-1.0, 1.0), (0.0, 6.0), (-1.5, None), (None, 2.5)])
    return b.add("Clip", t, *(None if v is None else np.float32(v) for v in (low, high)))


def relu6_form(b: Builder, t: Tensor) -> Tensor:
    """min(max(x, 0), 6), per channel if it likes."""
    high = 6.0 + np.zeros(b.c.of([(), b.per_channel(t)]))
    return b.add("Min", b.add("Max", t, 0.0), high)


def leaky_form(b: Builder, t: Tensor) -> Tensor:
    return b.add("Max", t, b.add("Mul", t, 0.25))


def silu(b: Builder, t: Tensor) -> Tensor:
    return b.add("Mul", t, b.add("Sigmoid", t))


def hard_swish_form(b: Builder, t: Tensor) -> Tensor:
    gate = b.add("Clip", b.add("Add", t, 4.0), np.float32(0), np.float32(8))
    return b.add("Mul", t, b.add("Mul", gate, 0.125))


def gelu_form(b: Builder, t: Tensor) -> Tensor:
    erf = b.add("Add", b.add("Erf", b.add("Div", t, np.sqrt(2.0))), 1.0)
    return b.add("Mul", b.add("Mul", t, erf), 0.5)


def root(b: Builder, t: Tensor) -> Tensor:
    return b.add("Sqrt", b.add("Relu", t))


def exponential(b: Builder, t: Tensor) -> Tensor:
    return b.add("Exp", b.add("Min", t, 3.0))


def plain(op_type: str, opset: int = 0, **attributes: Any) -> Tail:
    def tail(b: Builder, t: Tensor) -> Tensor:
        if b.opset < opset:
            raise Rejected
        return b.add(op_type, t, **attributes)

    return tail


AFFINE: list[Tail] = [affine, batch_norm, batch_norm]
MONOTONIC: list[Tail] = [
    plain("Relu"),
    clip,
    plain("LeakyRelu", alpha=0.25),
    relu6_form,
    leaky_form,
    root,
    exponential,
    *map(
        plain,
        ("Sigmoid", "Tanh", "Elu", "Selu", "Softplus", "Softsign", "Erf", "HardSigmoid", "Floor", "Ceil", "Round"),
    ),
    plain("HardSigmoid", alpha=0.125),
    plain("Celu"),
    plain("ThresholdedRelu", alpha=0.5),
]
ANY: list[Tail] = [
    prelu,
    plain("Abs"),
    silu,
    gelu_form,
    hard_swish_form,
    plain("HardSwish", 14),
    plain("Gelu", 20),
    plain("Gelu", 20, approximate="tanh"),
    plain("Mish", 18),
    lambda b, t: b.add("Mul", t, t),
    lambda b, t: b.add("Mul", t, b.add("Neg", t)),
]


def tail(b: Builder, t: Tensor) -> Tensor:
    """One activation function. Those that may turn may also be too large for a table."""
    kind = b.c.of([AFFINE, MONOTONIC, MONOTONIC, ANY])
    if kind is AFFINE:
        return offset(b.c.of(AFFINE)(b, t))
    first = len(b.tensors)
    y = b.c.of(kind)(b, t)
    for inner in b.tensors[first:]:
        inner.kind = "float"
        inner.doubt = inner.doubt or ("the activation function is not monotonic" if kind is ANY else "")
    return y


def activation(b: Builder) -> Tensor:
    """[batch norm] [functions] quantizer, on a sum or on what is quantized."""
    y = b.pick("q", "sum", "float", where=lambda t: t.rank > 1)
    if b.c.flag():
        y = offset(batch_norm(b, y))
    for _ in range(b.c.integer(0, 2)):
        y = tail(b, y)
    return b.quantize(y)


def function(b: Builder) -> Tensor:
    return tail(b, b.pick("q", "sum", "float", where=lambda t: t.rank > 1))


def quantizer(b: Builder) -> Tensor:
    return b.quantize(b.pick("q", "sum", "float", where=lambda t: t.rank > 1))


def layer(b: Builder) -> Tensor:
    """A linear layer with its activation."""
    y = b.c.of([conv, conv, matmul])(b)
    if b.c.flag():
        y = offset(batch_norm(b, y))
    if b.c.flag():
        y = tail(b, y)
    return b.quantize(y)


def head(b: Builder) -> Tensor:
    t = b.pick("q", "sum", ranks=(2, 3))
    kind = b.c.of(["TopK", "ArgMax", "Softmax", "Softmax ArgMax"])
    if kind.startswith("Softmax"):
        t = b.add("Softmax", t, axis=-1, kind="float", doubt="Softmax")
    if kind == "TopK":
        y = b.add_all(kind, t, b.ints([b.c.integer(1, t.shape[-1])]), outputs=2, axis=-1, kind="end")[1]
    elif kind.endswith("ArgMax"):
        y = b.add("ArgMax", t, axis=b.c.of([1, -1]), keepdims=b.c.integer(0, 1), kind="end")
    else:
        return t
    return y


STEPS: list[Callable[[Builder], Tensor]] = [
    layer, layer, layer, layer, conv, conv_transpose, matmul, matmul_of_two, embedding,
    residual, residual, join, product, concat, concat, split, slice_,
    max_pool, average_pool, average_and_trunc, mean, pad, resize, reshape, reshape, transpose, blocks,
    activation, activation, quantizer, function, head,
]  # fmt: skip

SHAPES = [(4,), (3, 5, 4), (2, 4, 4), (3, 6), (1, 3, 3), (4, 4)]


def begin(b: Builder) -> None:
    """An input, made ready as cameras and feature tables are."""
    c = b.c
    shape = (c.integer(2, 3), *c.of(SHAPES))
    datatype = c.of(["", "", "UINT8", "INT4", "BIPOLAR", "UINT2"])
    t = b.new_input(shape, datatype)
    if c.integer(0, 3) == 3:
        t = b.add("Mul", t, 1 / 256 if datatype == "UINT8" else 0.5)
        t = offset(b.add("Sub", t, b.dyadic(*b.c.of([(), b.per_channel(t)]))))
    if c.integer(0, 3) == 3:
        t = tail(b, t)
    if t.kind == "float" or c.flag():
        b.quantize(t)


def network(choices: Choices, steps: int = 8) -> Builder:
    """A random network of up to so many steps."""
    b = Builder(choices, opset=choices.of([13, 17, 18, 21]), trunc_version=choices.of([1, 2]))
    while not b.attempt(begin):
        pass
    if choices.integer(0, 4) == 4:
        b.attempt(begin)
    for _ in range(choices.integer(1, steps)):
        b.attempt(choices.of(STEPS))
    while not b.nodes:
        b.attempt(quantizer)
    return b
