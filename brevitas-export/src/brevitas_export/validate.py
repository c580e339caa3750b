# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A network of PyTorch against an exported graph, layer by layer."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from brevitas_export._inputs import RANDOM_SAMPLES, Array, Example, Samples, sample_rows
from brevitas_export.errors import ExportError, Problem
from brevitas_export.preprocess import Normalise, preprocessing
from brevitas_export.qonnx import require_brevitas
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline.report import StreamlineError

if TYPE_CHECKING:
    import torch

    from brevitas_export._observe import Observation, Quantized

__all__ = ["Layer", "Validation", "validate"]

OUTPUT_ROW = "(output)"


@dataclass(frozen=True)
class Layer:
    """One module in comparison. shape : of its result; difference : the largest of an element, over all samples and
    calls, None where the graph has no tensor of its name; ok : whether it is within the tolerance.

    bits, signed, scale : of the quantizer of its result or, for layers with weights, of the weights; None if there is
    none. scale is the largest one where there is one per channel.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    difference: float | None
    ok: bool
    bits: int | None = None
    signed: bool | None = None
    scale: float | None = None


@dataclass(frozen=True)
class Validation:
    """layers : in the order of their first call, the result of the network last. problems : what cannot become
    hardware, or is different. notes : quantizers that stay in floats, and why. samples : how many were compared.
    """

    layers: tuple[Layer, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    samples: int

    @property
    def ok(self) -> bool:
        """Whether nothing is different and nothing is unsupported."""
        return not self.problems and all(layer.ok for layer in self.layers)

    @property
    def first_difference(self) -> Layer | None:
        """The layer where the two part."""
        return next((layer for layer in self.layers if not layer.ok), None)

    def __str__(self) -> str:
        """A table of the layers, and the problems."""
        out = io.StringIO()
        Console(file=out, width=120, color_system=None).print(self.__rich__())
        lines = [*(f"problem: {problem}" for problem in self.problems), *(f"note: {note}" for note in self.notes)]
        return "\n".join([out.getvalue().rstrip(), *lines])

    def __rich__(self) -> Table:
        verdict = "equal" if self.ok else "NOT ok"
        table = Table("layer", "op", "shape", "difference", "bits", "scale", title=f"{self.samples} samples, {verdict}")
        for layer in self.layers:
            table.add_row(*_texts(layer), style=None if layer.ok else "bold red")
        return table


def _texts(layer: Layer) -> Sequence[str]:
    different = "-" if layer.difference is None else f"{layer.difference:.3g}" + (" !" if not layer.ok else "")
    bits = "-" if layer.bits is None else f"{'' if layer.signed else 'u'}int{layer.bits}"
    scale = "-" if layer.scale is None else f"{layer.scale:.4g}"
    return layer.name, layer.op, "x".join(map(str, layer.shape)), different, bits, scale


def validate(
    module: torch.nn.Module,
    path_or_model: str | os.PathLike[str] | ModelWrapper,
    n: int = RANDOM_SAMPLES,
    *,
    samples: Samples | None = None,
    preprocess: str | Normalise | None = None,
    tolerance: float = 1e-5,
) -> Validation:
    """Run `module`, in evaluation mode, and the graph on the same samples, and compare every layer that has a name.

    The graph is one of `export_qonnx`, `export_finn` or `export_qcdq`, or was made from one; of other graphs only the
    result is compared. A tensor belongs to the module `features.0` if it is called `features.0_out`.

    n : how many random samples, if `samples` gives none: shape (N, ...), one such array per input. They are raw pixels
    if the graph begins with `preprocess`, which the module then gets them through. tolerance : largest accepted
    difference of an element, relative to the largest element if that is above 1.

    Raises ExportError if the network or the graph does not run, or has not one output.
    """
    require_brevitas()
    from brevitas_export import _checks
    from brevitas_export._compare import seen_by_network
    from brevitas_export._observe import kept_as_is, observe

    model = path_or_model if isinstance(path_or_model, ModelWrapper) else ModelWrapper(path_or_model)
    rows = sample_rows(_examples(model), samples, n)
    fed = seen_by_network(rows, preprocessing(preprocess))
    with kept_as_is(module):
        first = observe(module, fed[0], follow_values=True)
        if len(first.result) != 1 or len(model.graph.output) != 1:
            raise ExportError(f"the network returns {len(first.result)} tensors, the graph {len(model.graph.output)}")
        problems = _checks.problems_of(first, allow_float=False)
        comparison = _Comparison(model, tolerance)
        for row, row_of_module in zip(rows, fed, strict=True):
            comparison.add(row, observe(module, row_of_module))
    refused, notes = _unsupported(model)
    layers = tuple(comparison.layers(first))
    wrong = [layer for layer in layers if not layer.ok]
    if wrong:
        what = f"its result differs from PyTorch by {wrong[0].difference:g}"
        refused.append(Problem(what, wrong[0].name, remedy="export the network again, and validate the new file"))
    return Validation(layers, (*problems, *refused), tuple(notes), len(rows))


def _examples(model: ModelWrapper) -> list[Example]:
    examples = []
    for value in model.graph.input:
        if model.has_initializer(value.name):
            continue
        shape, datatype = tuple(model.get_tensor_shape(value.name) or ()), model.get_tensor_datatype(value.name)
        if not shape or min(shape) < 1:
            raise ExportError(f"input '{value.name}' of the graph has no fixed shape", remedy="export it with batch 1")
        examples.append(Example(shape, None, datatype if datatype.is_integer() else None))
    return examples


def _unsupported(model: ModelWrapper) -> tuple[list[Problem], list[str]]:
    """(quantizers that cannot be read, those that stay as they are and why), as the compiler sees it."""
    conversion = ConvertQONNXtoFINN()
    try:
        model.transform(conversion)
    except StreamlineError as error:
        return [Problem(d.reason, d.node, remedy=d.remedy) for d in error.diagnostics], []
    return [], [f"{node}: {reason}" for node, reason in conversion.declined.items()]


class _Comparison:
    """Executes the graph on sample after sample and gathers the largest differences."""

    def __init__(self, model: ModelWrapper, tolerance: float) -> None:
        self.model, self.tolerance = model, tolerance
        self.compiled = compile_model(model, return_full_exec_context=True)
        self.differences: dict[str, float] = {}
        self.wrong: set[str] = set()

    def add(self, row: Sequence[Array], seen: Observation) -> None:
        from brevitas_export._compare import difference, is_close, pairs, scores_of

        context: Mapping[str, NDArray[Any]] = self.compiled.run(dict(zip(self.compiled.input_names, row, strict=True)))
        found = [*pairs(self.model, context, seen), (OUTPUT_ROW, context[scores_of(self.model)], seen.result[0])]
        for name, given, expected in found:
            different = difference(given, expected) if given.shape == expected.shape else float("inf")
            self.differences[name] = max(different, self.differences.get(name, 0.0), key=_nan_last)
            if not is_close(given, expected, self.tolerance):
                self.wrong.add(name)

    def layers(self, seen: Observation) -> list[Layer]:
        rows = []
        for name, values in seen.outputs.items():
            if name not in self.differences and any(other.startswith(f"{name}.") for other in seen.outputs):
                continue  # it returns what one of its modules returns
            quantized = _quantizer_of(name, seen)
            facts: tuple[int | None, bool | None, float | None] = (None, None, None)
            if quantized is not None and quantized.bits is not None and quantized.scale is not None:
                facts = (int(quantized.bits), quantized.signed, float(np.max(quantized.scale)))
            op = type(seen.modules[name]).__name__
            rows.append(self._layer(name, op, values[0].shape, *facts))
        return [*rows, self._layer(OUTPUT_ROW, type(seen.modules[""]).__name__, seen.result[0].shape)]

    def _layer(self, name: str, op: str, shape: tuple[int, ...], *facts: Any) -> Layer:
        return Layer(name, op, shape, self.differences.get(name), name not in self.wrong, *facts)


def _nan_last(x: float) -> float:
    return float("inf") if np.isnan(x) else x


def _quantizer_of(layer: str, seen: Observation) -> Quantized | None:
    """The quantizer that says most about a layer."""
    names = (f"{layer}.{kind}" for kind in ("weight_quant", "act_quant", "output_quant", "trunc_quant"))
    return next((seen.quantized[name] for name in names if name in seen.quantized), None)
