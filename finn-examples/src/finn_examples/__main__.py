# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""``python -m finn_examples`` lists the examples; ``python -m finn_examples notebooks DIR`` copies the notebooks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from finn_examples import examples
from finn_examples.notebook_files import copy_notebooks


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m finn_examples", description="List the examples.")
    commands = parser.add_subparsers(dest="command")
    notebooks = commands.add_parser("notebooks", help="copy the notebooks to a new directory")
    notebooks.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    if arguments.command is None:
        _print(f"{example.name}\t{example.title}\n\t{example.directory}" for example in examples())
        return
    try:
        _print(str(path) for path in copy_notebooks(arguments.directory))
    except FileExistsError:
        parser.error(f"{arguments.directory} exists already: choose a new directory")


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
