# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Each model of any bit widths is exported as it is, and becomes hardware as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from brevitas_export import Normalise, export_qonnx, models  # noqa: E402
from brevitas_export.models.dense import ChannelsLast  # noqa: E402
from finn.builder.accelerator import load  # noqa: E402

PIXELS, SAMPLES = Normalise(1 / 256), Normalise(1 / 128)
CALIBRATION = 35  # batches, after which activations have their scales
slow = pytest.mark.slow


def unet(weight_bits: int, act_bits: int) -> torch.nn.Module:
    return ChannelsLast(models.unet_small(weight_bits, act_bits))


NETWORKS = {
    "tfc": (models.tfc, (1, 28, 28), "UINT8", PIXELS),
    "kws_mlp": (models.kws_mlp, (490,), "INT8", SAMPLES),
    "intrusion_mlp": (models.intrusion_mlp, (593,), "BINARY", None),
    "cnv_small": (models.cnv_small, (1, 28, 28), "UINT8", PIXELS),
    "resnet8": (models.resnet8, (1, 8, 8), "UINT8", PIXELS),
    "mobilenet_v1": (models.mobilenet_v1_small, (1, 28, 28), "UINT8", PIXELS),
    "vgg10": (models.vgg10, (256, 2), "INT8", SAMPLES),
    "unet": (unet, (1, 16, 16), "UINT8", PIXELS),
}
CASES = [
    ("tfc", 1, 1),
    ("tfc", 1, 2),
    ("intrusion_mlp", 2, 2),
    ("cnv_small", 1, 1),
    ("resnet8", 4, 4),
    ("mobilenet_v1", 4, 4),
    ("vgg10", 4, 4),
    ("unet", 4, 4),
    *(pytest.param("tfc", bits, bits, marks=slow) for bits in (2, 3, 8)),
    pytest.param("kws_mlp", 1, 1, marks=slow),
    pytest.param("kws_mlp", 3, 3, marks=slow),
    pytest.param("intrusion_mlp", 1, 1, marks=slow),
    pytest.param("cnv_small", 2, 2, marks=slow),
    pytest.param("resnet8", 3, 4, marks=slow),
    pytest.param("vgg10", 2, 2, marks=slow),
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
def test_hardware_computes_all_of_it(name: str, weight_bits: int, act_bits: int, tmp_path: Path) -> None:
    make, shape, datatype, preprocess = NETWORKS[name]
    torch.manual_seed(weight_bits + act_bits)
    net = calibrated(make(weight_bits, act_bits), shape, -1.0 if datatype == "INT8" else 0.0)
    options = {"input_datatype": datatype, "preprocess": preprocess, "top_k": 1, "tolerance": 0.0}
    export_qonnx(net, tmp_path / "model.onnx", input_shape=(1, *shape), **options)
    config = {"output_dir": "output", "synth_clk_period_ns": 10.0, "generate_outputs": [], "auto_fifo_depths": False}
    (tmp_path / "dataflow_build_config.json").write_text(json.dumps(config))
    low, high = {"UINT8": (0, 255), "INT8": (-128, 127), "BINARY": (0, 1)}[datatype]
    x = np.random.default_rng(0).integers(low, high, (20, *shape), endpoint=True)
    scale = 1.0 if preprocess is None else preprocess.scale
    with torch.no_grad():
        scores = net(torch.from_numpy(x.astype(np.float32) * np.float32(scale))).numpy()
    accel = load(tmp_path, "python")
    np.testing.assert_array_equal(accel.execute(x), scores.argmax(-1)[..., None])  # the host is not asked


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
