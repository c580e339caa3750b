"""Average pooling of integers: a sum, then a shift."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn.core.datatype import DataType
from finn.core.errors import AttributeValueError, UnsupportedError
from finn.core.windows import Window
from finn.custom_op.base import Attribute, CustomOp
from finn.custom_op.shapes import window_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


class QuantAvgPool2d(CustomOp):
    """Input x, integers of `ibits` bits; output floor(sum over the window / 2^shifts), without padding.

    The shift fits the sum, which has `get_accum_size` bits, into `obits`: no division by the size of the window.
    """

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "stride": Attribute("i", doc="of both axes"),
        "kernel": Attribute("i", doc="height and width of the window"),
        "ibits": Attribute("i", doc="bits of an input value"),
        "obits": Attribute("i", doc="bits of an output value, 2 to 32"),
        "signed": Attribute("i", allowed=frozenset({0, 1}), doc="whether the values have a sign"),
        "data_layout": Attribute("s", "NCHW", frozenset({"NCHW", "NHWC"}), doc="axes of input and output"),
    }

    def window(self) -> Window:
        """The window. AttributeValueError that names the node if attributes are out of range."""
        kernel, stride, obits = (self.get_nodeattr(name) for name in ("kernel", "stride", "obits"))
        with self.named():
            if not 2 <= obits <= 32:
                raise AttributeValueError(f"obits is {obits}", remedy="use 2 to 32")
            if self.get_nodeattr("ibits") < 1:
                raise AttributeValueError(f"ibits is {self.get_nodeattr('ibits')}", remedy="use at least 1")
            return Window((kernel, kernel), (stride, stride), (0, 0, 0, 0), (1, 1))

    def get_accum_size(self) -> int:
        """Bits of the greatest possible sum of one window, (2^ibits - 1) kernel^2."""
        greatest = ((1 << self.get_nodeattr("ibits")) - 1) * self.get_nodeattr("kernel") ** 2
        return int(greatest).bit_length()

    def get_shifts(self) -> int:
        """How many bits of the sum are dropped."""
        return max(0, self.get_accum_size() - int(self.get_nodeattr("obits")))

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        window = self.window()
        if self.get_nodeattr("data_layout") == "NHWC":
            return window_stand_in(self, model, window)
        return helper.make_node(
            "MaxPool", [self.onnx_node.input[0]], [self.onnx_node.output[0]], **window.onnx_attributes()
        )

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """(U)INT of `obits` bits."""
        sign = "" if self.get_nodeattr("signed") else "U"
        model.set_tensor_datatype(self.onnx_node.output[0], DataType[f"{sign}INT{self.get_nodeattr('obits')}"])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x = context[self.onnx_node.input[0]]
        first = self.get_nodeattr("data_layout") == "NCHW"
        values = (np.moveaxis(x, 1, -1) if first else x).astype(self._type_for(x.dtype, self.get_accum_size()))
        total = np.asarray(sum(self.window().taps(values, 0)))
        shifted = np.floor_divide(total, total.dtype.type(1 << self.get_shifts()))
        shifted = shifted.astype(self._type_for(x.dtype, self.get_nodeattr("obits")), copy=False)
        context[self.onnx_node.output[0]] = np.moveaxis(shifted, -1, 1) if first else shifted

    def _type_for(self, dtype: np.dtype[Any], bits: int) -> np.dtype[Any]:
        """`dtype` if it holds all integers of so many bits, else float64 or int64."""
        if dtype.kind == "f" and bits <= np.finfo(dtype).nmant + 1:
            return dtype
        if bits > 63:
            raise UnsupportedError(f"sums of {bits} bits do not fit 64", remedy="use a smaller window or fewer ibits")
        return np.dtype(np.float64 if bits <= 53 and dtype.kind == "f" else np.int64)

    def verify_node(self) -> list[str]:
        self.window()
        return super().verify_node()
