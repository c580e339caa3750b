"""A quantizer on a tail of integers: thresholds, a look-up table, or the difference of two sets of thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from finn.analysis.ranges import IntArray, Range
from finn.core.datatype import BaseDataType, DataType
from finn.transformation.streamline.graph import IntegerGraph
from finn.transformation.streamline.layers import of_two, per_channel, simplified, with_constant
from finn.transformation.streamline.quantizers import Quantizer
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.runs import Runs, runs
from finn.transformation.streamline.tail import column
from finn.transformation.streamline.thresholds import float_thresholds, level, levels, search
from finn.transformation.streamline.values import Array, Scaled, Source, compact, with_rank

TABLE = 4096
"""Look-up tables have at most so many entries, over all channels."""


@dataclass(frozen=True, eq=False)
class Quantized:
    """y == scale * source + bias, and in words what computes the source."""

    source: Source
    scale: Array
    bias: Array
    what: str


def channels_of(x: Scaled, q: Quantizer) -> int:
    """1, or the last dimension if the tail or the quantizer varies along it. Refused if they vary elsewhere."""
    last = x.source.shape[-1] if x.source.shape else 1
    sizes = {q.channels}
    if x.source.range is not None and compact(x.source.range.low).shape[-1:] == (last,):
        sizes.add(last)
    for c in map(compact, (x.scale, x.bias, *x.tail.constants, q.scale, q.bias, *q.constants)):
        sizes.add(c.size)
        if c.size > 1 and (c.shape[-1] != c.size or c.size != last):
            raise Refused(
                f"a constant of shape {c.shape} varies along an axis of {x.source.shape} that is not the last",
                "use one parameter per tensor, or per channel with the channels last",
            )
    return max(sizes)


def varying_axes(x: Scaled, q: Quantizer) -> list[int]:
    """The axes along which the tail or the parameters of the quantizer vary."""
    rank = len(x.source.shape or ())
    constants = (x.scale, x.bias, *x.tail.constants, q.scale, q.bias, *q.constants)
    arrays = [with_rank(c, rank) for c in map(compact, constants) if c.ndim <= rank]
    return sorted({axis for c in arrays for axis, n in enumerate(c.shape) if n > 1})


def quantized(graph: IntegerGraph, x: Scaled, q: Quantizer, name: str) -> Quantized:
    """The quantizer on x, computed from the integers, or from the float input, that x is made of.

    name : of the quantized tensor. Refused if the tail varies along other axes than the last, is not known to be
    monotonic on floats, or gives NaN.
    """
    channels = channels_of(x, q)
    if x.source.range is None:
        return _of_floats(graph, x, q, channels, name)
    low, high = per_channel(x.source.range, channels) if channels > 1 else _ends(x.source.range)
    rises = x.slopes()
    if rises is None:
        found = runs(x, q, low, high)
        rises = found.directions
        if rises is None:
            return _not_monotonic(graph, x, q, low, high, found, name)
    falls = np.broadcast_to(rises.reshape(-1) < 0, channels)
    if falls.any() and x.source.rescaled is not None:
        x, low, high = negated(graph, x, falls), np.where(falls, -high, low), np.where(falls, -low, high)
    else:
        q = complemented(q, falls)
    offset = _offset(x, q, low, high, graph.datatypes.get(x.source.name))
    if offset is not None:
        return Quantized(x.source, q.scale, q.bias + q.scale * offset, "")
    thresholds = search(lambda v: level(x, q, v), low, high, q.codes)
    bounds = simplified(*(level(x, q, column(b))[:, 0] for b in (low, high)))
    if q.three_way_sign and (thresholds[:, 0] == thresholds[:, 1]).all():  # 0 never occurs
        q, thresholds = replace(q, step=2), thresholds[:, :1]
    y = graph.multithreshold(x.source, thresholds, f"{name}_int", q.datatype, q.step, q.low, bounds)
    return Quantized(y, q.scale, q.bias, "MultiThreshold")


def _ends(bounds: Range) -> tuple[IntArray, IntArray]:
    low, high = bounds.span
    return np.array([low]), np.array([high])


def negated(graph: IntegerGraph, x: Scaled, channels: npt.NDArray[np.bool_]) -> Scaled:
    """The same x, from a layer with the weights of these output channels negated."""
    if x.source.rescaled is None:
        return x
    signs = np.where(np.broadcast_to(channels, x.source.dims[-1:]), -1, 1)
    source = x.source.rescaled(signs)
    graph.superseded[x.source.name] = (source, signs)
    return replace(x, source=source, scale=x.scale * signs)


def complemented(q: Quantizer, falls: npt.NDArray[np.bool_]) -> Quantizer:
    """The same quantizer with codes counted from the other end where x falls, so that every channel rises."""
    if not falls.any():
        return q
    flips = falls.reshape(()) if falls.size == 1 else falls
    ends, code_of = q.low + q.high, q.code_of
    return replace(
        q,
        scale=np.where(flips, -q.scale, q.scale),
        bias=q.bias + np.where(flips, q.scale * ends, 0.0),
        code_of=lambda x, *c: np.where(column(falls), ends - code_of(x, *c), code_of(x, *c)),
    )


def _of_floats(graph: IntegerGraph, x: Scaled, q: Quantizer, channels: int, name: str) -> Quantized:
    """float32 thresholds; codes are counted from the other end where x falls."""
    slopes = x.slopes()
    if slopes is None:
        raise Refused(f"{x.operators} on the float input is not known to be monotonic", "quantize the input first")
    q = complemented(q, slopes.reshape(-1) < 0)
    thresholds = float_thresholds(lambda v: level(x, q, v), channels, q.codes)
    y = graph.multithreshold(x.source, thresholds, f"{name}_int", q.datatype, q.step, q.low, Range.of(q.datatype))
    return Quantized(y, q.scale, q.bias, "MultiThreshold")


def _offset(x: Scaled, q: Quantizer, low: IntArray, high: IntArray, datatype: BaseDataType | None) -> int | None:
    """d, if the quantizer only adds d to integers that are quantized already; else None. datatype : of the integers."""
    span = int(high.max() - low.min()) + 1
    step = 2 if datatype == "BIPOLAR" else 1
    if x.source.rescaled is not None or span > 1024 or q.step > step:
        return None
    v = np.minimum(column(low) + np.arange(0, span, step), column(high))
    added = np.unique(level(x, q, v) - v)
    return int(added[0]) if added.size == 1 else None


# ------------------------------------------------------------------------------------------------------ not monotonic


def _not_monotonic(
    graph: IntegerGraph, x: Scaled, q: Quantizer, low: IntArray, high: IntArray, found: Runs, name: str
) -> Quantized:
    span = int((high - low).max()) + 1
    rows = max(len(low), x.source.dims[-1] if channels_of(x, q) > 1 else 1)
    if span * rows <= TABLE:
        codes = levels(x, q, low, high)
        return Quantized(looked_up(graph, x.source, codes, low, q.datatype, name), q.scale, q.bias, "look-up table")
    count = max(found.count(1), found.count(-1))
    if count > 4 * len(q.codes):
        raise Refused(
            f"{x.operators} and the quantizer rise and fall too often ({count} steps) for thresholds",
            "use a smoother activation function before the quantizer, or fewer bits",
        )
    ups, downs, first = found.thresholds(high, 1), found.thresholds(high, -1), found.codes[:, 0]
    unsigned = DataType.spanning(0, ups.shape[1]), DataType.spanning(0, downs.shape[1])
    parts = [
        graph.multithreshold(x.source, t, f"{name}_{word}", kind, 1, 0, Range(np.array(0), np.array(t.shape[1])))
        for t, word, kind in zip((ups, downs), ("rises", "falls"), unsigned, strict=True)
    ]
    y = of_two(graph, "Sub", parts[0], parts[1], f"{name}_counted")
    y = with_constant(graph, "Add", y, first.reshape(-1) if first.size > 1 else first.reshape(()), f"{name}_int")
    bounds = Range(np.array(q.low), np.array(q.high))  # what the difference really reaches
    graph.note(y.name, bounds)
    return Quantized(replace(y, range=bounds), q.scale, q.bias, "MultiThreshold - MultiThreshold")


def looked_up(
    graph: IntegerGraph, x: Source, codes: IntArray, low: IntArray, datatype: BaseDataType, name: str
) -> Source:
    """codes[c, x - low[c]]: one table behind the other. codes : (channels or 1, span)."""
    channels, span = codes.shape
    start = np.arange(channels) * span - np.broadcast_to(low, channels)
    start = start.reshape(()) if channels == 1 else start
    index = x if not start.any() else with_constant(graph, "Add", x, start, f"{name}_index")
    bounds = Range(np.array(0), np.array(codes.size - 1))
    if index is not x:
        graph.note(index.name, bounds)
    position = graph.node("Cast", [index.name], f"{name}_position", x.shape, to=TensorProto.INT64)
    graph.indices.add(position)
    graph.datatypes[position] = bounds.datatype
    table = graph.constant(f"{name}_table", codes.reshape(-1), datatype)
    result = simplified(codes.min(1), codes.max(1))
    return graph.integers("Gather", [table, position], f"{name}_int", x.shape, result, datatype=datatype, axis=0)
