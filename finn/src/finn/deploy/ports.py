# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The tensors at the ends of an accelerator, and the bytes that they are in its memory.

A tensor is known in three forms, each with the batch as axis 0:

- normal: as the network has it, channels last: (N, ...) integers;
- folded: the last axis cut into the beats of the stream: (N, ..., beats, lanes);
- packed: a beat as bytes, (N, ..., beats, bytes): lane 0 in the lowest bits, the lowest byte first, zeros above.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType
from finn.dataflow.layer import IntArray, Stream
from finn.deploy.errors import DeployError
from finn.util.data_packing import finnpy_to_packed_bytearray, packed_bytearray_to_finnpy

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Port:
    """One input or output. normal : shape of one frame, with 1 as its batch. lanes : elements per beat."""

    name: str
    dtype: BaseDataType
    normal: tuple[int, ...]
    lanes: int

    @classmethod
    def of(cls, name: str, stream: Stream) -> Port:
        """Raises DeployError for a stream whose beats are not in C order."""
        if stream.order is not None:
            raise DeployError(
                f"the beats of {name} go window by window",
                why="a driver sends and gets the elements of a tensor in C order",
                remedy="leave the sliding window of a depthwise layer to the accelerator",
            )
        return cls(name, stream.dtype, tuple(stream.shape), stream.lanes)

    @property
    def folded(self) -> tuple[int, ...]:
        """Shape of one frame as beats: (1, ..., beats, lanes)."""
        return (*self.normal[:-1], self.normal[-1] // self.lanes, self.lanes)

    @property
    def packed(self) -> tuple[int, ...]:
        """Shape of one frame as bytes: (1, ..., beats, bytes)."""
        return (*self.folded[:-1], -(-self.lanes * self.dtype.bitwidth() // 8))

    @property
    def frame_bytes(self) -> int:
        return prod(self.packed)

    def fold(self, x: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Normal to folded. Raises DeployError for another shape."""
        return self._reshaped(x, self.normal, self.folded)

    def unfold(self, x: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Folded to normal. Raises DeployError for another shape."""
        return self._reshaped(x, self.folded, self.normal)

    def pack(self, folded: npt.NDArray[np.generic]) -> Bytes:
        """Folded to packed. Raises PackingError for values that are not of the type, DeployError for another shape."""
        self._check(folded, self.folded)
        return np.ascontiguousarray(finnpy_to_packed_bytearray(folded, self.dtype, True, True))

    def unpack(self, packed: Bytes) -> IntArray:
        """Packed to folded, as int64. Raises DeployError for another shape."""
        self._check(packed, self.packed)
        shape = (len(packed), *self.folded[1:])
        return packed_bytearray_to_finnpy(packed, self.dtype, shape, True, True).astype(np.int64)

    def _reshaped(
        self, x: npt.NDArray[np.generic], given: tuple[int, ...], wanted: tuple[int, ...]
    ) -> npt.NDArray[np.generic]:
        self._check(x, given)
        return x.reshape(len(x), *wanted[1:])

    def _check(self, x: npt.NDArray[np.generic], frame: tuple[int, ...]) -> None:
        if x.shape[1:] != frame[1:] or not x.ndim or not len(x):
            raise DeployError(
                f"an array of shape {x.shape}",
                where=self.name,
                why=f"one frame has the shape {frame[1:]}",
                remedy=f"give an array ({', '.join(map(str, ('N', *frame[1:])))})",
            )
