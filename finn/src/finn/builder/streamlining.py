"""Streamlining within a build: its options, what it says of every node, and what it means for the host.

The explanation is report/explanation.json and .txt. It is written by step_streamline, completed by step_convert_to_hw,
and read by the errors of the steps behind them.

Steps hand on nothing but the model. What later ones have to know is in its metadata: the names that inputs had in the
file, and how integers at its ends make the numbers that the user knows.
"""

from __future__ import annotations

import copy
import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.builder import products
from finn.builder.build_dataflow_config import DataflowBuildConfig
from finn.builder.errors import VerificationError
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import lowering
from finn.dataflow.graph import DataflowError
from finn.report import explanation as explaining
from finn.report.explanation import Explanation, Note
from finn.report.explanation_text import fates, plain
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import StreamlineError, StreamlineReport, streamline
from finn.util.cleanup import cleanup_model

log = logging.getLogger(__name__)
Array = npt.NDArray[Any]

NAMES, INPUT, OUTPUT = "finn.input_names", "finn.input_format", "finn.output_format"
"""Keys of the metadata."""


def cleaned(model: ModelWrapper) -> ModelWrapper:
    """The cleaned-up model, which knows the names that its inputs had at first."""
    clean = cleanup_model(model)
    renamed = explaining.input_names(model, clean)
    first = _names(model)
    names = {original: renamed.get(name, name) for original, name in first.items()} if first else renamed
    clean.set_metadata_prop(NAMES, json.dumps(names))
    return clean


def _names(model: ModelWrapper) -> dict[str, str]:
    """Name of each input in the file -> its name now."""
    text = model.get_metadata_prop(NAMES)
    return {str(k): str(v) for k, v in json.loads(text).items()} if text else {}


def to_finn_dialect(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """The model with its quantizers as MultiThreshold; `model` stays as it is.

    Raises StreamlineError if one cannot be read; the explanation is written then.
    """
    conversion = ConvertQONNXtoFINN(max_multithreshold_bit_width=cfg.max_multithreshold_bit_width)
    try:
        converted = model.transform(conversion)
    except StreamlineError as error:
        _save(explaining.of_refusal(model, error.diagnostics), cfg)
        raise
    for node, reason in conversion.declined.items():
        log.info("%s keeps its form: %s", node, reason)
    return converted


def to_integers(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """The streamlined model; `model` stays as it is.

    Raises StreamlineError if it cannot be streamlined. The explanation is written in any case.
    """
    options = explaining.renamed_inputs(cfg.streamline_options(), _names(model), model)
    work = copy.deepcopy(model)
    try:
        report = streamline(work, options)
    except StreamlineError as error:
        _save(explaining.of_refusal(model, error.diagnostics), cfg)
        raise
    explanation = explaining.of_streamlining(model, work, report)
    _save(explanation, cfg)
    for line in explanation.reasons():
        log.info("%s", line)
    _note_ends(model, work, report)
    return work


def to_layers(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Lower `model` in place, and complete the explanation. Raises DataflowError if nothing becomes a layer."""
    before = explaining.links(model)
    explanation = load(cfg) or Explanation()
    try:
        report = lowering.lower(model, standalone_thresholds=cfg.standalone_thresholds)
    except DataflowError:
        report = lowering.LoweringReport(Counter(), lowering.staying(model))
        _save(explaining.with_layers(explanation, before, model, report), cfg)
        raise
    _save(explaining.with_layers(explanation, before, model, report), cfg)
    for node, reason in report.host.items():
        log.info("%s stays on the host: %s", node, reason)
    return model


def cannot_cut(error: DataflowError, model: ModelWrapper, cfg: DataflowBuildConfig) -> DataflowError:
    """`error` about cutting `model`, in terms of the network, with the reasons why nodes are no layers."""
    explanation = load(cfg)
    if explanation is None:
        return error
    return _refusal(explaining.cut_problem(model) or Note.of(error), explanation)


def _refusal(problem: Note, explanation: Explanation) -> DataflowError:
    reasons = "".join(f"\n    {reason}" for reason in explanation.reasons(problem.nodes))
    where = problem.where or f"report/{FILE}.txt has all of it"
    return DataflowError(problem.what, where=where, why=problem.why + reasons, remedy=problem.remedy)


FILE = "explanation"


def _save(explanation: Explanation, cfg: DataflowBuildConfig) -> None:
    products.write_text(cfg.path("report", f"{FILE}.json"), explanation.to_json())
    products.write_text(cfg.path("report", f"{FILE}.txt"), plain(explanation))


def load(cfg: DataflowBuildConfig) -> Explanation | None:
    """What this build has written so far; None if that is nothing."""
    path = cfg.path("report", f"{FILE}.json")
    try:
        return Explanation.from_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, ConfigError):  # a report of another version is none for this one
        return None


def summary(explanation: Explanation) -> str:
    """A line for the end of a build."""
    return f"{fates(explanation)} (report/{FILE}.txt)"


def forget(cfg: DataflowBuildConfig) -> None:
    """Remove the explanation of an earlier build."""
    for kind in ("json", "txt"):
        cfg.path("report", f"{FILE}.{kind}").unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class Ends:
    """How the integers q at the ends of a model make the numbers x of the network: x == scale * q + bias.

    input, output : (scale, bias), which broadcast to the tensor; None where the model has x itself.
    """

    input: tuple[Array, Array] | None
    output: tuple[Array, Array] | None

    @classmethod
    def of(cls, model: ModelWrapper) -> Ends:
        return cls(*(_affine(model.get_metadata_prop(key)) for key in (INPUT, OUTPUT)))

    def given(self, x: Array) -> Array:
        """What the model is given for samples (N, ...). Raises `VerificationError` if x is not made of integers."""
        if self.input is None:
            return x
        scale, bias = self.input
        exact = (x.astype(np.float64) - bias) / scale
        q = np.rint(exact)
        if not np.abs(q - exact).max(initial=0) < TOLERANCE:
            raise VerificationError(
                "the samples are not made of integers as input_formats says",
                where=f"sample {int(np.argwhere(np.abs(q - exact) >= TOLERANCE)[0][0])}",
                remedy="correct input_formats, or give samples x == (k * scale - mean) / std with integers k",
            )
        return q

    def meant(self, y: Array) -> Array:
        """What outputs (N, ...) of the model mean."""
        return y if self.output is None else (y * self.output[0] + self.output[1]).astype(np.float32)


TOLERANCE = 0.01
"""Distance from an integer that comes from the rounding of float32 samples, generously."""


def keep_ends(source: ModelWrapper, target: ModelWrapper) -> None:
    """Let `target`, which has the same ends, know what they mean."""
    for key in (NAMES, INPUT, OUTPUT):
        text = source.get_metadata_prop(key)
        if text:
            target.set_metadata_prop(key, text)


def _note_ends(original: ModelWrapper, streamlined: ModelWrapper, report: StreamlineReport) -> None:
    """Write down what ends mean that were floats and are integers now."""
    for key, values in ((INPUT, streamlined.graph.input), (OUTPUT, streamlined.graph.output)):
        name = values[0].name
        was, now = (model.get_tensor_datatype(name).is_integer() for model in (original, streamlined))
        fact = report.tensors.get(name)
        if now and not was and fact is not None:
            streamlined.set_metadata_prop(key, json.dumps([fact.scale.tolist(), fact.bias.tolist()]))


def _affine(text: str | None) -> tuple[Array, Array] | None:
    if not text:
        return None
    scale, bias = json.loads(text)
    return np.asarray(scale, np.float64), np.asarray(bias, np.float64)
