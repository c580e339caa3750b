"""Columns of a single-channel image become channels, for hardware that is parallel over channels."""

from __future__ import annotations

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.base import Transformation
from finn.transformation.constants import annotated
from finn.transformation.rewrite import Call, Rule, TensorRef, Var, apply, op, require, rule
from finn.transformation.standard_ops import reshape

x = Var("x")


def rebalance_im2col(channels: int) -> Rule:
    """The rule that makes `channels` channels of as many neighbours along the width."""

    @rule(
        op.Im2Col(x).named("im2col"),
        shapes=f"x:n,h,{6 * channels},1 | x:n,h,{6 * channels},2",
        attributes=[
            {
                "im2col": {
                    "kernel_size": [2, 3 * channels],
                    "stride": [1, 2 * channels],
                    "dilations": [2, 1],
                    "input_shape": f"(1, 4, {6 * channels}, {c})",
                }
            }
            for c in (1, 2)
        ],
    )
    def columns_to_channels(x: TensorRef, im2col: Call) -> Call:
        """im2col(x) == im2col(reshape(x)): the columns of a window are contiguous, whatever they are called"""
        require(x.rank == 4 and x.shape and x.shape[3] == 1, f"'{x.name}' has not one channel")
        width = (x.shape or (0, 0, 0, 0))[2]
        (kh, kw), (sh, sw) = im2col.attributes["kernel_size"], im2col.attributes["stride"]
        dilations = im2col.attributes.get("dilations", [1, 1])
        require(not any(im2col.attributes.get("pad_amount", ())), "the image is padded")
        require(dilations[1] == 1, "the windows have holes along the width")
        divided = width > 0 and width % channels == kw % channels == sw % channels == 0
        require(channels > 1 and divided, f"width {width}, kernel {kw} and stride {sw} are no multiples of {channels}")
        _, height, *_ = x.shape or ()
        require(height, f"the height of '{x.name}' is not known")
        image = annotated(reshape(x, [0, 0, width // channels, channels]), x.datatype)
        return op.Im2Col(
            image, like=im2col, kernel_size=[kh, kw // channels], stride=[sh, sw // channels],
            input_shape=f"(1, {height}, {width // channels}, {channels})",
        )  # fmt: skip

    return columns_to_channels


class RebalanceIm2Col(Transformation):
    """Im2Col of an image with one channel: `extract_channels` neighbours along the width become channels.

    The result is the same. Applies where nothing is padded and width, kernel and stride are multiples of
    extract_channels. ConfigError for less than 1 channel.
    """

    def __init__(self, extract_channels: int) -> None:
        super().__init__()
        if extract_channels < 1:
            raise ConfigError(f"extract_channels is {extract_channels}", remedy="use a divisor of the kernel's width")
        self.extract_channels = int(extract_channels)

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, [rebalance_im2col(self.extract_channels)]))
