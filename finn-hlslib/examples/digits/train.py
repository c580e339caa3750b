# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train the network of this example and write its tables: tables.hpp and held_out.hpp.

    pip install numpy scikit-learn
    python train.py

64 pixels of 0 to 16, a layer of 32 neurons with weights -1 to 1 and activations 0 to 3, a layer of 10 with weights -3
to 3. The 1,797 digits of 8x8 pixels that scikit-learn ships are split by a fixed permutation; the last 359 are held out
and stored for the test bench. Gradients pass rounding unchanged (Bengio et al. 2013, arXiv:1308.3432). Seeded: the same
tables each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
HIDDEN, CLASSES, LEVELS = 32, 10, 3  # neurons, digits, thresholds per neuron
EPOCHS, BATCH, RATE = 400, 64, 3e-3
HELD_OUT, SEED = 359, 2026

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def quantized(weights: Floats, most: int) -> Floats:
    """Integers -most to most."""
    return np.clip(np.round(weights), -most, most)


def forward(p: dict[str, Floats], x: Floats) -> tuple[Floats, Floats, Floats]:
    """Sums of the first layer, its activations before they are rounded, and the scores."""
    sums = x @ quantized(p["w1"], 1)
    z = sums * np.exp(p["scale"]) + p["bias"]
    return sums, z, np.clip(np.round(z), 0, LEVELS) @ quantized(p["w2"], 3)


def gradients(p: dict[str, Floats], x: Floats, y: Integers) -> dict[str, Floats]:
    """Of the mean cross-entropy of the scores, which are softened by 1/8."""
    sums, z, scores = forward(p, x)
    soft = np.exp((scores - scores.max(1, keepdims=True)) / 8)
    soft /= soft.sum(1, keepdims=True)
    soft[np.arange(len(y)), y] -= 1
    soft /= 8 * len(y)
    hidden = soft @ quantized(p["w2"], 3).T * ((z > -0.5) & (z < LEVELS + 0.5))
    through = hidden * np.exp(p["scale"])
    return {
        "w1": x.T @ through * (np.abs(p["w1"]) < 1.5),
        "scale": (hidden * sums).sum(0) * np.exp(p["scale"]),
        "bias": hidden.sum(0),
        "w2": np.clip(np.round(z), 0, LEVELS).T @ soft * (np.abs(p["w2"]) < 3.5),
    }


def trained(x: Floats, y: Integers) -> dict[str, Floats]:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) with a rate that falls to 0."""
    rng = np.random.default_rng(SEED)
    p = {
        "w1": rng.normal(0, 0.7, (x.shape[1], HIDDEN)),
        "scale": np.full(HIDDEN, np.log(0.03)),
        "bias": np.full(HIDDEN, 1.5),
        "w2": rng.normal(0, 1.0, (HIDDEN, CLASSES)),
    }
    first, second = ({k: np.zeros_like(v) for k, v in p.items()} for _ in range(2))
    steps = EPOCHS * (len(x) // BATCH)
    for step in range(steps):
        chosen = rng.integers(0, len(x), BATCH)
        rate = RATE * 4 * (1 - step / steps)
        for k, g in gradients(p, x[chosen], y[chosen]).items():
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.999 * second[k] + 0.001 * g * g
            m, v = first[k] / (1 - 0.9 ** (step + 1)), second[k] / (1 - 0.999 ** (step + 1))
            p[k] = p[k] - rate * m / (np.sqrt(v) + 1e-8)
    return p


def thresholds(p: dict[str, Floats]) -> Integers:
    """(HIDDEN, LEVELS): an activation is the number of thresholds that its sum has reached."""
    levels = np.arange(1, LEVELS + 1) - 0.5
    return np.ceil((levels - p["bias"][:, None]) / np.exp(p["scale"])[:, None]).astype(np.int64)


def folded(weights: Integers, simd: int, pe: int) -> Integers:
    """(inputs, outputs) -> (tiles, PE, SIMD), the order in which the MVAU uses them."""
    inputs, outputs = weights.shape
    tiles = weights.reshape(inputs // simd, simd, outputs // pe, pe).transpose(2, 0, 3, 1)
    return tiles.reshape(-1, pe, simd)


def braces(values: Integers) -> str:
    if values.ndim == 1:
        return "{" + ", ".join(map(str, values)) + "}"
    return "{" + ", ".join(map(braces, values)) + "}"


def write(name: str, about: str, tables: Iterable[tuple[str, str]]) -> None:
    head = "// Copyright (c) 2026, The FINN authors\n// SPDX-License-Identifier: BSD-3-Clause\n//\n"
    guard = f"DIGITS_{name.upper()}_HPP"
    lines = "".join(f"static const {declaration} = {values};\n" for declaration, values in tables)
    note = f"// {about} Written by train.py.\n// clang-format off\n"
    text = f"{head}{note}\n#ifndef {guard}\n#define {guard}\n\n{lines}\n#endif\n"
    (HERE / f"{name}.hpp").write_text(text)


def main() -> None:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(y))
    x, y = x[order], y[order]
    p = trained(x[:-HELD_OUT], y[:-HELD_OUT])
    w1, w2 = quantized(p["w1"], 1).astype(np.int64), quantized(p["w2"], 3).astype(np.int64)
    steps = thresholds(p)
    sums = x[-HELD_OUT:].astype(np.int64) @ w1
    scores = (sums[..., None] >= steps).sum(-1) @ w2
    answers = scores.argmax(1)
    print(f"{np.mean(answers == y[-HELD_OUT:]):.4f} of {HELD_OUT} digits")
    write(
        "tables",
        "Weights and thresholds.",
        [
            ("HiddenWeights hidden_weights", f"{{{{{', '.join('{' + braces(t) + '}' for t in folded(w1, 8, 4))}}}}}"),
            ("HiddenThresholds hidden_thresholds", f"{{{braces(steps.reshape(-1, 4, LEVELS).swapaxes(1, 2))}}}"),
            ("OutputWeights output_weights", f"{{{{{', '.join('{' + braces(t) + '}' for t in folded(w2, 4, 2))}}}}}"),
        ],
    )
    pixels = x[-HELD_OUT:].astype(np.int64)
    write(
        "held_out",
        "Digits that training never saw, their labels, and what the network says in NumPy.",
        [
            (f"unsigned char pixels[{HELD_OUT}][64]", braces(pixels)),
            (f"unsigned char labels[{HELD_OUT}]", braces(y[-HELD_OUT:])),
            (f"unsigned char answers[{HELD_OUT}]", braces(answers)),
        ],
    )


if __name__ == "__main__":
    main()
