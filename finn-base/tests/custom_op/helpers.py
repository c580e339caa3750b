"""Exact definitions in Python's integers and fractions, and a way to run one node."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from onnx import helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes
from finn.util.basic import qonnx_make_model

MODES = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


def rounded(value: Fraction, mode: str) -> int:
    """`value` rounded to an integer."""
    down = math.floor(value)
    rest = value - down
    half, away = Fraction(1, 2), value >= 0  # away: whether the upper neighbour is the one away from zero
    up = {
        "ROUND": rest > half or (rest == half and down % 2 == 1),
        "HALF_EVEN": rest > half or (rest == half and down % 2 == 1),
        "CEIL": rest > 0,
        "FLOOR": False,
        "UP": rest > 0 and away,
        "DOWN": rest > 0 and not away,
        "HALF_UP": rest > half or (rest == half and away),
        "HALF_DOWN": rest > half or (rest == half and not away),
    }[mode]
    return down + up


def integer_range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """The least and the greatest integer of so many bits."""
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def windows(
    spatial: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    ceil_mode: bool = False,
) -> list[list[list[int]]]:
    """Per axis, per window, the places that it covers, counted from the first element; padding is outside of 0..size-1.

    A window is there if it lies within the padded axis; with ceil_mode also if the one before it leaves something
    uncovered, and it starts before the last element ends.
    """
    axes = len(spatial)
    result = []
    for axis in range(axes):
        size, before, after = spatial[axis], pads[axis], pads[axis + axes]
        places = []
        for number in itertools.count():
            start = number * strides[axis] - before
            covered = [start + tap * dilations[axis] for tap in range(kernel[axis])]
            fits = covered[-1] < size + after
            last_end = places[-1][-1] if places else -before - 1
            if not fits and not (ceil_mode and places and last_end < size + after - 1 and start < size):
                break
            places.append(covered)
        result.append(places)
    return result


def by_windows(
    x: np.ndarray,
    per_axis: list[list[list[int]]],
    value: Callable[[int, list[tuple[int, ...] | None]], Sequence[object]],
) -> list[object]:
    """For each image and each window, in order, what `value` makes of the covered places (None in the padding)."""
    out: list[object] = []
    for n, *window in itertools.product(range(x.shape[0]), *per_axis):
        spots = [
            spot if all(0 <= at < size for at, size in zip(spot, x.shape[1:-1], strict=True)) else None
            for spot in itertools.product(*window)
        ]
        out.extend(value(n, spots))
    return out


def one_node(
    op_type: str,
    inputs: Mapping[str, tuple[Sequence[int | str], int]],
    constants: Mapping[str, np.ndarray] | None = None,
    domain: str = "finn.custom_op.general",
    version: int = 1,
    opset: int = 13,
    **attributes: object,
) -> ModelWrapper:
    """A model of one node; its inputs are those of the graph, then the constants."""
    node = helper.make_node(op_type, [*inputs, *(constants or {})], ["y"], f"{op_type}_0", domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, (shape, kind) in inputs.items()],
        [helper.make_tensor_value_info("y", 0, None)],
    )
    graph.output[0].ClearField("type")
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(domain, version)]
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=imports))
    for name, value in (constants or {}).items():
        model.set_initializer(name, value)
    return model


def inferred(model: ModelWrapper) -> tuple[list[int | str], int, str]:
    """Shape (symbols by name), element type and data type of the output y."""
    model = model.transform(InferShapes()).transform(InferDataTypes())
    kind = model.graph.output[0].type.tensor_type
    shape = [dim.dim_param or dim.dim_value for dim in kind.shape.dim]
    return shape, kind.elem_type, model.get_tensor_datatype("y").name


def run(model: ModelWrapper, **inputs: np.ndarray) -> np.ndarray:
    """The output y."""
    return execute_onnx(model, inputs)["y"]
