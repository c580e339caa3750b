"""From a file with the channels on axis 1 to one with the channels on the last axis."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.channels_last import ConvertToChannelsLastAndClean


def to_channels_last(
    in_file: str | os.PathLike[str],
    *,
    make_input_channels_last: bool = False,
    out_file: str | os.PathLike[str] | None = None,
) -> None:
    """`ConvertToChannelsLastAndClean` from file to file. out_file: `<in_file>_channels_last.onnx` if not given."""
    source = Path(in_file)
    target = Path(out_file) if out_file is not None else source.with_name(f"{source.stem}_channels_last.onnx")
    ModelWrapper(source).transform(ConvertToChannelsLastAndClean(make_input_channels_last)).save(target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: convert a file."""
    parser = argparse.ArgumentParser(description="Let a network compute with the channels on the last axis.")
    parser.add_argument("in_file", help="ONNX file")
    parser.add_argument("--make-input-channels-last", action="store_true", help="also change the inputs of the graph")
    parser.add_argument("--out-file", help="where to write the result")
    given = parser.parse_args(arguments)
    to_channels_last(given.in_file, make_input_channels_last=given.make_input_channels_last, out_file=given.out_file)
