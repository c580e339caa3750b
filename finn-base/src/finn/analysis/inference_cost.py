"""What one inference costs: multiply-accumulates, weights and outputs of each layer, by data type.

The cost of a layer is a dict, whose keys name data types:

    op_mac_<input>_<weight>    multiply-accumulates
    mem_w_<weight>             constant weights, in elements
    mem_o_<output>             outputs, in elements

Counts are per inference of the whole batch. Biases are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

import numpy as np
from onnx import NodeProto

from finn.core.datatype import BaseDataType
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe

Cost = dict[str, float]


def get_node_tensor_dtypes(model: ModelWrapper, node: NodeProto) -> tuple[BaseDataType, BaseDataType, BaseDataType]:
    """Data types of input 0, input 1 and output 0."""
    first, second, out = (model.get_tensor_datatype(name) for name in (*node.input[:2], node.output[0]))
    return first, second, out


def get_node_tensor_shapes(model: ModelWrapper, node: NodeProto) -> tuple[list[int], list[int], list[int]]:
    """Shapes of input 0, input 1 and output 0. ModelError if one is not known."""
    first, second, out = (_shape(model, node, name) for name in (*node.input[:2], node.output[0]))
    return first, second, out


def _shape(model: ModelWrapper, node: NodeProto, name: str) -> list[int]:
    shape = model.get_tensor_shape(name)
    if shape is None or 0 in shape:
        raise ModelError(
            f"the shape of tensor '{name}' is {'not known' if shape is None else f'not fixed: {shape}'}",
            where=f"node {describe(node)}",
            remedy="run shape inference (cleanup_model) on a model with fixed input shapes",
        )
    return shape


def get_node_weight_density(model: ModelWrapper, w_name: str) -> float:
    """The share of weights that are not zero; 1.0 if the weights are not constant."""
    weights = model.get_initializer(w_name)
    return 1.0 if weights is None or not weights.size else np.count_nonzero(weights) / weights.size


def aggregate_dict_keys(res_dict: Mapping[str, Mapping[str, float]]) -> Cost:
    """The sum of the costs by key. Keys with "efficiency" are ratios and left out."""
    total: Cost = {}
    for cost in res_dict.values():
        for key, count in cost.items():
            if "efficiency" not in key:
                total[key] = total.get(key, 0.0) + count
    return total


def inference_cost_conv(model: ModelWrapper, node: NodeProto, discount_sparsity: bool) -> Cost:
    """Conv, channels first or last: one multiply-accumulate per output element and weight of its filter."""
    _, w_shape, o_shape = get_node_tensor_shapes(model, node)
    return _layer(model, node, prod(o_shape) * prod(w_shape[1:]), 1, discount_sparsity)


def inference_cost_convtranspose(model: ModelWrapper, node: NodeProto, discount_sparsity: bool) -> Cost:
    """ConvTranspose: one multiply-accumulate per input element and weight that it meets, those cut off included."""
    i_shape, w_shape, _ = get_node_tensor_shapes(model, node)
    return _layer(model, node, prod(i_shape) * prod(w_shape[1:]), 1, discount_sparsity)


def inference_cost_matmul(model: ModelWrapper, node: NodeProto, discount_sparsity: bool) -> Cost:
    """MatMul, Gemm, XnorPopcountMatMul: the length of a dot product for each output element.

    The weights are the constant operand, whichever it is. Without one no weights are stored.
    """
    i_shape, _, o_shape = get_node_tensor_shapes(model, node)
    transposed = node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute)
    weights = 0 if model.has_initializer(node.input[0]) and not model.has_initializer(node.input[1]) else 1
    return _layer(model, node, prod(o_shape) * i_shape[0 if transposed else -1], weights, discount_sparsity)


def _layer(model: ModelWrapper, node: NodeProto, macs: float, weights: int, discount_sparsity: bool) -> Cost:
    """The cost of a layer whose input number `weights` is multiplied by the other one of the first two."""
    first, second, out = get_node_tensor_dtypes(model, node)
    idt, wdt = (second, first) if weights == 0 else (first, second)
    name, out_shape = node.input[weights], _shape(model, node, node.output[0])
    array = model.get_initializer(name)
    stored = 0 if array is None else array.size
    if discount_sparsity and array is not None and array.size:
        stored = int(np.count_nonzero(array))
        macs = macs * stored / array.size
    return {
        f"op_mac_{idt.name}_{wdt.name}": float(macs),
        f"mem_w_{wdt.name}": float(stored),
        f"mem_o_{out.name}": float(prod(out_shape)),
    }


_TAPS = {"nearest": 0, "linear": 2, "bilinear": 2, "cubic": 4}
"""Inputs that an interpolation weighs along one axis."""


def inference_cost_upsample(model: ModelWrapper, node: NodeProto, discount_sparsity: bool) -> Cost:
    """Upsample, Resize: per output element and resized axis, 0 for nearest, 2 for linear, 4 for cubic."""
    mode = next((a.s.decode() for a in node.attribute if a.name == "mode"), "nearest")
    i_shape, o_shape = (_shape(model, node, name) for name in (node.input[0], node.output[0]))
    resized = sum(i != o for i, o in zip(i_shape, o_shape, strict=True))
    idt, odt = (model.get_tensor_datatype(name).name for name in (node.input[0], node.output[0]))
    macs = _TAPS.get(mode, 0) * resized * prod(o_shape)
    return {f"op_mac_{idt}_{idt}": float(macs), f"mem_o_{odt}": float(prod(o_shape))}


COSTS: dict[str, Callable[[ModelWrapper, NodeProto, bool], Cost]] = {
    "Conv": inference_cost_conv,
    "ConvTranspose": inference_cost_convtranspose,
    "Gemm": inference_cost_matmul,
    "MatMul": inference_cost_matmul,
    "Resize": inference_cost_upsample,
    "Upsample": inference_cost_upsample,
    "XnorPopcountMatMul": inference_cost_matmul,
}
"""The operators that multiply and accumulate."""

FREE = frozenset(
    {"Abs", "Add", "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat"}
    | {"Constant", "ConstantOfShape", "DepthToSpace", "DequantizeLinear", "Div", "Dropout", "Elu", "Erf", "Exp"}
    | {"Expand", "Flatten", "Floor", "Gather", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish"}
    | {"Identity", "LeakyRelu", "Log", "LogSoftmax", "Max", "MaxPool", "Mean", "Min", "Mul", "Neg", "PRelu", "Pad"}
    | {"Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu"}
    | {"Reshape", "Round", "Selu", "Shape", "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "Softsign"}
    | {"SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "TopK", "Transpose", "Unsqueeze"}
    | {"Where", "BipolarQuant", "DebugMarker", "FloatQuant", "Im2Col", "IntQuant", "MaxPoolNHWC", "MultiThreshold"}
    | {"Quant", "QuantAvgPool2d", "Trunc"}
)
"""The operators that cost nothing here: elementwise, pooling, data movement, quantizers."""


def inference_cost(model: ModelWrapper, discount_sparsity: bool = True, cost_breakdown: bool = False) -> dict[str, Any]:
    """{"total_cost": the sum over all layers}, for a model with known shapes and data types.

    total_cost also says "discount_sparsity", and as "unsupported" which op types are not known, hence not counted.
    discount_sparsity: weights that are zero count neither as multiply-accumulates nor as memory.
    cost_breakdown: also "optype_cost" {op type: cost} and "node_cost" {node: cost}; nodes without a name of their own
    are called <op type>_<number in the graph>.
    """
    with model.trusted_index():
        nodes = [(i, node) for i, node in enumerate(model.graph.node) if node.op_type in COSTS]
        costs = [(node, i, COSTS[node.op_type](model, node, discount_sparsity)) for i, node in nodes]
    unsupported = {node.op_type for node in model.graph.node} - COSTS.keys() - FREE
    total: dict[str, Any] = {**_sum(cost for _, _, cost in costs)}
    result: dict[str, Any] = {
        "total_cost": total | {"unsupported": unsupported, "discount_sparsity": discount_sparsity}
    }
    if cost_breakdown:
        op_types = dict.fromkeys(node.op_type for node, _, _ in costs)
        result["optype_cost"] = {kind: _sum(cost for n, _, cost in costs if n.op_type == kind) for kind in op_types}
        result["node_cost"] = _by_name(costs)
    return result


def _sum(costs: Iterable[Cost]) -> Cost:
    return aggregate_dict_keys({str(i): cost for i, cost in enumerate(costs)})


def _by_name(costs: list[tuple[NodeProto, int, Cost]]) -> dict[str, Cost]:
    named: dict[str, Cost] = {}
    for node, i, cost in costs:
        named[node.name if node.name and node.name not in named else f"{node.op_type}_{i}"] = cost
    return named
