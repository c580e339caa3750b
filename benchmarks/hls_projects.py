# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""HLS projects of layers of every kind, synthesized by Vitis HLS where it is.

    python benchmarks/hls_projects.py FOLDER [--only MVAU]

writes a project for each layer of the cost grid. With Vitis HLS it runs C simulation, synthesis and simulation of the
RTL for each, prints resources beside the estimates for our RTL, and ends with 1 if any of them fails. Without, it says
so and ends with 0. ci/vitis-hls.yml is a job that calls it.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from cost_grid import LAYERS

from finn.dataflow.layer import Layer
from finn.hls import HlsError, vitis
from finn.hls.project import project_of

PART, CLK_NS = "xczu3eg-sbva484-1-e", 5.0


def chosen(only: str) -> dict[str, Layer]:
    """Top function -> layer."""
    layers = {re.sub(r"\W+", "_", f"{type(layer).__name__}_{k}"): layer for k, layer in enumerate(LAYERS.values())}
    return {name: layer for name, layer in layers.items() if only in type(layer).__name__}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="part of the name of a layer's class")
    arguments = parser.parse_args()
    layers = chosen(arguments.only)
    folders: dict[str, Path] = {}
    for name, layer in layers.items():
        try:
            project = project_of(name, layer, PART, CLK_NS)
        except HlsError as error:
            print(f"{name}: left out: {error}")
            continue
        folders[name] = arguments.folder / name
        project.write(folders[name])
    print(f"{len(folders)} projects in {arguments.folder}")
    if vitis.command() is None:
        print("Vitis HLS is not on this machine: nothing is synthesized")
        return 0
    found = vitis.synthesize_all(folders, len(os.sched_getaffinity(0)), "csim csynth cosim")
    print(f"{'layer':40} {'LUT':>7} {'ours':>7} {'FF':>7} {'DSP':>5} {'BRAM_18K':>8} {'ns':>6}")
    for name, result in found.items():
        if isinstance(result, HlsError):
            print(f"{name:40} {result}")
            continue
        r, ours = result.resources, layers[name].resources(PART).LUT
        print(f"{name:40} {r['LUT']:7} {ours:7} {r['FF']:7} {r['DSP']:5} {r['BRAM_18K']:8} {result.clk_ns:6.2f}")
    return int(any(isinstance(result, HlsError) for result in found.values()))


if __name__ == "__main__":
    sys.exit(main())
