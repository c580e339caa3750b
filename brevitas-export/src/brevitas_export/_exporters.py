# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The two exporters of PyTorch, called through Brevitas, and the clean-up of what they write.

The one for TorchScript comes first. It exported every network tried so far, to opset 13. The newer one, `dynamo=True`,
fails on some residual additions (https://github.com/Xilinx/brevitas/issues/1608) and ignores an opset below 18.

Needs PyTorch and Brevitas: import it inside functions only.
"""

from __future__ import annotations

import ast
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import onnx
import torch
from brevitas import export
from numpy.typing import NDArray
from onnx import ModelProto

from brevitas_export._naming import Scope, Scopes, name_nodes, name_tensors
from brevitas_export._observe import Observation
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_node
from finn.custom_op.general import QDQ, QONNX_QUANTIZERS
from finn.transformation.base import Transformation
from finn.transformation.fold_constants import FoldConstants
from finn.transformation.general import GiveUniqueParameterTensors, RemoveStaticGraphInputs, SortGraph
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.remove import RemoveUnusedNodes

Exporter = Literal["torchscript", "dynamo"]
Format = Literal["qonnx", "qcdq"]

OPSET = 13
MAX_IR_VERSION = 10  # of ONNX 1.16: newer ones are refused by some onnxruntime in use
SCOPES_OF_DYNAMO = "pkg.torch.onnx.name_scopes"


def exported(
    seen: Observation,
    exporter: Exporter,
    form: Format,
    inputs: Sequence[NDArray[Any]],
    names: Sequence[str],
    output: str,
) -> ModelWrapper:
    """Export the observed network, in evaluation mode, and clean up. Whatever the exporter raises comes through."""
    module = seen.modules[""]
    call = export.export_qonnx if form == "qonnx" else export.export_onnx_qcdq
    options: dict[str, Any] = {"input_names": list(names), "output_names": [output]}
    if exporter == "torchscript":
        # PRESERVE: batch norms are not folded into convolutions, so that every layer has its tensor.
        options |= {"opset_version": OPSET, "training": torch.onnx.TrainingMode.PRESERVE, "dynamo": False}
        options["keep_initializers_as_inputs"] = False
    else:
        options |= {"dynamo": True, "optimize": True, "verbose": False}
    with warnings.catch_warnings(), _quiet(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        args = tuple(torch.from_numpy(np.array(x)) for x in inputs)
        with TemporaryDirectory() as folder:  # that for QCDQ returns nothing and only writes
            path = os.path.join(folder, "model.onnx")
            call(module, args=args if len(args) > 1 else args[0], export_path=path, **options)
            return _cleaned(onnx.load(path), seen)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch from telling which of its own operators it has no use for, and each step of its optimizer."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _cleaned(proto: ModelProto, seen: Observation) -> ModelWrapper:
    """Nodes and tensors named after modules, a parameter for each use, nothing that tells of files of this machine."""
    scopes = Scopes(seen)
    found = [scopes.of_path(node.name) or scopes.of_names(_scopes_of_dynamo(node)) for node in proto.graph.node]
    proto.ir_version = min(proto.ir_version, MAX_IR_VERSION)
    _strip(proto)
    model = ModelWrapper(proto)
    named: dict[str, Scope] = name_nodes(model, found)
    kept = QONNX_QUANTIZERS | QDQ
    steps: list[Transformation] = [
        RemoveStaticGraphInputs(),
        SortGraph(),
        InferShapes(),
        GiveUniqueParameterTensors(),
        FoldConstants(exclude_op_types=kept),
        RemoveUnusedNodes(),
    ]
    for step in steps:
        model = model.transform(step, make_deepcopy=False, cleanup=False)
    model.cleanup()
    name_tensors(model, named, seen)
    _apply_rounding(model, named, seen)
    return model


def _apply_rounding(model: ModelWrapper, scopes: dict[str, Scope], seen: Observation) -> None:
    """Store weights as they are after quantization, where Brevitas exports a quantizer that would round them otherwise.

    It exports every quantizer of weights as if it rounded to the nearest integer, also those that round down or as they
    have learned to, or normalise the weights first.
    """
    for node in model.graph.node:
        quantized = seen.quantized.get(scopes[node.name].owner)
        if node.op_type not in QONNX_QUANTIZERS or quantized is None or quantized.values is None:
            continue
        known = {name: model.get_initializer(name) for name in node.input}
        context = {name: value for name, value in known.items() if value is not None}
        if len(context) == len(known):
            execute_node(node, context, model.graph)
            if not np.array_equal(context[node.output[0]], quantized.values):
                model.set_initializer(node.input[0], quantized.values)


def _scopes_of_dynamo(node: Any) -> list[str]:
    text = next((entry.value for entry in node.metadata_props if entry.key == SCOPES_OF_DYNAMO), "[]")
    return list(ast.literal_eval(text))


def _strip(proto: ModelProto) -> None:
    """Remove stack traces and other remarks."""
    graph = proto.graph
    del graph.output[1:]  # what Brevitas knows of the quantization of the result
    infos = (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for item in (proto, graph, *proto.functions, *infos):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
