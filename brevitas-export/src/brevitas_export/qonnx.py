# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Export of a Brevitas module as QONNX, as FINN-ONNX or as QCDQ; each proved equal to PyTorch before it is written."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

import numpy as np
from onnx import TensorProto, helper

from brevitas_export._inputs import Array, Example, Samples, checked_examples, sample_rows
from brevitas_export.errors import ExportError, Problem
from brevitas_export.preprocess import Normalise, Preprocess, preprocessing, put_in_front
from finn.core.domains import GENERAL
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_data_layouts import InferDataLayouts
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline.report import StreamlineError

if TYPE_CHECKING:
    import torch
    from typing_extensions import Unpack

    from brevitas_export._compare import Reference
    from brevitas_export._observe import Observation

__all__ = ["export_finn", "export_qcdq", "export_qonnx"]

log = logging.getLogger(__name__)

INPUT, OUTPUT = "global_in", "global_out"
QONNX_DOMAIN, QONNX_VERSION = "qonnx.custom_op.general", 2
PIXELS = "UINT8"
EXPORTERS: tuple[Literal["torchscript", "dynamo"], ...] = ("torchscript", "dynamo")

Exporter = Literal["auto", "torchscript", "dynamo"]
Format = Literal["qonnx", "qcdq"]
FilePath = str | os.PathLike[str]


class Options(TypedDict, total=False):
    """What all exports take; `export_qonnx` explains it."""

    input_shape: Sequence[int] | None
    args: torch.Tensor | Sequence[torch.Tensor] | None
    input_datatype: str | Sequence[str | None] | None
    preprocess: str | Normalise | None
    top_k: int | None
    samples: Samples | None
    tolerance: float
    allow_float: bool
    exporter: Exporter


@dataclass(frozen=True, eq=False)
class Request:
    """The checked arguments of one export."""

    examples: list[Example]
    rows: list[list[Array]]
    preprocess: Preprocess | None
    top_k: int | None
    tolerance: float
    allow_float: bool
    exporter: Exporter

    @property
    def inputs(self) -> list[str]:
        return [INPUT if i == 0 else f"{INPUT}_{i}" for i in range(len(self.examples))]


def export_qonnx(
    module: torch.nn.Module,
    path: FilePath | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    args: torch.Tensor | Sequence[torch.Tensor] | None = None,
    input_datatype: str | Sequence[str | None] | None = None,
    preprocess: str | Normalise | None = None,
    top_k: int | None = None,
    samples: Samples | None = None,
    tolerance: float = 1e-5,
    allow_float: bool = False,
    exporter: Exporter = "auto",
) -> ModelWrapper:
    """Export ``module`` in evaluation mode, compare it with PyTorch, save it to ``path`` if given, and return it.

    The inputs of the graph are ``global_in``, ``global_in_1``, ...; its output is ``global_out``. Everything else is
    named after the modules: the result of module ``features.0`` is ``features.0_out``, its weights
    ``features.0.weight``, its node ``features.0.Conv``. No two nodes share a parameter. ``module`` stays as it is.

    - ``input_shape``: shape of the input, batch 1 in front: ``(1, 1, 28, 28)``. Or ``args``: such an input, or a tuple
      of them for a network of several inputs.
    - ``input_datatype``: name of a finn integer type, such as ``"UINT8"``, written on the graph input (one name per
      input, if there are several). It promises that the network is fed with such integers, in a float32 tensor, and
      lets ``finn`` put the first quantizer into hardware.
    - ``preprocess``: ``"div255"`` or ``Normalise(scale, mean, std)``, put in front of the first input. The graph then
      takes raw pixels, of type UINT8 if ``input_datatype`` says nothing else, and so do ``samples``; the module gets
      them preprocessed.
    - ``top_k``: append TopK over the last axis; ``global_out`` is then int64, shape ``(..., top_k)``: the indices of
      the largest scores, largest first, the lower index first where two are equal. The scores are called ``scores``.
    - ``samples``: shape ``(N, *input_shape[1:])``, to compare with, one such array per input; else random, uniform over
      ``input_datatype``.
    - ``tolerance``: largest accepted difference of a score, relative to the largest score if that is above 1.
    - ``allow_float``: accept layers with float weights or float inputs. They will be computed on the host.
    - ``exporter``: which one of PyTorch; ``"auto"`` takes ``"torchscript"`` and, where that fails, ``"dynamo"``.

    Raises :class:`ExportError` with all reasons if the network cannot be exported, an argument is out of range, or a
    sample differs; nothing is written then.
    """
    request = _checked(
        input_shape=input_shape,
        args=args,
        input_datatype=input_datatype,
        preprocess=preprocess,
        top_k=top_k,
        samples=samples,
        tolerance=tolerance,
        allow_float=allow_float,
        exporter=exporter,
    )
    return _exported(module, path, request, "qonnx")


def export_finn(module: torch.nn.Module, path: FilePath | None = None, **options: Unpack[Options]) -> ModelWrapper:
    """As :func:`export_qonnx`, in the dialect of FINN: thresholds in place of quantizers, annotated integer weights.

    Activation quantizers of up to 8 bits become MultiThreshold, quantized constants integers with a data type, Trunc
    behind an average pool QuantAvgPool2d; data types and layouts are annotated on all tensors. Compared with PyTorch as
    well; scales that are no powers of two are rounded elsewhere than in PyTorch. Raises :class:`ExportError` also for
    quantizers that have no such form.
    """
    return _exported(module, path, _checked(**options), "qonnx", to_finn=True)


def export_qcdq(module: torch.nn.Module, path: FilePath | None = None, **options: Unpack[Options]) -> ModelWrapper:
    """As :func:`export_qonnx`, with QuantizeLinear, Clip and DequantizeLinear of ONNX in place of QONNX's quantizers.

    onnxruntime and others run such files. Raises :class:`ExportError` also for quantizers that the format does not
    have: 1 bit, more than 8 bits, and what Brevitas refuses.
    """
    return _exported(module, path, _checked(**options), "qcdq")


def _checked(
    *,
    input_shape: Sequence[int] | None = None,
    args: torch.Tensor | Sequence[torch.Tensor] | None = None,
    input_datatype: str | Sequence[str | None] | None = None,
    preprocess: str | Normalise | None = None,
    top_k: int | None = None,
    samples: Samples | None = None,
    tolerance: float = 1e-5,
    allow_float: bool = False,
    exporter: Exporter = "auto",
) -> Request:
    """The arguments of an export, which are those of `export_qonnx`. ExportError for those out of range."""
    if exporter not in get_args(Exporter):
        raise ExportError(f"exporter is {exporter!r}", remedy=f"use one of: {', '.join(get_args(Exporter))}")
    steps = preprocessing(preprocess)
    if steps is not None and input_datatype is None:
        input_datatype = PIXELS if hasattr(args, "shape") or args is None else [PIXELS, *[None] * (len(args) - 1)]
    examples = checked_examples(input_shape, args, input_datatype)
    if steps is not None:
        list(steps.steps(examples[0].shape))  # raises
    return Request(examples, sample_rows(examples, samples), steps, top_k, tolerance, allow_float, exporter)


def _exported(
    module: torch.nn.Module, path: FilePath | None, request: Request, form: Format, *, to_finn: bool = False
) -> ModelWrapper:
    """Export, compare, convert, and write at last."""
    if path is not None and not Path(path).parent.is_dir():
        raise ExportError(f"there is no directory '{Path(path).parent}'", remedy="create it, or give another path")
    require_brevitas()
    from brevitas_export import _checks
    from brevitas_export._compare import Reference, seen_by_network
    from brevitas_export._observe import kept_as_is, observe

    _raise(_checks.wrong_devices(module))
    with kept_as_is(module):
        inputs = seen_by_network(request.rows[:1], request.preprocess)[0]
        seen = observe(module, inputs, follow_values=True)
        problems = _checks.problems_of(seen, allow_float=request.allow_float)
        _raise(problems + (_checks.not_in_qcdq(seen) if form == "qcdq" else []))
        reference = Reference(module, request.rows, request.preprocess)
        model = _first_that_works(seen, request, form, reference)
    if form == "qonnx" and not request.allow_float:
        _raise(_checks.float_products(model))
    if to_finn:
        model = _converted(model, seen)
        reference.check(model, request.tolerance)
    if request.top_k is not None:
        _append_top_k(model, request.top_k)
    _restore_domain(model)
    if path is not None:
        model.save(path)
    return model


def require_brevitas() -> None:
    """ExportError that tells how to get Brevitas, if it is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at its import Brevitas tells what it will drop, and what it could use
            for name in ("onnxoptimizer", "brevitas.export"):  # the second needs the first and does not say so
                importlib.import_module(name)
    except ImportError as error:
        remedy = "pip install 'brevitas-export[torch]'"
        raise ExportError("Brevitas cannot be imported", why=str(error), remedy=remedy) from error


def _raise(problems: Sequence[Problem]) -> None:
    if problems:
        raise ExportError.of(problems)


def _first_that_works(seen: Observation, request: Request, form: Format, reference: Reference) -> ModelWrapper:
    """What the first exporter makes that does not fail and computes what PyTorch computes."""
    from brevitas_export._exporters import exported

    inputs = reference.fed[0]
    different: list[ExportError] = []
    failed: list[str] = []
    for exporter in EXPORTERS if request.exporter == "auto" else (request.exporter,):
        try:
            model = exported(seen, exporter, form, inputs, request.inputs, OUTPUT)
            _annotate_inputs(model, request)
            reference.check(model, request.tolerance)
        except ExportError as error:
            different.append(error)
            log.info("what the exporter %r of PyTorch makes is different: %s", exporter, error)
        except Exception as error:  # noqa: BLE001  (exporters raise whatever comes along)
            failed.append(f"{exporter}: {_cause(error)}")
            log.info("the exporter %r of PyTorch fails: %s", exporter, _cause(error))
        else:
            log.info("exported by the exporter %r of PyTorch", exporter)
            return model
    if different:
        raise different[0]
    from brevitas import config

    remedy = "export the parts of the network one by one to find the operation, and replace it"
    if config.JIT_ENABLED:
        remedy = "start Python with BREVITAS_JIT=0: what Brevitas compiles it cannot export"
    raise ExportError("no exporter of PyTorch can export the network", why="; ".join(failed), remedy=remedy)


def _cause(error: BaseException) -> str:
    """One line on what went wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return f"{type(error).__name__}: {line}"


def _annotate_inputs(model: ModelWrapper, request: Request) -> None:
    if request.preprocess is not None:
        put_in_front(model, request.preprocess)
    for name, example in zip(request.inputs, request.examples, strict=True):
        if example.datatype is not None:
            model.set_tensor_datatype(name, example.datatype)


def _converted(model: ModelWrapper, seen: Observation) -> ModelWrapper:
    """In the dialect of FINN, annotated."""
    from brevitas_export._naming import name_converted

    before = {node.name for node in model.graph.node}
    try:
        for step in (ConvertQONNXtoFINN(), InferDataTypes(), InferDataLayouts()):
            model = model.transform(step, make_deepcopy=False)
    except StreamlineError as error:
        problems = [Problem(d.reason, d.node, remedy=d.remedy) for d in error.diagnostics]
        raise ExportError.of(problems) from error
    name_converted(model, before, seen)
    return model


def _append_top_k(model: ModelWrapper, top_k: int) -> None:
    """Let the graph end in TopK; the tensor that was its output is called ``scores`` from then on."""
    *batch, classes = model.get_tensor_shape(OUTPUT) or [0]
    if not 1 <= top_k <= classes:
        raise ExportError(
            f"top_k is {top_k}", why=f"the network has {classes} scores", remedy=f"give a number from 1 to {classes}"
        )
    scores, best, count = (model.unique_tensor_name(wish) for wish in ("scores", "best_scores", "top_k"))
    model.rename_tensor(OUTPUT, scores)
    graph = model.graph
    graph.value_info.append(graph.output.pop())
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.INT64, [*batch, top_k]))
    graph.node.append(helper.make_node("TopK", [scores, count], [best, OUTPUT], name="TopK_0", axis=-1))
    model.set_tensor_shape(best, [*batch, top_k])
    model.set_initializer(count, np.array([top_k], dtype=np.int64))


def _restore_domain(model: ModelWrapper) -> None:
    """Call our operators by QONNX's domain again, which other tools know; ModelWrapper has replaced it by ours."""
    ours = [node for node in model.graph.node if node.domain == GENERAL]
    for node in ours:
        node.domain = QONNX_DOMAIN
    imports = model.model.opset_import
    for entry in [entry for entry in imports if entry.domain in (GENERAL, QONNX_DOMAIN)]:
        imports.remove(entry)
    if ours:
        imports.append(helper.make_opsetid(QONNX_DOMAIN, QONNX_VERSION))
