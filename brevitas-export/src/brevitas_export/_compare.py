# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch against the graph: the result, and each layer by itself.

Two correct programs differ in the last bit of a sum. If a quantizer gets that sum and it is next to a tie, its result
differs by a whole step, and everything behind it more and more. Therefore each layer of the graph is also computed by
itself, from what PyTorch gave to it: a quantizer may then differ by one step where its input is next to a tie, and
nothing else may. If so, the graph computes what the network does, by induction over the layers.

Needs PyTorch and Brevitas: import it inside functions only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from brevitas_export._observe import Observation, Quantized, kept_as_is, observe, result_of
from brevitas_export.errors import ExportError
from brevitas_export.preprocess import Preprocess, apply
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model

log = logging.getLogger(__name__)

Row = Sequence[NDArray[Any]]
RESULT = "(output)"
NEAR = 1e-3
"""Of a step: what counts as next to a tie."""
ROUND = ("Quant", "BipolarQuant", "Trunc", "QuantizeLinear", "MultiThreshold")
BEHIND = ("DequantizeLinear", "Clip", "Mul", "Add")
QUANTIZERS_OF_RESULT = ("act_quant", "output_quant", "trunc_quant")


@dataclass(frozen=True)
class Difference:
    """Of one layer. largest : of an element; ties : elements that differ by one step of the quantizer; ok : no more."""

    layer: str
    largest: float
    ties: int
    ok: bool


def is_close(given: NDArray[Any], expected: NDArray[Any], tolerance: float) -> bool:
    """Whether no element differs by more than the tolerance, which is relative if there are elements above 1."""
    return given.shape == expected.shape and bool(_close(given, expected, tolerance).all())


def _close(given: NDArray[Any], expected: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    limit = tolerance * max(1.0, float(np.abs(expected).max(initial=0)))
    close: NDArray[np.bool_] = np.abs(given.astype(np.float64) - expected) <= limit  # also refuses NaN
    return close


def largest(given: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference of an element; NaN if there is a NaN in one of them, infinity for different shapes."""
    if given.shape != expected.shape:
        return float("inf")
    return float(np.abs(given.astype(np.float64) - expected).max(initial=0))


def differ(
    layer: str,
    given: NDArray[Any],
    expected: NDArray[Any],
    tolerance: float,
    quantized: Quantized | None = None,
    before: NDArray[Any] | None = None,
) -> Difference:
    """How two values of a layer differ. quantized : the quantizer of its result; before : what went into it."""
    most = largest(given, expected)
    if is_close(given, expected, tolerance):
        return Difference(layer, most, 0, True)
    if quantized is None or quantized.scale is None or before is None:
        return Difference(layer, most, 0, False)
    if not given.shape == expected.shape == before.shape:
        return Difference(layer, most, 0, False)
    step = np.broadcast_to(quantized.scale * (2 if quantized.bits == 1 else 1), expected.shape)
    different = ~_close(given, expected, tolerance)
    ties = int(different.sum())
    return Difference(layer, most, ties, bool(_at_ties(given, expected, before, step)[different].all()))


def _at_ties(given: NDArray[Any], expected: NDArray[Any], x: NDArray[Any], step: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the two are neighbours, and x is where rounding goes from the one to the other."""
    low, high = np.minimum(given, expected).astype(np.float64), np.maximum(given, expected).astype(np.float64)
    distances = np.abs(x - np.stack([(low + high) / 2, low, high]))  # to the nearest, up, down
    near: NDArray[np.bool_] = (high - low <= step * (1 + NEAR)) & (distances.min(axis=0) <= step * NEAR)
    return near


def quantizer_of_result(layer: str, seen: Observation) -> Quantized | None:
    """What is known of the quantizer that the result of a layer, or of a part of a layer, comes from."""
    names = (layer, *(f"{layer}.{kind}" for kind in QUANTIZERS_OF_RESULT))
    return next((seen.quantized[name] for name in names if name in seen.quantized), None)


def seen_by_network(rows: Sequence[Row], preprocess: Preprocess | None) -> list[Row]:
    """The samples as the module gets them; only the first input is preprocessed."""
    return [[apply(preprocess, row[0]), *row[1:]] for row in rows] if preprocess is not None else list(rows)


def scores_of(model: ModelWrapper) -> str:
    """The tensor that the module returns: the output of the graph, or what its last TopK reads."""
    output = model.get_first_global_out()
    producer = model.find_producer(output)
    return producer.input[0] if producer is not None and producer.op_type == "TopK" else output


def tensors_of_layers(model: ModelWrapper, seen: Observation) -> dict[str, list[str]]:
    """The tensors that the graph has for the calls of each layer, for layers that have one for every call."""
    known = {name for node in model.graph.node for name in node.output}
    found = {}
    for layer, values in seen.outputs.items():
        tensors = [f"{layer}_out", *(f"{layer}_out_{i}" for i in range(1, len(values)))]
        if layer in seen.last and tensors[-1] not in known:
            tensors[-1] = scores_of(model)
        if known.issuperset(tensors) and f"{layer}_out_{len(values)}" not in known:
            found[layer] = tensors
    return found


def _rounded(model: ModelWrapper, name: str) -> str:
    """What the quantizer behind which the tensor stands rounds; "" if there is none."""
    node = model.find_producer(name)
    while node is not None and node.op_type in BEHIND:
        node = model.find_producer(next(entry for entry in node.input if not model.has_initializer(entry)))
    return node.input[0] if node is not None and node.op_type in ROUND else ""


class Layers:
    """The graph, cut behind each layer: every layer is computed from what PyTorch gave to it."""

    def __init__(self, model: ModelWrapper, seen: Observation) -> None:
        self.layers = tensors_of_layers(model, seen)
        cut = ModelWrapper(model.model, make_deepcopy=True)
        self.scores = scores_of(cut)
        self.taught: dict[str, tuple[str, int]] = {}
        for layer, tensors in self.layers.items():
            for call, name in enumerate(tensors):
                if name != self.scores and seen.outputs[layer][call].shape == tuple(cut.get_tensor_shape(name) or ()):
                    self.taught[name] = (layer, call)
        for name in self.taught:
            info = cut.get_tensor_valueinfo(name)
            entry = cut.unique_tensor_name(f"{name}_of_pytorch")
            kind = info.type.tensor_type.elem_type if info is not None else 0
            cut.replace_uses(name, entry)
            cut.graph.input.append(helper.make_tensor_value_info(entry, kind, cut.get_tensor_shape(name)))
        named = {self.scores, *(name for tensors in self.layers.values() for name in tensors)}
        self.before = {name: _rounded(cut, name) for name in named}
        self.inputs = [value.name for value in model.graph.input if not model.has_initializer(value.name)]
        self.compiled = compile_model(ModelWrapper(cut.model), return_full_exec_context=True)

    def compared(self, row: Row, seen: Observation, tolerance: float) -> Iterator[Difference]:
        """Of each call of each layer, and of what follows the last one."""
        feed = dict(zip(self.inputs, row, strict=True))
        feed |= {f"{name}_of_pytorch": seen.outputs[layer][call] for name, (layer, call) in self.taught.items()}
        context = self.compiled.run(feed)
        for layer, tensors in self.layers.items():
            quantized = quantizer_of_result(layer, seen)
            for tensor, expected in zip(tensors, seen.outputs[layer], strict=True):
                before = context.get(self.before[tensor])
                yield differ(layer, np.asarray(context[tensor]), expected, tolerance, quantized, before)
        before = context.get(self.before[self.scores])
        given = np.asarray(context[self.scores])
        yield differ(RESULT, given, seen.result[0], tolerance, self._of_result(seen), before)

    def _of_result(self, seen: Observation) -> Quantized | None:
        return next((q for layer in seen.last if (q := quantizer_of_result(layer, seen)) is not None), None)


class Reference:
    """What PyTorch computes on some samples, kept for one comparison or several. Made in evaluation mode."""

    def __init__(self, module: Any, rows: Sequence[Row], preprocess: Preprocess | None) -> None:
        self.module, self.rows, self.fed = module, rows, seen_by_network(rows, preprocess)
        self.results = [result_of(module, row) for row in self.fed]

    def check(self, model: ModelWrapper, tolerance: float) -> None:
        """ExportError with the first layer that differs, if a result differs for another reason than a tie."""
        compiled = compile_model(model)
        layers: Layers | None = None
        at_ties = 0
        for index, (row, expected) in enumerate(zip(self.rows, self.results, strict=True)):
            (given,) = compiled.run(dict(zip(compiled.input_names, row, strict=True))).values()
            if is_close(given, expected, tolerance):
                continue
            with kept_as_is(self.module):
                seen = observe(self.module, self.fed[index])
            if not np.array_equal(seen.result[0], expected):
                raise ExportError(
                    f"the network gives something else each time, here on sample {index}",
                    why=f"first {expected.ravel()[:10]}, then {seen.result[0].ravel()[:10]}",
                    remedy="export a network without random numbers and without counters",
                )
            layers = layers or Layers(model, seen)
            wrong = next((each for each in layers.compared(row, seen, tolerance) if not each.ok), None)
            if wrong is not None:
                raise _different(index, given, expected, wrong)
            at_ties += 1
        if at_ties:
            log.info(
                "every layer is equal; in %d of %d samples a quantizer is so near a tie that the result is another",
                at_ties,
                len(self.rows),
            )


def _different(index: int, given: NDArray[Any], expected: NDArray[Any], wrong: Difference) -> ExportError:
    hint = f"the first layer that differs is '{wrong.layer}', by {wrong.largest:g}; " if wrong.layer != RESULT else ""
    return ExportError(
        f"the exported network differs from PyTorch by {largest(given, expected):g} on sample {index}"
        if given.shape == expected.shape
        else f"the exported network gives shape {given.shape}, PyTorch {expected.shape}",
        why=f"{hint}PyTorch gives {expected.ravel()[:10]}, ONNX gives {given.ravel()[:10]}",
        remedy="the layer computes something that ONNX cannot express: replace it, or give a larger tolerance",
    )
