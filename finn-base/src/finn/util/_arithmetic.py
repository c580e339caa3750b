"""Ranges of dot products, and the padding of convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from finn.core.datatype import BaseDataType
from finn.core.errors import AttributeValueError, ModelError
from finn.core.windows import explicit_pads, same_padding


def calculate_matvec_accumulator_range(matrix: np.ndarray, vec_dt: BaseDataType) -> tuple[Any, Any]:
    """(min, max) of all elements of x @ matrix, for every vector x of values of vec_dt.

    matrix: (MW, MH) weights. Exact: Python integers if weights and vec_dt are integers; else float64 sums.
    ModelError if the matrix is empty or not finite.
    """
    weights = np.asarray(matrix)
    if weights.ndim != 2 or weights.size == 0 or not np.all(np.isfinite(weights.astype(np.float64))):
        raise ModelError(f"weights of shape {weights.shape} are no (MW, MH) matrix of finite numbers")
    low, high = vec_dt.min(), vec_dt.max()
    positive, negative = (_column_sums(np.where(keep, weights, 0)) for keep in (weights > 0, weights < 0))
    least = min(p * low + n * high for p, n in zip(positive, negative, strict=True))
    greatest = max(p * high + n * low for p, n in zip(positive, negative, strict=True))
    return least, greatest


def _column_sums(weights: np.ndarray) -> list[Any]:
    """Python integers if all weights are, whatever their size; else floats."""
    if weights.dtype.kind == "f" and not np.all(np.trunc(weights) == weights):
        return [float(total) for total in weights.astype(np.float64).sum(axis=0)]
    if np.abs(weights.astype(np.float64)).sum() < 2**62:  # no sum can overflow, although this one is rounded
        return [int(total) for total in weights.astype(np.int64).sum(axis=0)]
    return [sum(int(weight) for weight in column) for column in weights.T.tolist()]


def calculate_signed_dot_prod_range(dt_a: BaseDataType, dt_b: BaseDataType, len: int) -> tuple[Any, Any]:
    """(min, max) of the dot product of two vectors of `len` values of the types dt_a and dt_b, both signed, exactly.

    ModelError for an unsigned type.
    """
    for datatype in (dt_a, dt_b):
        if not datatype.signed():
            raise ModelError(f"{datatype} is not signed", remedy="use calculate_matvec_accumulator_range")
    products = [a * b * len for a in (dt_a.min(), dt_a.max()) for b in (dt_b.min(), dt_b.max())]
    return min(products), max(products)


def auto_pad_to_explicit_padding(
    autopad_str: str,
    idim_h: int,
    idim_w: int,
    k_h: int,
    k_w: int,
    stride_h: int,
    stride_w: int,
    n_dims: int,
    dilation_h: int = 1,
    dilation_w: int = 1,
) -> list[int]:
    """The attribute `pads` that means the same as `auto_pad`: [H begin, W begin, H end, W end].

    autopad_str: VALID, SAME_UPPER or SAME_LOWER; idim: size of the input; k: of the kernel; n_dims: spatial
    dimensions, 2, or 1 for [H begin, H end]. SAME gives ceil(idim / stride) outputs; an odd one of the padding is at
    the end for SAME_UPPER. Source: the operators Conv and MaxPool of ONNX, attribute auto_pad, and their reference
    implementation. onnxruntime agrees, except for SAME_UPPER if the last window ends before the last input by 2 or
    more: it cuts inputs off at the beginning, which no padding can say.
    AttributeValueError for other strings.
    """
    if autopad_str not in ("VALID", "SAME_UPPER", "SAME_LOWER") or n_dims not in (1, 2):
        raise AttributeValueError(
            f"auto_pad '{autopad_str}' in {n_dims} dimensions means no explicit padding",
            remedy="use VALID, SAME_UPPER or SAME_LOWER in 1 or 2 dimensions",
        )
    sizes = ((idim_h, k_h, stride_h, dilation_h), (idim_w, k_w, stride_w, dilation_w))[:n_dims]
    totals = [0 if autopad_str == "VALID" else same_padding(*size) for size in sizes]
    return list(explicit_pads(autopad_str, totals))
