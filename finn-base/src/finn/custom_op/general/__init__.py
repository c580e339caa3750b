"""Operators of the domain `finn.custom_op.general`: quantizers and thresholds."""

from finn.custom_op.base import CustomOp
from finn.custom_op.general.bipolar_quant import BipolarQuant
from finn.custom_op.general.multithreshold import MultiThreshold
from finn.custom_op.general.quant import IntQuant, Quant

custom_op: dict[str, type[CustomOp]] = {
    "BipolarQuant": BipolarQuant,
    "IntQuant": IntQuant,
    "MultiThreshold": MultiThreshold,
    "Quant": Quant,
}

QONNX_QUANTIZERS = frozenset({"BipolarQuant", "IntQuant", "Quant"})
"""The operators of QONNX that quantize a float tensor."""

QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})
"""The operators of ONNX itself that do."""

__all__ = ["QDQ", "QONNX_QUANTIZERS", "BipolarQuant", "IntQuant", "MultiThreshold", "Quant", "custom_op"]
