"""Max pooling of images with the channels last."""

from __future__ import annotations

from finn.core.errors import AttributeValueError
from finn.core.windows import Window, window_count
from finn.custom_op.channels_last.max_pool import MaxPool_v10


def compute_pool_output_dim(ifm_dim: int, k: int, stride: int, pad: int = 0, ceil_mode: int = 0) -> int:
    """floor((ifm_dim + 2 pad - k) / stride) + 1: one spatial size of the output of pooling.

    ceil_mode rounds up, and leaves out a window that would start behind the last element, as ONNX does.
    """
    return window_count(ifm_dim, k, stride, (pad, pad), 1, bool(ceil_mode))


class MaxPoolNHWC(MaxPool_v10):
    """Input x (N, H, W, C); output (N, OH, OW, C): the greatest value in each window."""

    def window(self) -> Window:
        window = super().window()
        if len(window.kernel) != 2:
            raise AttributeValueError(f"kernel_shape {list(window.kernel)} is not [height, width]", where=self._where)
        return window
