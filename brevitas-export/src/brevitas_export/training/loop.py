# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The loop: seeded, on one thread, logged by epoch, and resumed to the very same result."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brevitas_export.data.tasks import Task
from brevitas_export.models.quantization import CALIBRATION_STEPS
from brevitas_export.training.recipes import Chosen
from finn.core.errors import ConfigError, ExecutionError

CHECKPOINT, LOG = "checkpoint.pt", "log.csv"


@dataclass(frozen=True)
class Epoch:
    """What one epoch brought. validation_accuracy : of samples kept apart from training; None if there are none."""

    epoch: int
    loss: float
    train_accuracy: float
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class Settings:
    """What the result depends on, beside the recipe. hold_out : share of the training samples kept for validation."""

    name: str
    seed: int
    epochs: int
    learning_rate: float
    hold_out: float

    def __post_init__(self) -> None:
        if not (0 <= self.hold_out < 1 and self.epochs >= 1 and self.learning_rate > 0):
            raise ConfigError(
                f"{self.epochs} epochs, learning rate {self.learning_rate}, {self.hold_out} held out",
                remedy="give an epoch or more, a positive rate, and a share from 0 to below 1",
            )


class Training:
    """A network on its way. folder : where its checkpoint and log are; a checkpoint there is taken up.

    One normalisation over all scores makes them fit the loss: scales of exact networks are fixed. It changes no order
    of scores, and is no part of the network. Raises ConfigError if the checkpoint is of other settings.
    """

    def __init__(self, chosen: Chosen, task: Task, settings: Settings, folder: Path) -> None:
        torch.set_num_threads(1)  # networks this small get slower with more, and sums depend on it
        torch.manual_seed(settings.seed)
        self.chosen, self.task, self.settings, self.folder = chosen, task, settings, folder
        self.net, self.norm = chosen.net(), nn.BatchNorm1d(1)
        self.optimizer = torch.optim.Adam([*self.net.parameters(), *self.norm.parameters()], lr=settings.learning_rate)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, settings.epochs)
        self.log: list[Epoch] = []
        kept = round(task.trained * (1 - settings.hold_out))
        x = torch.from_numpy(task.normalised(task.x[: task.trained]))
        y = torch.from_numpy(task.y[: task.trained].copy())
        self.train, self.validation = (x[:kept], y[:kept]), (x[kept:], y[kept:])
        self._resume()

    def epochs(self) -> Iterator[Epoch]:
        """Train what is left, epoch by epoch; each is on disk when it comes. Raises ExecutionError if it diverges."""
        while len(self.log) < self.settings.epochs:
            start = time.perf_counter()
            loss, accuracy = self._epoch()
            if not np.isfinite(loss):
                raise ExecutionError(
                    f"the loss is {loss} in epoch {len(self.log) + 1}", remedy="lower the learning rate"
                )
            validation = self._accuracy(*self.validation) if len(self.validation[1]) else None
            seconds = round(time.perf_counter() - start, 3)
            self.log.append(Epoch(len(self.log) + 1, round(loss, 6), round(accuracy, 6), validation, seconds))
            self._save()
            yield self.log[-1]
        if self.norm.weight.item() <= 0:
            raise ExecutionError("training turned the order of the scores around", remedy="use another --seed")

    def _epoch(self) -> tuple[float, float]:
        """Mean loss, and accuracy while training."""
        self.net.train()
        x, y = self.train
        x = shifted(x, self.chosen.recipe.max_shift)
        total = right = 0.0
        for batch in torch.randperm(len(x)).split(self.chosen.recipe.batch):
            self.optimizer.zero_grad()
            scores = self.net(x[batch])
            loss = self.task.loss(self.norm(scores.reshape(-1, 1)).reshape(scores.shape), y[batch])
            loss.backward()
            self.optimizer.step()
            if self.chosen.recipe.clip:
                clip_weights(self.net)
            total += loss.item() * len(batch)
            right += self.task.accuracy(scores.detach().numpy(), y[batch].numpy()) * len(batch)
        self.schedule.step()
        return total / len(x), right / len(x)

    def _accuracy(self, x: Tensor, y: Tensor) -> float:
        return round(self.task.accuracy(answers(self.net, x), y.numpy()), 6)

    def _state(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "net": self.net,
            "norm": self.norm,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }
        states = {name: part.state_dict() for name, part in parts.items()}
        log = [asdict(epoch) for epoch in self.log]
        return states | {"random": torch.get_rng_state(), "log": log, "settings": asdict(self.settings)}

    def _save(self) -> None:
        """First the log, then the checkpoint, each at once or not at all.

        As long as quantizers collect the statistics for their first scale, which no state of Brevitas has, there is no
        checkpoint: a training that ends then begins anew.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        replace(self.folder / LOG, self._write_log)
        steps = len(self.log) * -(-len(self.train[1]) // self.chosen.recipe.batch)
        if steps > CALIBRATION_STEPS:
            replace(self.folder / CHECKPOINT, lambda path: torch.save(self._state(), path))

    def _write_log(self, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [f.name for f in fields(Epoch)])
            writer.writeheader()
            writer.writerows(asdict(epoch) for epoch in self.log)

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        if state["settings"] != asdict(self.settings):
            raise ConfigError(
                "there is an unfinished or finished training of other settings",
                where=str(path),
                why=f"{state['settings']}, not {asdict(self.settings)}",
                remedy="remove the folder, or give another --output",
            )
        self.net.load_state_dict(state["net"])
        self.norm.load_state_dict(state["norm"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        self.log = [Epoch(**epoch) for epoch in state["log"]]


def replace(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file, which is `path` when it is complete."""
    partial = path.with_name(f".{path.name}.partial")
    write(partial)
    os.replace(partial, path)


def answers(net: nn.Module, x: Tensor, batch: int = 100) -> NDArray[np.float32]:
    """The scores for (N, ...), in evaluation mode, in which the network stays."""
    net.eval()
    with torch.no_grad():
        return np.concatenate([net(part).numpy() for part in x.split(batch)])


def shifted(x: Tensor, limit: int) -> Tensor:
    """Each picture (1, size, size) moved by its own random -limit..limit pixels in both directions, filled with 0."""
    if not limit:
        return x
    size = x.shape[-1]
    padded = nn.functional.pad(x, (limit,) * 4)
    down, right = torch.randint(0, 2 * limit + 1, (2, len(x), 1))
    rows = (down + torch.arange(size))[:, :, None]
    columns = (right + torch.arange(size))[:, None, :]
    return padded[torch.arange(len(x))[:, None, None], 0, rows, columns][:, None]


def clip_weights(net: nn.Module) -> None:
    """Keep float weights of layers in -1..1, where the gradient of quantizers of few bits is not zero."""
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            module.weight.data.clamp_(-1.0, 1.0)
