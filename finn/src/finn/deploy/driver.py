# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""An accelerator as a function on NumPy arrays, with the names of FINN's driver.

Arrays have the batch as axis 0; see `finn.deploy.ports` for the forms that they go through. `execute` does it all:
fold, pack, copy to the device, run, copy back, unpack, unfold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType
from finn.dataflow.layer import IntArray
from finn.deploy.device import Device
from finn.deploy.errors import DeployError
from finn.deploy.ports import Bytes, Port
from finn.util.basic import gen_finn_dt_tensor

Array = npt.NDArray[np.generic]

MOST_FRAMES = 1024
"""Frames that go to a device at once, if batch_size was not set."""


class Host(Protocol):
    """What the host does before and after the accelerator."""

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of one sample of the network if the host only reshapes it, without the batch; else None."""

    def run(self, samples: Array, accelerator: Callable[[Array], Array]) -> Array:
        """The network's output for samples (N, ...) of its input."""


class Accelerator:
    """An accelerator on a device. host : the rest of the network, if it is known.

    batch_size : frames that go to the device at once, and the first axis of all shapes. As long as it is not set, it is
    1 in shapes, and `execute` sends up to 1,024 frames at once.
    timeout_s : seconds after which an execution is given up; None for what the device finds right for so many frames.
    """

    def __init__(self, device: Device, host: Host | None = None) -> None:
        self.device = device
        self.host = host
        self.timeout_s: float | None = None
        self._batch_size: int | None = None
        self._counters: list[Callable[[], int] | None] = [None]
        self._allocate(1)

    # ------------------------------------------------------------------------------------------------------ what it is

    @property
    def platform(self) -> str:
        """The name of the device."""
        return self.device.platform

    @property
    def fclk_mhz(self) -> float:
        """The clock of the accelerator, in MHz."""
        return self.device.fclk_mhz

    @property
    def num_inputs(self) -> int:
        return len(self.device.inputs)

    @property
    def num_outputs(self) -> int:
        return len(self.device.outputs)

    @property
    def cycles(self) -> int | None:
        """Clock cycles of the last execution, from the first beat in to the last beat out; None if not known.

        Those of several batches are added up: between them the accelerator is empty.
        """
        return None if None in self._counters else sum(count() for count in self._counters if count is not None)

    def idt(self, ind: int = 0) -> BaseDataType:
        """The type of an input's elements."""
        return self.device.inputs[ind].dtype

    def odt(self, ind: int = 0) -> BaseDataType:
        """The type of an output's elements."""
        return self.device.outputs[ind].dtype

    def ishape_normal(self, ind: int = 0) -> tuple[int, ...]:
        """(batch_size, ...), channels last."""
        return self._batched(self.device.inputs[ind].normal)

    def oshape_normal(self, ind: int = 0) -> tuple[int, ...]:
        return self._batched(self.device.outputs[ind].normal)

    def ishape_folded(self, ind: int = 0) -> tuple[int, ...]:
        """(batch_size, ..., beats, elements per beat)"""
        return self._batched(self.device.inputs[ind].folded)

    def oshape_folded(self, ind: int = 0) -> tuple[int, ...]:
        return self._batched(self.device.outputs[ind].folded)

    def ishape_packed(self, ind: int = 0) -> tuple[int, ...]:
        """(batch_size, ..., beats, bytes per beat)"""
        return self._batched(self.device.inputs[ind].packed)

    def oshape_packed(self, ind: int = 0) -> tuple[int, ...]:
        return self._batched(self.device.outputs[ind].packed)

    @property
    def batch_size(self) -> int:
        return self._batch_size or 1

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        if value < 1 or value != int(value):
            raise DeployError(f"a batch_size of {value}", remedy="give a whole number from 1 on")
        self._batch_size = int(value)
        self._allocate(self._batch_size)

    def _batched(self, frame: tuple[int, ...]) -> tuple[int, ...]:
        return (self.batch_size, *frame[1:])

    def _allocate(self, frames: int) -> None:
        """The buffers: of packed bytes, (frames, ...) per port."""
        self.ibuf_packed_device: list[Bytes] = [np.zeros((frames, *p.packed[1:]), np.uint8) for p in self.device.inputs]
        self.obuf_packed_device: list[Bytes] = [
            np.zeros((frames, *p.packed[1:]), np.uint8) for p in self.device.outputs
        ]

    # --------------------------------------------------------------------------------------------------- execution

    def execute(self, inputs: Array | Sequence[Array], timeout: float | None = None) -> IntArray | list[IntArray]:
        """The accelerator's outputs, int64 (N, ...), for frames (N, ...) of its inputs; lists if there are several.

        timeout : seconds for each batch; `timeout_s` by default.
        Raises DeployError for arrays of other shapes, PackingError for values that are not of the type, DeviceTimeout,
        DeviceBusy, and what the device raises.
        """
        given = [inputs] if isinstance(inputs, np.ndarray) else [np.asarray(x) for x in inputs]
        folded = [p.fold(x) for p, x in zip(self.device.inputs, self._frames(given), strict=True)]
        count = len(folded[0])
        size = self._batch_size or min(count, MOST_FRAMES)
        counters, made = [], []
        for k in range(0, count, size):
            made.append(self._batch([x[k : k + size] for x in folded], timeout))
            counters.append(self.device.counter())
        self._counters = counters
        outputs = [np.concatenate(parts) for parts in zip(*made, strict=True)]
        return outputs[0] if len(outputs) == 1 else outputs

    def predict(self, samples: Array) -> Array:
        """The network's output for samples (N, ...) of its input: what the host does, and the accelerator.

        Raises DeployError if nothing is known about the host's part.
        """
        if self.host is None:
            raise DeployError("this accelerator knows no network around it", remedy="use execute()")
        return self.host.run(samples, lambda x: np.asarray(self.execute(x)))

    def execute_on_buffers(self, asynch: bool = False, batch_size: int | None = None) -> None:
        """Execute the first batch_size frames of ibuf_packed_device, all by default, into obuf_packed_device.

        asynch : return at once; wait_until_finished() then waits. Raises as `execute`.
        """
        count = self.batch_size if batch_size is None else batch_size
        if not 1 <= count <= len(self.ibuf_packed_device[0]):
            raise DeployError(
                f"{count} frames", why=f"the buffers hold {len(self.ibuf_packed_device[0])}", remedy="set batch_size"
            )
        self.device.start([buffer[:count] for buffer in self.ibuf_packed_device])
        if not asynch:
            self.wait_until_finished()

    def wait_until_finished(self, timeout: float | None = None) -> None:
        """Wait for the end of what execute_on_buffers() has started. Raises as `execute`."""
        outputs = self._wait(len(self.obuf_packed_device[0]), timeout)
        self._counters = [self.device.counter()]
        for buffer, found in zip(self.obuf_packed_device, outputs, strict=True):
            buffer[: len(found)] = found

    def throughput_test(self) -> dict[str, float]:
        """Run what is in the buffers, a batch, and time it and the host's work on random values, with FINN's keys.

        runtime[ms] is what the accelerator needs at its clock; of devices that count cycles, from `cycles`, which is
        there, too. simulation[ms] is how long simulating took. Raises as `execute`.
        """
        seconds = _timed(self.execute_on_buffers)
        runtime, result = self._runtime(seconds)
        result["fclk[mhz]"], result["batch_size"] = self.fclk_mhz, self.batch_size
        for name, ports in (("in", self.device.inputs), ("out", self.device.outputs)):
            size = self.batch_size * sum(p.frame_bytes for p in ports)
            result[f"DRAM_{name}_bandwidth[MB/s]"] = size * 1e-6 / runtime
        return result | self._host_times()

    def _runtime(self, seconds: float) -> tuple[float, dict[str, float]]:
        """Seconds that the last execution took, which is on record as `seconds`, and what to tell about it."""
        cycles = self.cycles
        runtime = seconds if cycles is None else cycles / (self.fclk_mhz * 1e6)
        result = {"runtime[ms]": runtime * 1e3, "throughput[images/s]": self.batch_size / runtime}
        if cycles is not None:
            result |= {"cycles": cycles, "simulation[ms]": seconds * 1e3}
        return runtime, result

    def _host_times(self) -> dict[str, float]:
        """Milliseconds that packing and unpacking of a batch take."""
        normal = gen_finn_dt_tensor(self.idt(), self.ishape_normal()).astype(np.int64)
        folded, packed = self.fold_input(normal), np.zeros(self.oshape_packed(), np.uint8)
        unpacked = self.unpack_output(packed)
        tasks: dict[str, Callable[[], object]] = {
            "fold_input": lambda: self.fold_input(normal),
            "pack_input": lambda: self.pack_input(folded),
            "copy_input_data_to_device": lambda: self.copy_input_data_to_device(self.pack_input(folded)),
            "copy_output_data_from_device": lambda: self.copy_output_data_from_device(packed),
            "unpack_output": lambda: self.unpack_output(packed),
            "unfold_output": lambda: self.unfold_output(unpacked),
        }
        return {f"{name}[ms]": _timed(task) * 1e3 for name, task in tasks.items()}

    # ------------------------------------------------------------------------------------------------- single actions

    def fold_input(self, ibuf_normal: Array, ind: int = 0) -> Array:
        """(N, ...) to (N, ..., beats, elements per beat). Raises DeployError for another shape."""
        return self.device.inputs[ind].fold(ibuf_normal)

    def pack_input(self, ibuf_folded: Array, ind: int = 0) -> Bytes:
        """(N, ..., beats, elements per beat) to bytes. Raises DeployError, PackingError."""
        return self.device.inputs[ind].pack(ibuf_folded)

    def unpack_output(self, obuf_packed: Bytes, ind: int = 0) -> IntArray:
        """Bytes to (N, ..., beats, elements per beat). Raises DeployError."""
        return self.device.outputs[ind].unpack(obuf_packed)

    def unfold_output(self, obuf_folded: Array, ind: int = 0) -> Array:
        """(N, ..., beats, elements per beat) to (N, ...). Raises DeployError."""
        return self.device.outputs[ind].unfold(obuf_folded)

    def copy_input_data_to_device(self, data: Bytes, ind: int = 0) -> None:
        """Packed frames into the buffer of an input. Raises DeployError if it has no room for them."""
        buffer = self.ibuf_packed_device[ind]
        _require_room(data, buffer, self.device.inputs[ind])
        buffer[: len(data)] = data

    def copy_output_data_from_device(self, data: Bytes, ind: int = 0) -> None:
        """Packed frames out of the buffer of an output, into `data`. Raises DeployError if it has not so many."""
        buffer = self.obuf_packed_device[ind]
        _require_room(data, buffer, self.device.outputs[ind])
        data[:] = buffer[: len(data)]

    # ----------------------------------------------------------------------------------------------------------- parts

    def _batch(self, folded: Sequence[Array], timeout: float | None) -> list[IntArray]:
        packed = [p.pack(x) for p, x in zip(self.device.inputs, folded, strict=True)]
        self.device.start(packed)
        outputs = self._wait(len(packed[0]), timeout)
        found = (p.unfold(p.unpack(y)) for p, y in zip(self.device.outputs, outputs, strict=True))
        return [y.astype(np.int64) for y in found]

    def _wait(self, frames: int, timeout: float | None) -> list[Bytes]:
        chosen = self.timeout_s if timeout is None else timeout
        return self.device.wait(self.device.patience_s(frames) if chosen is None else chosen)

    def _frames(self, given: Sequence[Array]) -> list[Array]:
        """The inputs in their normal shapes. Raises DeployError."""
        ports = self.device.inputs
        if len(given) != len(ports):
            names = ", ".join(p.name for p in ports)
            raise DeployError(f"{len(given)} inputs", why=f"the accelerator has {len(ports)}: {names}")
        if len({len(x) if x.ndim else 0 for x in given}) != 1:
            counts = ", ".join(f"{p.name}: {x.shape}" for p, x in zip(ports, given, strict=True))
            raise DeployError("inputs of different numbers of frames", where=counts, remedy="give as many of each")
        accepted = self.host.input_shape if self.host is not None else None
        if len(given) == 1 and accepted is not None and given[0].shape[1:] == accepted:
            return [given[0].reshape(len(given[0]), *ports[0].normal[1:])]
        return list(given)


def _timed(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _require_room(data: Bytes, buffer: Bytes, port: Port) -> None:
    """Raise DeployError unless the buffer has room for these packed frames."""
    if data.shape[1:] != buffer.shape[1:] or len(data) > len(buffer):
        raise DeployError(
            f"packed frames of shape {data.shape}",
            where=port.name,
            why=f"the buffer has the shape {buffer.shape}",
            remedy="set batch_size, and pack with pack_input()",
        )
