"""Pruning of channels, from file to file."""

from __future__ import annotations

import argparse
import ast
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.pruning import PruneChannels


def prune_channels(
    input_filename: str | os.PathLike[str],
    prunespec_filename: str | os.PathLike[str],
    *,
    lossy: bool = True,
    output_filename: str | os.PathLike[str] = "",
) -> None:
    """`finn.transformation.pruning.PruneChannels` on a file.

    prunespec_filename: {tensor: {axis: channels}} as a Python literal, with lists or sets, or in JSON. output_filename:
    `<input>_pruned.onnx` if not given. ConfigError if the specification cannot be read; nothing in it is evaluated.
    """
    source = Path(input_filename)
    spec = read_spec(prunespec_filename)
    model = ModelWrapper(source).transform(InferShapes(), make_deepcopy=False)
    target = Path(output_filename) if os.fspath(output_filename) else source.with_name(f"{source.stem}_pruned.onnx")
    model.transform(PruneChannels(spec, lossy), make_deepcopy=False).save(target)


def read_spec(filename: str | os.PathLike[str]) -> dict[str, dict[int, set[int]]]:
    """The specification in a file. ConfigError if it is not one."""
    where = os.fspath(filename)
    try:
        text = Path(filename).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot read the specification", where=where, why=str(error)) from error
    try:
        return {str(name): _mask(axes) for name, axes in dict(_literal(text)).items()}
    except (ValueError, TypeError, SyntaxError, AttributeError, MemoryError, RecursionError) as error:
        raise ConfigError(
            "this is no specification of channels",
            where=where,
            why=str(error),
            remedy="write {'tensor': {axis: [channel, ...]}}",
        ) from error


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text.strip())


def _mask(axes: Any) -> dict[int, set[int]]:
    return {int(axis): {_channel(channel) for channel in channels} for axis, channels in dict(axes).items()}


def _channel(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no channel")
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: `python -m finn.util.prune_channels model.onnx spec.json`."""
    parser = argparse.ArgumentParser(description="Remove channels from an ONNX model.")
    parser.add_argument("input_filename", help="the ONNX model")
    parser.add_argument("prunespec_filename", help="{tensor: {axis: channels}}, as JSON or as a Python literal")
    parser.add_argument("--lossless", action="store_true", help="remove only what changes no result")
    parser.add_argument("--output-filename", default="", help="default: <input>_pruned.onnx")
    given = parser.parse_args(arguments)
    prune_channels(
        given.input_filename,
        given.prunespec_filename,
        lossy=not given.lossless,
        output_filename=given.output_filename,
    )


if __name__ == "__main__":
    main()
