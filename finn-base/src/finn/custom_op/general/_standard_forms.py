"""The quantizers in standard ONNX, for `CustomOp.expand`. Each equals the NumPy function of its operator exactly."""

from __future__ import annotations

import numpy as np

from finn.custom_op.expansion import Expansion, at_least

_ONE, _MINUS_ONE = np.float32(1), np.float32(-1)


def int_quant_form(e: Expansion, signed: bool, narrow: bool, rounding_mode: str) -> list[str] | None:
    """`int_quant` of inputs x, scale, zero point, bits; None unless the parameters are known finite float32 values."""
    scale, zeropt, bits = (e.constant(position) for position in (1, 2, 3))
    if scale is None or zeropt is None or bits is None or bits.size != 1 or not _plain(scale, zeropt):
        return None
    width = int(bits.reshape(-1)[0])
    if width != bits.reshape(-1)[0] or not 1 <= width <= 24:
        return None  # float32 has no exact bounds beyond, or the operator refuses
    q = _scaled(e, scale, zeropt)
    if width == 1 and signed:
        integer = e.Where(at_least(q, np.zeros((), np.float32), e), _ONE, _MINUS_ONE)
    else:
        low = -(2 ** (width - 1)) + narrow if signed else 0
        high = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
        integer = rounded(e, clipped(e, q, low, high), rounding_mode)
    if np.any(zeropt != 0):
        integer = e.Sub(integer, zeropt)
    return [str(e.Mul(integer, scale))]


def bipolar_quant_form(e: Expansion) -> list[str] | None:
    """`binary_quant` of inputs x, scale."""
    scale = e.constant(1)
    if scale is None or not _plain(scale):
        return None
    sign = e.Where(at_least(e.node.input[0], np.zeros((), np.float32), e), _ONE, _MINUS_ONE)
    return [str(e.Mul(sign, scale))]


def _plain(*parameters: np.ndarray) -> bool:
    return all(p.dtype == np.float32 and np.all(np.isfinite(p)) for p in parameters)


def _scaled(e: Expansion, scale: np.ndarray, zeropt: np.ndarray) -> str:
    """x / scale + zeropt."""
    q = e.Div(e.node.input[0], scale)
    return str(e.Add(q, zeropt) if np.any(zeropt != 0) else q)


def clipped(e: Expansion, x: str, low: float, high: float) -> str:
    """x between low and high; NaN stays NaN. The bounds are attributes before opset 11."""
    if e.opset < 11:
        return str(e.Clip(x, min=float(low), max=float(high)))
    return str(e.Clip(x, np.float32(low), np.float32(high)))


def rounded(e: Expansion, x: str, mode: str) -> str:
    """x, of less than 24 bits, rounded as `resolve_rounding_mode(mode)` does."""
    mode = mode.upper()
    if mode in ("ROUND", "HALF_EVEN"):
        return _half_even(e, x)
    if mode in ("CEIL", "FLOOR"):
        return str(e.Ceil(x) if mode == "CEIL" else e.Floor(x))
    magnitude = e.Abs(x)
    if mode in ("UP", "DOWN"):
        return str(e.Mul(e.Sign(x), e.Ceil(magnitude) if mode == "UP" else e.Floor(magnitude)))
    whole = e.Floor(magnitude)
    fraction = e.Sub(magnitude, whole)  # exact, while magnitude + 0.5 would round
    half = np.asarray(0.5, np.float32)
    up = at_least(fraction, half, e) if mode == "HALF_UP" else e.Greater(fraction, half)
    return str(e.Mul(e.Sign(x), e.Where(up, e.Add(whole, _ONE), whole)))


def _half_even(e: Expansion, x: str) -> str:
    if e.opset >= 11:
        return str(e.Round(x))
    # Adding 1.5 * 2^23 leaves no bits for a fraction, and the sum is rounded to even: exact below 2^22.
    shift = np.float32(1.5 * 2**23)
    return str(e.Sub(e.Add(x, shift), shift))
