"""Random layers of Elementwise."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.arithmetic import FUNCTIONS
from finn.dataflow.layer import divisors
from finn.dataflow.layers.elementwise import Elementwise
from strategies.common import draws, types, wide_types

DISTANCES = ("UINT1", "UINT2", "UINT3", "UINT5")


def operand_types(draw: DrawFn, function: str) -> tuple[BaseDataType, BaseDataType]:
    """Any two types, alike sometimes; a shift is by few bits."""
    if function.startswith("BitShift"):
        return draw(types), DataType[draw(st.sampled_from(DISTANCES))]
    a = draw(types | wide_types)
    return a, draw(st.just(a) | types | wide_types)


@draws(Elementwise)
def elementwise(draw: DrawFn) -> Elementwise:
    """Equal shapes half of the time; else either operand may lack any axis of the other."""
    frame = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3))
    lhs, rhs = list(frame), list(frame)
    if draw(st.booleans()):
        for n in range(len(frame)):
            short = draw(st.sampled_from([None, None, lhs, rhs, rhs]))
            if short is not None:
                short[n] = 1
    function = draw(st.sampled_from(sorted(FUNCTIONS)))
    a, b = operand_types(draw, function)
    pe = draw(st.sampled_from(divisors(max(lhs[-1], rhs[-1]))))
    return Elementwise((1, *lhs), (1, *rhs), function, a, b, PE=pe)
