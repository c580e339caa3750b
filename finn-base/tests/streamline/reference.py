"""An independent reading of the operators in float64, node by node, and a builder of small networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper

ROUND: dict[str, Callable[[Any], Any]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "DOWN": np.trunc,
    "UP": lambda x: np.where(x < 0, np.floor(x), np.ceil(x)),
    "HALF_UP": lambda x: np.where(x < 0, np.ceil(x - 0.5), np.floor(x + 0.5)),
    "HALF_DOWN": lambda x: np.where(x < 0, np.floor(x + 0.5), np.ceil(x - 0.5)),
}


def _quant(a: dict[str, Any], x: Any, scale: Any, zero_point: Any, bits: Any) -> Any:
    bits = int(np.ravel(bits)[0])
    q = x / scale + zero_point
    if a["signed"] and bits == 1:
        return (np.where(q >= 0, 1.0, -1.0) - zero_point) * scale
    low = -(2 ** (bits - 1)) + a["narrow"] if a["signed"] else 0
    high = 2 ** (bits - 1) - 1 if a["signed"] else 2**bits - 1 - a["narrow"]
    return (ROUND[a.get("rounding_mode", "ROUND")](np.clip(q, low, high)) - zero_point) * scale


def _batch_normalization(a: dict[str, Any], x: Any, gamma: Any, beta: Any, mean: Any, var: Any) -> Any:
    return (x - mean) / np.sqrt(var + a.get("epsilon", 1e-5)) * gamma + beta


def _multithreshold(a: dict[str, Any], x: Any, thresholds: Any) -> Any:
    return a.get("out_scale", 1.0) * (x[..., None] >= thresholds).sum(-1) + a.get("out_bias", 0.0)


def _gemm(a: dict[str, Any], x: Any, w: Any, c: Any = 0.0) -> Any:
    return a.get("alpha", 1.0) * (x @ (w.T if a.get("transB") else w)) + a.get("beta", 1.0) * c


def _top_k(a: dict[str, Any], x: Any, k: Any) -> Any:
    order = np.argsort(-x, axis=-1, kind="stable")[..., : int(k[0])]
    return np.take_along_axis(x, order, -1), order


OPS: dict[str, Any] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "BipolarQuant": lambda a, x, s: np.where(x >= 0, 1.0, -1.0) * s,
    "MultiThreshold": _multithreshold,
    "BatchNormalization": _batch_normalization,
    "Gemm": _gemm,
    "TopK": _top_k,
    "ArgMax": lambda a, x: np.argmax(x, -1)[..., None],
    "Softmax": lambda a, x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "MatMul": lambda a, x, w: x @ w,
    "Mul": lambda a, x, y: x * y,
    "Add": lambda a, x, y: x + y,
    "Sub": lambda a, x, y: x - y,
    "Div": lambda a, x, y: x / y,
    "Neg": lambda a, x: -x,
    "Relu": lambda a, x: np.maximum(x, 0),
    "Clip": lambda a, x, low=None, high=None: np.clip(x, a.get("min", low), a.get("max", high)),
    "LeakyRelu": lambda a, x: np.where(x < 0, a["alpha"] * x, x),
    "Abs": lambda a, x: np.abs(x),
    "Tanh": lambda a, x: np.tanh(x),
    "Sign": lambda a, x: np.sign(x),
    "Identity": lambda a, x: x,
    "Cast": lambda a, x: x,
    "Reshape": lambda a, x, shape: x.reshape(shape.astype(int)),
    "Flatten": lambda a, x: x.reshape(x.shape[0], -1),
    "Transpose": lambda a, x: x.transpose(a.get("perm")),
}


def execute(model: ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All tensors of the model, computed in float64."""
    tensors = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    tensors |= {name: x.astype(np.float64) for name, x in inputs.items()}
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
        result = OPS[node.op_type](attributes, *(tensors[n] if n else None for n in node.input))
        for name, array in zip(node.output, result if isinstance(result, tuple) else (result,), strict=True):
            tensors[name] = array
    return tensors


class Net:
    """Builds a chain of nodes on the input "x"; `last` is the newest tensor."""

    def __init__(self, *shape: Any, datatype: str = "") -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.shape, self.datatype, self.last = shape, datatype, "x"

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def add(
        self, op_type: str, *constants: Any, inputs: list[str] | None = None, outputs: int = 1, **attributes: Any
    ) -> Net:
        """Append op_type(last, *constants)."""
        domain = "qonnx.custom_op.general" if op_type in {"Quant", "IntQuant", "BipolarQuant", "MultiThreshold"} else ""
        names = inputs or [self.last, *(c if isinstance(c, str) else self.constant(c) for c in constants)]
        outs = [f"t{len(self.nodes)}_{i}" if i else f"t{len(self.nodes)}" for i in range(outputs)]
        name = f"{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, names, outs, name=name, domain=domain, **attributes))
        self.last = outs[-1]
        return self

    def quant(self, scale: Any, bits: Any, zero_point: Any = 0.0, *, op: str = "Quant", **attributes: Any) -> Net:
        merged: dict[str, Any] = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
        return self.add(op, scale, zero_point, float(bits), **merged)

    def weights(self, array: Any, scale: Any, bits: int, **attributes: Any) -> str:
        """Quantized weights; returns the tensor, `last` stays."""
        last, self.last = self.last, self.constant(array)
        self.add("BipolarQuant", scale) if bits == 1 else self.quant(scale, bits, **attributes)
        self.last, w = last, self.last
        return w

    def model(self, opset: int = 13, outputs: list[str] | None = None) -> ModelWrapper:
        dtype = TensorProto.FLOAT
        x = helper.make_tensor_value_info("x", dtype, self.shape)
        last = [helper.make_empty_tensor_value_info(o) for o in outputs or [self.last]]
        for output in last:
            indices = any(n.op_type in {"TopK", "ArgMax"} and output.name == n.output[-1] for n in self.nodes)
            output.type.tensor_type.elem_type = TensorProto.INT64 if indices else dtype
        graph = helper.make_graph(self.nodes, "net", [x], last, self.initializers)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("qonnx.custom_op.general", 1)]
        model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
        if all(isinstance(d, int) for d in self.shape):
            for name, array in execute(model.model, {"x": np.zeros(self.shape)}).items():
                if name not in {t.name for t in self.initializers}:
                    model.set_tensor_shape(name, list(array.shape))
        if self.datatype:
            model.set_tensor_datatype("x", DataType[self.datatype])
        return model
