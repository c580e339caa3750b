"""What the attributes of Conv and ConvTranspose say, with all defaults filled in and all padding explicit.

Formulas: https://onnx.ai/onnx/operators/onnx__Conv.html and onnx__ConvTranspose.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finn.transformation.constants import shape_of
from finn.transformation.rewrite import Call, TensorRef, require
from finn.util.basic import auto_pad_to_explicit_padding


@dataclass(frozen=True)
class Convolution:
    """Geometry of one Conv or ConvTranspose. pads: elements before each spatial axis, then after each."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    group: int

    @property
    def axes(self) -> int:
        return len(self.kernel)

    @property
    def begins(self) -> tuple[int, ...]:
        return self.pads[: self.axes]

    @property
    def ends(self) -> tuple[int, ...]:
        return self.pads[self.axes :]

    @property
    def is_pointwise(self) -> bool:
        """Whether each output element depends on the input at the same place only."""
        ones = (1,) * self.axes
        return self.kernel == ones == self.strides and not any(self.pads)

    @property
    def is_dense(self) -> bool:
        """Whether the window moves by one and has no holes."""
        return all(s == d == 1 for s, d in zip(self.strides, self.dilations, strict=True))

    def with_axis(self) -> Convolution:
        """The same in one more spatial axis, of length 1."""
        pads = (*self.begins, 0, *self.ends, 0)
        return Convolution((*self.kernel, 1), (*self.strides, 1), (*self.dilations, 1), pads, self.group)


def spatial_size(x: TensorRef) -> tuple[int, ...]:
    """The spatial dimensions of a channels-first tensor. NoMatch if one is not known."""
    require(x.rank > 2, f"'{x.name}' has no spatial axes")
    dims = (x.shape or ())[2:]
    require(all(dims), f"the spatial size of '{x.name}' is not known")
    return dims


def of_conv(conv: Call, x: TensorRef, w: TensorRef) -> Convolution:
    """The geometry of a Conv of x with weights w (OFM, IFM/group, *kernel). NoMatch if it contradicts itself."""
    kernel, strides, dilations, group = _read(conv, w)
    mode = conv.attributes.get("auto_pad", "NOTSET")
    if mode.startswith("SAME"):
        pads = _same_pads(mode, spatial_size(x), kernel, strides, dilations)
    elif mode == "VALID":
        pads = (0,) * (2 * len(kernel))
    else:
        pads = _list(conv, "pads", 2 * len(kernel), 0)
    return _checked(Convolution(kernel, strides, dilations, pads, group))


def of_conv_transpose(conv: Call, x: TensorRef, w: TensorRef) -> tuple[Convolution, tuple[int, ...]]:
    """The geometry of a ConvTranspose of x with weights w (IFM, OFM/group, *kernel), and its output padding.

    Padding that follows from output_shape or auto_pad is split as onnxruntime splits it: the odd element goes to the
    end for SAME_UPPER, else to the start.
    """
    kernel, strides, dilations, group = _read(conv, w)
    n = len(kernel)
    extra = _list(conv, "output_padding", n, 0)
    mode = conv.attributes.get("auto_pad", "NOTSET")
    wanted = conv.attributes.get("output_shape")
    if not wanted and mode in ("NOTSET", "VALID"):
        pads = _list(conv, "pads", 2 * n, 0) if mode == "NOTSET" else (0,) * (2 * n)
        return _checked(Convolution(kernel, strides, dilations, pads, group)), extra
    size = spatial_size(x)
    out = tuple(wanted)[-n:] if wanted else tuple(i * s for i, s in zip(size, strides, strict=True))
    full = [
        (i - 1) * s + e + (k - 1) * d + 1 for i, s, e, k, d in zip(size, strides, extra, kernel, dilations, strict=True)
    ]
    total = [f - o for f, o in zip(full, out, strict=True)]
    require(min(total) >= 0, f"an output of {list(out)} is larger than the {list(full)} that the kernel reaches")
    pads = _halves(total, upper=mode == "SAME_UPPER")
    return _checked(Convolution(kernel, strides, dilations, pads, group)), extra


def _same_pads(
    mode: str, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[int, ...]:
    n = len(kernel)
    require(n <= 2, f"auto_pad is not supported for kernels of {n} axes")
    h, w = 0, n - 1
    pads = auto_pad_to_explicit_padding(
        mode, size[h], size[w], kernel[h], kernel[w], strides[h], strides[w], n, dilations[h], dilations[w]
    )
    return tuple(pads)


def _halves(total: Sequence[int], upper: bool) -> tuple[int, ...]:
    begins = [t // 2 if upper else t - t // 2 for t in total]
    return (*begins, *(t - b for t, b in zip(total, begins, strict=True)))


def _read(conv: Call, w: TensorRef) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]:
    kernel = tuple(shape_of(w)[2:])
    require(kernel, "the weights have no kernel")
    given = tuple(conv.attributes.get("kernel_shape") or kernel)
    require(given == kernel, f"kernel_shape is {list(given)}, but the weights have {list(kernel)}")
    n = len(kernel)
    return kernel, _list(conv, "strides", n, 1), _list(conv, "dilations", n, 1), conv.attributes.get("group", 1)


def _list(conv: Call, name: str, length: int, default: int) -> tuple[int, ...]:
    values = tuple(conv.attributes.get(name) or [default] * length)
    require(len(values) == length, f"{name} is {list(values)}, wanted {length} numbers")
    return values


def _checked(c: Convolution) -> Convolution:
    require(min(c.pads) >= 0, f"the padding {list(c.pads)} is negative")
    require(min(*c.strides, *c.dilations, c.group) >= 1, "strides, dilations and group have to be positive")
    return c
