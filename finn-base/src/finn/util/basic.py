"""Helpers of general use."""

from __future__ import annotations

import random
import string
import warnings
from collections.abc import Iterable, MutableMapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from onnx import GraphProto, ModelProto, helper

from finn.core.domains import ALIASES, GENERAL
from finn.core.errors import ExecutionError, ModelError
from finn.custom_op.registry import is_custom_op
from finn.util._arithmetic import (
    auto_pad_to_explicit_padding,
    calculate_matvec_accumulator_range,
    calculate_signed_dot_prod_range,
)
from finn.util._boards import (
    alveo_default_platform,
    alveo_part_map,
    part_map,
    pynq_native_port_width,
    pynq_part_map,
)
from finn.util._environment import (
    get_execution_error_thresh,
    get_finn_root,
    get_num_default_workers,
    get_remote_vivado,
    get_rtlsim_trace_depth,
    get_sanitize_quant_tensors,
    make_build_dir,
)
from finn.util._processes import CppBuilder, launch_process_helper, which
from finn.util._tensors import (
    container_dtype,
    gen_finn_dt_tensor,
    interleave_matrix_outer_dim_from_partitions,
    pad_tensor_to_multiple_of,
    roundup_to_integer_multiple,
)

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

T = TypeVar("T")
_IR_VERSION = 10  # what every onnxruntime since 1.17 loads; onnx itself would write its newest


def get_preferred_onnx_opset() -> int:
    """The version of the standard operators in models that are made here."""
    return 11


def get_preferred_qonnx_opset() -> int:
    """The version of the general custom operators in models that are made here."""
    return 1


def qonnx_make_model(graph_proto: GraphProto, **kwargs: Any) -> ModelProto:
    """`onnx.helper.make_model` with an IR version that onnxruntime loads, and with our operators imported.

    kwargs: as of make_model; opset_imports defaults to the preferred opset and `finn.custom_op.general` 1.
    """
    imports = [
        helper.make_opsetid("", get_preferred_onnx_opset()),
        helper.make_opsetid(GENERAL, get_preferred_qonnx_opset()),
    ]
    return helper.make_model(graph_proto, **({"opset_imports": imports, "ir_version": _IR_VERSION} | kwargs))


def is_finn_op(op_type: str) -> bool:
    """Whether `op_type`, which is the *domain* of a node, is one of FINN's or QONNX's, or one that is registered."""
    return op_type.startswith(("finn", "qonnx.custom_op")) or op_type in ALIASES or is_custom_op(op_type)


def get_by_name(container: Iterable[T], name: str, name_field: str = "name") -> T | None:
    """The item whose `name_field` equals `name`, or None. ModelError if there are several."""
    found = [item for item in container if getattr(item, name_field) == name]
    if len(found) > 1:
        raise ModelError(f"{len(found)} items are called '{name}'")
    return found[0] if found else None


def remove_by_name(container: MutableSequence[T], name: str, name_field: str = "name") -> None:
    """Remove the item whose `name_field` equals `name`, if there is one. ModelError if there are several."""
    item = get_by_name(container, name, name_field)
    if item is not None:
        del container[next(index for index, other in enumerate(container) if other is item)]


def random_string(stringLength: int = 6) -> str:
    """Letters and digits by the global state of Python's `random`."""
    return "".join(random.choice(string.ascii_letters + string.digits) for _ in range(stringLength))


def sanitize_quant_values(
    model: ModelWrapper,
    node_tensors: Sequence[str],
    execution_context: MutableMapping[str, np.ndarray],
    check_values: bool = False,
) -> MutableMapping[str, np.ndarray]:
    """Round what should be integers, by the annotation of `model`, and is not. Returns execution_context, changed.

    A tensor with a value outside its integer type is rounded, with a warning. ExecutionError if that moves a value by
    more than `get_execution_error_thresh()`, or (check_values) if a value is outside its type even then.
    """
    for name in node_tensors:
        datatype = model.get_tensor_datatype(name)
        if not datatype.is_integer() or np.all(datatype.allowed(execution_context[name])):
            continue
        values = execution_context[name]
        rounded = np.round(values)
        error = float(np.max(np.abs(rounded - values)))
        if not error <= get_execution_error_thresh():  # NaN is no number below it
            raise ExecutionError(f"the values are up to {error:.3g} away from {datatype}", where=f"tensor '{name}'")
        warnings.warn(f"tensor '{name}' has values outside {datatype}; they are rounded", stacklevel=2)
        if check_values and not np.all(datatype.allowed(rounded)):
            worst = np.ravel(rounded)[~np.ravel(datatype.allowed(np.atleast_1d(rounded)))][0]
            raise ExecutionError(f"the value {worst} is no {datatype}", where=f"tensor '{name}'")
        execution_context[name] = rounded
    return execution_context


__all__ = [
    "CppBuilder",
    "alveo_default_platform",
    "alveo_part_map",
    "auto_pad_to_explicit_padding",
    "calculate_matvec_accumulator_range",
    "calculate_signed_dot_prod_range",
    "container_dtype",
    "gen_finn_dt_tensor",
    "get_by_name",
    "get_execution_error_thresh",
    "get_finn_root",
    "get_num_default_workers",
    "get_preferred_onnx_opset",
    "get_preferred_qonnx_opset",
    "get_remote_vivado",
    "get_rtlsim_trace_depth",
    "get_sanitize_quant_tensors",
    "interleave_matrix_outer_dim_from_partitions",
    "is_finn_op",
    "launch_process_helper",
    "make_build_dir",
    "pad_tensor_to_multiple_of",
    "part_map",
    "pynq_native_port_width",
    "pynq_part_map",
    "qonnx_make_model",
    "random_string",
    "remove_by_name",
    "roundup_to_integer_multiple",
    "sanitize_quant_values",
    "which",
]
