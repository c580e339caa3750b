"""Random layers of Lookup."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.lookup import Lookup
from strategies.common import draws, integers, seeds, types, vectors, wide_types


@draws(Lookup)
def lookup(draw: DrawFn) -> Lookup:
    """Tables for all inputs, for some of them and for more; indices below, above and on both sides of the table."""
    x, y, rng = draw(types | wide_types), draw(types | wide_types), np.random.default_rng(draw(seeds))
    low, span = int(x.min()), int(x.max() - x.min()) + 1
    entries = draw(st.sampled_from([1, 2, 5, 16, min(span, 300), 300]))
    offset = draw(st.sampled_from([-low, -low, entries - 1 - int(x.max()), entries // 2]))
    shape, rows = vectors(draw, draw(st.sampled_from([1, 2, 6]))), draw(st.sampled_from([(), (1,), (6,), (12,)]))
    offset = min(max(offset, -int(x.max())), entries - 1 - low)  # some input has an entry
    pe = draw(st.sampled_from(divisors(rows[0] if rows else shape[-1])))
    return Lookup(shape, x, integers(y, (entries, *rows), rng), y, offset, PE=pe)
