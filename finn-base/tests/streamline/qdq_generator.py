"""Random CNNs as onnxruntime's static quantizer writes them, with scales that are powers of two.

All sums are below 2**24 units of their scale, so that float32 holds every number, and onnxruntime is exact whatever
order it adds in. Quantizers see many ties.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

Draw = Callable[..., Any]
INT4_OPSET = 21


class Tensor(NamedTuple):
    """A dequantized tensor; its scale is 2**exponent. parameters : names of its scale and zero point."""

    name: str
    shape: tuple[int, ...]
    exponent: int
    parameters: tuple[str, str]


class Network:
    """Draws nodes one after the other. `x` is the float input, `model()` what was drawn."""

    def __init__(self, draw: Draw) -> None:
        self.draw, self.rng = draw, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.signed = draw(st.booleans())
        self.per_channel = draw(st.booleans())
        self.weight_type = draw(st.sampled_from(["int8", "int8", "uint8", "int4"]))
        self.opset = INT4_OPSET if self.weight_type == "int4" else self.choose(13, 17, INT4_OPSET)
        self.shape = (draw(st.integers(2, 3)), draw(st.integers(1, 3)), 4, draw(st.sampled_from([4, 5])))
        self.output = self._drawn()

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    # --- nodes ---

    def constant(self, array: Any, dtype: Any) -> str:
        name = f"c{len(self.initializers)}"
        if dtype == "int4":
            tensor = helper.make_tensor(name, TensorProto.INT4, np.shape(array), np.ravel(array).astype(int).tolist())
        else:
            tensor = numpy_helper.from_array(np.asarray(array, dtype), name)
        self.initializers.append(tensor)
        return name

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"{op_type}_{name}", **attributes))
        return name

    def quantized(self, name: str, shape: tuple[int, ...], exponent: int) -> Tensor:
        """`name` through QuantizeLinear and DequantizeLinear."""
        dtype = "int8" if self.signed else "uint8"
        info = np.iinfo(dtype)
        centre = (info.min + info.max + 1) // 2
        zero_point = self.choose(0, centre, centre + 1, info.min, info.max, self.draw(st.integers(info.min, info.max)))
        parameters = self.constant(2.0**exponent, np.float32), self.constant(zero_point, dtype)
        return self.between(name, Tensor("", shape, exponent, parameters))

    def between(self, name: str, like: Tensor) -> Tensor:
        """`name` through QuantizeLinear and DequantizeLinear with these parameters."""
        integers = self.add("QuantizeLinear", name, *like.parameters)
        return like._replace(name=self.add("DequantizeLinear", integers, *like.parameters))

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[str, np.ndarray]:
        """(dequantized weights, exponents of their scale: one, or one per element of the axis)."""
        exponents = self.rng.integers(-7, -3, shape[axis] if self.per_channel else ())
        low, high = {"int8": (-128, 128), "uint8": (0, 256), "int4": (-8, 8)}[self.weight_type]
        zero_point = self.choose(*((0, 128, 77) if low == 0 else (0, 0, 3)))
        integers = self.rng.integers(low, high, shape)
        names = [
            self.constant(integers, self.weight_type),
            self.constant(2.0**exponents, np.float32),
            self.constant(np.full(exponents.shape, zero_point), self.weight_type),
        ]
        return self.add("DequantizeLinear", *names, **({"axis": axis} if self.per_channel else {})), exponents

    def bias(self, size: int, exponents: np.ndarray) -> str:
        """A dequantized int32 bias with the scale of the products."""
        scale = 2.0 ** np.asarray(exponents, np.float64)
        zero_point = self.constant(np.zeros(scale.shape), np.int32)
        integers = self.constant(self.rng.integers(-(2**13), 2**13, size), np.int32)
        axis = {"axis": 0} if self.per_channel else {}
        return self.add("DequantizeLinear", integers, self.constant(scale, np.float32), zero_point, **axis)

    # --- layers ---

    def conv(self, x: Tensor, outputs: int, *, keep: bool = False) -> Tensor:
        """keep : the size of the picture stays."""
        group = self.choose(1, x.shape[1]) if outputs % x.shape[1] == 0 else 1
        kernel = (3, 3) if keep else tuple(min(n, self.choose(1, 2, 3)) for n in x.shape[2:])
        stride = 1 if keep else self.choose(1, 1, 2)
        pads = [1] * 4 if keep else [self.choose(0, 1) for _ in range(4)]
        w, exponents = self.weights((outputs, x.shape[1] // group, *kernel), 0)
        inputs = [x.name, w]
        if self.draw(st.booleans()):
            inputs.append(self.bias(outputs, exponents + x.exponent))
        name = self.add("Conv", *inputs, group=group, kernel_shape=kernel, strides=[stride] * 2, pads=pads)
        size = [
            (n + pads[i] + pads[i + 2] - k) // stride + 1
            for i, (n, k) in enumerate(zip(x.shape[2:], kernel, strict=True))
        ]
        taps = x.shape[1] // group * kernel[0] * kernel[1]
        return self.activated(name, (x.shape[0], outputs, *size), self.exponent_of(x, exponents, taps))

    def exponent_of(self, x: Tensor, exponents: np.ndarray, taps: int) -> int:
        """For the sum of so many products of 8-bit integers and weights."""
        width = 6 if self.weight_type != "int4" else 2
        return x.exponent + int(np.max(exponents)) + width + int(np.log2(taps) / 2) + self.choose(-2, -1, 0)

    def activated(self, name: str, shape: tuple[int, ...], exponent: int) -> Tensor:
        kind = self.choose("none", "relu", "clip", "late relu")
        if kind == "relu":
            name = self.add("Relu", name)
        elif kind == "clip":
            high = 2.0**exponent * self.choose(63, 100, 100.5)
            name = self.add("Clip", name, self.constant(0.0, np.float32), self.constant(high, np.float32))
        elif kind == "late relu":
            name = self.add("Relu", self.quantized(name, shape, exponent).name)
        return self.quantized(name, shape, exponent)

    def pool(self, x: Tensor) -> Tensor:
        op_type = self.choose("MaxPool", "AveragePool")
        shape = (*x.shape[:2], *(n // 2 for n in x.shape[2:]))
        name = self.add(op_type, x.name, kernel_shape=[2, 2], strides=[2, 2])
        if op_type == "AveragePool":
            return self.quantized(name, shape, x.exponent + self.choose(-1, 0))
        return self.between(name, x._replace(shape=shape))  # with the parameters in front: nothing is rounded

    def residual(self, x: Tensor) -> Tensor:
        y = self.conv(x, x.shape[1], keep=True)
        if abs(y.exponent - x.exponent) > 5:
            return y
        inputs = (x, y) if self.draw(st.booleans()) else (y, x)
        exponent = max(x.exponent, y.exponent) + self.choose(0, 1)
        return self.activated(self.add("Add", *(i.name for i in inputs)), x.shape, exponent)

    def concat(self, x: Tensor) -> Tensor:
        y = self.conv(x, self.draw(st.integers(1, 2)), keep=True)
        if abs(y.exponent - x.exponent) > 5:
            return y
        shape = (x.shape[0], x.shape[1] + y.shape[1], *x.shape[2:])
        return self.quantized(self.add("Concat", x.name, y.name, axis=1), shape, max(x.exponent, y.exponent))

    def classifier(self, x: Tensor) -> str:
        """Scores, quantized or not."""
        pooled = int(np.prod(x.shape[2:])) in (1, 4, 16) and self.draw(st.booleans())
        if pooled:
            x = self.quantized(self.add("GlobalAveragePool", x.name), (*x.shape[:2], 1, 1), x.exponent)
        x = x._replace(name=self.add("Flatten", x.name), shape=(x.shape[0], int(np.prod(x.shape[1:]))))
        inputs, outputs = x.shape[1], self.draw(st.integers(1, 4))
        gemm, transposed = self.draw(st.booleans()), self.draw(st.booleans())
        shape, axis = ((outputs, inputs), 0) if gemm and transposed else ((inputs, outputs), 1)
        w, exponents = self.weights(shape, axis)
        if gemm:
            name = self.add("Gemm", x.name, w, self.bias(outputs, exponents + x.exponent), transB=int(transposed))
        else:
            name = self.add("MatMul", x.name, w)
        if self.draw(st.booleans()):
            return name
        return self.quantized(name, (x.shape[0], outputs), self.exponent_of(x, exponents, inputs)).name

    # --- the network ---

    def _drawn(self) -> str:
        x = self.quantized("x", self.shape, self.choose(-3, -2))
        for _ in range(self.draw(st.integers(1, 3))):
            kind = self.choose("conv", "residual", "concat", "pool")
            if kind == "conv":
                x = self.conv(x, self.choose(1, 2, x.shape[1], 4))
            elif kind == "pool" and min(x.shape[2:]) >= 2:
                x = self.pool(x)
            elif kind != "pool":
                x = self.residual(x) if kind == "residual" else self.concat(x)
        return self.classifier(x)

    def inputs(self) -> np.ndarray:
        """Many of them on the ties of the first quantizer."""
        return (self.rng.integers(-600, 600, self.shape) / 16).astype(np.float32)

    def model(self) -> ModelProto:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        y = helper.make_tensor_value_info(self.output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "quantized", [x], [y], self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
