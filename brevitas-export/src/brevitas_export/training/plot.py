# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A picture of a training: loss and accuracy over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from brevitas_export.training.loop import Epoch


def plot(log: Sequence[Epoch], title: str, path: Path) -> None:
    """Write a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in log]
    losses.plot(epochs, [epoch.loss for epoch in log])
    losses.set(xlabel="epoch", ylabel="loss", yscale="log")
    accuracies.plot(epochs, [100 * epoch.train_accuracy for epoch in log], label="training")
    if log[0].validation_accuracy is not None:
        accuracies.plot(epochs, [100 * (epoch.validation_accuracy or 0) for epoch in log], label="validation")
    accuracies.set(xlabel="epoch", ylabel="accuracy (%)")
    accuracies.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=80, format="png")
