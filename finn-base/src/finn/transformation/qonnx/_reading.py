"""The quantizers of QONNX in the form that streamlining gives them (`finn.transformation.streamline.quantizers`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from onnx import NodeProto

from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.custom_op.general import QONNX_QUANTIZERS
from finn.transformation._qdq import constant_value
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Diagnostic, Refused
from finn.transformation.streamline.rules import QUANTIZERS, quantized_constant
from finn.transformation.streamline.values import QuantizedConstant


class _Constants:
    """The constants of a model, as readers of quantizers ask for them."""

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model

    def constant(self, name: str, role: str) -> np.ndarray:
        """Refused unless the tensor is constant and finite."""
        value = constant_value(self.model, name)
        if value is None:
            raise Refused(f"its {role} is not constant", f"make the {role} an initializer", tensor=name)
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise Refused(f"its {role} contains NaN or Inf", "check the training and the export", tensor=name)
        return value


def is_quantizer(node: NodeProto) -> bool:
    """Whether the node is Quant, IntQuant or BipolarQuant."""
    return is_custom_domain(node.domain) and node.op_type in QONNX_QUANTIZERS


def quantizes_constant(model: ModelWrapper, node: NodeProto) -> bool:
    """Whether it is the quantizer of weights."""
    return is_quantizer(node) and constant_value(model, node.input[0]) is not None


def quantizer_of(model: ModelWrapper, node: NodeProto) -> Quantizer:
    """Refused if the node cannot be read: parameters that are not constant, not finite, or a scale <= 0."""
    return QUANTIZERS[node.op_type](cast(Any, _Constants(model)), node)


def weights_of(model: ModelWrapper, node: NodeProto) -> QuantizedConstant:
    """The integers and the scale that a quantizer makes of a constant. Refused as by `quantizer_of`."""
    array = _Constants(model).constant(node.input[0], "weight tensor")
    return quantized_constant(array, quantizer_of(model, node))


def unreadable(model: ModelWrapper, nodes: Iterable[NodeProto]) -> list[Diagnostic]:
    """Why quantizers of these nodes cannot be read; [] if all can be."""
    found = []
    for node in nodes:
        try:
            weights_of(model, node) if quantizes_constant(model, node) else check_channels(model, node)
        except Refused as refusal:
            tensor = refusal.tensor or node.output[0]
            found.append(Diagnostic(describe(node), tensor, refusal.reason, refusal.remedy))
    return found


def check_channels(model: ModelWrapper, node: NodeProto) -> tuple[Quantizer, str]:
    """(quantizer, data layout of its thresholds). Refused unless its scale is one, or one per channel."""
    q = quantizer_of(model, node)
    shapes = [c.shape for c in (*q.constants, q.scale, q.bias) if c.size > 1]
    if not shapes:
        return q, "NCHW"
    shape = model.get_tensor_shape(node.input[0])
    if shape is None:
        raise Refused("the shape of its input is not known", "run cleanup_model first")
    full = np.broadcast_shapes(*shapes)
    axes = {axis - len(full) + len(shape) for axis, size in enumerate(full) if size > 1}
    if len(shape) > 1 and axes == {1}:
        return q, "NCHW"
    if len(shape) > 1 and axes == {len(shape) - 1}:
        return q, "NHWC"
    raise Refused(
        f"its scale of shape {full} does not vary along the channels of {tuple(shape)}, axis 1 or the last",
        "use one scale per tensor, or one per channel",
    )
