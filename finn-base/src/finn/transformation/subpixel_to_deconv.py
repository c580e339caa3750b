"""Sub-pixel convolutions become transposed convolutions.

Conv to r*r times as many channels, then DepthToSpace, interleaves r*r convolutions of the same image: a ConvTranspose
of stride r whose kernel interleaves their flipped kernels. See Shi et al., "Is the deconvolution layer the same as a
convolutional layer?", arXiv:1609.07009.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.constants import Fixed, rearranged, rewrite_with_constants, shape_of
from finn.transformation.convolution import of_conv
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, op, require, rule

x = Var("x")
w = Fixed("w")


@rule(
    op.DepthToSpace(op.Conv(x, w).named("conv")).named("space"),
    shapes="x:n,c,h,k w:8,c,3,2 | x:n,c,h,k w:8,c,3,3",
    attributes=[
        {"conv": {"pads": [1, 0, 2, 1]}, "space": {"blocksize": 2, "mode": "CRD"}},
        {"conv": {"auto_pad": "SAME_UPPER"}, "space": {"blocksize": 2}},
    ],
)
def subpixel_to_conv_transpose(x: TensorRef, w: TensorRef, conv: Call, space: Call) -> Call:
    """depth_to_space(conv(x, w)) == conv_transpose(x, w'), stride = blocksize, padding = blocksize * (kernel-1-pads)"""
    shape, r = shape_of(w), space.attributes["blocksize"]
    require(len(shape) == 4, "the kernel has not two axes")
    c = of_conv(conv, x, w)
    require(c.is_dense, "the convolution has strides or dilations")
    require(c.group == 1, "the convolution is grouped")
    pads = [k - 1 - p for k, p in zip(c.kernel * 2, c.pads, strict=True)]
    require(min(pads) >= 0, "the padding is wider than the kernel reaches")
    require(shape[0] % (r * r) == 0, f"{shape[0]} channels cannot be split into blocks of {r} x {r}")
    index = _interleaved_index(shape, r, space.attributes.get("mode", "DCR"))
    return op.ConvTranspose(
        x, rearranged(w, index), kernel_shape=list(index.shape[2:]), strides=[r, r], dilations=[1, 1], group=1,
        pads=[r * p for p in pads],
    )  # fmt: skip


def _interleaved_index(shape: Sequence[int], r: int, mode: str) -> np.ndarray:
    """Places of the weights (r*r*C, IFM, KH, KW) in (IFM, C, r*KH, r*KW), kernels flipped."""
    channels, ifm, kh, kw = shape
    place = np.arange(int(np.prod(shape)))
    if mode == "CRD":
        place = place.reshape(-1, r, r, ifm, kh, kw).transpose(1, 2, 0, 3, 4, 5)
    place = place.reshape(r, r, channels // (r * r), ifm, kh, kw)[..., ::-1, ::-1]
    return np.asarray(place.transpose(3, 2, 4, 0, 5, 1).reshape(ifm, channels // (r * r), r * kh, r * kw))


SUBPIXEL: tuple[Rule, ...] = (subpixel_to_conv_transpose,)


class SubPixelToDeconvolution(Transformation):
    """Conv without bias, strides, dilations and groups, then DepthToSpace, as one ConvTranspose."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, rewrite_with_constants(model, SUBPIXEL)
