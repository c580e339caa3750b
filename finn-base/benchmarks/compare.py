# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Compare finn-base with qonnx 1.0: `python compare.py --qonnx PYTHON [--markdown FILE]`.

PYTHON is an interpreter with `qonnx==1.0.0` and `onnx<1.23`: with a newer onnx, qonnx writes models that onnxruntime
refuses. `make bench-base` makes one. The packages take turns, so that both see the same load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import models

HERE = Path(__file__).resolve().parent
ROUNDS = 2
PARTS = [*models.NETWORKS, "small"]
GOALS = {"load and cleanup": 10, "execute": 20, "fold 200 constants": 100}
"""How many times faster finn-base is meant to be."""

Figures = dict[str, dict[str, float]]


def measure(python: str, package: str, part: str) -> Figures:
    """One run of measure.py in a process of its own."""
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(HERE)}
    command = [python, str(HERE / "measure.py"), package, part]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def least(one: Figures, other: Figures) -> Figures:
    """The smaller of both figures, everywhere."""
    names = [*one, *(name for name in other if name not in one)]
    return {
        name: {key: min(f[name][key] for f in (one, other) if key in f.get(name, {}))
               for key in (one.get(name) or other[name])}
        for name in names
    }  # fmt: skip


def rows(ours: Figures, theirs: Figures) -> Iterator[tuple[str, str, str, str]]:
    """(what, finn-base, other, ratio) of each measurement."""
    for name, figures in ours.items():
        for key, seconds in figures.items():
            if key.startswith("standard part, onnx"):
                continue
            title = f"{name}: {key}" if key else name
            peer = theirs.get(name, {}).get(key.split(",")[0])
            label = "qonnx"
            if key.startswith("standard part"):
                peer, label = figures["standard part, onnxruntime"], "onnxruntime"
            ratio = f"{peer / seconds:.2f}" if peer and label != "qonnx" else f"{peer / seconds:.0f}" if peer else "-"
            goal = GOALS.get(key or name)
            wanted = f" (goal {goal})" if goal else " (goal 0.5)" if key.startswith("standard") else ""
            yield title, f"{seconds * 1e3:.3f} ms", f"{peer * 1e3:.3f} ms ({label})" if peer else "-", ratio + wanted


def table(lines: list[tuple[str, str, str, str]]) -> str:
    head = ["| | finn-base | other | times faster |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qonnx", metavar="PYTHON", help="interpreter that has qonnx; without it only ours is timed")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    ours: Figures = {}
    theirs: Figures = {}
    for round_number in range(arguments.rounds):
        for part in PARTS:
            print(f"round {round_number + 1}: {part}", file=sys.stderr, flush=True)
            ours = least(ours, measure(sys.executable, "finn", part))
            if arguments.qonnx:
                theirs = least(theirs, measure(arguments.qonnx, "qonnx", part))
    text = table(list(rows(ours, theirs)))
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)


if __name__ == "__main__":
    main()
