"""ConvTranspose becomes a Conv of the image with zeros between its elements.

    conv_transpose(x, w) == conv(spread(x), flip(w))

spread puts stride - 1 zeros behind each element. The kernel is flipped along its spatial axes, input and output
channels change places; the padding p becomes dilation * (kernel - 1) - p; where that is negative, the image is cut.
See section 4 of Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.constants import Fixed, annotated, rearranged, rewrite_with_constants, shape_of, with_zero
from finn.transformation.convolution import Convolution, of_conv_transpose, spatial_size
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, maybe, near_misses, op, require, rule
from finn.transformation.standard_ops import crop, pad, reshape

x, b = Var("x"), Var("b")
w = Fixed("w")


@rule(
    op.ConvTranspose(x, w, maybe(b)).named("conv"),
    shapes="x:n,c,h,k w:c,m,3,2 | x:n,c,t w:c,m,4 b:m | x:n,c,k,h w:c,m,2,1 | x:n,c,t w:c,m,3",
    attributes=[
        {"conv": {"strides": [2, 1], "pads": [1, 0, 0, 2], "dilations": [1, 2], "output_padding": [1, 0]}},
        {"conv": {"strides": [3], "pads": [4, 5]}},
        {"conv": {"kernel_shape": [2, 1]}},
        {"conv": {"auto_pad": "SAME_UPPER", "strides": [2]}},
    ],
)
def conv_transpose_to_conv(x: TensorRef, w: TensorRef, b: TensorRef | None, conv: Call) -> Call:
    """conv_transpose(x, w, b) == conv(spread(x), flip(w), b)"""
    c, extra = of_conv_transpose(conv, x, w)
    shape, size = shape_of(w), spatial_size(x)
    require(shape[0] % c.group == 0, f"{shape[0]} input channels cannot be split into {c.group} groups")
    reach = [d * (k - 1) for k, d in zip(c.kernel, c.dilations, strict=True)]
    begins = [r - p for r, p in zip(reach, c.begins, strict=True)]
    # spread(x) ends with stride - 1 zeros that the output has only as far as output_padding asks for them
    ends = [r - p + e - (s - 1) for r, p, e, s in zip(reach, c.ends, extra, c.strides, strict=True)]
    image = _cropped(x, _spread(x, size, c), [n * s for n, s in zip(size, c.strides, strict=True)], begins, ends)
    return op.Conv(
        image, rearranged(w, _flipped_index(shape, c.group)), b,
        kernel_shape=list(c.kernel), strides=[1] * c.axes, dilations=list(c.dilations), group=c.group,
        pads=[max(p, 0) for p in (*begins, *ends)],
    )  # fmt: skip


LOWER_CONV_TRANSPOSE: tuple[Rule, ...] = (conv_transpose_to_conv,)


def _spread(x: TensorRef, size: Sequence[int], c: Convolution) -> Any:
    """x (N, C, *size) with stride - 1 zeros behind each element: each becomes the first of an axis padded to stride."""
    if all(s == 1 for s in c.strides):
        return x
    kind = with_zero(x.datatype)
    one_each = annotated(reshape(x, [0, 0, *(d for i in size for d in (i, 1))]), x.datatype)
    after = [0, 0, *(p for s in c.strides for p in (0, s - 1))]
    zeros = annotated(pad(x.model, one_each, [*[0] * len(after), *after]), kind)
    return annotated(reshape(zeros, [0, 0, *(i * s for i, s in zip(size, c.strides, strict=True))]), kind)


def _cropped(x: TensorRef, image: Any, size: Sequence[int], begins: Sequence[int], ends: Sequence[int]) -> Any:
    """The image without what a negative padding takes away."""
    starts = [max(-p, 0) for p in begins]
    stops = [i - max(-p, 0) for i, p in zip(size, ends, strict=True)]
    if list(size) == stops and not any(starts):
        return image
    require(all(a < z for a, z in zip(starts, stops, strict=True)), "the padding takes the whole input away")
    kind = x.datatype if image is x else with_zero(x.datatype)
    return annotated(crop(x.model, image, [a + 2 for a in range(len(size))], starts, stops), kind)


def _flipped_index(shape: Sequence[int], group: int) -> np.ndarray:
    """Places of the weights (IFM, OFM/group, *kernel) in (OFM, IFM/group, *kernel), spatially reversed."""
    ifm, ofm, *kernel = shape
    place = np.arange(int(np.prod(shape))).reshape(group, ifm // group, ofm, *kernel)
    flipped = np.flip(place.swapaxes(1, 2), axis=tuple(range(3, 3 + len(kernel))))
    return np.asarray(flipped.reshape(ofm * group, ifm // group, *kernel))


class LowerConvTranspose(Transformation):
    """ConvTranspose with constant weights as zeros between the elements and a Conv, by standard operators only.

    LowerConvsToMatMul then makes a matrix product of it. Warns about each ConvTranspose that stays, with the reason.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = rewrite_with_constants(model, LOWER_CONV_TRANSPOSE)
        for miss in () if changed else near_misses(model, conv_transpose_to_conv):
            warnings.warn(f"{miss.node} is not lowered to Conv: {miss.reason}", stacklevel=2)
        return model, changed
