# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Compare the layers' resource estimates with what Yosys makes of them: prints the tables of docs/costs.md.

    python benchmarks/calibrate_costs.py             # from the stored measurements: seconds
    python benchmarks/calibrate_costs.py --measure [WORD ...]  # synthesise all layers, or those called so

A layer stands behind FIFOs that belong to no figure: alone, its few registers would let Yosys trade area for a short
path that no design needs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

from cost_grid import LAYERS

from finn.dataflow.graph import Instance, make_graph
from finn.dataflow.layer import Layer, Resources
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.rtl import stitch
from finn.synth import synthesize

PARTS = {"UltraScale+": "xczu3eg-sbva484-1-e", "ECP5": "LFE5U-85F-6BG381C"}
STORED = Path(__file__).parents[1] / "finn" / "tests" / "dataflow" / "measured_costs.json"
Measured = dict[str, dict[str, list[int]]]
"""Layer -> family -> LUT, BRAM_18K, DSP."""


def synthesized(layer: Layer, part: str) -> Resources:
    """What Yosys makes of `layer`, a RAMB36 counted as two RAMB18."""
    before = [
        Instance(f"before_{k}", StreamingFIFO(s.shape, s.dtype, s.lanes, 64, window=s.window, taps=s.taps), (x,), (b,))
        for k, s in enumerate(layer.inputs)
        for x, b in [(f"x{k}", f"b{k}")]
    ]
    outputs = tuple(f"y{k}" for k in range(len(layer.outputs)))
    design = stitch(make_graph([*before, Instance("layer_0", layer, tuple(i.outputs[0] for i in before), outputs)]))
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        design.write(directory / "design")
        sources = sorted((directory / "design").glob("*.sv"))
        result = synthesize(sources, design.name, part, directory / "work")
    used = {kind: n - sum(result.per_instance[i.name][kind] for i in before) for kind, n in result.resources.items()}
    return Resources(LUT=used["LUT"], BRAM_18K=used["BRAM_18K"] + 2 * used["BRAM_36K"], DSP=used["DSP"])


def measure(names: Sequence[str]) -> Measured:
    """Synthesise the layers called `names`, for both families at once, and store what is found."""
    found: Measured = json.loads(STORED.read_text()) if STORED.exists() else {}
    with ThreadPoolExecutor(len(PARTS)) as pool:
        for name in names:
            used = pool.map(partial(synthesized, LAYERS[name]), PARTS.values())
            found[name] = {family: [r.LUT, r.BRAM_18K, r.DSP] for family, r in zip(PARTS, used, strict=True)}
            sys.stderr.write(f"{name}: {found[name]}\n")
            lines = ",\n".join(f"{json.dumps(n)}: {json.dumps(found[n])}" for n in LAYERS if n in found)
            STORED.write_text(f"{{\n{lines}\n}}\n")
    return found


def deviation(layer: Layer, family: str, measured: list[int]) -> float:
    """Estimated LUTs / LUTs - 1."""
    return layer.resources(PARTS[family]).LUT / measured[0] - 1


def each(measured: Measured) -> None:
    """One line per layer."""
    head = "".join(f" {family} LUT | | BRAM_18K | DSP |" for family in PARTS)
    sys.stdout.write(f"| layer |{head}\n|---|{'--:|--:|--:|--:|' * len(PARTS)}\n")
    for name in measured:
        layer, row = LAYERS[name], f"| {name} |"
        for family, part in PARTS.items():
            e, (lut, blocks, dsp) = layer.resources(part), measured[name][family]
            error = f"{deviation(layer, family, measured[name][family]):+.0%}"
            row += f" {e.LUT} / {lut} | {error} | {e.BRAM_18K} / {blocks} | {e.DSP} / {dsp} |"
        sys.stdout.write(f"{row}\n")


def summary(measured: Measured) -> None:
    """One line per kind of layer: median and worst error, blocks and DSP that are right."""
    sys.stdout.write(f"\n| |{' | '.join(f' {f}: median | worst' for f in PARTS)} |\n|---|{'--:|--:|' * len(PARTS)}\n")
    for kind in sorted({type(LAYERS[name]).__name__ for name in measured}):
        names = [name for name in measured if type(LAYERS[name]).__name__ == kind]
        row = f"| {kind} ({len(names)}) |"
        for family in PARTS:
            errors = [deviation(LAYERS[name], family, measured[name][family]) for name in names]
            row += f" {median(map(abs, errors)):.0%} | {max(errors, key=abs):+.0%} |"
        sys.stdout.write(f"{row}\n")


def main() -> None:
    measured: Measured = json.loads(STORED.read_text()) if STORED.exists() else {}
    if sys.argv[1:2] == ["--measure"]:
        words = sys.argv[2:]
        measured = measure([n for n in LAYERS if not words or any(word in n for word in words)])
    each(measured)
    summary(measured)


if __name__ == "__main__":
    main()
