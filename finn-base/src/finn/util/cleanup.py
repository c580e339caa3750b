"""From what an exporter writes to a graph that is fit for further transformations."""

from __future__ import annotations

import ast
import copy
import os
from collections.abc import Sequence
from pathlib import Path

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general import QDQ, QONNX_QUANTIZERS
from finn.transformation.base import Transformation
from finn.transformation.extract_conv_bias import ExtractBiasFromConv
from finn.transformation.fold_constants import FoldConstants
from finn.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    GiveUniqueParameterTensors,
    RemoveStaticGraphInputs,
    SortGraph,
)
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.quant_constant_folding import FoldTransposeIntoQuantInit
from finn.transformation.remove import RemoveUnusedNodes


def cleanup_model(
    model: ModelWrapper,
    preserve_qnt_ops: bool = True,
    override_inpsize: Sequence[int] | int | str | None = None,
    extract_conv_bias: bool = False,
) -> ModelWrapper:
    """Infer shapes, fold constants, remove what nothing uses, give nodes and tensors readable names.

    preserve_qnt_ops: keep the quantizers of constants. override_inpsize: the shape of the first input, or its batch
    size; text such as "(1, 3, 32, 32)" will do. extract_conv_bias: make additions of the biases of convolutions.
    The given model stays as it is. Dimensions that depend on symbolic ones stay open:
    `finn.transformation.infer_shapes.require_static_shapes` refuses them.
    """
    model = copy.deepcopy(model)
    if override_inpsize is not None:
        _override(model, _parsed(override_inpsize))
    kept = QONNX_QUANTIZERS | QDQ if preserve_qnt_ops else None
    steps: list[Transformation] = [
        RemoveStaticGraphInputs(),
        SortGraph(),  # folding keeps the order, and names follow it
        InferShapes(),
        GiveUniqueParameterTensors(),
        FoldConstants(exclude_op_types=kept),
        FoldTransposeIntoQuantInit(),
        RemoveUnusedNodes(),
    ]
    if extract_conv_bias:
        steps += [ExtractBiasFromConv(), InferShapes()]
    _apply(model, steps)
    model.cleanup()  # sorts the nodes: their names follow the order
    _apply(model, [GiveUniqueNodeNames(), GiveReadableTensorNames()])
    return model


def _apply(model: ModelWrapper, steps: Sequence[Transformation]) -> None:
    """In place, without a clean-up after each, and with one check of the index for all."""
    with model.trusted_index():
        for step in steps:
            model.transform(step, make_deepcopy=False, cleanup=False)


def cleanup(
    in_file: str | os.PathLike[str],
    *,
    out_file: str | os.PathLike[str] | None = None,
    preserve_qnt_ops: bool = True,
    override_inpsize: Sequence[int] | int | str | None = None,
    extract_conv_bias: bool = False,
) -> None:
    """`cleanup_model` from file to file. out_file: `<in_file>_clean.onnx` if not given."""
    source = Path(in_file)
    target = Path(out_file) if out_file is not None else source.with_name(f"{source.stem}_clean.onnx")
    cleanup_model(ModelWrapper(source), preserve_qnt_ops, override_inpsize, extract_conv_bias).save(target)


def _parsed(size: Sequence[int] | int | str) -> Sequence[int] | int:
    """The size that a text stands for."""
    if not isinstance(size, str):
        return size
    try:
        value = ast.literal_eval(size)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    whole = isinstance(value, int) or (isinstance(value, tuple | list) and all(isinstance(d, int) for d in value))
    if not whole or value is None:
        raise ConfigError(f"override_inpsize is '{size}'", remedy="give a batch size or a shape: '(1, 3, 32, 32)'")
    return value if isinstance(value, int) else [int(dim) for dim in value]


def _override(model: ModelWrapper, size: Sequence[int] | int) -> None:
    """Set the shape of the first input and forget every inferred shape."""
    constants = {tensor.name for tensor in model.graph.initializer}
    name = next((value.name for value in model.graph.input if value.name not in constants), None)
    if name is None:
        raise ConfigError(f"override_inpsize is {size}, but the model has no input")
    shape = model.get_tensor_shape(name) or []
    new = [size, *shape[1:]] if isinstance(size, int) else list(size)
    if shape and len(new) != len(shape):
        raise ConfigError(f"override_inpsize is {new}, but input '{name}' has {len(shape)} dimensions")
    given = new[:1] if isinstance(size, int) else new
    if any(dim < 1 for dim in given):
        raise ConfigError(f"override_inpsize is {size}", remedy="give positive numbers")
    model.set_tensor_shape(name, new)
    kept = [info for info in model.graph.value_info if info.name in constants]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
