"""Random layers of ChannelwiseOp."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.dataflow.arithmetic import FUNCTIONS
from finn.dataflow.layer import divisors
from finn.dataflow.layers.channelwise_op import ChannelwiseOp
from strategies.common import draws, integers, seeds
from strategies.elementwise import operand_types


@draws(ChannelwiseOp)
def channelwise_op(draw: DrawFn) -> ChannelwiseOp:
    """A constant for all, one per channel, and with any axes of the frame; on either side."""
    frame = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3))
    parameters = draw(st.sampled_from([(1,), (frame[-1],), None]))
    if parameters is None:
        parameters = tuple(draw(st.sampled_from([1, n])) for n in frame)
    function, left = draw(st.sampled_from(sorted(FUNCTIONS))), draw(st.integers(0, 1))
    a, b = operand_types(draw, function)
    x, p = (b, a) if left else (a, b)
    values = integers(p, parameters, np.random.default_rng(draw(seeds)))
    pe = draw(st.sampled_from(divisors(frame[-1])))
    return ChannelwiseOp((1, *frame), function, x, values, p, left, PE=pe)
