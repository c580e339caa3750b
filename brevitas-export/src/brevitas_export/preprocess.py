# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What happens to pixels before a network sees them, as a part of the exported graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from brevitas_export.errors import ExportError
from finn.core.modelwrapper import ModelWrapper

__all__ = ["Normalise"]

SCOPE = "preprocess"
RESULT = f"{SCOPE}_out"
OPERATIONS = {"Mul": np.multiply, "Sub": np.subtract, "Div": np.divide}


@dataclass(frozen=True)
class Normalise:
    """``(x * scale - mean) / std`` in float32; mean and std: one number, or one per channel (axis 1 of x)."""

    scale: float = 1.0
    mean: float | Sequence[float] = 0.0
    std: float | Sequence[float] = 1.0

    def steps(self, shape: Sequence[int]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """(operator, constant) of what has to be done, for x of `shape`. ExportError if the channels do not fit."""
        for operator, value, neutral in (("Mul", self.scale, 1.0), ("Sub", self.mean, 0.0), ("Div", self.std, 1.0)):
            constant = np.asarray(value, np.float32)
            if not np.isfinite(constant).all() or (operator != "Sub" and (constant == 0).any()):
                raise ExportError(f"preprocess is {self}", why="its numbers have to be finite, scale and std not 0")
            if constant.ndim and constant.shape != tuple(shape[1:2]):
                why = f"it has {constant.shape} channels, and the input, of shape {tuple(shape)}, has {shape[1]}"
                raise ExportError(
                    f"preprocess is {self}", why=why, remedy="give one number per channel, or one for all"
                )
            if (constant != neutral).any():
                yield operator, constant.reshape(-1, *[1] * (len(shape) - 2)) if constant.ndim else constant


@dataclass(frozen=True)
class DivideBy255:
    """``x / 255``, as ``ToTensor`` of torchvision has it."""

    def steps(self, shape: Sequence[int]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        yield "Div", np.asarray(255, np.float32)


Preprocess = Normalise | DivideBy255


def preprocessing(wish: str | Normalise | None) -> Preprocess | None:
    """What the text or value stands for. ExportError for other texts."""
    if wish is None or isinstance(wish, Normalise):
        return wish
    if wish == "div255":
        return DivideBy255()
    raise ExportError(
        f"preprocess is {wish!r}", remedy='give "div255" or Normalise(scale, mean, std) of brevitas_export'
    )


def apply(preprocess: Preprocess | None, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network sees of the sample x."""
    for operator, constant in preprocess.steps(x.shape) if preprocess is not None else ():
        x = OPERATIONS[operator](x, constant)
    return x


def put_in_front(model: ModelWrapper, preprocess: Preprocess) -> None:
    """Let the graph begin with the preprocessing of its first input."""
    name = model.graph.input[0].name
    shape = model.get_tensor_shape(name) or []
    steps = list(preprocess.steps(shape))
    if steps:
        result = model.unique_tensor_name(RESULT)
        model.replace_uses(name, result)
        model.set_tensor_shape(result, shape)
    source = name
    for position, (operator, constant) in enumerate(steps):
        parameter = model.unique_tensor_name(f"{SCOPE}.{operator}.B")
        model.set_initializer(parameter, constant)
        target = result if position == len(steps) - 1 else model.unique_tensor_name(f"{SCOPE}.{operator}_out")
        model.insert_node(position, helper.make_node(operator, [source, parameter], [target], f"{SCOPE}.{operator}"))
        model.set_tensor_shape(target, shape)
        source = target
