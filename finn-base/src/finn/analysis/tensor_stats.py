"""Statistics over recorded tensors: .npy files with the values of graph outputs, one or more batches each."""

from __future__ import annotations

import argparse
import importlib
import os
import pprint
import re
import sys
from collections.abc import Iterable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finn.analysis.stuck_channels import (
    REPORT_MODE_RANGE,
    REPORT_MODE_STUCKCHANNEL,
    REPORT_MODE_ZEROSTUCKCHANNEL,
    REPORT_MODES,
    check_report_mode,
    stuck_report,
)
from finn.core.errors import ConfigError, ModelError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper

Stats = MutableMapping[str, Any]

__all__ = [
    "REPORT_MODE_RANGE",
    "REPORT_MODE_STUCKCHANNEL",
    "REPORT_MODE_ZEROSTUCKCHANNEL",
    "main",
    "tensor_stats",
    "update_tensor_stats",
]


def update_tensor_stats(tensor: np.ndarray, axes: Iterable[int], ret_dict: Stats | None = None) -> Stats:
    """Add one batch to the statistics {"shape": ..., "axis<a>": {"min": ..., "max": ...}}; returns them.

    min and max have one entry per index on axis a. ret_dict: the statistics so far, updated in place; None starts new
    ones. ModelError if the tensor does not fit.
    """
    stats: Stats = {} if ret_dict is None else ret_dict
    for axis in axes:
        if not -tensor.ndim <= axis < tensor.ndim:
            raise ModelError(f"a tensor of shape {tensor.shape} has no axis {axis}")
        others = tuple(a for a in range(tensor.ndim) if a != axis % tensor.ndim)
        low, high = tensor.min(axis=others), tensor.max(axis=others)
        known = stats.get(f"axis{axis}")
        if known is not None:
            if known["min"].shape != low.shape:
                raise ModelError(f"axis {axis} has {low.size} entries, in an earlier batch {known['min'].size}")
            low, high = np.minimum(known["min"], low), np.maximum(known["max"], high)
        stats[f"axis{axis}"] = {"min": low, "max": high}
    stats["shape"] = tensor.shape
    return stats


def tensor_stats(
    modelwrapper_or_filename: str | os.PathLike[str] | ModelWrapper,
    act_dump_dir: str | os.PathLike[str],
    output_stats_dir: str | os.PathLike[str],
    *,
    axes: str = "1",
    plot: bool = True,
    report_mode: str = REPORT_MODE_RANGE,
) -> dict[str, Any]:
    """A report on the recorded values of the graph outputs.

    act_dump_dir: holds `<tensor>.npy` or `<tensor>_batch<n>.npy`; ModelError for an output without files.
    axes: numbers of the axes, separated by commas; on each, values are told apart. plot: draw least and greatest value
    over each axis to `<tensor>_axis<a>.png` in output_stats_dir (needs matplotlib). report_mode:

    - "range": {tensor: {"shape": ..., "axis<a>": {"min": ..., "max": ...}}}
    - "stuck_channel": {tensor: [(index, value)]}, of the first axis, where all values are the same
    - "zerostuck_channel": {tensor: {index}} where all values are 0
    """
    check_report_mode(report_mode)
    given = modelwrapper_or_filename
    model = given if isinstance(given, ModelWrapper) else ModelWrapper(given)
    numbers, pyplot = _axes(axes), _pyplot() if plot else None
    stats: dict[str, Stats] = {}
    for output in model.graph.output:
        stats[output.name] = {}
        for path in _dumps(Path(act_dump_dir), output.name):
            update_tensor_stats(np.load(path), numbers, stats[output.name])
    if pyplot is not None:
        _draw(pyplot, stats, Path(output_stats_dir))
    if report_mode == REPORT_MODE_RANGE:
        return dict(stats)
    first = f"axis{numbers[0]}"
    return stuck_report({name: (s[first]["min"], s[first]["max"]) for name, s in stats.items()}, report_mode)


def _axes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"axes is '{text}'", remedy="give numbers, separated by commas") from error


def _dumps(folder: Path, tensor: str) -> list[Path]:
    """The files with values of a tensor, by batch number."""
    pattern = re.compile(rf"{re.escape(tensor)}(?:_batch([0-9]+))?\.npy")
    found = [(int(match[1] or -1), path) for path in folder.glob("*.npy") if (match := pattern.fullmatch(path.name))]
    if not found:
        raise ModelError(
            f"there are no recorded values of graph output '{tensor}'",
            where=str(folder),
            remedy=f"record {tensor}.npy, or {tensor}_batch0.npy, {tensor}_batch1.npy, ...",
        )
    return [path for _, path in sorted(found)]


def _pyplot() -> Any:
    """matplotlib, without a display."""
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError as error:
        raise UnsupportedError(
            "plots need matplotlib, which is not installed", remedy="pip install matplotlib, or use plot=False"
        ) from error
    matplotlib.use("Agg")
    return importlib.import_module("matplotlib.pyplot")


def _draw(pyplot: Any, stats: dict[str, Stats], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in stats.items():
        for axis in sorted(found.keys() - {"shape"}):
            figure, plot = pyplot.subplots()
            plot.fill_between(range(len(found[axis]["min"])), found[axis]["min"], found[axis]["max"], step="mid")
            plot.set(title=f"{name} {list(found['shape'])}", xlabel=f"index on {axis}", ylabel="range of values")
            figure.savefig(folder / f"{name}_{axis}.png", metadata={"Software": None})
            pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: print the report on recorded values."""
    parser = argparse.ArgumentParser(description="Report the ranges, or the stuck channels, of recorded tensors.")
    parser.add_argument("model", help="ONNX file")
    parser.add_argument("act_dump_dir", help="folder with <tensor>_batch<n>.npy")
    parser.add_argument("output_stats_dir", help="folder for the plots")
    parser.add_argument("--axes", default="1", help="axes, separated by commas")
    parser.add_argument("--no-plot", dest="plot", action="store_false", help="do not draw (needs no matplotlib)")
    parser.add_argument("--report-mode", default=REPORT_MODE_RANGE, choices=REPORT_MODES)
    given = vars(parser.parse_args(arguments))
    files = [given.pop(name) for name in ("model", "act_dump_dir", "output_stats_dir")]
    sys.stdout.write(f"{pprint.pformat(tensor_stats(*files, **given))}\n")
