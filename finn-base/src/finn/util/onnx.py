"""Small helpers on ONNX operators and tensors."""

from __future__ import annotations

import numpy as np
from onnx import ValueInfoProto, helper

from finn.core.data_layout import NCHW, NHWC
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper

monotonic_optypes = {
    "Ceil", "Celu", "Clip", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "Identity", "LeakyRelu", "Log", "Relu",
    "Round", "Selu", "Sigmoid", "Sign", "Softplus", "Sqrt", "Tanh",
}  # fmt: skip
"""Elementwise operators that never fall, for attributes as networks have them."""

eltwise_optypes = monotonic_optypes | {
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "IntQuant", "Less", "LessOrEqual", "Max", "Maximum", "Min", "Minimum", "Mod", "Mul", "Or", "Pow", "Quant", "Sub",
    "Xor",
}  # fmt: skip
"""Operators whose output element depends on the elements at the same place only."""


def is_eltwise_monotonic_optype(optype: str) -> bool:
    """Whether operators of this type work elementwise and never fall."""
    return optype in monotonic_optypes


def is_eltwise_optype(optype: str) -> bool:
    """Whether operators of this type work elementwise."""
    return optype in eltwise_optypes


def valueinfo_to_tensor(vi: ValueInfoProto) -> np.ndarray:
    """Zeros of the shape and element type that a ValueInfo has; symbolic dimensions have no elements."""
    kind = vi.type.tensor_type
    return np.zeros([dim.dim_value for dim in kind.shape.dim], helper.tensor_dtype_to_np_dtype(kind.elem_type))


def nchw_to_nhwc(t: str, model: ModelWrapper, idx: int, reverse: bool = False) -> str:
    """Insert a Transpose at node index `idx`. Returns the name of the new tensor, which has layout NHWC.

    t: a tensor of 4 axes, NCHW; the Transpose reads it. With reverse the Transpose makes it, and the new tensor, which
    nobody makes yet, is read. Other nodes stay as they are. ModelError if the tensor does not have 4 axes.
    """
    shape = model.get_tensor_shape(t)
    if shape is None or len(shape) != 4:
        raise ModelError(
            f"it has shape {shape}, wanted 4 axes",
            where=f"tensor '{t}'",
            remedy="apply InferShapes, or change the graph",
        )
    new = model.make_new_valueinfo_name()
    model.set_tensor_shape(new, [shape[i] for i in (0, 2, 3, 1)], model.get_tensor_elem_type(t) or None)
    model.copy_annotations(t, new)
    model.set_tensor_layout(t, NCHW)
    model.set_tensor_layout(new, NHWC)
    if reverse:
        node = helper.make_node("Transpose", [new], [t], perm=[0, 3, 1, 2])
    else:
        node = helper.make_node("Transpose", [t], [new], perm=[0, 2, 3, 1])
    model.insert_node(idx, node)
    return new
