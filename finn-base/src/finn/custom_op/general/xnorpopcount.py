"""Binary matrix product: how many bits agree."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn.core.datatype import DataType
from finn.core.errors import ExecutionError, ModelError
from finn.custom_op.base import CustomOp

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


def xnorpopcountmatmul(inp0: np.ndarray, inp1: np.ndarray) -> np.ndarray:
    """For each row of inp0 (..., M, K) and each column of inp1 (..., K, N), how many of the K bits are equal.

    Bits are 0 and 1 in any type; the result has the type of both. If P is the result, the product of the same bits
    taken as -1 and +1 is 2 P - K. ExecutionError for other values, and if the shapes do not fit.
    """
    a, b = np.asarray(inp0), np.asarray(inp1)
    depth = a.shape[-1] if a.ndim else 0
    if a.ndim < 1 or b.ndim < 1 or depth != b.shape[max(b.ndim - 2, 0)]:
        raise ExecutionError(f"matrices of shapes {list(a.shape)} and {list(b.shape)} do not fit")
    for bits in (a, b):
        if not np.all((bits == 0) | (bits == 1)):
            raise ExecutionError("the bits are not all 0 or 1", remedy="write -1 as 0: bit = (value + 1) / 2")
    dtype = np.result_type(a, b, np.float32 if depth <= 2**24 else np.float64)
    # Signed sums stay within K, and K plus a sum is even: every step is exact.
    signed = (2 * a.astype(dtype) - 1) @ (2 * b.astype(dtype) - 1)
    kind = dtype if "f" in (a.dtype.kind, b.dtype.kind) else np.int64
    return np.asarray((signed + depth) / 2, dtype=kind)


class XnorPopcountMatMul(CustomOp):
    """Inputs: two BINARY matrices; output: `xnorpopcountmatmul` of them. No attributes."""

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return helper.make_node("MatMul", list(self.onnx_node.input), [self.onnx_node.output[0]])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """UINT32. ModelError if an input is not BINARY, by annotation or by its constant values."""
        for name in self.onnx_node.input:
            constant = model.get_initializer(name)
            binary = constant is not None and bool(np.all((constant == 0) | (constant == 1)))
            if not binary and model.get_tensor_datatype(name) != DataType["BINARY"]:
                raise ModelError(
                    f"input '{name}' is {model.get_tensor_datatype(name)}, wanted BINARY",
                    where=self._where,
                    remedy="annotate it, or convert -1, +1 to 0, 1",
                )
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["UINT32"])

    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        a, b = (context[name] for name in self.onnx_node.input)
        context[self.onnx_node.output[0]] = xnorpopcountmatmul(a, b)
