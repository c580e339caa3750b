# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Export a Brevitas module as QONNX, in the form that ``finn`` reads best, and prove it equal to PyTorch.

Brevitas offers two exporters. The default of current versions, ``dynamo=True``, fails on residual additions of
quantized tensors (https://github.com/Xilinx/brevitas/issues/1608) and silently ignores a requested opset below 18.
The older one exports every network tried so far, so it is the one used here, always with opset 13.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx

if TYPE_CHECKING:
    import torch

__all__ = ["ExportError", "export_qonnx"]

OPSET = 13
MAX_IR_VERSION = 10  # of ONNX 1.16: newer ones are refused by some onnxruntime in use
INPUT, OUTPUT = "global_in", "global_out"
QONNX_DOMAIN, QONNX_VERSION = "qonnx.custom_op.general", 2
QUANTIZERS = ("Quant", "BipolarQuant", "Trunc")
RANDOM_SAMPLES = 16


class ExportError(FinnError):
    """A network that cannot be exported, or whose export does not compute what PyTorch computes."""


def export_qonnx(
    module: torch.nn.Module,
    path: str | os.PathLike[str] | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    args: torch.Tensor | None = None,
    input_datatype: str | None = None,
    top_k: int | None = None,
    samples: NDArray[np.float32] | None = None,
    tolerance: float = 1e-5,
) -> ModelWrapper:
    """Export ``module`` in evaluation mode, compare it with PyTorch, save it to ``path`` if given, and return it.

    The graph input is called ``global_in``, the graph output ``global_out``.

    - ``input_shape``: shape of one input, batch first, batch 1: ``(1, 1, 28, 28)``; or ``args``: such an input.
    - ``input_datatype``: name of a finn integer type, such as ``"UINT8"``, written on the graph input. It promises
      that the network is fed with such integers (in a float32 tensor) and lets ``finn`` put the first quantizer into
      hardware. Scaling them, as in ``x / 255``, is then a part of ``module``.
    - ``top_k``: append TopK over the last axis; ``global_out`` is then int64, shape ``(..., top_k)``: the indices of
      the largest scores, largest first, the lower index first where two are equal.
    - ``samples``: shape ``(N, *input_shape[1:])``, to compare with; else random, uniform over ``input_datatype``.
    - ``tolerance``: largest accepted difference of a score, relative to the largest score if that is above 1.

    Raises :class:`ExportError` if PyTorch or Brevitas is missing, an argument is out of range, or a sample differs;
    nothing is written then.
    """
    shape = _checked_shape(input_shape, args)
    datatype = None if input_datatype is None else _integer_type(input_datatype)
    if samples is None:
        samples = _random_samples(shape, datatype)
    elif samples.shape[1:] != shape[1:]:
        raise ExportError(
            f"samples have shape {samples.shape}, the network takes (N, {', '.join(map(str, shape[1:]))})",
            remedy="stack the samples along the first axis",
        )
    model = ModelWrapper(_brevitas_export(module, shape))
    _compare(module, model, samples.astype(np.float32), tolerance)
    if datatype is not None:
        model.set_tensor_datatype(INPUT, datatype)
    if top_k is not None:
        _append_top_k(model, top_k)
    _restore_domain(model)
    if path is not None:
        model.save(path)
    return model


def _checked_shape(input_shape: Sequence[int] | None, args: torch.Tensor | None) -> tuple[int, ...]:
    if args is not None and input_shape is None:
        input_shape = args.shape
    elif input_shape is None or args is not None:
        raise ExportError(
            f"input_shape is {input_shape}, args is {'not ' * (args is not None)}None",
            why="the exporter follows the network with one input, of which it needs exactly one of the two",
            remedy="give the shape of one input, input_shape=(1, 1, 28, 28), or args=torch.zeros(1, 1, 28, 28)",
        )
    shape = tuple(int(size) for size in input_shape)
    if len(shape) < 2 or shape[0] != 1 or min(shape) < 1:
        raise ExportError(
            f"input_shape is {shape}",
            why="a shape with batch 1 in front and no empty dimension is needed",
            remedy="give the shape of one input, such as (1, 1, 28, 28)",
        )
    return shape


def _integer_type(name: str) -> BaseDataType:
    what = f"input_datatype is {name}"
    try:
        datatype: BaseDataType = DataType[name]
    except KeyError as error:
        raise ExportError(what, why=str(error.args[0]), remedy="name a type such as UINT8") from error
    if not datatype.is_integer():
        raise ExportError(what, why="only integer types can enter hardware", remedy="leave it out")
    return datatype


def _random_samples(shape: tuple[int, ...], datatype: BaseDataType | None) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    size = (RANDOM_SAMPLES, *shape[1:])
    if datatype is None:
        return rng.standard_normal(size).astype(np.float32)
    drawn = rng.integers(int(datatype.min()), int(datatype.max()), size, endpoint=True)
    # BIPOLAR and its like have holes in their range.
    return np.where(np.vectorize(datatype.allowed)(drawn), drawn, datatype.max()).astype(np.float32)


def _brevitas_export(module: torch.nn.Module, shape: tuple[int, ...]) -> ModelProto:
    try:
        import onnxoptimizer  # noqa: F401  (Brevitas needs it and does not say so)
        from brevitas import export
    except ImportError as error:
        raise ExportError(
            "Brevitas cannot be imported",
            why=str(error),
            remedy="pip install 'brevitas-export[torch]'",
        ) from error
    model: ModelProto = export.export_qonnx(
        module,
        input_shape=shape,
        dynamo=False,
        opset_version=OPSET,
        keep_initializers_as_inputs=False,
        input_names=[INPUT],
        output_names=[OUTPUT],
    )
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    for node in model.graph.node:
        node.ClearField("doc_string")  # stack traces with paths of this machine
        node.ClearField("metadata_props")
    return model


def _compare(module: torch.nn.Module, model: ModelWrapper, samples: NDArray[np.float32], tolerance: float) -> None:
    import torch

    training = module.training
    module.eval()
    with torch.no_grad():
        results = [module(torch.from_numpy(sample[np.newaxis])) for sample in samples]
    module.train(training)
    for index, (sample, result) in enumerate(zip(samples, results, strict=True)):
        expected = getattr(result, "value", result).numpy()
        given = execute_onnx(model, {INPUT: sample[np.newaxis]})[OUTPUT]
        error = float(np.abs(given - expected).max())
        if not error <= tolerance * max(1.0, float(np.abs(expected).max())):  # also refuses NaN
            raise ExportError(
                f"the exported network differs from PyTorch by {error:g} on sample {index}",
                why=f"PyTorch gives {expected.ravel()[:10]}, ONNX gives {given.ravel()[:10]}",
                remedy="export the layers one by one to find the one that differs, or give a larger tolerance",
            )


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
    """Call the quantizers by QONNX's name again, which other tools know; ModelWrapper has replaced it by ours."""
    imports = model.model.opset_import
    ours = {node.domain for node in model.graph.node if node.op_type in QUANTIZERS}
    for node in model.graph.node:
        if node.domain in ours:
            node.domain = QONNX_DOMAIN
    for entry in [entry for entry in imports if entry.domain in ours]:
        imports.remove(entry)
    imports.append(helper.make_opsetid(QONNX_DOMAIN, QONNX_VERSION))
