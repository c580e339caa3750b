"""Range analysis with the names under which scripts know it. `finn.analysis.value_ranges` does the work.

A range is a pair (least, greatest), of numbers or of vectors with one entry per channel. A range_dict has them by
tensor; the functions calc_* add the range of the output of a node.
"""

from __future__ import annotations

import argparse
import ast
import os
import pprint
import sys
import warnings
from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, ValueInfoProto, helper

from finn.analysis.interval_rules import RULES, Call, corners
from finn.analysis.intervals import Array, Interval, Unknown, along, expanded
from finn.analysis.stuck_channels import (
    REPORT_MODE_RANGE,
    REPORT_MODE_STUCKCHANNEL,
    REPORT_MODE_ZEROSTUCKCHANNEL,
    REPORT_MODES,
    ChannelRange,
    channel_axis_of,
    check_report_mode,
    per_channel,
    simplified,
    stuck_report,
)
from finn.analysis.value_ranges import make_call, value_ranges
from finn.core.errors import ConfigError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.util.cleanup import cleanup_model

__all__ = [
    "REPORT_MODE_RANGE",
    "REPORT_MODE_STUCKCHANNEL",
    "REPORT_MODE_ZEROSTUCKCHANNEL",
    "calc_conv_range",
    "calc_convtranspose_range",
    "calc_gemm_range",
    "calc_matmul_range",
    "calc_monotonic_range",
    "calc_range_outdtype",
    "calculate_matvec_accumulator_extremum",
    "get_minmax_prototype_tensors",
    "is_dyn_input",
    "main",
    "range_analysis",
    "simplify_range",
]

RangeDict = MutableMapping[str, ChannelRange]


def range_analysis(
    model_filename_or_wrapper: str | os.PathLike[str] | ModelWrapper,
    *,
    irange: str | tuple[Any, Any] = "",
    key_filter: str = "",
    report_mode: str = REPORT_MODE_STUCKCHANNEL,
    prettyprint: bool = False,
    do_cleanup: bool = False,
) -> Any:
    """A report on the range of every tensor but initializers, per channel.

    irange: the range of all graph inputs, as "low,high", each a number or a list with one entry per channel; what the
    annotated data types say if empty. key_filter: report tensors whose name contains it. do_cleanup: run cleanup_model
    before. report_mode:

    - "range": {tensor: (low, high)}, numbers, or lists where the channels differ
    - "stuck_channel": {tensor: [(channel, value)]} of channels that are constant
    - "zerostuck_channel": {tensor: {channel}} of channels that are constant 0

    prettyprint: the report as text. Operators without a rule are warned of; nothing is known behind them (-inf, inf).
    """
    check_report_mode(report_mode)
    given = model_filename_or_wrapper
    model = given if isinstance(given, ModelWrapper) else ModelWrapper(given)
    if do_cleanup:
        model = cleanup_model(model)
    ranges = _ranges(model, _parsed(irange), key_filter)
    if report_mode == REPORT_MODE_RANGE:
        report: dict[str, Any] = {name: (_plain(low), _plain(high)) for name, (low, high) in ranges.items()}
    else:
        report = stuck_report(ranges, report_mode)
    return pprint.pformat(report, sort_dicts=False) if prettyprint else report


def _ranges(model: ModelWrapper, irange: tuple[Any, Any] | None, key_filter: str) -> dict[str, ChannelRange]:
    """Per channel, of tensors whose name contains `key_filter`."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = {}
    for value in model.graph.input:
        if irange is not None and value.name not in initializers:
            axis, rank = channel_axis_of(model, value.name), len(model.get_tensor_shape(value.name) or ())
            inputs[value.name] = tuple(_laid_out(end, axis, rank) for end in irange)
    result = value_ranges(model, {name: (low, high) for name, (low, high) in inputs.items()})
    for note in result.notes:
        warnings.warn(str(note), stacklevel=3)
    wanted = [name for name in result.intervals if name not in initializers and key_filter in name]
    return {name: per_channel(result.intervals[name], channel_axis_of(model, name)) for name in wanted}


def _laid_out(bound: Any, axis: int, rank: int) -> Array:
    bound = np.asarray(bound, np.float64).reshape(-1)
    return along(bound, axis, rank) if rank > 1 else bound.reshape((1,) * rank) if bound.size == 1 else bound


def _plain(bound: Any) -> Any:
    return np.asarray(bound).tolist()


def _parsed(irange: str | tuple[Any, Any]) -> tuple[Any, Any] | None:
    """The ends of "low,high", or None. ConfigError for anything else: nothing is evaluated."""
    if isinstance(irange, str) and not irange.strip():
        return None
    try:
        ends = ast.literal_eval(irange.strip()) if isinstance(irange, str) else irange
        low, high = (np.asarray(end, np.float64) for end in ends)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ConfigError(
            f"irange is {irange!r}", remedy='use "low,high", each a number or a list with one entry per channel'
        ) from error
    return low, high


# ------------------------------------------------------------------------------------------------------- single nodes


def calculate_matvec_accumulator_extremum(matrix: np.ndarray, vec_min: Any, vec_max: Any) -> tuple[Array, Array]:
    """(least, greatest) of each row of matrix @ x, for x between vec_min and vec_max: both are reached."""
    matrix = np.asarray(matrix)
    ends = matrix * np.asarray(vec_min), matrix * np.asarray(vec_max)
    return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)


def calc_gemm_range(node: NodeProto, model: ModelWrapper, range_dict: RangeDict) -> None:
    """Gemm, with any attributes, on either constant operand."""
    _calculate(node, model, range_dict)


def calc_matmul_range(node: NodeProto, model: ModelWrapper, range_dict: RangeDict) -> None:
    """MatMul, with a constant operand on either side, or none."""
    _calculate(node, model, range_dict)


def calc_conv_range(node: NodeProto, model: ModelWrapper, range_dict: RangeDict) -> None:
    """Conv of any group and dilation, with its bias; 0 in the padding."""
    _calculate(node, model, range_dict)


def calc_convtranspose_range(node: NodeProto, model: ModelWrapper, range_dict: RangeDict) -> None:
    """ConvTranspose of any group, stride and dilation, with its bias."""
    _calculate(node, model, range_dict)


def calc_monotonic_range(node: NodeProto, model: ModelWrapper, range_dict: RangeDict, i_channel_axis: int = 1) -> None:
    """A node that is monotonic in each input: the node itself on all combinations of least and greatest inputs."""
    call = _call(node, model, range_dict, i_channel_axis)
    full = [_in_full(call, i) for i in range(len(call.inputs))]
    (result,) = corners(data=range(len(full)))(call.with_data(*full))  # type: ignore[arg-type]
    range_dict[node.output[0]] = per_channel(result, i_channel_axis)


def _in_full(call: Call, i: int) -> Interval | None:
    x = call.inputs[i]
    return x if x is None or x.constant else x.map(lambda b: expanded(b, range(b.ndim), call.shape(i)))


def calc_range_outdtype(node: NodeProto, model: ModelWrapper, range_dict: RangeDict) -> None:
    """All values of the annotated data type of the output; of FLOAT32 any number."""
    interval = Interval.of_datatype(model.get_tensor_datatype(node.output[0]), 0)
    range_dict[node.output[0]] = per_channel(interval)


def _calculate(node: NodeProto, model: ModelWrapper, range_dict: RangeDict) -> None:
    """By the rule of the operator. UnsupportedError says why there is no answer."""
    try:
        with np.errstate(all="ignore"):  # infinite bounds
            results = RULES[node.op_type](_call(node, model, range_dict))
    except (Unknown, KeyError) as error:
        raise UnsupportedError(
            f"the range of its output cannot be told: {error}", where=f"node {describe(node)}"
        ) from error
    axis = channel_axis_of(model, node.output[0])
    range_dict[node.output[0]] = per_channel(results[0], axis)


def _call(node: NodeProto, model: ModelWrapper, range_dict: RangeDict, axis: int | None = None) -> Call:
    def interval(name: str) -> Interval:
        rank = len(model.get_tensor_shape(name) or ())
        if name in range_dict:
            layout = channel_axis_of(model, name) if axis is None else axis
            low, high = (_laid_out(end, layout, rank) for end in range_dict[name])
            return Interval.between(low, high)
        value = model.get_initializer(name)
        if value is None:
            raise UnsupportedError(f"the range of tensor '{name}' is not known", where=f"node {describe(node)}")
        return Interval.of_constant(value)

    return make_call(model, node, interval)


def get_minmax_prototype_tensors(
    irange: ChannelRange, ishp: Sequence[int], inp_vi: ValueInfoProto, i_channel_axis: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Tensors of shape `ishp`, of the element type of `inp_vi`, full of the least and full of the greatest values."""
    dtype = helper.tensor_dtype_to_np_dtype(inp_vi.type.tensor_type.elem_type)
    low, high = (
        np.array(np.broadcast_to(_laid_out(end, i_channel_axis, len(ishp)), tuple(ishp)), dtype=dtype) for end in irange
    )
    return low, high


def is_dyn_input(x: str, model: ModelWrapper) -> bool:
    """Whether this input of a node is there and no constant."""
    return x != "" and not model.has_initializer(x)


def simplify_range(range: ChannelRange) -> ChannelRange:  # the published name
    """Numbers instead of vectors if all channels have the same range."""
    low, high = range
    if not (np.ndim(low) and np.ndim(high)):
        return range
    return simplified(np.asarray(low), np.asarray(high))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: print the report on a model."""
    parser = argparse.ArgumentParser(description="Report the ranges, or the stuck channels, of a model.")
    parser.add_argument("model", help="ONNX file")
    parser.add_argument("--irange", default="", help='range of the graph inputs, "low,high"')
    parser.add_argument("--key-filter", default="", help="report tensors whose name contains this")
    parser.add_argument("--report-mode", default=REPORT_MODE_STUCKCHANNEL, choices=REPORT_MODES)
    parser.add_argument("--do-cleanup", action="store_true", help="clean the model up before")
    given = vars(parser.parse_args(arguments))
    sys.stdout.write(f"{range_analysis(given.pop('model'), prettyprint=True, **given)}\n")
