# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What a training leaves: a directory that finn builds, with held-out data and a card that says what the network is."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from brevitas_export.data.tasks import Task
from brevitas_export.preprocess import Normalise
from brevitas_export.qonnx import export_qonnx
from brevitas_export.training.loop import Settings, answers
from brevitas_export.training.recipes import Chosen
from finn.core.errors import ConfigError
from finn.util.confidence import wilson

CARD, CONFIG = "README.md", "dataflow_build_config.json"
VERIFIED = 20  # samples in input.npy


@dataclass(frozen=True)
class Tested:
    """Held-out samples: raw integers, labels, and the classes that PyTorch answers, one behind the last axis."""

    x: NDArray[np.generic]
    y: NDArray[np.int64]
    expected: NDArray[np.int64]

    @classmethod
    def of(cls, net: nn.Module, chosen: Chosen, task: Task) -> Tested:
        """All of them."""
        x, y = task.x[task.trained :], task.y[task.trained :]
        scores = answers(chosen.recipe.exported(net), torch.from_numpy(task.normalised(x)))
        return cls(x, y, scores.argmax(-1)[..., None])

    def part(self, which: slice | NDArray[np.bool_]) -> Tested:
        return Tested(self.x[which], self.y[which], self.expected[which])

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.expected[..., 0] == self.y))


def check_free(directory: Path, name: str) -> None:
    """Raise ConfigError if the directory has files of something else."""
    card = directory / CARD
    if card.is_file() and name not in card.read_text(encoding="utf-8"):
        raise ConfigError(
            f"{directory} is the directory of another network", where=str(card), remedy="give another --output"
        )


def write(net: nn.Module, chosen: Chosen, task: Task, settings: Settings, directory: Path) -> Tested:
    """Export, compare with PyTorch on all that is shipped, then write the files; a configuration that is there stays.

    Raises ExportError if an answer differs; nothing is written then.
    """
    held_out = Tested.of(net, chosen, task)
    tested = held_out.part(slice(chosen.recipe.shipped))
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".") as folder:
        made = Path(folder)
        trivial = (task.scale, task.mean, task.std) == (1.0, 0.0, 1.0)
        export_qonnx(
            chosen.recipe.exported(net),
            made / "model.onnx",
            input_shape=(1, *task.x.shape[1:]),
            input_datatype=task.datatype,
            preprocess=None if trivial else Normalise(task.scale, task.mean, task.std),
            top_k=1,
            samples=tested.x.astype(np.float32),
            tolerance=0.0,
        )
        np.savez_compressed(made / "test_set.npz", x=tested.x, y=tested.y.astype(np.uint8), expected=tested.expected)
        np.save(made / "input.npy", tested.x[:VERIFIED])
        np.save(made / "expected_output.npy", tested.expected[:VERIFIED])
        (made / CARD).write_text(card(net, chosen, task, settings, tested) + by_group(task, held_out), encoding="utf-8")
        if not (directory / CONFIG).is_file():
            (made / CONFIG).write_text(json.dumps(configuration(chosen, task), indent=2) + "\n", encoding="utf-8")
        for path in made.iterdir():
            os.replace(path, directory / path.name)
    return tested


def configuration(chosen: Chosen, task: Task) -> dict[str, object]:
    """How finn builds it, if nobody says something else."""
    classifies = {"validation_dataset": "test_set.npz"} if task.y.ndim == 1 else {}
    return {
        "output_dir": "output",
        "synth_clk_period_ns": 10.0,
        "board": "ULX3S-85F",
        **chosen.recipe.build,
        "generate_outputs": ["estimate_reports", "stitched_ip", "rtlsim_performance"],
        "verify_steps": ["initial_python", "streamlined_python", "folded_hls_cppsim", "stitched_ip_rtlsim"],
        **classifies,
    }


def card(net: nn.Module, chosen: Chosen, task: Task, settings: Settings, tested: Tested) -> str:
    """The model card, in Markdown."""
    name, shape = chosen.name, " x ".join(map(str, task.x.shape[1:]))
    weights = sum(p.numel() for n, p in net.named_parameters() if n.endswith("weight") and p.ndim > 1)
    count = len(tested.y)  # labels of one sample are not independent: their mean varies p (1 - p) at most
    low, high = (100 * bound for bound in wilson(tested.accuracy, count))
    what = "samples" if task.y.ndim == 1 else f"labels in {len(tested.y)} samples"
    options = {"--seed": settings.seed, "--epochs": settings.epochs, "--learning-rate": settings.learning_rate}
    held_out = {"--hold-out": settings.hold_out} if settings.hold_out else {}
    command = " ".join([name, *(f"{option} {value}" for option, value in (options | held_out).items())])
    accuracy = f"**{100 * tested.accuracy:.1f} %** of {tested.y.size:,} held-out {what}"
    return f"""# {chosen.recipe.title}: {chosen.weight_bits}-bit weights, {chosen.act_bits}-bit activations

| | |
|---|---|
| input | {task.datatype}, {shape} |
| weights | {weights:,}, of {chosen.weight_bits} bit{"s" * (chosen.weight_bits > 1)} |
| activations | of {chosen.act_bits} bit{"s" * (chosen.act_bits > 1)} |
| accuracy | {accuracy}; 95 % confidence interval {low:.1f} to {high:.1f} % |
| licence of these files | BSD-3-Clause |

All scales are powers of two or constants, so that sums are exact: PyTorch, onnxruntime and the hardware give the same
answer to every held-out sample.

Build it with `finn build`; the products appear in `output/` here. Make it again with

    python -m brevitas_export.train {command}

| file | what it is |
|---|---|
| `model.onnx` | the network as QONNX, compared with PyTorch on all held-out samples |
| `{CONFIG}` | what to build |
| `test_set.npz` | `x`, the held-out samples, `y`, what they are, and `expected`, what PyTorch answers |
| `input.npy`, `expected_output.npy` | the first {VERIFIED} of them with PyTorch's answers, for `verify_steps` |

## Data

{task.about}
"""


def by_group(task: Task, held_out: Tested) -> str:
    """A section of the card about all held-out samples, if the task has groups."""
    if not task.groups:
        return ""
    parts = [(name, held_out.part(task.group == index)) for index, name in enumerate(task.groups)]
    rows = [_row(name, part) for name, part in (*parts, ("all", held_out)) if len(part.y)]
    return f"""
## Accuracy

Of PyTorch, on all samples held out.

| | accuracy | 95 % confidence interval | samples |
|---|---|---|---|
{"".join(rows)}"""


def _row(name: str, part: Tested) -> str:
    low, high = (100 * bound for bound in wilson(part.accuracy, len(part.y)))
    return f"| {name} | {100 * part.accuracy:.1f} % | {low:.1f} to {high:.1f} % | {len(part.y):,} |\n"
