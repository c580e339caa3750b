"""NumPy semantics of the ONNX operators that quantized networks use, in the type of the arrays given.

onnxruntime computes in the declared types, most operators in float32 only. These functions compute in float64 or int64
if that is what they get: integers stay exact beyond 2^24. Meanings: https://onnx.ai/onnx/operators/
Operators not listed here run on ONNX's own reference implementation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.core import numpy_windows
from finn.core.errors import ExecutionError, UnsupportedError
from finn.core.tidy import describe

Array = np.ndarray
Inputs = Sequence[Array | None]
Attributes = dict[str, Any]
Kernel = Callable[[Inputs, Attributes, int], tuple[Array, ...]]

BATCHNORM_EPSILON = float(np.float32(1e-5))
"""The default of BatchNormalization: ONNX attributes are float32, so it is not the double 1e-5."""


def run_node(node: NodeProto, inputs: Inputs, opset: int) -> tuple[Array, ...]:
    """The outputs of a standard node. ExecutionError names the node if the inputs do not fit."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    kernel = _max_pool if _is_plain_max_pool(node, attributes) else KERNELS.get(node.op_type)
    try:
        with np.errstate(all="ignore"):  # IEEE: x / 0 is infinite, as onnxruntime has it
            if kernel is not None:
                return tuple(np.asarray(out) for out in kernel(inputs, attributes, opset))
            return _reference(node, inputs, opset)
    except (ValueError, IndexError, TypeError, RuntimeError, NotImplementedError) as error:
        shapes = ", ".join("-" if x is None else f"{x.dtype}{list(x.shape)}" for x in inputs)
        raise ExecutionError(
            f"cannot be computed on inputs {shapes}", where=f"node {describe(node)}", why=str(error)
        ) from error


def _is_plain_max_pool(node: NodeProto, attributes: Attributes) -> bool:
    return node.op_type == "MaxPool" and len(node.output) == 1 and not attributes.get("ceil_mode")


def _max_pool(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    return (numpy_windows.max_pool(_need(inputs, 0), attributes),)


def _reference(node: NodeProto, inputs: Inputs, opset: int) -> tuple[Array, ...]:
    feeds = {name: x for name, x in zip(node.input, inputs, strict=True) if x is not None}
    infos = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in feeds]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output if name]
    graph = helper.make_graph([node], "one_node", infos, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    from onnx.reference import ReferenceEvaluator  # late: it imports every operator

    try:
        evaluator = ReferenceEvaluator(model)
    except (NotImplementedError, KeyError, RuntimeError) as error:
        raise UnsupportedError(
            f"operator {node.op_type} (opset {opset}) has no NumPy meaning", where=f"node {describe(node)}"
        ) from error
    results = iter(evaluator.run(None, feeds))
    return tuple(np.asarray(next(results)) if name else np.asarray(0) for name in node.output)


def _given(inputs: Inputs, position: int) -> Array | None:
    """An optional input."""
    return inputs[position] if position < len(inputs) else None


def _need(inputs: Inputs, position: int) -> Array:
    x = _given(inputs, position)
    if x is None:
        raise ValueError(f"input {position} is missing")
    return x


def _same_type(x: Array, y: Any) -> Array:
    """`y` in the type of `x`, without a copy if it has it."""
    return np.asarray(y, dtype=x.dtype)


def _unary(f: Callable[[Array], Any]) -> Kernel:
    return lambda inputs, attributes, opset: (_same_type(_need(inputs, 0), f(_need(inputs, 0))),)


def _binary(f: Callable[[Array, Array], Any]) -> Kernel:
    return lambda inputs, attributes, opset: (np.asarray(f(_need(inputs, 0), _need(inputs, 1))),)


def _divide(x: Array, y: Array) -> Array:
    """ONNX divides integers towards zero."""
    if x.dtype.kind == "f" or y.dtype.kind == "f":
        return np.asarray(x / y)
    quotient = np.abs(x) // np.abs(y)
    return np.asarray(np.where((x < 0) != (y < 0), -quotient, quotient))


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))  # never overflows
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)))


_erf = np.vectorize(math.erf, otypes=[np.float64])
"""ONNX's reference gives float32 for any input."""


def _reduction(f: Callable[..., Any]) -> Kernel:
    """Axes are an attribute or, in later opsets, an input. None are all, unless the node says otherwise."""

    def kernel(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
        x, given = _need(inputs, 0), _given(inputs, 1)
        axes = tuple(int(a) for a in (attributes.get("axes", ()) if given is None else given.reshape(-1)))
        if not axes and attributes.get("noop_with_empty_axes"):
            return (x,)
        return (_same_type(x, f(x, axis=axes or None, keepdims=bool(attributes.get("keepdims", 1)))),)

    return kernel


def _gemm(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    a, b, c = _need(inputs, 0), _need(inputs, 1), _given(inputs, 2)
    a = a.T if attributes.get("transA") else a
    b = b.T if attributes.get("transB") else b
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    out = a @ b if alpha == 1 else (a @ b) * alpha
    if c is None:
        return (out,)
    return (out + (c if beta == 1 else c * beta),)


def _batch_normalization(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    x, scale, bias, mean, var = (_need(inputs, i) for i in range(5))
    if attributes.get("training_mode"):
        raise ValueError("training mode is not supported")
    shape = [1, -1] + [1] * (x.ndim - 2)
    factor = scale / np.sqrt(var + attributes.get("epsilon", BATCHNORM_EPSILON))
    return ((x - mean.reshape(shape)) * factor.reshape(shape) + bias.reshape(shape),)


def _clip(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    x, low, high = _need(inputs, 0), _given(inputs, 1), _given(inputs, 2)
    if opset < 11:
        low = np.asarray(attributes["min"]) if "min" in attributes else None
        high = np.asarray(attributes["max"]) if "max" in attributes else None
    out = x if low is None else np.maximum(x, low)
    return (_same_type(x, out if high is None else np.minimum(out, high)),)


def _reshape(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    x = _need(inputs, 0)
    shape = [int(d) for d in (attributes["shape"] if opset < 5 else _need(inputs, 1))]
    if not attributes.get("allowzero"):
        shape = [x.shape[i] if d == 0 else d for i, d in enumerate(shape)]
    return (x.reshape(shape),)


def _flatten(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    x, axis = _need(inputs, 0), attributes.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return (x.reshape(int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))),)


def _axes(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[int, ...] | None:
    """The axes of Squeeze and Unsqueeze: an attribute before opset 13, then an input."""
    axes = attributes.get("axes") if opset < 13 else _given(inputs, 1)
    return None if axes is None else tuple(int(a) for a in axes)


def _unsqueeze(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    return (np.expand_dims(_need(inputs, 0), _axes(inputs, attributes, opset) or ()),)


def _transpose(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    return (np.transpose(_need(inputs, 0), attributes.get("perm")),)


def _topk(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    """Of equal values the one with the lower index comes first."""
    x, axis = _need(inputs, 0), attributes.get("axis", -1)
    k = attributes["k"] if opset < 10 else int(_need(inputs, 1).reshape(-1)[0])
    if not 0 <= k <= x.shape[axis]:
        raise ValueError(f"k is {k}, the axis has {x.shape[axis]} elements")
    if attributes.get("largest", 1):
        backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
        order = np.flip(x.shape[axis] - 1 - backwards, axis)
    else:
        order = np.argsort(x, axis=axis, kind="stable")
    indices = np.take(order, range(k), axis=axis)
    return np.take_along_axis(x, indices, axis), indices.astype(np.int64)


def _argmax(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    x, axis = _need(inputs, 0), attributes.get("axis", 0)
    if attributes.get("select_last_index"):
        out = x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis=axis)
    else:
        out = np.argmax(x, axis=axis)
    return ((np.expand_dims(out, axis) if attributes.get("keepdims", 1) else out).astype(np.int64),)


def _conv(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    return (numpy_windows.conv(_need(inputs, 0), _need(inputs, 1), _given(inputs, 2), attributes),)


def _conv_transpose(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    return (numpy_windows.conv_transpose(_need(inputs, 0), _need(inputs, 1), _given(inputs, 2), attributes),)


def _per_axis(parameter: Array, x: Array, attributes: Attributes) -> Array:
    """A scale or zero point in a shape that broadcasts: along one axis if it is a vector."""
    if parameter.ndim != 1 or parameter.size == 1:
        return parameter.reshape(()) if parameter.size == 1 else parameter
    axis = attributes.get("axis", 1) % x.ndim
    return parameter.reshape([-1] + [1] * (x.ndim - axis - 1))


def _quantize_linear(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    """saturate(round(x / scale) + zero point); halves are rounded to even."""
    x, scale, zero = _need(inputs, 0), _need(inputs, 1), _given(inputs, 2)
    zero = np.zeros((), np.uint8) if zero is None else zero
    if attributes.get("block_size") or zero.dtype.kind not in "iu" or zero.dtype.itemsize > 2:
        raise ValueError("only integers of 8 and 16 bits, per tensor or per axis, are supported")
    whole = np.round(x / _per_axis(scale, x, attributes)) + _per_axis(zero, x, attributes).astype(np.float64)
    limits = np.iinfo(zero.dtype)
    return (np.clip(whole, limits.min, limits.max).astype(zero.dtype),)


def _dequantize_linear(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    """(x - zero point) * scale, in the type of the scale."""
    x, scale, zero = _need(inputs, 0), _need(inputs, 1), _given(inputs, 2)
    if attributes.get("block_size"):
        raise ValueError("quantization by blocks is not supported")
    whole = x.astype(np.int64) - (0 if zero is None else _per_axis(zero, x, attributes).astype(np.int64))
    return (whole.astype(scale.dtype) * _per_axis(scale, x, attributes),)


def _global_average_pool(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    x = _need(inputs, 0)
    return (x.mean(axis=tuple(range(2, x.ndim)), keepdims=True),)


def _shape(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    dims = _need(inputs, 0).shape
    return (np.asarray(dims[attributes.get("start", 0) : attributes.get("end")], dtype=np.int64),)


def _concat(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    return (np.concatenate([x for x in inputs if x is not None], axis=attributes["axis"]),)


def _gather(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    return (np.take(_need(inputs, 0), _need(inputs, 1), axis=attributes.get("axis", 0)),)


def _cast(inputs: Inputs, attributes: Attributes, opset: int) -> tuple[Array, ...]:
    """A cast to float32 leaves float64 as it is: the caller decides about precision."""
    x, to = _need(inputs, 0), attributes["to"]
    if to == TensorProto.FLOAT and x.dtype == np.float64:
        return (x,)
    return (x.astype(helper.tensor_dtype_to_np_dtype(to)),)


KERNELS: dict[str, Kernel] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "ArgMax": _argmax,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DequantizeLinear": _dequantize_linear,
    "Div": _binary(_divide),
    "Erf": _unary(_erf),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "Identity": _unary(lambda x: x),
    "MatMul": _binary(np.matmul),
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "Pow": lambda inputs, attributes, opset: (_same_type(_need(inputs, 0), _need(inputs, 0) ** _need(inputs, 1)),),
    "QuantizeLinear": _quantize_linear,
    "ReduceMax": _reduction(np.max),
    "ReduceMean": _reduction(np.mean),
    "ReduceMin": _reduction(np.min),
    "ReduceSum": _reduction(np.sum),
    "Relu": _unary(lambda x: np.maximum(x, 0)),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": _unary(_sigmoid),
    "Sign": _unary(np.sign),
    "Sqrt": _unary(np.sqrt),
    "Squeeze": lambda inputs, attributes, opset: (np.squeeze(_need(inputs, 0), _axes(inputs, attributes, opset)),),
    "Sub": _binary(np.subtract),
    "Tanh": _unary(np.tanh),
    "TopK": _topk,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
