"""Helpers of general use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from onnx import GraphProto, ModelProto, helper

from finn.core.datatype import BaseDataType
from finn.core.domains import GENERAL
from finn.core.errors import ModelError, UnsupportedError

T = TypeVar("T")
_IR_VERSION = 10  # what every onnxruntime since 1.17 loads; onnx itself would write its newest


def get_preferred_onnx_opset() -> int:
    """The version of the standard operators in models that are made here."""
    return 11


def qonnx_make_model(graph_proto: GraphProto, **kwargs: Any) -> ModelProto:
    """`onnx.helper.make_model` with an IR version that onnxruntime loads, and with our operators imported.

    kwargs: as of make_model; opset_imports defaults to the preferred opset and `finn.custom_op.general` 1.
    """
    imports = [helper.make_opsetid("", get_preferred_onnx_opset()), helper.make_opsetid(GENERAL, 1)]
    return helper.make_model(graph_proto, **({"opset_imports": imports, "ir_version": _IR_VERSION} | kwargs))


def get_by_name(container: Iterable[T], name: str, name_field: str = "name") -> T | None:
    """The item whose `name_field` equals `name`, or None. ModelError if there are several."""
    found = [item for item in container if getattr(item, name_field) == name]
    if len(found) > 1:
        raise ModelError(f"{len(found)} items are called '{name}'")
    return found[0] if found else None


def roundup_to_integer_multiple(x: int, factor: int) -> int:
    """The least multiple of `factor` (> 0) that is not below x; x itself if factor is -1. ValueError otherwise."""
    if factor == -1:
        return x
    if factor <= 0:
        raise ValueError(f"factor is {factor}, it has to be positive, or -1 for no rounding")
    return -(-x // factor) * factor


def interleave_matrix_outer_dim_from_partitions(matrix: np.ndarray, n_partitions: int) -> np.ndarray:
    """(R, C) -> (n_partitions, R / n_partitions, C): row r goes to partition r mod n_partitions.

    ValueError if n_partitions does not divide R.
    """
    rows, columns = matrix.shape
    if n_partitions < 1 or rows % n_partitions:
        raise ValueError(f"{rows} rows cannot be dealt to {n_partitions} partitions")
    return np.asarray(matrix.reshape(-1, n_partitions, columns).transpose(1, 0, 2))


def gen_finn_dt_tensor(
    finn_dt: BaseDataType, tensor_shape: Sequence[int] | int, seed: int | np.random.Generator | None = None
) -> np.ndarray:
    """A float32 array (float64 where integers exceed 2^24) of random values of this type.

    FLOAT32 gives standard normal values. seed: as of `numpy.random.default_rng`; None uses NumPy's global state, which
    scripts set by `numpy.random.seed`.
    """
    legacy: Any = np.random if seed is None else np.random.default_rng(seed)
    if finn_dt == "FLOAT32":
        return np.asarray(legacy.standard_normal(tensor_shape), dtype=np.float32)
    if finn_dt == "BIPOLAR":
        bits = legacy.choice([-1.0, 1.0], tensor_shape)
        return np.asarray(bits, dtype=np.float32)
    if not finn_dt.is_integer() or finn_dt.bitwidth() > 62:
        raise UnsupportedError(f"cannot draw random values of {finn_dt}", remedy="use an integer type up to 62 bits")
    low, high = int(finn_dt.min()), int(finn_dt.max()) + 1
    draw = legacy.randint if seed is None else legacy.integers
    values = np.asarray(draw(low, high, tensor_shape, dtype=np.int64))
    return values.astype(np.float32 if max(-low, high) <= 2**24 else np.float64)
