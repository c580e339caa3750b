# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Fit the constants of `finn.dataflow.cost.Fabric` to the stored measurements and print them: `python fit_costs.py`.

Least squares of the logarithms of estimated over measured LUTs, by Gauss and Newton's method; a constant that no layer
of the grid depends on stays as it is.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace

import numpy as np
from calibrate_costs import PARTS, STORED, Measured
from cost_grid import LAYERS

from finn.dataflow import cost

FAMILIES = {"UltraScale+": "LUT6", "ECP5": "LUT4"}
STEP = 0.02
"""By which a constant is changed to see what depends on it; estimates are whole numbers, hence not less."""


def errors(family: str, measured: Measured, constants: dict[str, float]) -> np.ndarray:
    """log(estimated / measured) of each layer with these constants."""
    name = FAMILIES[family]
    kept = getattr(cost, name)
    setattr(cost, name, replace(kept, **constants))
    try:
        estimates = [LAYERS[layer].resources(PARTS[family]).LUT for layer in measured]
    finally:
        setattr(cost, name, kept)
    return np.log(np.maximum(1, estimates) / [max(1, found[family][0]) for found in measured.values()])


def fit(family: str, measured: Measured, rounds: int = 8) -> dict[str, float]:
    """The constants of a family that fit best."""
    fabric = getattr(cost, FAMILIES[family])
    names = [f.name for f in fields(fabric) if f.type == "float" and getattr(fabric, f.name)]
    values = np.array([getattr(fabric, name) for name in names])
    for _ in range(rounds):
        base = errors(family, measured, dict(zip(names, values, strict=True)))
        changed = [
            errors(family, measured, dict(zip(names, values * (1 + STEP * (np.arange(len(names)) == k)), strict=True)))
            for k in range(len(names))
        ]
        slopes = (np.array(changed) - base).T / STEP
        slopes = np.vstack([slopes, 0.1 * np.eye(len(names))])  # holds what the layers say nothing about
        step = np.linalg.lstsq(slopes, np.concatenate([-base, np.zeros(len(names))]), rcond=None)[0]
        values = values * (1 + np.clip(step, -0.3, 0.3))
    return dict(zip(names, values, strict=True))


def main() -> None:
    measured: Measured = json.loads(STORED.read_text())
    for family in PARTS:
        fabric, found = getattr(cost, FAMILIES[family]), fit(family, measured)
        before, after = (np.abs(errors(family, measured, c)).mean() for c in ({}, found))
        sys.stdout.write(f"{family}: mean error {before:.1%} -> {after:.1%}\n")
        for name, value in found.items():
            sys.stdout.write(f"  {name}: {getattr(fabric, name):g} -> {value:.3g}\n")


if __name__ == "__main__":
    main()
