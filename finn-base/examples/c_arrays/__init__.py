# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A compiler from quantized networks to C99, built on finn-base alone; docs/use-in-your-compiler.md explains it.

This module is also the operator domain `c_arrays`: the one operator that the C code has and ONNX has not.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import ClassVar

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.base import Attribute, CustomOp
from finn.custom_op.general.multithreshold import multithreshold


class Layer(CustomOp):
    """Inputs x (..., K), weights (K, M), thresholds (M or 1, T), all integers. Output (..., M), integers:

    out_scale * count_t((x @ weights)[m] >= thresholds[m, t]) + out_bias
    """

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "out_dtype": Attribute("s", doc="data type of the output"),
        "out_scale": Attribute("f", 1.0, doc="factor on the count"),
        "out_bias": Attribute("f", 0.0, doc="added to the scaled count"),
    }

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return helper.make_node("MatMul", self.onnx_node.input[:2], self.onnx_node.output)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        model.set_tensor_datatype(self.onnx_node.output[0], DataType[self.get_nodeattr("out_dtype")])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        x, weights, thresholds = (context[name] for name in self.onnx_node.input)
        sums = x.astype(np.float64) @ weights  # exact up to 2^53
        scale, bias = self.get_nodeattr("out_scale"), self.get_nodeattr("out_bias")
        result = multithreshold(sums, thresholds, scale, bias, channels_last=True)
        context[self.onnx_node.output[0]] = result.astype(x.dtype)


custom_op: dict[str, type[CustomOp]] = {"Layer": Layer}
