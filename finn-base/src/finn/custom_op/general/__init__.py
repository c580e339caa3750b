"""Operators of the domain `finn.custom_op.general`: quantizers, thresholds, windows, partitions."""

from finn.custom_op.base import CustomOp
from finn.custom_op.general.bipolar_quant import BipolarQuant
from finn.custom_op.general.debugmarker import DebugMarker
from finn.custom_op.general.floatquant import FloatQuant
from finn.custom_op.general.genericpartition import GenericPartition
from finn.custom_op.general.im2col import Im2Col
from finn.custom_op.general.intquant import IntQuant, Quant
from finn.custom_op.general.maxpoolnhwc import MaxPoolNHWC
from finn.custom_op.general.multithreshold import MultiThreshold
from finn.custom_op.general.quantavgpool2d import QuantAvgPool2d
from finn.custom_op.general.trunc import Trunc_v1, Trunc_v2
from finn.custom_op.general.xnorpopcount import XnorPopcountMatMul

custom_op: dict[str, type[CustomOp]] = {
    "BipolarQuant": BipolarQuant,
    "DebugMarker": DebugMarker,
    "FloatQuant": FloatQuant,
    "GenericPartition": GenericPartition,
    "Im2Col": Im2Col,
    "IntQuant": IntQuant,
    "MaxPoolNHWC": MaxPoolNHWC,
    "MultiThreshold": MultiThreshold,
    "Quant": Quant,
    "QuantAvgPool2d": QuantAvgPool2d,
    "Trunc_v1": Trunc_v1,
    "Trunc_v2": Trunc_v2,
    "XnorPopcountMatMul": XnorPopcountMatMul,
}

QONNX_QUANTIZERS = frozenset({"BipolarQuant", "IntQuant", "Quant"})
"""The operators of QONNX that quantize a float tensor."""

QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})
"""The operators of ONNX itself that do."""

__all__ = [
    "QDQ",
    "QONNX_QUANTIZERS",
    "BipolarQuant",
    "DebugMarker",
    "FloatQuant",
    "GenericPartition",
    "Im2Col",
    "IntQuant",
    "MaxPoolNHWC",
    "MultiThreshold",
    "Quant",
    "QuantAvgPool2d",
    "Trunc_v1",
    "Trunc_v2",
    "XnorPopcountMatMul",
    "custom_op",
]
