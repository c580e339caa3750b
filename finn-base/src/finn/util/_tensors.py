"""Arrays for tensors: which container holds a data type, random values, layout in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from finn.core.datatype import ArbPrecFloatType, BaseDataType, FixedPointType, ScaledIntType
from finn.core.errors import UnsupportedError
from finn.core.exactness import FLOAT32_LIMIT, FLOAT64_LIMIT


def container_dtype(finn_dt: BaseDataType) -> np.dtype[Any]:
    """The type of arrays that hold every value of `finn_dt`: float32 if that does, float64, else an integer type.

    object (of Python integers) beyond 64 bits; float16 for FLOAT16.
    """
    if not finn_dt.is_integer():
        return np.dtype(finn_dt.to_numpy_dt())
    largest = int(max(-finn_dt.min(), finn_dt.max()))
    if largest <= FLOAT32_LIMIT:
        return np.dtype(np.float32)
    if largest <= FLOAT64_LIMIT:
        return np.dtype(np.float64)
    return np.dtype(finn_dt.to_numpy_dt() if finn_dt.bitwidth() <= 64 else object)


def gen_finn_dt_tensor(
    finn_dt: BaseDataType, tensor_shape: Sequence[int] | int, seed: int | np.random.Generator | None = None
) -> np.ndarray:
    """An array of random values of this type: float32, or what `container_dtype` says if that is too narrow.

    Floating point gives standard normal values (FLOAT<e,m>: every code is equally likely), other types every value
    equally often. seed: as of `numpy.random.default_rng`; None uses NumPy's global state, which scripts set by
    `numpy.random.seed`. UnsupportedError for scaled integers and for types of more than 64 bits.
    """
    if finn_dt in ("FLOAT32", "FLOAT16"):
        normal: Any = np.random if seed is None else np.random.default_rng(seed)
        return np.asarray(normal.standard_normal(tensor_shape), dtype=container_dtype(finn_dt))
    if isinstance(finn_dt, ScaledIntType) or finn_dt.bitwidth() > 64:
        raise UnsupportedError(f"cannot draw random values of {finn_dt}", remedy="use another type, of at most 64 bits")
    if isinstance(finn_dt, ArbPrecFloatType):
        codes = _integers(0, 1 << finn_dt.bitwidth(), tensor_shape, seed)
        values = finn_dt.from_codes(codes)
    elif isinstance(finn_dt, FixedPointType):
        half = 1 << (finn_dt.bitwidth() - 1)
        values = np.ldexp(_integers(-half, half, tensor_shape, seed).astype(np.float64), -finn_dt.frac_bits())
    elif finn_dt == "BIPOLAR":
        values = 2 * _integers(0, 2, tensor_shape, seed) - 1
    else:
        values = _integers(int(finn_dt.min()), int(finn_dt.max()) + 1, tensor_shape, seed)
    return values.astype(container_dtype(finn_dt))


def _integers(low: int, end: int, shape: Sequence[int] | int, seed: int | np.random.Generator | None) -> np.ndarray:
    """Uniform integers of low..end - 1."""
    dtype = np.int64 if end <= 2**63 else np.uint64
    if seed is None:
        return np.asarray(np.random.randint(low, end, shape, dtype=dtype))
    return np.asarray(np.random.default_rng(seed).integers(low, end, shape, dtype=dtype))


def roundup_to_integer_multiple(x: int, factor: int) -> int:
    """The least multiple of `factor` (> 0) that is not below x; x itself if factor is -1. ValueError otherwise."""
    if factor == -1:
        return x
    if factor <= 0:
        raise ValueError(f"factor is {factor}, it has to be positive, or -1 for no rounding")
    return -(-x // factor) * factor


def pad_tensor_to_multiple_of(
    ndarray: np.ndarray, pad_to_dims: Sequence[int], val: float = 0, distr_pad: bool = False
) -> np.ndarray:
    """Pad every axis with `val` to a multiple of its entry of pad_to_dims (-1: not at all).

    The padding goes to the end; with distr_pad one half goes before (the smaller one) and one after. The type of an
    array stays; lists become float32. ValueError if pad_to_dims has another length than the shape.
    """
    array = ndarray if isinstance(ndarray, np.ndarray) else np.asarray(ndarray, dtype=np.float32)
    if len(pad_to_dims) != array.ndim:
        raise ValueError(f"{len(pad_to_dims)} multiples are given for the {array.ndim} axes of shape {array.shape}")
    missing = [roundup_to_integer_multiple(n, factor) - n for n, factor in zip(array.shape, pad_to_dims, strict=True)]
    before = [n // 2 if distr_pad else 0 for n in missing]
    widths = [(first, n - first) for first, n in zip(before, missing, strict=True)]
    return np.pad(array, widths, constant_values=val)


def interleave_matrix_outer_dim_from_partitions(matrix: np.ndarray, n_partitions: int) -> np.ndarray:
    """(R, C) -> (n_partitions, R / n_partitions, C): row r goes to partition r mod n_partitions.

    ValueError if n_partitions does not divide R.
    """
    rows, columns = matrix.shape
    if n_partitions < 1 or rows % n_partitions:
        raise ValueError(f"{rows} rows cannot be dealt to {n_partitions} partitions")
    return np.asarray(matrix.reshape(-1, n_partitions, columns).transpose(1, 0, 2))
