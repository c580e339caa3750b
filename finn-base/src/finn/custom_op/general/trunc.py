"""Truncation: fewer bits by dropping the last ones. The QONNX operator Trunc, in two versions."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx import GraphProto, NodeProto

from finn.core.datatype import DataType
from finn.core.errors import ExecutionError
from finn.custom_op.base import Attribute, CustomOp
from finn.custom_op.general.intquant import (
    clip_to_integers,
    computing_type,
    resolve_rounding_mode,
    result_type,
    whole_bits,
)
from finn.custom_op.shapes import broadcast_stand_in

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def trunc_v1(
    inp_tensor: np.ndarray,
    scale: Any,
    zeropt: Any,
    input_bit_width: Any,
    output_bit_width: Any,
    rounding_mode: str,
) -> np.ndarray:
    """(mode(round(x/scale + zeropt) / 2^(in - out)) - zeropt) * scale: the integer shrinks, the scale stays.

    Halves of the inner rounding go to the even neighbour. All parameters broadcast with x. The result has the type of
    a float x. ExecutionError for more output than input bits.
    """
    x = np.asarray(inp_tensor)
    dtype = computing_type(x)
    scale, zeropt = np.asarray(scale, dtype=dtype), np.asarray(zeropt, dtype=dtype)
    dropped = whole_bits(input_bit_width) - whole_bits(output_bit_width)
    if np.any(dropped < 0):
        raise ExecutionError("truncation cannot add bits", remedy="use at most as many output as input bits")
    y = np.round(x / scale + zeropt) / np.exp2(dropped).astype(dtype)
    return np.asarray((resolve_rounding_mode(rounding_mode)(y) - zeropt) * scale, dtype=result_type(x))


def trunc_v2(
    inp_tensor: np.ndarray,
    scale: Any,
    zeropt: Any,
    input_bit_width: Any,
    narrow: bool,
    signed: bool,
    output_scale: Any,
    output_bit_width: Any,
    rounding_mode: str,
) -> np.ndarray:
    """(mode(clip(round(x/scale + zeropt) / t)) - zeropt/t) * output_scale, t = 2^round(log2(output_scale/scale)).

    Clips to the integers of `output_bit_width` bits. Halves of the inner rounding go to the even neighbour. All
    parameters broadcast with x. The result has the type of a float x.
    """
    x = np.asarray(inp_tensor)
    dtype = computing_type(x)
    scale, zeropt, output_scale = (np.asarray(p, dtype=dtype) for p in (scale, zeropt, output_scale))
    whole_bits(input_bit_width)
    t = np.exp2(np.round(np.log2(output_scale.astype(np.float64) / scale))).astype(dtype)
    y = clip_to_integers(np.round(x / scale + zeropt) / t, whole_bits(output_bit_width), signed, narrow)
    return np.asarray((resolve_rounding_mode(rounding_mode)(y) - zeropt / t) * output_scale, dtype=result_type(x))


trunc = trunc_v1


class Trunc_v1(CustomOp):
    """Inputs x, scale, zero point, input bit width, output bit width; output: `trunc_v1` of them."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "rounding_mode": Attribute("s", doc="a name that resolve_rounding_mode knows, FLOOR to drop bits"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return broadcast_stand_in(self, model)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """FLOAT32."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["FLOAT32"])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, scale, zeropt, bits_in, bits_out = (context[name] for name in self.onnx_node.input)
        mode = self.get_nodeattr("rounding_mode")
        context[self.onnx_node.output[0]] = trunc_v1(x, scale, zeropt, bits_in, bits_out, mode)

    def verify_node(self) -> list[str]:
        with self.named():
            resolve_rounding_mode(self.get_nodeattr("rounding_mode"))
        return super().verify_node()


class Trunc_v2(Trunc_v1):
    """Inputs x, scale, zero point, input bit width, output scale, output bit width; output: `trunc_v2` of them."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        **Trunc_v1.attributes,
        "narrow": Attribute("i", 0, frozenset({0, 1}), doc="whether the least (unsigned: greatest) is left out"),
        "signed": Attribute("i", 1, frozenset({0, 1}), doc="whether the integers have a sign"),
    }

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, scale, zeropt, bits_in, scale_out, bits_out = (context[name] for name in self.onnx_node.input)
        narrow, signed = bool(self.get_nodeattr("narrow")), bool(self.get_nodeattr("signed"))
        mode = self.get_nodeattr("rounding_mode")
        context[self.onnx_node.output[0]] = trunc_v2(
            x, scale, zeropt, bits_in, narrow, signed, scale_out, bits_out, mode
        )


Trunc = Trunc_v1
