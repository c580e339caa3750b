"""Activation quantizers as thresholds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import NodeProto

from finn.core.modelwrapper import ModelWrapper
from finn.transformation._qdq import constant_value
from finn.transformation.base import Transformation
from finn.transformation.qonnx._chains import Step, affine, insert_chain
from finn.transformation.qonnx._reading import check_channels, is_quantizer, quantizes_constant, unreadable
from finn.transformation.streamline.report import StreamlineError
from finn.transformation.streamline.thresholds import float_thresholds

Filter = Callable[[ModelWrapper, NodeProto], bool]
"""filter_function(model, node): whether an activation quantizer becomes thresholds."""


def default_filter_function_generator(max_multithreshold_bit_width: int = 8) -> Filter:
    """Accepts the activation quantizers with at most so many bits; the others stay as they are."""

    def accept(model: ModelWrapper, node: NodeProto) -> bool:
        if node.op_type == "BipolarQuant":
            return True
        bits = constant_value(model, node.input[3])
        return bits is not None and bool((bits <= max_multithreshold_bit_width).all())

    return accept


class ConvertQuantActToMultiThreshold(Transformation):
    """Quant, IntQuant and BipolarQuant of activations become MultiThreshold, then Mul(scale) and Add(bias) if needed.

    The thresholds are found by evaluating the quantizer on float32 numbers, so that all rounding modes, ties and zero
    points give the same results bit by bit. filter_function(model, node): which to convert, by default those of at
    most 8 bits. StreamlineError with all reasons, and the model as it was, if one cannot be converted.
    """

    def __init__(self, filter_function: Filter | None = None) -> None:
        super().__init__()
        self.filter_function = filter_function or default_filter_function_generator()

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            nodes = activation_quantizers(model, self.filter_function)
            if problems := unreadable(model, nodes):
                raise StreamlineError(problems)
            for node in nodes:
                _convert(model, node)
        return model, False


def activation_quantizers(model: ModelWrapper, accept: Filter) -> list[NodeProto]:
    """Those that the filter accepts."""
    quantizers = (n for n in model.graph.node if is_quantizer(n) and not quantizes_constant(model, n))
    return [node for node in quantizers if accept(model, node)]


def _convert(model: ModelWrapper, node: NodeProto) -> None:
    q, layout = check_channels(model, node)
    constants = [np.asarray(c, np.float32).reshape(-1, 1) for c in q.constants]
    channels = max((len(c) for c in constants), default=1)
    thresholds = float_thresholds(lambda x: q.code_of(x, *constants), channels, q.codes)
    attributes = {"out_dtype": q.datatype.name, "out_scale": float(q.step), "out_bias": float(q.low)}
    attributes |= {"data_layout": layout} if layout != "NCHW" else {}
    steps = [Step("MultiThreshold", (thresholds,), attributes, q.datatype), *affine(q.scale, q.bias)]
    index, parameters = model.get_node_index(node) or 0, list(node.input[1:])
    if len(steps) > 1:
        model.set_tensor_datatype(node.output[0], None)
    model.remove_node(node)
    insert_chain(model, index, node.input[0], steps, node.output[0])
    model.remove_tensors([n for n in parameters if model.has_initializer(n) and not model.find_consumers(n)])
