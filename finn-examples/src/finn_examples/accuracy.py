# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""How right the shipped networks are, and whether all their forms give PyTorch's answers.

The forms: what PyTorch said (`expected` of the held-out data), the exported ONNX, the streamlined integers, and the
accelerator in NumPy, C++ and RTL. An answer differs if any number of the network's output does.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.builder.accelerator import load
from finn.builder.build_dataflow import configuration
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup
from finn.builder.simulation import in_python
from finn.builder.steps import resolve_build_steps
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.util.confidence import wilson
from finn_examples.catalogue import Example

Array = npt.NDArray[Any]

PYTORCH, EXPORTED, INTEGERS = "PyTorch", "exported ONNX", "integer graph"
PLATFORMS = ("python", "cppsim", "rtlsim")
RTL_SAMPLES = 100
ROUNDING = 1e-5
"""Of float outputs, relative to the largest: float32 sums of different order stay below, steps of integers above."""


class AccuracyError(FinnError):
    """An example whose accuracy cannot be told."""


@dataclass(frozen=True)
class Result:
    """What one form of a network made of held-out data.

    labels : of all samples, one of each, or of each pixel. correct : how many of them were found.
    differ : how many samples have another answer than PyTorch's.
    """

    form: str
    samples: int
    labels: int
    correct: int
    differ: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.labels

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy.

        Labels of one sample count as one, for they are not independent: their mean varies p (1 - p) at most.
        """
        return wilson(self.accuracy, self.samples)


class HeldOut:
    """The held-out data of an example, as its network takes them.

    Raises AccuracyError if there are none, or without PyTorch's answers.
    """

    def __init__(self, example: Example) -> None:
        self.directory = example.directory
        file = example.directory / "test_set.npz"
        try:
            with np.load(file) as arrays:
                x, y, expected = (np.asarray(arrays[key]) for key in ("x", "y", "expected"))
        except (OSError, KeyError) as error:
            remedy = "let it hold x, y and, from PyTorch, the network's outputs for all of x as expected"
            raise AccuracyError("nothing to compare with", where=str(file), why=str(error), remedy=remedy) from error
        self.x, self.labels, self.expected = x, y, expected
        if not x.shape[:1] == y.shape[:1] == expected.shape[:1] or not y.size or expected.size % y.size:
            shapes = ", ".join(str(array.shape) for array in (x, y, expected))
            raise AccuracyError("arrays that do not belong together", where=str(file), why=f"x, y, expected: {shapes}")

    @cached_property
    def integers(self) -> ModelWrapper:
        """The streamlined network."""
        cfg = configuration(self.directory)
        model = self.network
        with tempfile.TemporaryDirectory() as work:
            own = cfg.model_copy(update={"output_dir": work, "verify_steps": None})
            for step in resolve_build_steps(own):
                model = step.function(model, own)
                if step.function is build_dataflow_step_lookup["step_streamline"]:
                    return model
        raise AccuracyError("the build has no step_streamline", where=str(self.directory), remedy="add it to steps")

    @property
    def network(self) -> ModelWrapper:
        """The network as it was exported."""
        return ModelWrapper(str(self.directory / "model.onnx"))

    def of_graph(self, model: ModelWrapper) -> Array:
        """The outputs of a form of the network."""
        return in_python(model, configuration(self.directory))(self.x).outputs

    def of_accelerator(self, platform: str, chosen: npt.NDArray[np.intp]) -> Array:
        """The network's outputs for some of the data, by its accelerator. Raises as `load`."""
        return load(self.directory, platform).predict(self.x[chosen])

    def result(self, form: str, outputs: Array, chosen: npt.NDArray[np.intp] | None = None) -> Result:
        """outputs : for the data that are chosen, all by default."""
        labels, expected = (a if chosen is None else a[chosen] for a in (self.labels, self.expected))
        same = _same(outputs.reshape(len(labels), -1), expected.reshape(len(labels), -1), form)
        correct = int(np.sum(_classes(outputs, labels.shape) == labels))
        return Result(form, len(labels), labels.size, correct, int(np.sum(~same)))


def results(example: Example, rtl_samples: int = RTL_SAMPLES) -> Iterator[Result]:
    """What each form of the example makes of its held-out data; RTL of so many, evenly spread.

    Raises AccuracyError; as `finn.builder.accelerator.load`, and as the steps of builds.
    """
    data = HeldOut(example)
    yield data.result(PYTORCH, data.expected)
    yield data.result(EXPORTED, data.of_graph(data.network))
    yield data.result(INTEGERS, data.of_graph(data.integers))
    yield from on_platforms(data, PLATFORMS, rtl_samples)


def on_platforms(data: HeldOut, platforms: Iterable[str], rtl_samples: int = RTL_SAMPLES) -> Iterator[Result]:
    """What the accelerator makes of the data on each platform, as `results` has it."""
    count = len(data.labels)
    everything, some = np.arange(count), np.unique(np.linspace(0, count - 1, min(rtl_samples, count)).astype(np.intp))
    for platform in platforms:
        chosen = some if platform == "rtlsim" else everything
        yield data.result(on(platform), data.of_accelerator(platform, chosen), chosen)


def on(platform: str) -> str:
    """The name of the form that an accelerator is on a platform."""
    return f"accelerator, {platform}"


def _classes(outputs: Array, labels: tuple[int, ...]) -> Array:
    """Classes, or scores (N, classes, ...) of which the first highest counts, to classes of the shape of the labels."""
    if outputs.size == np.prod(labels):
        return outputs.reshape(labels)
    return np.asarray(outputs.reshape(labels[0], -1, *labels[1:]).argmax(axis=1))


def _same(outputs: Array, expected: Array, form: str) -> npt.NDArray[np.bool_]:
    """Which rows are the same; raises AccuracyError if they are of different lengths."""
    if outputs.shape != expected.shape:
        why = f"{outputs.shape[1]} numbers per sample; PyTorch gave {expected.shape[1]}"
        raise AccuracyError("outputs of another shape", where=form, why=why)
    tolerance = ROUNDING * float(np.abs(expected).max(initial=0)) if expected.dtype.kind == "f" else 0.0
    return np.asarray((np.abs(outputs - expected.astype(np.float64)) <= tolerance).all(axis=1))


# ------------------------------------------------------------------------------------------------------------ as files

Table = Mapping[str, Sequence[Result]]
"""Name of an example -> its results."""


def to_json(table: Table) -> str:
    """{example: [{form, samples, labels, correct, differ, accuracy, interval_95}, ...]}"""
    content = {
        name: [{**asdict(r), "accuracy": r.accuracy, "interval_95": r.interval} for r in found]
        for name, found in sorted(table.items())
    }
    return json.dumps(content, indent=2) + "\n"


def from_json(text: str) -> dict[str, tuple[Result, ...]]:
    """What `to_json` has written. Raises AccuracyError if it is something else."""
    names = [field.name for field in fields(Result)]
    try:
        rows = json.loads(text).items()
        return {name: tuple(Result(*(row[key] for key in names)) for row in found) for name, found in rows}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        remedy = "remove the file, or give another directory"
        raise AccuracyError("no table of accuracies", where="accuracy.json", why=why, remedy=remedy) from error


HEADER = """\
# Accuracy of the examples

Each network on data that its training never saw, in all its forms. The last column has to be 0 everywhere: an answer is
the whole output of the network: a class, all scores, or the classes of all pixels, of which the accuracy is the mean
then. The interval is Wilson's, at 95 % confidence. RTL simulates a part of the data, evenly spread, and its accuracy is
that of this part.

This page is written by `python -m finn_examples accuracy`.

| example | form | samples | accuracy | 95 % interval | answers that are not PyTorch's |
|---|---|---:|---:|---:|---:|
"""


def to_markdown(table: Table) -> str:
    """A page for the manual."""
    lines = (_line(name if not k else "", r) for name, found in sorted(table.items()) for k, r in enumerate(found))
    return HEADER + "".join(lines)


def _line(name: str, result: Result) -> str:
    low, high = result.interval
    figures = (f"{result.samples:,}", f"{result.accuracy:.1%}", f"{low:.1%} to {high:.1%}", f"{result.differ}")
    return f"| {' | '.join((name, result.form, *figures))} |\n"


def update(
    directory: Path,
    chosen: Iterable[Example],
    shipped: Iterable[Example],
    rtl_samples: int = RTL_SAMPLES,
    tell: Callable[[str, Result], None] = lambda name, result: None,
) -> dict[str, FinnError]:
    """Measure the `chosen` examples, and write accuracy.json and accuracy.md, which keep what they say of other ones.

    The files are written after each example. tell : is called for each result. Returns the errors by example.
    """
    path = directory / "accuracy.json"
    known = from_json(path.read_text(encoding="utf-8")) if path.is_file() else {}
    table = {example.name: known[example.name] for example in shipped if example.name in known}
    errors: dict[str, FinnError] = {}
    directory.mkdir(parents=True, exist_ok=True)
    for example in chosen:
        found = []
        try:
            for result in results(example, rtl_samples):
                tell(example.name, result)
                found.append(result)
        except FinnError as error:
            errors[example.name] = error
            table.pop(example.name, None)
        else:
            table[example.name] = tuple(found)
        path.write_text(to_json(table), encoding="utf-8")
        path.with_suffix(".md").write_text(to_markdown(table), encoding="utf-8")
    return errors
