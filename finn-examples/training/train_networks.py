# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train quantized networks of many topologies a little and export them: models for the tests of streamlining.

    pip install -e 'finn-base' -e 'brevitas-export[torch]' -e 'finn-examples[training]'
    python finn-examples/training/train_networks.py resnet8_w4a4 unet_w4a4

writes ``<name>.onnx``, ``<name>_dynamo.onnx`` where Brevitas' newer exporter is wanted as well, and ``<name>.npz`` into
``finn-base/tests/models`` and prints the accuracy on pictures that training never saw. The networks and their data are
small, most take less than a minute on one core; the names in RECIPES tell the bits of weights and activations.
(With PYTHONSAFEPATH set, add this directory to PYTHONPATH.)

The archive has some of the pictures held out and what PyTorch makes of them:

    x           raw integers (N, ...); the networks take (x * scale - mean) / std in float32
    y           labels
    scale, mean, std
    scores      float32

They are pictures for which no activation is nearly a tie between two integers (MARGIN), so that everybody who computes
in float32 finds the same integers, in whatever order sums are added.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from brevitas.core.quant import ClampedBinaryQuant, IntQuant
from brevitas.export import export_qonnx as brevitas_export_qonnx
from numpy.typing import NDArray
from torch import Tensor, nn

from brevitas_export import export_qonnx
from brevitas_export.data import tasks
from brevitas_export.data.tasks import Task
from brevitas_export.models import Encoder, MobileNetV1, MobileNetV2, Quantization, ResNet, SpeechNet, UNet, Vgg, Yolo
from brevitas_export.models.quantization import eltwise_add
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.util.cleanup import cleanup_model

MODELS = Path(__file__).resolve().parents[2] / "finn-base" / "tests" / "models"
BATCH = 50
LEARNING_RATE = 0.01  # at the first epoch; a cosine takes it to 0
SAMPLES = 12
DYNAMO_BATCH = 4
MARGIN = 1e-5  # steps of the quantizer
TOLERANCE = 1e-5  # of a score, relative to the greatest


@dataclass(frozen=True)
class Recipe:
    """One network, what it learns, for how long, and whether the newer exporter can export it."""

    net: Callable[[], nn.Module]
    task: Callable[[], Task]
    epochs: int
    dynamo: bool = False


POWERS_OF_TWO = {"power_of_two": True}
RECIPES = {
    "resnet8_w4a4": Recipe(lambda: ResNet(Quantization(4, 4), (1, 1, 1), 6), tasks.digits, 10, dynamo=True),
    "resnet18_w3a4": Recipe(
        lambda: ResNet(Quantization(3, 4, power_of_two=True), (2, 2, 2, 2), 3, add=eltwise_add), tasks.digits, 10
    ),
    "mobilenet_v1_w4a4": Recipe(
        lambda: MobileNetV1(Quantization(4, 4, per_channel=True), (6, 8, 12, 16), 28), tasks.mnist, 4, dynamo=True
    ),
    "mobilenet_v2_w5a5": Recipe(
        lambda: MobileNetV2(Quantization(5, 5), ((6, 2, 1), (8, 2, 2), (12, 2, 2))), tasks.digits, 10
    ),
    "vgg_w1a1": Recipe(lambda: Vgg(Quantization(1, 1), (8, 12, 16), 32, 28), tasks.mnist, 6),
    "vgg_w2a2": Recipe(lambda: Vgg(Quantization(2, 2, power_of_two=True), (6, 8, 12), 32, 28), tasks.mnist, 4),
    "unet_w4a4": Recipe(lambda: UNet(Quantization(4, 4), 6), tasks.strokes, 4, dynamo=True),
    "unet_transposed_w3a3": Recipe(
        lambda: UNet(Quantization(3, 3, per_channel=True), 6, transposed=True), tasks.strokes, 4
    ),
    "yolo_w4a4": Recipe(lambda: Yolo(Quantization(4, 4), 8), tasks.places, 12, dynamo=True),
    "speech_w3a3": Recipe(lambda: SpeechNet(Quantization(3, 3), (12, 16, 24)), tasks.tones, 6, dynamo=True),
    "encoder_layer_norm_w8a8": Recipe(
        lambda: Encoder(Quantization(8, 8), 8, 8, 16, 2, "layer"), tasks.rows, 10, dynamo=True
    ),
    "encoder_batch_norm_w4a6": Recipe(
        lambda: Encoder(Quantization(4, 6, per_channel=True), 8, 8, 16, 4, "batch", gelu=True), tasks.rows, 10
    ),
    "encoder_no_norm_w6a6": Recipe(
        lambda: Encoder(Quantization(6, 6, power_of_two=True), 8, 8, 16, 2, "none"), tasks.rows, 10
    ),
}


def train(recipe: Recipe, task: Task, seed: int) -> nn.Module:
    """Train one network; the same seed gives the same network on one machine."""
    torch.manual_seed(seed)
    net = recipe.net()
    x = torch.from_numpy(task.normalised(task.x[: task.trained]))
    y = torch.from_numpy(task.y[: task.trained])
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            task.loss(net(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    return net.eval()


def answers(net: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        return np.concatenate([net(part).numpy() for part in torch.from_numpy(x).split(BATCH)])


def margins(net: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """For each of x, how near any activation comes to where its integer changes, in steps of the quantizer."""
    found: list[Tensor] = []

    def measure(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if isinstance(module, IntQuant):
            scale, zero_point, bits, value = arguments
            steps = (value / scale + zero_point).double()
            low, high = module.min_int(bits), module.max_int(bits)
            away = (steps - torch.clamp(torch.floor(steps) + 0.5, low + 0.5, high - 0.5)).abs()
            if bool((scale == 2.0 ** torch.round(torch.log2(scale))).all()):
                away[away == 0] = 0.5  # such ties are no accident: everybody computes them exactly
        else:
            value = arguments[0]
            away = value.double().abs()
        found.append(away.reshape(len(value), -1).amin(1))

    result = []
    hooks = [
        module.register_forward_pre_hook(measure)
        for name, module in net.named_modules()
        if isinstance(module, IntQuant | ClampedBinaryQuant) and "weight_quant" not in name and "bias_quant" not in name
    ]
    for sample in x:
        found.clear()
        answers(net, sample[None])
        result.append(min(float(margin.min()) for margin in found))
    for hook in hooks:
        hook.remove()
    return np.array(result)


def export_dynamo(net: nn.Module, shape: tuple[int, ...]) -> onnx.ModelProto:
    """As Brevitas' newer exporter does, with the batch size in the shapes; without what tells of source files."""
    with TemporaryDirectory() as folder:
        model = brevitas_export_qonnx(net, input_shape=shape, export_path=Path(folder) / "model.onnx", dynamo=True)
    graph = model.graph
    for node in graph.node:
        node.ClearField("doc_string")
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.ClearField("metadata_props")
    return model


def write(name: str, net: nn.Module, task: Task, folder: Path, *, dynamo: bool) -> None:
    """Write the models, each compared with PyTorch, and the archive."""
    raw, labels = task.x[task.trained :], task.y[task.trained :]
    x = task.normalised(raw)
    chosen = np.flatnonzero(margins(net, x[: 4 * SAMPLES]) > MARGIN)[:SAMPLES]
    if len(chosen) < SAMPLES:
        raise SystemExit(f"{name}: only {len(chosen)} of {4 * SAMPLES} pictures are clear of ties")
    samples, expected = x[chosen], answers(net, x[chosen])
    model = export_qonnx(net, folder / f"{name}.onnx", input_shape=x[:1].shape, samples=samples, tolerance=TOLERANCE)
    if dynamo:
        newer = export_dynamo(net, (DYNAMO_BATCH, *x.shape[1:]))
        compare(newer, samples, expected)
        onnx.save(newer, folder / f"{name}_dynamo.onnx")
    parameters = {key: np.float32(getattr(task, key)) for key in ("scale", "mean", "std")}
    np.savez_compressed(folder / f"{name}.npz", x=raw[chosen], y=labels[chosen], scores=expected, **parameters)
    sizes = [f"{path.stat().st_size / 1000:.0f} kB" for path in sorted(folder.glob(f"{name}*"))]
    nodes = len(model.graph.node)
    print(f"{name}: {task.accuracy(answers(net, x), labels):.1%} of {len(labels)}, {nodes} nodes, {', '.join(sizes)}")


def compare(model: onnx.ModelProto, x: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    wrapper = cleanup_model(ModelWrapper(model, make_deepcopy=True))
    batches = (
        execute_onnx(wrapper, {wrapper.graph.input[0].name: batch}) for batch in np.split(x, len(x) // DYNAMO_BATCH)
    )
    error = np.abs(np.concatenate([next(iter(found.values())) for found in batches]) - expected).max()
    if not error <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise SystemExit(f"the newer export differs from PyTorch by {error:g}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train quantized networks a little and export them.")
    parser.add_argument("networks", nargs="*", choices=[*RECIPES, []], metavar="network", help=", ".join(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=MODELS, help="where the files go (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # networks this small get slower with more
    for name in arguments.networks or RECIPES:
        recipe = RECIPES[name]
        task = recipe.task()
        write(name, train(recipe, task, arguments.seed), task, arguments.output, dynamo=recipe.dynamo)


if __name__ == "__main__":
    main()
