# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A network of PyTorch against an exported graph, layer by layer."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper
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

    from brevitas_export._compare import Difference
    from brevitas_export._observe import Observation, Quantized

__all__ = ["Layer", "Validation", "validate"]


@dataclass(frozen=True)
class Layer:
    """One module in comparison. shape : of its result; difference : the largest of an element, over all samples and
    calls, None where the graph has no tensor of its name. The layer of the graph is computed from what PyTorch gave to
    it, so that only a layer that is wrong itself differs. ties : elements that differ by one step of the quantizer,
    where its input is next to a tie; ok : whether everything else is within the tolerance.

    bits, signed, scale : of the quantizer of its result or, for layers with weights, of the weights; None if there is
    none. scale is the largest one where there is one per channel.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    difference: float | None
    ok: bool
    ties: int = 0
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
    different += f" ({layer.ties} ties)" if layer.ties else ""
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

    given = path_or_model.model if isinstance(path_or_model, ModelWrapper) else path_or_model
    model = ModelWrapper(given, make_deepcopy=True)  # which knows operators by our domain, as analyses expect it
    rows = sample_rows(_examples(model), samples, n)
    fed = seen_by_network(rows, preprocessing(preprocess))
    if away := _checks.wrong_devices(module):
        raise ExportError.of(away)
    with kept_as_is(module):
        first = observe(module, fed[0], follow_values=True)
        if len(first.result) != 1 or len(model.graph.output) != 1:
            raise ExportError(f"the network returns {len(first.result)} tensors, the graph {len(model.graph.output)}")
        problems = _checks.problems_of(first, allow_float=False)
        comparison = _Comparison(model, first, tolerance)
        for row, row_of_module in zip(rows, fed, strict=True):
            comparison.add(row, observe(module, row_of_module))
    refused, notes = _unsupported(model)
    told = tuple(f"{problem.where}." for problem in problems if problem.where)
    refused += [problem for problem in _checks.float_products(model) if not problem.where.startswith(told)]
    layers = tuple(comparison.rows(first))
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
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        zeros = None if np.issubdtype(kind, np.floating) else np.zeros(shape, kind)  # indices: 0 is one of any table
        examples.append(Example(shape, zeros, datatype if datatype.is_integer() and zeros is None else None))
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

    def __init__(self, model: ModelWrapper, seen: Observation, tolerance: float) -> None:
        from brevitas_export._compare import Layers, scores_of

        self.tolerance, self.layers, self.scores = tolerance, Layers(model, seen), scores_of(model)
        self.compiled = compile_model(model, return_full_exec_context=True)
        self.found: dict[str, Difference] = {}

    def add(self, row: Sequence[Array], seen: Observation) -> None:
        from brevitas_export._compare import RESULT, Difference, is_close, largest

        layers = list(self.layers.compared(row, seen, self.tolerance))
        given = self.compiled.run(dict(zip(self.compiled.input_names, row, strict=True)))[self.scores]
        (expected,) = seen.result
        equal = all(each.ok for each in layers)  # the result may be another behind a tie
        ok = is_close(given, expected, self.tolerance) or equal
        layers[-1] = Difference(RESULT, largest(given, expected), 0, ok)
        for new in layers:
            old = self.found.get(new.layer, new)
            most = max(new.largest, old.largest, key=_nan_last)
            ties = new.ties + (old.ties if old is not new else 0)
            self.found[new.layer] = Difference(new.layer, most, ties, new.ok and old.ok)

    def rows(self, seen: Observation) -> list[Layer]:
        from brevitas_export._compare import RESULT

        rows = []
        for name, values in seen.outputs.items():
            inside = any(other.startswith(f"{name}.") for other in seen.outputs if other not in seen.proxies)
            if name not in self.found and (inside or name in seen.proxies):
                continue  # it returns what one of its modules returns, or its layer
            quantized = _quantizer_of(name, seen)
            facts: tuple[int | None, bool | None, float | None] = (None, None, None)
            if quantized is not None and quantized.bits is not None and quantized.scale is not None:
                facts = (int(quantized.bits), quantized.signed, float(np.max(quantized.scale)))
            rows.append(self._row(name, type(seen.modules[name]).__name__, values[0].shape, *facts))
        return [*rows, self._row(RESULT, type(seen.modules[""]).__name__, seen.result[0].shape)]

    def _row(self, name: str, op: str, shape: tuple[int, ...], *facts: Any) -> Layer:
        found = self.found.get(name)
        if found is None:
            return Layer(name, op, shape, None, True, 0, *facts)
        return Layer(name, op, shape, found.largest, found.ok, found.ties, *facts)


def _nan_last(x: float) -> float:
    return float("inf") if np.isnan(x) else x


def _quantizer_of(layer: str, seen: Observation) -> Quantized | None:
    """The quantizer that says most about a layer."""
    from brevitas_export._compare import quantizer_of_result

    return seen.quantized.get(f"{layer}.weight_quant") or quantizer_of_result(layer, seen)
