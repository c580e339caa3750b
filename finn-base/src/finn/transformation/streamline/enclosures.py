"""Bounds of a tail over an interval of what enters it.

Every operator of a tail is monotonic, or its turning points are known (`finn.analysis.interval_rules`). NumPy's sums,
products, quotients, comparisons and roundings are monotonic in each operand in floating point too, since rounding is;
exponentials and their kin are within a few units in the last place. So the bounds hold for what `Tail.evaluate` gives,
not only for the exact functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, TensorProto

from finn.analysis.interval_rules import RULES, Call
from finn.analysis.intervals import Interval, Unknown
from finn.transformation.streamline.tail import Requantized, Step, Tail, column

Array = npt.NDArray[Any]
Bounds = tuple[Array, Array]

SLACK = 8
"""So many units in the last place may the result of one operator lie outside what it gives at the ends."""

RISING_IN_EACH = frozenset({"Add", "And", "Clip", "Max", "Mean", "Min", "Or", "Sum"})
"""Operators that never fall in any operand."""


def enclosure(tail: Tail, low: Array, high: Array) -> Bounds:
    """(least, greatest): all that `tail.evaluate` gives for values between low and high lies between them.

    low, high : (channels or 1, n). NaN where nothing is known. Raises analysis.intervals.Unknown for a tail with an
    operator that has no rule.
    """
    lows, highs = [low], [high]
    for step in tail.steps:
        least, greatest = _loosened(*_of_step(step, lows, highs))
        lows.append(least)
        highs.append(greatest)
    return lows[-1], highs[-1]


def _loosened(least: Array, greatest: Array) -> Bounds:
    """With some slack, unless both are the same: where a function is flat it is so in floating point, too."""
    if least.dtype.kind != "f":
        return least, greatest
    slack = SLACK * np.where(least == greatest, 0.0, np.spacing(np.maximum(np.abs(least), np.abs(greatest))))
    return least - slack, greatest + slack


def _of_step(step: Step, lows: Sequence[Array], highs: Sequence[Array]) -> Bounds:
    if step.op_type in RISING_IN_EACH:
        return step.apply(lows), step.apply(highs)
    if isinstance(step, Requantized) or (len(step.read) == 1 and step.factor() is not None):
        ends = step.apply(lows), step.apply(highs)
        return np.minimum(*ends), np.maximum(*ends)
    if step.op_type == "Where":
        return _of_where(step, lows, highs)
    return _by_rule(step, lows, highs)


def _of_where(step: Step, lows: Sequence[Array], highs: Sequence[Array]) -> Bounds:
    """The chosen one where the condition is known, else both."""
    (never, x, y), (always, v, w) = (
        [values[o] if isinstance(o, int) else column(o) for o in step.operands] for values in (lows, highs)
    )
    known = never == always
    least = np.where(known, np.where(always, x, y), np.minimum(x, y))
    return least, np.where(known, np.where(always, v, w), np.maximum(v, w))


def _by_rule(step: Step, lows: Sequence[Array], highs: Sequence[Array]) -> Bounds:
    """The rule of the range analysis."""
    shape = np.broadcast_shapes(*(v.shape for v in lows), *(column(c).shape for c in step.constants))
    dtype = lows[0].dtype
    inputs = tuple(
        Interval(lows[o], highs[o])
        if isinstance(o, int)
        else None
        if o is None
        else Interval.of_constant(column(o, dtype if o.dtype.kind == "f" else None))
        for o in step.operands
    )
    shapes = (shape,) * len(inputs)
    call = Call(step.node, inputs, shapes, (shape,), TensorProto.FLOAT, step.opset, GraphProto())
    rule = RULES.get(step.op_type)
    if rule is None:
        raise Unknown(f"there is no rule for {step.op_type}")
    (found,) = rule(call)
    return np.broadcast_to(found.low, shape), np.broadcast_to(found.high, shape)
