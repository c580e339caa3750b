# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Each model of any bit widths is exported bit by bit, and becomes integer as a whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from brevitas_export import Normalise, export_qonnx, models  # noqa: E402
from brevitas_export.models.dense import ChannelsLast  # noqa: E402
from finn.core.onnx_exec import execute_onnx  # noqa: E402
from finn.transformation.streamline import streamline  # noqa: E402
from finn.util.cleanup import cleanup_model  # noqa: E402

PIXELS, WAVES = Normalise(1 / 256), Normalise(1 / 128)
SAMPLES = 20
CALIBRATION = 35  # batches, after which activations have their scales


def unet(weight_bits: int, act_bits: int) -> torch.nn.Module:
    return ChannelsLast(models.unet_small(weight_bits, act_bits))


NETWORKS = {
    "tfc": (models.tfc, (1, 28, 28), "UINT8", PIXELS),
    "kws_mlp": (models.kws_mlp, (490,), "INT8", WAVES),
    "intrusion_mlp": (models.intrusion_mlp, (593,), "BINARY", None),
    "cnv_small": (models.cnv_small, (1, 28, 28), "UINT8", PIXELS),
    "resnet8": (models.resnet8, (1, 8, 8), "UINT8", PIXELS),
    "mobilenet_v1": (models.mobilenet_v1_small, (1, 28, 28), "UINT8", PIXELS),
    "vgg10": (models.vgg10, (256, 2), "INT8", WAVES),
    "unet": (unet, (1, 16, 16), "UINT8", PIXELS),
}
CASES = [
    *(("tfc", bits, act_bits) for bits, act_bits in ((1, 1), (1, 2), (2, 2), (3, 3), (8, 8))),
    *(("kws_mlp", bits, bits) for bits in (1, 3)),
    *(("intrusion_mlp", bits, bits) for bits in (1, 2)),
    *(("cnv_small", bits, bits) for bits in (1, 2)),
    *(("resnet8", bits, 4) for bits in (3, 4)),
    ("mobilenet_v1", 4, 4),
    *(("vgg10", bits, bits) for bits in (2, 4)),
    ("unet", 4, 4),
]
LARGE = [
    (lambda w, a: models.cnv(w, a), (3, 32, 32), (10,)),
    (models.sfc, (1, 28, 28), (10,)),
    (models.lfc, (1, 28, 28), (10,)),
    (models.unet_small, (1, 16, 16), (2, 16, 16)),
]


def calibrated(net: torch.nn.Module, shape: tuple[int, ...], low: float) -> torch.nn.Module:
    for _ in range(CALIBRATION):
        net(torch.rand(8, *shape) * (1 - low) + low)
    return net.eval()


@pytest.mark.parametrize(("name", "weight_bits", "act_bits"), CASES)
def test_all_of_it_becomes_integer_and_answers_the_same(name: str, weight_bits: int, act_bits: int) -> None:
    make, shape, datatype, preprocess = NETWORKS[name]
    torch.manual_seed(weight_bits + act_bits)
    net = calibrated(make(weight_bits, act_bits), shape, -1.0 if datatype == "INT8" else 0.0)
    options = {"input_datatype": datatype, "preprocess": preprocess, "top_k": 1, "tolerance": 0.0}
    exported = export_qonnx(net, input_shape=(1, *shape), **options)
    low, high = {"UINT8": (0, 255), "INT8": (-128, 127), "BINARY": (0, 1)}[datatype]
    x = np.random.default_rng(0).integers(low, high, (SAMPLES, *shape), endpoint=True).astype(np.float32)
    scale = 1.0 if preprocess is None else preprocess.scale
    with torch.no_grad():
        scores = net(torch.from_numpy(x * np.float32(scale))).numpy()
    model = cleanup_model(exported, override_inpsize=SAMPLES)
    assert streamline(model).host == {}
    assert model.get_tensor_datatype("global_in").name == datatype
    assert model.get_tensor_datatype(model.find_producer("global_out").input[0]).is_integer()
    found = execute_onnx(model, {"global_in": x})["global_out"]
    np.testing.assert_array_equal(found, scores.argmax(-1)[..., None])


@pytest.mark.parametrize(("make", "shape", "scores"), LARGE, ids=["cnv", "sfc", "lfc", "unet"])
def test_shapes(make: Callable[[int, int], torch.nn.Module], shape: tuple[int, ...], scores: tuple[int, ...]) -> None:
    for weight_bits, act_bits in ((1, 1), (2, 2)) if make is not models.unet_small else ((2, 2), (4, 4)):
        assert make(weight_bits, act_bits)(torch.rand(2, *shape)).shape == (2, *scores)


@pytest.mark.parametrize("bits", [(0, 1), (1, 9)])
def test_bit_widths_are_checked(bits: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="give 1 to 8"):
        models.tfc(*bits)


def test_images_that_are_too_small() -> None:
    with pytest.raises(ValueError, match="too small for 3 pairs"):
        models.Cnv(models.exact(1, 1), (8, 8, 8), (16,), 28)
