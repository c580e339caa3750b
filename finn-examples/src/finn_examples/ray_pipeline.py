# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A pipeline of accelerators, each an actor of Ray: stage k works on a batch while stage k + 1 works on the one before.

A stage is anything with ``execute(x)``, several times if it has replicas, which take turns; the order of the batches
is kept. Only so many batches are under way at once, however many are given. Whatever goes wrong in a stage reaches the
caller as a StageError with the stage's name, also that its process died or that it does not answer.

``python -m finn_examples.ray_pipeline --example NAME --devices N`` shows one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt
import typer
from rich.table import Table

from finn.core.errors import ConfigError, FinnError, UnsupportedError
from finn_examples.splitting import Part, split

Array = npt.NDArray[Any]
Frames = Array | Sequence[Array]
"""Frames (N, ...) of the only input or output, or of each."""


class Executes(Protocol):
    """What a stage is made of."""

    def execute(self, inputs: Any) -> Any:
        """Frames to frames."""


class StageError(FinnError):
    """A stage could not do its work; `where` begins with its name."""


class StageTimeout(StageError):
    """A stage did not answer in time."""


class StageDied(StageError):
    """The process of a stage has ended."""


@dataclass(frozen=True)
class Stage:
    """make : makes the accelerator, in its actor. replicas : how many of it.

    options : of the actor, as `ray` has them, such as {"num_gpus": 1} or {"resources": {"ULX3S": 1}}.
    """

    name: str
    make: Callable[[], Executes]
    replicas: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise ConfigError(f"{self.replicas} replicas", where=f"stage {self.name}", remedy="give 1 or more")


@dataclass(frozen=True)
class StageReport:
    """What a stage has done. busy_s : seconds that its replicas have computed, added up."""

    name: str
    replicas: int
    batches: int = 0
    frames: int = 0
    busy_s: float = 0.0
    device_fps: float | None = None
    """Frames per second at the clocks of the devices, by the cycles of the last batch; None if nobody counts them."""

    @property
    def fps(self) -> float:
        """Frames per second that the stage can do, by the clock on the wall; 0 before the first batch."""
        return self.replicas * self.frames / self.busy_s if self.busy_s else 0.0


class Pipeline:
    """Stages in a row, as a function on arrays. To be closed at the end, which a `with` does.

    in_flight : batches that are under way at once, at most; by default one per replica, and one that waits.
    timeout_s : seconds that a batch may take in a stage. start_timeout_s : seconds to make a stage's accelerator in.
    Ray is started if it is not yet. Raises StageError if a stage cannot be made, UnsupportedError without Ray.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        in_flight: int | None = None,
        timeout_s: float = 300.0,
        start_timeout_s: float = 900.0,
    ) -> None:
        if not stages:
            raise ConfigError("a pipeline without stages", remedy="give one or more")
        self.in_flight = 1 + sum(stage.replicas for stage in stages) if in_flight is None else in_flight
        if self.in_flight < 1:
            raise ConfigError(f"in_flight = {in_flight}", remedy="give 1 or more: no batch could begin")
        self.timeout_s = timeout_s
        self._ray = _ray()
        self._count = 0
        self._stages: list[_Running] = []
        with ExitStack() as unfinished:
            unfinished.callback(self.close)
            for stage in stages:
                self._stages.append(_Running(stage, self._ray))
            for running in self._stages:
                for start in running.starts:
                    running.result(start, start_timeout_s)
            unfinished.pop_all()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the actors, whatever they do. Ray goes on."""
        for stage in self._stages:
            for worker in stage.workers:
                self._ray.kill(worker)
        self._stages = []

    def execute(self, inputs: Frames, batch_size: int = 100) -> Any:
        """The last stage's outputs for frames (N, ...) of the first one's inputs. Raises as `stream`."""
        made = list(self.stream(batches(inputs, batch_size)))
        if isinstance(made[0], np.ndarray):
            return np.concatenate(made)
        return [np.concatenate(parts) for parts in zip(*made, strict=True)]

    def stream(self, inputs: Iterable[Frames]) -> Iterator[Any]:
        """The outputs for each batch, in their order. A batch is taken from `inputs` when there is room for it.

        Raises StageError for a batch that a stage refuses, after the outputs of those before it; and StageDied,
        StageTimeout, which close the pipeline.
        """
        waiting: deque[list[tuple[Any, Any]]] = deque()
        try:
            for batch in inputs:
                if len(waiting) == self.in_flight:
                    yield self._finished(waiting.popleft())
                waiting.append(self._begin(batch))
            while waiting:
                yield self._finished(waiting.popleft())
        except (StageDied, StageTimeout):
            self.close()
            raise

    def report(self) -> tuple[StageReport, ...]:
        """What each stage has done up to now. Raises as `stream`."""
        return tuple(stage.report(self.timeout_s) for stage in self._stages)

    def _begin(self, batch: Frames) -> list[tuple[Any, Any]]:
        """Per stage: what will be its outputs, and its Work."""
        if not self._stages:
            raise StageError("the pipeline is closed", remedy="make a new one")
        value: Any = batch
        futures = []
        for stage in self._stages:
            worker = stage.workers[self._count % len(stage.workers)]
            value, work = worker.execute.options(num_returns=2).remote(value)
            futures.append((value, work))
        self._count += 1
        return futures

    def _finished(self, futures: list[tuple[Any, Any]]) -> Any:
        """The last stage's outputs. All stages before have ended when a stage's time begins."""
        for stage, (_, work) in zip(self._stages, futures, strict=True):
            stage.add(stage.result(work, self.timeout_s))
        return self._stages[-1].result(futures[-1][0], self.timeout_s)


def batches(inputs: Frames, size: int) -> Iterator[Frames]:
    """Frames (N, ...) in batches of `size`; the last one may be smaller. Raises ConfigError for a size below 1."""
    if size < 1:
        raise ConfigError(f"batches of {size}", remedy="give 1 or more")
    count = _frames(inputs)
    for k in range(0, max(count, 1), size):  # what is empty is refused by the first stage
        yield inputs[k : k + size] if isinstance(inputs, np.ndarray) else [x[k : k + size] for x in inputs]


def on_devices(directory: str | Path, devices: int, target_platform: str = "rtlsim") -> Stage:
    """The accelerator of a build directory, on so many devices."""
    from finn.builder.accelerator import load

    path = Path(directory).absolute()
    return Stage(path.name, partial(load, path, target_platform), devices)


def chain(parts: Iterable[Part], target_platform: str = "rtlsim", devices: int = 1) -> tuple[Stage, ...]:
    """A stage for each part of a network, on so many devices each."""
    return tuple(Stage(part.name, partial(part.load, target_platform), devices) for part in parts)


# ---------------------------------------------------------------------------------------------------------- in an actor


@dataclass(frozen=True)
class Work:
    """What one batch was."""

    frames: int
    seconds: float


class Worker:
    """What runs in an actor. name : of the stage. What goes wrong is returned: Ray would log what is raised."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._device: Any = None
        self._frames = 0

    def start(self, make: Callable[[], Executes]) -> StageError | None:
        try:
            self._device = make()
        except Exception as error:  # noqa: BLE001  (the caller raises it)
            return self._told(error, "the accelerator cannot be made")
        return None

    def execute(self, inputs: Frames | StageError) -> tuple[Any, Work | StageError]:
        """The outputs; an error of an earlier stage goes through."""
        if isinstance(inputs, StageError):
            return inputs, inputs
        start = time.perf_counter()
        try:
            outputs = self._device.execute(inputs)
        except Exception as error:  # noqa: BLE001  (the caller raises it)
            failure = self._told(error, "the accelerator failed")
            return failure, failure
        self._frames = _frames(inputs)
        return outputs, Work(self._frames, time.perf_counter() - start)

    def device_fps(self) -> float | None:
        """Frames per second of the last batch, at the clock of the device; None if it has none."""
        cycles = getattr(self._device, "cycles", None)
        return self._frames * self._device.fclk_mhz * 1e6 / cycles if cycles else None

    def _told(self, error: Exception, what: str) -> StageError:
        where = f"stage {self._name}"
        if isinstance(error, FinnError):
            place = f"{where}, {error.where}" if error.where else where
            return StageError(error.what, where=place, why=error.why, remedy=error.remedy)
        return StageError(what, where=where, why=f"{type(error).__name__}: {error}")


class _Running:
    """A stage with its actors, seen by the caller."""

    def __init__(self, stage: Stage, ray: ModuleType) -> None:
        self._ray = ray
        self._seen = StageReport(stage.name, stage.replicas)
        actor = ray.remote(Worker).options(**stage.options)
        self.workers = [actor.remote(stage.name) for _ in range(stage.replicas)]
        self.starts = [worker.start.remote(stage.make) for worker in self.workers]

    def result(self, future: Any, timeout_s: float) -> Any:
        """What a call gave. Raises StageError."""
        where, errors = f"stage {self._seen.name}", self._ray.exceptions
        try:
            value = self._ray.get(future, timeout=timeout_s)
        except errors.GetTimeoutError:
            why = "it computes too long, it hangs, or the cluster has no place for its actor"
            remedy = "give a longer time-out, smaller batches, or fewer replicas"
            raise StageTimeout(f"no answer within {timeout_s:g} s", where=where, why=why, remedy=remedy) from None
        except errors.RayTaskError as error:
            why = f"{type(error.cause).__name__}: {error.cause}"
            raise StageError("its actor cannot do this", where=where, why=why) from error
        except errors.RayError as error:
            why, remedy = str(error).splitlines()[0], "see the logs of Ray, and make a new pipeline"
            raise StageDied("its process has ended", where=where, why=why, remedy=remedy) from error
        if isinstance(value, StageError):
            raise value
        return value

    def add(self, work: Work) -> None:
        batches, frames, busy_s = (
            self._seen.batches + 1,
            self._seen.frames + work.frames,
            self._seen.busy_s + work.seconds,
        )
        self._seen = replace(self._seen, batches=batches, frames=frames, busy_s=busy_s)

    def report(self, timeout_s: float) -> StageReport:
        rates = [self.result(worker.device_fps.remote(), timeout_s) for worker in self.workers]
        known = [rate for rate in rates if rate is not None]
        return replace(self._seen, device_fps=sum(known) if known else None)


def _frames(inputs: Frames) -> int:
    return len(inputs) if isinstance(inputs, np.ndarray) else len(inputs[0])


def _ray() -> ModuleType:
    """Ray. Raises UnsupportedError if it is not installed."""
    try:
        import ray
    except ImportError as error:
        remedy = "pip install 'finn-examples[ray]'"
        raise UnsupportedError("Ray is not installed", why=str(error), remedy=remedy) from error
    return ray


# ------------------------------------------------------------------------------------------------------- as a command


def table(reports: Iterable[StageReport], seconds: float) -> Table:
    """What each stage has done in so many seconds, to be printed by rich."""
    shown = Table()
    shown.add_column("stage", no_wrap=True)
    for heading in ("devices", "batches", "frames", "busy", "frames/s", "frames/s by clock"):
        shown.add_column(heading, justify="right")
    for stage in reports:
        busy = stage.busy_s / (seconds * stage.replicas)
        at_clock = "" if stage.device_fps is None else f"{stage.device_fps:,.0f}"
        figures = (f"{stage.replicas}", f"{stage.batches}", f"{stage.frames}", f"{busy:.0%}", f"{stage.fps:,.0f}")
        shown.add_row(stage.name, *figures, at_clock)
    return shown


def show(
    example: Annotated[str, typer.Option(help="Name of an example.")] = "tfc_w1a1_mnist",
    devices: Annotated[int, typer.Option(min=1, help="Devices with the same accelerator.")] = 2,
    after: Annotated[list[str] | None, typer.Option(help="Layer to cut the network behind; may be repeated.")] = None,
    target_platform: Annotated[str, typer.Option(help="rtlsim, cppsim or python.")] = "rtlsim",
    batch: Annotated[int, typer.Option(min=1, help="Frames per batch.")] = 50,
) -> None:
    """Send the held-out data of an example through a pipeline, and tell the throughput of each stage."""
    from finn.builder.console import Screen
    from finn_examples.catalogue import UnknownExampleError
    from finn_examples.catalogue import example as by_name

    screen = Screen()
    try:
        chosen = by_name(example)
        if after:
            stages = chain(split(chosen.directory, after), target_platform, devices)
        else:
            stages = (on_devices(chosen.directory, devices, target_platform),)
        x, _ = chosen.test_set()
        _ray().init(include_dashboard=False, log_to_driver=False)
        with Pipeline(stages) as pipeline:
            start = time.perf_counter()
            found = pipeline.execute(x, batch)
            seconds = time.perf_counter() - start
            screen.out.print(table(pipeline.report(), seconds))
    except (FinnError, UnknownExampleError) as error:
        screen.error(error if isinstance(error, FinnError) else ConfigError(str(error), where="--example"))
        raise typer.Exit(1) from error
    screen.out.print(f"{len(found)} frames in {seconds:.2f} s: {len(found) / seconds:,.0f} frames/s")


if __name__ == "__main__":
    from finn_examples.ray_pipeline import show as command  # actors import what this module has, under its own name

    typer.run(command)
