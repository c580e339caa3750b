"""The levels of a MultiThreshold that its input can tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper

from finn.analysis.intervals import Interval
from finn.core.data_layout import channel_axis
from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper

Array = npt.NDArray[Any]


def reduce_levels(model: ModelWrapper, node: NodeProto, intervals: Mapping[str, Interval]) -> bool:
    """Make the thresholds as few and as small as they can be. Whether the node changed.

    node : a MultiThreshold on integers with constant thresholds that nobody else reads; intervals : of its input and
    output. A level that is always reached moves into out_bias if that and out_scale are integers, and if it does not
    make a signed output start at 0 or above.
    """
    x, out = intervals.get(node.input[0]), node.output[0]
    old = np.asarray(model.get_initializer(node.input[1]))
    if x is None or not old.size:
        return False
    changed = _narrow_output(model, node, intervals)
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    scale, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
    low, high = _bounds(x, channel_axis(attributes.get("data_layout", b"NCHW").decode(), x.low.ndim))
    new = narrowed_thresholds(old, low, high)
    always, never = (np.asarray(np.all(m, axis=0)) for m in (new <= low, new > high))
    if (always | never).all():  # a MultiThreshold has at least one level
        always[0] = never[0] = False
    moved = bias + scale * int(always.sum())
    exact = float(scale).is_integer() and float(bias).is_integer()
    if not exact or (moved >= 0 and model.get_tensor_datatype(out).signed()):
        always[:] = False
    if always.any():
        _set_attribute(node, "out_bias", moved)
    new = new[:, ~(always | never)]
    if np.array_equal(new, old):
        return changed
    model.set_initializer(node.input[1], rounded_up(new, old.dtype))
    return True


def narrowed_thresholds(thresholds: Array, low: Array, high: Array) -> Array:
    """The same comparisons of whole numbers: thresholds within low .. high + 1, rising, one row if all are equal.

    thresholds : (C or 1, N); low, high : (C or 1, 1).
    """
    whole = np.ceil(thresholds.astype(np.float64))
    whole = _one_row(np.sort(np.where(np.isnan(whole), np.inf, whole), axis=1))
    if len(whole) == 1:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    return _one_row(np.clip(whole, low, high + 1))


def rounded_up(thresholds: Array, dtype: np.dtype[Any]) -> Array:
    """As `dtype`. One that is no number of it is never reached; the next greater number is not, either."""
    near = thresholds.astype(dtype)
    return np.where(near < thresholds, np.nextafter(near, near.dtype.type(np.inf)), near)


def _one_row(thresholds: Array) -> Array:
    return thresholds[:1] if (thresholds == thresholds[0]).all() else thresholds


def _bounds(x: Interval, axis: int) -> tuple[Array, Array]:
    """Per channel, as columns."""
    x = x.over([i for i in range(x.low.ndim) if i != axis])
    return x.low.astype(np.float64).reshape(-1, 1), x.high.astype(np.float64).reshape(-1, 1)


def _narrow_output(model: ModelWrapper, node: NodeProto, intervals: Mapping[str, Interval]) -> bool:
    """A type with fewer bits, if the codes that occur fit one. Outputs of the graph keep theirs."""
    name, declared = node.output[0], model.get_tensor_datatype(node.output[0])
    if name not in intervals or model.is_graph_output(name) or not declared.is_integer():
        return False
    narrowest = DataType.spanning(*map(int, intervals[name].span))
    if narrowest.bitwidth() >= declared.bitwidth():
        return False
    model.set_tensor_datatype(name, narrowest)
    _set_attribute(node, "out_dtype", narrowest.name)
    return True


def _set_attribute(node: NodeProto, name: str, value: float | str) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
