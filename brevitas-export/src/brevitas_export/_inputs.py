# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What a network is fed with: checked arguments, examples for the exporter, samples for the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from brevitas_export.errors import ExportError
from finn.core.datatype import BaseDataType, DataType

if TYPE_CHECKING:
    import torch

RANDOM_SAMPLES = 16

Array = NDArray[Any]
Samples = Array | Sequence[Array]
"""(N, ...) with one sample per row; a sequence of such arrays for a network of several inputs."""


@dataclass(frozen=True)
class Example:
    """One input of the network, batch 1 in front; `value` is None where only the shape was given."""

    shape: tuple[int, ...]
    value: Array | None = None
    datatype: BaseDataType | None = None

    def check(self, x: Array, what: str) -> None:
        """ExportError if x has values that the datatype does not have."""
        if self.datatype is not None and not np.all(self.datatype.allowed(x)):
            remedy = "give raw values, as the accelerator will get them"
            raise ExportError(f"{what} has values that are not {self.datatype.name}", remedy=remedy)

    def drawn(self, rng: np.random.Generator, count: int) -> Array:
        """(count, ...) random samples, uniform over the datatype; a given integer example is repeated as it is."""
        size = (count, *self.shape[1:])
        if self.datatype is not None:
            numbers = rng.integers(int(self.datatype.min()), int(self.datatype.max()), size, endpoint=True)
            # BIPOLAR and its like have holes in their range.
            return np.where(self.datatype.allowed(numbers), numbers, self.datatype.max()).astype(np.float32)
        if self.value is not None and not np.issubdtype(self.value.dtype, np.floating):
            return np.repeat(self.value, count, axis=0)
        return rng.standard_normal(size).astype(np.float32)


def checked_examples(
    input_shape: Sequence[int] | None,
    args: torch.Tensor | Sequence[torch.Tensor] | None,
    input_datatype: str | Sequence[str | None] | None,
) -> list[Example]:
    """The inputs of the network, in order. ExportError for what cannot be one."""
    if (input_shape is None) == (args is None):
        raise ExportError(
            f"input_shape is {input_shape}, args is {'not ' * (args is not None)}None",
            why="the exporter follows the network with one input, of which it needs exactly one of the two",
            remedy="give the shape of one input, input_shape=(1, 1, 28, 28), or args=torch.zeros(1, 1, 28, 28)",
        )
    if args is None:
        values: list[Array | None] = [None]
        shapes = [_checked_shape(input_shape or (), "input_shape")]
    else:
        tensors = [args] if hasattr(args, "shape") else list(args)
        values = [np.asarray(tensor.detach().cpu().numpy()) for tensor in tensors]  # type: ignore[union-attr]
        shapes = [_checked_shape(value.shape, f"the shape of args[{i}]") for i, value in enumerate(values)]  # type: ignore[union-attr]
    names = [input_datatype] if isinstance(input_datatype, str) else list(input_datatype or [None] * len(shapes))
    if len(names) != len(shapes):
        what = f"input_datatype has {len(names)} types, the network {len(shapes)} inputs"
        raise ExportError(what, remedy='give one type per input, None where there is none: ("UINT8", None)')
    datatypes = [None if name is None else _integer_type(name) for name in names]
    examples = [Example(*each) for each in zip(shapes, values, datatypes, strict=True)]
    for i, example in enumerate(examples):
        if example.value is not None:
            example.check(example.value, f"args[{i}]")
    return examples


def _checked_shape(input_shape: Sequence[int], what: str) -> tuple[int, ...]:
    shape = tuple(int(size) for size in input_shape)
    if not shape or shape[0] != 1 or min(shape) < 1:
        raise ExportError(
            f"{what} is {shape}",
            why="a shape with batch 1 in front and no empty dimension is needed",
            remedy="give the shape of one input, such as (1, 1, 28, 28)",
        )
    return shape


def _integer_type(name: str) -> BaseDataType:
    what = f"input_datatype is {name}"
    try:
        datatype: BaseDataType = DataType[name]
    except KeyError as error:
        raise ExportError(what, why=str(error.args[0]), remedy="name a type such as UINT8") from error
    if not datatype.is_integer():
        raise ExportError(what, why="only integer types can enter hardware", remedy="leave it out")
    return datatype


def sample_rows(examples: Sequence[Example], samples: Samples | None, count: int = RANDOM_SAMPLES) -> list[list[Array]]:
    """One list of inputs, batch 1 in front, per sample: the given ones or `count` random ones."""
    if samples is None:
        rng = np.random.default_rng(0)
        arrays = [example.drawn(rng, count) for example in examples]
        given = [example.value for example in examples if example.value is not None]
        if len(given) == len(examples):
            arrays = [np.concatenate([x, drawn]) for x, drawn in zip(given, arrays, strict=True)]
    else:
        arrays = [np.asarray(samples)] if len(examples) == 1 and hasattr(samples, "shape") else list(samples)
        _check_samples(examples, arrays)
    columns = []
    for example, array in zip(examples, arrays, strict=True):
        integer = example.value is not None and not np.issubdtype(example.value.dtype, np.floating)
        columns.append(array.astype(example.value.dtype if integer and example.value is not None else np.float32))
    return [[column[i : i + 1] for column in columns] for i in range(len(columns[0]))]


def _check_samples(examples: Sequence[Example], arrays: Sequence[Array]) -> None:
    if len(arrays) != len(examples) or len({len(array) for array in arrays}) != 1 or not len(arrays[0]):
        what = f"samples are {len(arrays)} arrays of {[len(array) for array in arrays]} rows"
        raise ExportError(what, remedy=f"give {len(examples)} of them, with as many rows each, and not none")
    for example, array in zip(examples, arrays, strict=True):
        if array.shape[1:] != example.shape[1:]:
            raise ExportError(
                f"samples have shape {array.shape}, the network takes (N, {', '.join(map(str, example.shape[1:]))})",
                remedy="stack the samples along the first axis",
            )
        example.check(array, "samples")
