"""Whole published networks, lowered, and at another batch size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.change_batchsize import ChangeBatchSize
from finn.transformation.gemm_to_matmul import GemmToMatMul
from finn.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from finn.util.cleanup import cleanup_model

from .helpers import op_types, whole  # noqa: TID252 - test helpers are no installed package


@pytest.mark.parametrize(
    "name",
    [
        "bnnpynq_cnv_w1a1_cifar10",
        "brevitas_cnvs_w2a2_fashion",
        "brevitas_mobblock_w4a4",  # depthwise
        "brevitas_resblock_w4a4",
        "brevitas_txblock_w8a8",  # attention: shapes that hold the batch
    ],
)
def test_published_network(shared: Path, name: str) -> None:
    model = cleanup_model(ModelWrapper(shared / "models" / f"{name}.onnx"))
    source, target = model.get_first_global_in(), model.get_first_global_out()
    x = whole(0, model.get_tensor_shape(source) or [], 0, 2)
    expected = execute_onnx(model, {source: x})[target]
    lowered = model.transform(LowerConvsToMatMul()).transform(GemmToMatMul())
    assert not {"Conv", "Gemm"} & set(op_types(lowered))
    np.testing.assert_array_equal(execute_onnx(lowered, {source: x})[target], expected)
    three = lowered.transform(ChangeBatchSize(3))
    y = execute_onnx(three, {source: np.concatenate([x[::-1] * 0, x, x])})[target]
    np.testing.assert_array_equal(y[1], expected[0])
    assert list(y.shape) == three.get_tensor_shape(target)
