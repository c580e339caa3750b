"""Tails that map integers to integers of the same scale: computed on the integers, without a quantizer.

Relu, Clip and their kin on numbers scale * q + bias give such numbers again if the bounds are such numbers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from finn.analysis.ranges import IntArray
from finn.core.datatype import DataType
from finn.transformation.streamline.graph import IntegerGraph
from finn.transformation.streamline.layers import per_channel, with_constant
from finn.transformation.streamline.quantize import TABLE, looked_up
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.tail import Step, Tail, column
from finn.transformation.streamline.values import Array, Scaled, aligned

TOLERANCE = 1e-9
"""A number is whole if it is no further from a whole number, relative to its size."""

MOST_CODE = 2**16
"""Look-up tables have entries up to this magnitude."""

NOISE = 1e-12
"""What is smaller, relative to the greatest value, is 0 but for rounding: it is no multiple of anything wanted here."""

OPPOSITE = {"Max": "Min", "Min": "Max"}


def whole(c: Array) -> IntArray | None:
    """The integers that c consists of, but for rounding in the last bits of float64; None if it does not."""
    n = np.rint(c)
    fits = np.abs(c - n) <= TOLERANCE * np.maximum(1.0, np.abs(c))
    return n.astype(np.int64) if fits.all() and (np.abs(c) < 2.0**52).all() else None


def regridded(graph: IntegerGraph, x: Scaled, name: str) -> Scaled | None:
    """x == scale * q' + bias without a tail, q' computed by new nodes; None if the tail does not allow that."""
    return _clipped(graph, x, name) or _tabulated(graph, x, name)


def _clipped(graph: IntegerGraph, x: Scaled, name: str) -> Scaled | None:
    """A chain of affine steps and of Relu, Clip, Max and Min with bounds on the grid."""
    if any(step.read != [i] for i, step in enumerate(x.tail.steps)):
        return None
    scale, bias, source = x.scale, x.bias, x.source
    plans: list[tuple[str, IntArray]] = []
    for step in x.tail.steps:
        affine = Tail((replace(step, operands=tuple(0 if isinstance(o, int) else o for o in step.operands)),))
        ab = affine.affine(scale, bias)
        bounds = _bounds(step) if ab is None else []
        if ab is not None:
            scale, bias = ab
        if bounds is None or (bounds and not ((scale > 0).all() or (scale < 0).all())):
            return None
        for op_type, bound in bounds:
            corner = whole((bound.astype(np.float64) - bias) / scale)
            if corner is None:
                return None
            plans.append((op_type if (scale > 0).all() else OPPOSITE[op_type], corner))
    for op_type, corner in plans:
        source = with_constant(graph, op_type, source, corner, f"{name}_clipped")
    return Scaled(source, scale, bias)


def _bounds(step: Step) -> list[tuple[str, Array]] | None:
    """The step as Max and Min with constants."""
    if step.op_type == "Relu":
        return [("Max", np.zeros(()))]
    if step.op_type in {"Max", "Min"} and len(step.constants) == 1:
        return [(step.op_type, step.constants[0])]
    if step.op_type != "Clip":
        return None
    found: list[tuple[str, Array]] = []
    for position, op_type, attribute in ((1, "Max", "min"), (2, "Min", "max")):
        bound = step.operands[position] if len(step.operands) > position else step.attributes.get(attribute)
        if isinstance(bound, int | float | np.ndarray):
            found.append((op_type, np.asarray(bound)))
    return found


def _tabulated(graph: IntegerGraph, x: Scaled, name: str) -> Scaled | None:
    """Any tail over few integers whose values have a common measure, as a look-up table."""
    bounds = x.source.bounds
    last = x.source.dims[-1] if x.source.shape else 1
    if any(c.size > 1 and (c.shape[-1] != c.size or c.size != last) for c in x.arrays):
        return None
    channels = max(c.size for c in x.arrays)
    low, high = per_channel(bounds, channels)
    span = int((high - low).max()) + 1
    if span * channels > TABLE or not x.scale.all():
        return None
    values = x.evaluate(np.minimum(column(low) + np.arange(span), column(high)))
    if not np.isfinite(values).all():
        return None
    measured = _measured(values, np.abs(x.scale))
    if measured is None:
        return None
    unit, codes = measured
    codes = np.broadcast_to(codes, (channels, span))
    datatype = DataType.spanning(int(codes.min()), int(codes.max()))
    return Scaled(looked_up(graph, x.source, codes, low, datatype, name), unit, np.zeros(()))


def _measured(values: Array, scale: Array) -> tuple[Array, IntArray] | None:
    """(unit, codes) with values == unit * codes, no code beyond MOST_CODE; None if there are none.

    values : (channels or 1, n). unit : the greatest multiple of `scale` that measures all values, else their greatest
    common measure, else one for each channel.
    """
    values = np.where(np.abs(values) < NOISE * np.abs(values).max(initial=0.0), 0.0, values)
    of_all, of_each = (_common_measure(v) for v in (values.reshape(1, -1), values))
    for unit in (scale, of_all, of_each):
        codes = None if unit is None else whole(values / column(unit))
        if unit is not None and codes is not None and int(np.abs(codes).max()) <= MOST_CODE:
            factor = int(np.gcd.reduce(codes, axis=None)) or 1
            return unit * factor, codes // factor
    return None


def _common_measure(rows: Array) -> Array | None:
    """The greatest number of which all values of a row are multiples; (), or one for each row. None if one has none."""
    try:
        bases = [abs(aligned(np.append(0.0, np.unique(row)))[0]) or 1.0 for row in rows]
    except Refused:
        return None
    return np.reshape(bases, () if len(bases) == 1 else -1)
