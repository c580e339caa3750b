"""Random layers of CheckSum."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.checksum import CheckSum
from strategies.common import draws, types, vectors, wide_types


@draws(CheckSum)
def checksum(draw: DrawFn) -> CheckSum:
    channels = draw(st.sampled_from([1, 6, 40]))
    return CheckSum(vectors(draw, channels), draw(types | wide_types), draw(st.sampled_from(divisors(channels))))
