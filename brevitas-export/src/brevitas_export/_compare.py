# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch against the graph: the result, and where they part, each layer.

Needs PyTorch and Brevitas: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brevitas_export._observe import Observation, kept_as_is, observe, result_of
from brevitas_export.errors import ExportError
from brevitas_export.preprocess import Preprocess, apply
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model

Row = Sequence[NDArray[Any]]


def is_close(given: NDArray[Any], expected: NDArray[Any], tolerance: float) -> bool:
    """Whether no element differs by more than the tolerance, which is relative if there are elements above 1."""
    if given.shape != expected.shape:
        return False
    return bool(difference(given, expected) <= tolerance * max(1.0, float(np.abs(expected).max(initial=0))))


def difference(given: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference of an element; NaN if there is a NaN in one of them."""
    return float(np.abs(given.astype(np.float64) - expected).max(initial=0))


def seen_by_network(rows: Sequence[Row], preprocess: Preprocess | None) -> list[Row]:
    """The samples as the module gets them; only the first input is preprocessed."""
    return [[apply(preprocess, row[0]), *row[1:]] for row in rows] if preprocess is not None else list(rows)


class Reference:
    """What PyTorch computes on some samples, kept for one comparison or several. Made in evaluation mode."""

    def __init__(self, module: Any, rows: Sequence[Row], preprocess: Preprocess | None) -> None:
        self.module, self.rows, self.fed = module, rows, seen_by_network(rows, preprocess)
        self.results = [result_of(module, row) for row in self.fed]

    def check(self, model: ModelWrapper, tolerance: float) -> None:
        """ExportError with the first layer that differs, if the result does."""
        compiled = compile_model(model)
        for index, (row, expected) in enumerate(zip(self.rows, self.results, strict=True)):
            (given,) = compiled.run(dict(zip(compiled.input_names, row, strict=True))).values()
            if not is_close(given, expected, tolerance):
                raise self._different(model, index, given, expected)

    def _different(self, model: ModelWrapper, index: int, given: NDArray[Any], expected: NDArray[Any]) -> ExportError:
        full = compile_model(model, return_full_exec_context=True)
        context = full.run(dict(zip(full.input_names, self.rows[index], strict=True)))
        with kept_as_is(self.module):
            seen = observe(self.module, self.fed[index])
        first = next((name for name, x, y in pairs(model, context, seen) if not is_close(x, y, 1e-5)), None)
        hint = f"the first layer that differs is '{first}'; " if first else ""
        return ExportError(
            f"the exported network differs from PyTorch by {difference(given, expected):g} on sample {index}"
            if given.shape == expected.shape
            else f"the exported network gives shape {given.shape}, PyTorch {expected.shape}",
            why=f"{hint}PyTorch gives {expected.ravel()[:10]}, ONNX gives {given.ravel()[:10]}",
            remedy="if a quantizer differs by one step, the sample is next to a tie: give other samples, or a larger"
            " tolerance; else the layer computes something that ONNX cannot express",
        )


def pairs(
    model: ModelWrapper, context: Mapping[str, NDArray[Any]], seen: Observation
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """(layer, value in ONNX, value in PyTorch) for each call of a layer that has a tensor named after it."""
    scores = scores_of(model)
    for name, values in seen.outputs.items():
        tensors = [f"{name}_out", *(f"{name}_out_{i}" for i in range(1, len(values)))]
        if name in seen.last and tensors[-1] not in context:
            tensors[-1] = scores
        if all(tensor in context for tensor in tensors) and f"{name}_out_{len(values)}" not in context:
            for tensor, value in zip(tensors, values, strict=True):
                yield name, np.asarray(context[tensor]), value


def scores_of(model: ModelWrapper) -> str:
    """The tensor that the module returns: the output of the graph, or what its last TopK reads."""
    output = model.get_first_global_out()
    producer = model.find_producer(output)
    return producer.input[0] if producer is not None and producer.op_type == "TopK" else output
