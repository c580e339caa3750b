"""From what an exporter writes to a graph that is fit for further transformations."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general import QDQ, QONNX_QUANTIZERS
from finn.transformation.fold_constants import FoldConstants
from finn.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    GiveUniqueParameterTensors,
    RemoveStaticGraphInputs,
)
from finn.transformation.infer_shapes import InferShapes, require_static_shapes
from finn.transformation.remove import RemoveUnusedNodes


def cleanup_model(
    model: ModelWrapper, preserve_qnt_ops: bool = True, override_inpsize: Sequence[int] | int | None = None
) -> ModelWrapper:
    """Infer shapes, fold constants, remove what nothing uses, give nodes and tensors readable names.

    preserve_qnt_ops: keep the quantizers of constants. override_inpsize: the shape of the first input, or its batch
    size. The given model stays as it is. ModelError if a shape is not fixed afterwards.
    """
    model = copy.deepcopy(model)
    if override_inpsize is not None:
        _override(model, override_inpsize)
    infer = (RemoveStaticGraphInputs(), InferShapes(), GiveUniqueParameterTensors())
    fold = (FoldConstants(exclude_op_types=QONNX_QUANTIZERS | QDQ if preserve_qnt_ops else None), RemoveUnusedNodes())
    for step in (*infer, *fold):
        model = model.transform(step, make_deepcopy=False, cleanup=False)
    model.cleanup()  # sorts the nodes: their names follow the order
    for step in (GiveUniqueNodeNames(), GiveReadableTensorNames()):
        model = model.transform(step, make_deepcopy=False, cleanup=False)
    require_static_shapes(model)
    return model


def cleanup(
    in_file: str | os.PathLike[str],
    *,
    out_file: str | os.PathLike[str] | None = None,
    preserve_qnt_ops: bool = True,
    override_inpsize: Sequence[int] | int | None = None,
) -> None:
    """`cleanup_model` from file to file. out_file: `<in_file>_clean.onnx` if not given."""
    source = Path(in_file)
    target = Path(out_file) if out_file is not None else source.with_name(f"{source.stem}_clean.onnx")
    model = cleanup_model(ModelWrapper(source), preserve_qnt_ops, override_inpsize)
    model.save(target)


def _override(model: ModelWrapper, size: Sequence[int] | int) -> None:
    """Set the shape of the first input and forget every inferred shape."""
    constants = {tensor.name for tensor in model.graph.initializer}
    name = next(value.name for value in model.graph.input if value.name not in constants)
    shape = model.get_tensor_shape(name) or []
    new = [size, *shape[1:]] if isinstance(size, int) else list(size)
    if shape and len(new) != len(shape):
        raise ConfigError(f"override_inpsize is {new}, but input '{name}' has {len(shape)} dimensions")
    model.set_tensor_shape(name, new)
    stale = [info for info in model.graph.value_info if info.name not in constants]
    for info in stale:
        model.graph.value_info.remove(info)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
