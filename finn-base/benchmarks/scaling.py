# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""CPU time against the number of nodes: `python scaling.py [--svg FILE]` prints a table and draws a figure.

The exponents are the slopes of straight lines through the logarithms: 1 is linear, 2 quadratic.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import models
import numpy as np
from measure import least as least_of

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model, execute_onnx
from finn.transformation.normal_forms import NORMAL_FORMS
from finn.transformation.rewrite import apply
from finn.util.cleanup import cleanup_model

least = partial(least_of, clock=time.process_time)
NODES = (50, 100, 200, 500, 1000, 2000, 5000)
X = {"global_in": np.ones((1, 32), np.float32)}


def times(nodes: int) -> dict[str, float]:
    """Seconds of each kind of work on a chain of `nodes`."""
    data = models.chain(nodes).SerializeToString()
    model = cleanup_model(ModelWrapper(data))
    compiled = compile_model(model)

    def look() -> None:
        with model.trusted_index():
            for node in model.graph.node:
                model.find_direct_predecessors(node)
                model.find_direct_successors(node)

    def compile_again() -> None:
        fresh = ModelWrapper(model.model, make_deepcopy=True)
        fresh.set_metadata_prop("run", "1")
        fresh.graph.node[0].doc_string = str(np.random.default_rng().integers(2**62))  # no cached plan fits
        execute_onnx(fresh, X)

    return {
        "load and cleanup": least(lambda: cleanup_model(ModelWrapper(data))),
        "first execution": least(compile_again),
        "execution": least(lambda: execute_onnx(model, X)),
        "execution, compiled": least(lambda: compiled.run(X)),
        "rewriting": least(lambda: apply(ModelWrapper(data), NORMAL_FORMS)),
        "neighbours of all nodes": least(look),
    }


def exponent(nodes: list[int], seconds: list[float]) -> float:
    """The power of the number of nodes by which the time grows, from 200 nodes on: below, fixed costs count."""
    first = next(i for i, n in enumerate(nodes) if n >= 200)
    return float(np.polyfit(np.log(nodes[first:]), np.log(seconds[first:]), 1)[0])


def draw(nodes: list[int], lines: dict[str, list[float]], path: Path) -> None:
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "finn"
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, seconds in lines.items():
        axes.loglog(nodes, np.array(seconds) * 1e3, "o-", label=f"{name} (exponent {exponent(nodes, seconds):.2f})")
    axes.set(xlabel="nodes", ylabel="CPU milliseconds", title="finn-base: CPU time against the size of the graph")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--svg", type=Path, help="draw the figure into this file (needs matplotlib)")
    parser.add_argument("--most", type=int, default=NODES[-1], help="the largest graph")
    arguments = parser.parse_args()
    nodes = [n for n in NODES if n <= arguments.most]
    results = [times(n) for n in nodes]
    lines = {name: [result[name] for result in results] for name in results[0]}
    print(f"{'milliseconds for':26s}" + "".join(f"{n:>9d}" for n in nodes) + "  exponent")
    for name, seconds in lines.items():
        print(f"{name:26s}" + "".join(f"{s * 1e3:9.2f}" for s in seconds) + f"{exponent(nodes, seconds):10.2f}")
    if arguments.svg:
        draw(nodes, lines, arguments.svg)


if __name__ == "__main__":
    main()
