# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What a driver needs of a device: places for bytes, a start, an end. Boards and simulations are devices alike."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from finn.deploy.errors import DeployError, DeviceBusy, DeviceTimeout
from finn.deploy.ports import Bytes, Port


class Device(ABC):
    """An accelerator that takes and gives packed bytes (see `finn.deploy.ports`), one array (N, ...) per port.

    platform : its name. fclk_mhz : the clock of the accelerator.
    """

    platform: str
    fclk_mhz: float
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @abstractmethod
    def start(self, inputs: Sequence[Bytes]) -> None:
        """Begin to execute; the arrays must not change before the end. Raises DeviceBusy."""

    @abstractmethod
    def wait(self, timeout_s: float) -> list[Bytes]:
        """The outputs of what was started. Raises DeviceTimeout, or what went wrong."""

    @abstractmethod
    def patience_s(self, frames: int) -> float:
        """Seconds within which so many frames are done for sure, unless something is wrong."""

    @abstractmethod
    def counter(self) -> Callable[[], int] | None:
        """What tells the clock cycles of the last execution, first beat in to last beat out; None if nobody can."""


class BackgroundDevice(Device):
    """A device that is a function of this process: it computes in a thread that no end of the program waits for."""

    def __init__(self) -> None:
        self._work: threading.Thread | None = None
        self._outputs: list[Bytes] | None = None
        self._error: Exception | None = None

    @abstractmethod
    def compute(self, inputs: Sequence[Bytes]) -> list[Bytes]:
        """The outputs."""

    def start(self, inputs: Sequence[Bytes]) -> None:
        if self._work is not None and self._work.is_alive():
            raise DeviceBusy(
                f"the accelerator on {self.platform} is still executing",
                remedy="call wait_until_finished() first, with a longer time-out",
            )
        self._outputs = self._error = None
        self._work = threading.Thread(target=self._run, args=(list(inputs),), daemon=True)
        self._work.start()

    def wait(self, timeout_s: float) -> list[Bytes]:
        if self._work is None:
            raise DeployError(f"nothing was started on {self.platform}", remedy="call execute_on_buffers() first")
        self._work.join(timeout_s)
        if self._work.is_alive():
            raise DeviceTimeout(
                f"the accelerator on {self.platform} has not finished after {timeout_s:g} s",
                why="it got more frames than it computes in this time, or it hangs",
                remedy="give fewer frames, or a longer time-out; it goes on, and wait_until_finished() waits again",
            )
        if self._error is not None:
            raise self._error
        if self._outputs is None:
            raise DeployError(f"the accelerator on {self.platform} gave no output")
        return self._outputs

    def _run(self, inputs: list[Bytes]) -> None:
        try:
            self._outputs = self.compute(inputs)
        except Exception as error:  # noqa: BLE001  (whoever waits gets it, in his thread)
            self._error = error
