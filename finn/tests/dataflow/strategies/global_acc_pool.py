"""Random layers of GlobalAccPool."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.layer import divisors
from finn.dataflow.layers.global_acc_pool import GlobalAccPool
from strategies.common import draws, images, types, wide_types


@draws(GlobalAccPool)
def global_acc_pool(draw: DrawFn) -> GlobalAccPool:
    """Images of one pixel among them."""
    shape, function = draw(images), draw(st.sampled_from(["sum", "sum", "max", "min"]))
    return GlobalAccPool(shape, draw(types | wide_types), function, PE=draw(st.sampled_from(divisors(shape[-1]))))
