# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The phases of the compiler, from a file to files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from c_arrays.emit import header, self_test, source
from c_arrays.integers import FUSE, ToIntegers
from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.base import Transformation
from finn.transformation.batchnorm_to_affine import BatchNormToAffine
from finn.transformation.channels_last import RemoveConsecutiveChanFirstAndChanLastTrafos
from finn.transformation.gemm_to_matmul import GemmToMatMul
from finn.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes, require_static_shapes
from finn.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from finn.transformation.remove import RemoveIdentityOps, RemoveUnusedNodes
from finn.transformation.rewrite import apply
from finn.util.basic import gen_finn_dt_tensor
from finn.util.cleanup import cleanup_model

LOWERING: tuple[Transformation, ...] = (GemmToMatMul(), LowerConvsToMatMul())
TO_INTEGERS: tuple[Transformation, ...] = (ToIntegers(), RemoveUnusedNodes(), RemoveIdentityOps(), BatchNormToAffine())
FINISH: tuple[Transformation, ...] = (
    RemoveConsecutiveChanFirstAndChanLastTrafos(),
    InferShapes(),
    InferDataTypes(),
    GiveUniqueNodeNames(),
    GiveReadableTensorNames(),
)


def integer_network(model: ModelWrapper, input_datatype: str | None = None) -> ModelWrapper:
    """The network for one frame, in integers from its inputs on; it can be executed as any other model.

    input_datatype: of inputs that are not annotated. FinnError if the network cannot be compiled; it stays as it was.
    """
    model = cleanup_model(model, override_inpsize=1)
    require_static_shapes(model)
    for value in model.graph.input:
        if input_datatype is not None and not model.get_tensor_datatype(value.name).is_integer():
            model.set_tensor_datatype(value.name, _datatype(input_datatype))
    for step in (*LOWERING, *TO_INTEGERS):
        model = model.transform(step)
    apply(model, FUSE)
    for step in FINISH:
        model = model.transform(step)
    return model


def _datatype(name: str) -> BaseDataType:
    try:
        return DataType[name]
    except KeyError as error:
        raise ConfigError(f"there is no data type '{name}'", remedy="use one such as UINT8 or INT4") from error


def compile_network(path: str | os.PathLike[str], out_dir: str | os.PathLike[str], input_datatype: str | None) -> None:
    """Write net.h, net.c and test_net.c. FinnError if the network cannot be compiled; nothing is written then."""
    model = integer_network(ModelWrapper(path), input_datatype)
    frames = random_frames(model, 4)
    answers = [execute_onnx(model, frame) for frame in frames]
    files = {"net.h": header(model), "net.c": source(model), "test_net.c": self_test(model, frames, answers)}
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def random_frames(model: ModelWrapper, count: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Inputs drawn from all values of their data types."""
    random = np.random.default_rng(seed)
    inputs = [
        (value.name, model.get_tensor_datatype(value.name), model.get_tensor_shape(value.name) or [])
        for value in model.graph.input
    ]
    return [
        {name: gen_finn_dt_tensor(datatype, shape, random) for name, datatype, shape in inputs} for _ in range(count)
    ]
