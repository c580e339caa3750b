# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Execute notebooks of this folder and store their outputs: ``python run.py [NAME ...]``, all without a name.

Each runs in a fresh kernel of this Python, in a temporary directory. What a run leaves that is no output (time stamps,
versions) is not stored, so that a run without a change of results makes no difference in the files.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
DPI = 80


def execute(path: Path, timeout_s: int = 600) -> NotebookNode:
    """Return the notebook with the outputs of a fresh run; timeout_s: of a cell.

    Raises nbclient.exceptions.CellExecutionError for a cell that fails, CellTimeoutError for one that takes longer.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        settings, work = Path(scratch, "settings"), Path(scratch, "work")
        settings.mkdir()
        work.mkdir()
        matplotlibrc = settings / "matplotlibrc"
        matplotlibrc.write_text(f"figure.dpi: {DPI}\n", encoding="utf-8")
        client = NotebookClient(
            notebook,
            timeout=timeout_s,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(work)}},
        )
        own = {"IPYTHONDIR": str(settings), "MATPLOTLIBRC": str(matplotlibrc), "PYTHONSAFEPATH": "1"}
        client.execute(env={**os.environ, **own})
    return tidy(notebook)


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Drop what differs from machine to machine, in place; ``slow`` in the metadata and tags of cells stay."""
    kept = {key: value for key, value in notebook.metadata.items() if key == "slow"}
    notebook.metadata = NotebookNode(METADATA | kept)
    for cell in notebook.cells:
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key == "tags"})
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = NotebookNode()
    return notebook


def main(names: list[str]) -> None:
    """Run and store the notebooks of these names, ``01_train_and_export`` or with ``.ipynb``; all if there is none."""
    for path in [FOLDER / f"{name.removesuffix('.ipynb')}.ipynb" for name in names] or sorted(FOLDER.glob("*.ipynb")):
        sys.stdout.write(f"{path.name}\n")
        path.write_text(f"{nbformat.writes(execute(path))}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
