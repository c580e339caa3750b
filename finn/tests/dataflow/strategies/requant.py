"""Random layers of Requant."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.core.datatype import DataType
from finn.dataflow.layer import divisors
from finn.dataflow.layers.requant import Requant
from strategies.common import draws, integers, seeds, types, vectors, wide_types

OUTPUTS = ("BINARY", "UINT2", "UINT8", "INT2", "INT4", "INT8", "INT20")


@draws(Requant)
def requant(draw: DrawFn) -> Requant:
    """Multipliers of both signs, and 0; results that are clipped at both ends, at one, and not at all."""
    channels, rng = draw(st.sampled_from([1, 2, 3, 6])), np.random.default_rng(draw(seeds))
    m, b = (DataType[draw(st.sampled_from(["UINT1", "INT3", "INT8", "UINT12"]))] for _ in range(2))
    sizes = [draw(st.sampled_from([1, channels])) for _ in range(2)]
    multipliers, offsets = (integers(t, (size,), rng) for t, size in zip((m, b), sizes, strict=True))
    x, out = draw(types | wide_types), DataType[draw(st.sampled_from(OUTPUTS))]
    shift, narrow = draw(st.sampled_from([0, 1, 4, 9, 40])), draw(st.integers(0, 1))
    pe = draw(st.sampled_from(divisors(channels)))
    return Requant(vectors(draw, channels), x, multipliers, shift, offsets, out, narrow, PE=pe)
