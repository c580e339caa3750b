"""Networks as exporters write them: names, operator sets and forms of attributes of their own, quantizers of QONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from finn.core.modelwrapper import ModelWrapper
from finn.util.cleanup import cleanup_model

Array = Any
GENERAL = "qonnx.custom_op.general"
QUANTIZERS = frozenset({"BipolarQuant", "IntQuant", "MultiThreshold", "Quant", "Trunc"})


class Exported:
    """A network under construction. Methods that add nodes return the names of tensors."""

    def __init__(self, opset: int = 13) -> None:
        self.opset, self.rng = opset, np.random.default_rng(7)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.inputs: list[tuple[str, tuple[int, ...], int, int]] = []

    # --- tensors ---

    def input(self, *shape: int, elem: int = TensorProto.FLOAT, high: int = 0) -> str:
        """A graph input. high : of integers, how many there are."""
        self.inputs.append((f"input.{len(self.inputs)}", shape, elem, high))
        return self.inputs[-1][0]

    def constant(self, array: Array, dtype: Any = np.float32) -> str:
        name = f"onnx::constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(array, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def dyadic(self, *shape: int) -> Array:
        return self.rng.integers(-16, 17, shape) / 8.0

    # --- operators ---

    def op(self, op_type: str, *inputs: str | Array | None, **attributes: Any) -> str:
        return self.ops(1, op_type, *inputs, **attributes)[0]

    def ops(self, outputs: int, op_type: str, *inputs: str | Array | None, **attributes: Any) -> list[str]:
        """A node with several outputs. An input is a tensor, an array, or None."""
        names = [i if isinstance(i, str) else "" if i is None else self.constant(i) for i in inputs]
        made = [f"/{op_type}_{len(self.nodes)}/{k}" for k in range(outputs)]
        domain = GENERAL if op_type in QUANTIZERS else ""
        self.nodes.append(helper.make_node(op_type, names, made, f"/{op_type}_{len(self.nodes)}", domain=domain))
        self.nodes[-1].attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        return made

    def quant(self, x: str, scale: Array = 0.5, bits: float = 4, zero_point: Array = 0.0, **attributes: Any) -> str:
        settings = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **attributes}
        return self.op("Quant", x, scale, zero_point, float(bits), **settings)

    def weights(self, *shape: int, scale: Array = 0.25, bits: int = 4) -> str:
        limit = 2 ** (bits - 1)
        values = self.rng.integers(1 - limit, limit, shape) * np.asarray(scale)
        return self.quant(self.constant(values), scale, bits, narrow=1)

    def dense(self, x: str, inputs: int = 6, outputs: int = 4, **settings: Any) -> str:
        return self.op("MatMul", x, self.weights(inputs, outputs, **settings))

    def conv(
        self, x: str, inputs: int = 4, outputs: int = 4, kernel: Any = (3, 3), bias: Any = None, **more: Any
    ) -> str:
        scale, bits = more.pop("scale", 0.25), more.pop("bits", 4)
        w = self.weights(outputs, inputs // more.get("group", 1), *kernel, scale=scale, bits=bits)
        biases = [] if bias is None else [bias]
        return self.op("Conv", x, w, *biases, kernel_shape=list(kernel), **more)

    def point(self, x: str, inputs: int = 4, outputs: int = 4, axes: int = 2) -> str:
        """A convolution of single pixels: the next layer."""
        return self.conv(x, inputs, outputs, (1,) * axes)

    # --- where operators under test stand: in the middle of a network ---

    def scores(self) -> str:
        """Sums behind a fully connected layer: (3, 4)."""
        return self.dense(self.quant(self.input(3, 6)))

    def features(self, **settings: Any) -> str:
        """Quantized: (3, 4)."""
        return self.quant(self.scores(), **settings)

    def sums(self) -> str:
        """Sums behind a convolution: (2, 4, 6, 6)."""
        return self.conv(self.quant(self.input(2, 3, 6, 6)), 3, pads=[1] * 4)

    def image(self, **settings: Any) -> str:
        """Quantized: (2, 4, 6, 6)."""
        return self.quant(self.sums(), **settings)

    def tokens(self, **settings: Any) -> str:
        """Quantized: (2, 5, 4)."""
        return self.quant(self.dense(self.quant(self.input(2, 5, 6))), **settings)

    # --- the model ---

    def model(self, *outputs: str) -> ModelWrapper:
        """Cleaned up. Outputs of ArgMax and TopK are indices."""
        producers = {o: (n.op_type, k) for n in self.nodes for k, o in enumerate(n.output)}
        kinds = [producers[o] in {("ArgMax", 0), ("TopK", 1)} for o in outputs]
        graph = helper.make_graph(
            self.nodes,
            "main_graph",
            [helper.make_tensor_value_info(name, elem, shape) for name, shape, elem, _ in self.inputs],
            [
                helper.make_tensor_value_info(o, TensorProto.INT64 if index else TensorProto.FLOAT, None)
                for o, index in zip(outputs, kinds, strict=True)
            ],
            self.initializers,
        )
        version = 2 if any(n.op_type == "Trunc" and len(n.input) == 6 for n in self.nodes) else 1
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, version)]
        return cleanup_model(ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8)))

    def samples(self, rng: np.random.Generator, dyadic: bool) -> list[Array]:
        """One array per input: multiples of 1/8, or any floats."""
        values = []
        for _, shape, elem, high in self.inputs:
            if high:
                values.append(rng.integers(0, high, shape).astype(helper.tensor_dtype_to_np_dtype(elem)))
            else:
                x = rng.integers(-48, 49, shape) / 8.0 if dyadic else rng.normal(0, 3, shape)
                values.append(x.astype(np.float32))
        return values
