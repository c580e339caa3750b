"""Random layers of LabelSelect."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.label_select import LabelSelect
from strategies.common import draws, types, vectors, wide_types


@draws(LabelSelect)
def label_select(draw: DrawFn) -> LabelSelect:
    labels, x = draw(st.integers(1, 12)), draw(types | wide_types)
    k = draw(st.integers(1, min(labels, 5)))
    return LabelSelect(vectors(draw, labels), x, k, PE=draw(st.sampled_from(divisors(labels))))
