"""Latencies of the SystemVerilog library's building blocks: the one place where Python knows them.

The layers' modules are generic; these functions give the depths that they take as parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

CHUNK = 8
"""Ones counted in the first stage of a population count, in one cycle: the best clock rate on ECP5 of 6, 8 and 16."""

UNFOLDED_CHUNK = 32
"""The same for units of one vector per cycle, where adders and registers of all neurons add up: the smallest area."""

RADIX = 3
"""Operands per adder stage, as the modules are written."""

OPERANDS = 4
"""Cycles from the issue of a tile to its operands in `matrix_unit`: address, memory, two registers."""
STREAMED_OPERANDS = 2
"""The same if weights come as a stream: two registers."""

MEMORY = 2
"""Cycles from the acceptance of a beat to its use, of a layer that keeps its input in a `stream_memory`."""

STREAM_REGISTER = 1
"""Cycles of `stream_register`, which has STREAM_REGISTER_DEPTH places."""
STREAM_REGISTER_DEPTH = 2

CREDIT_FIFO = 2
"""Cycles from a push to a valid output beat of `credit_fifo`."""


@dataclass(frozen=True)
class DotProduct:
    """Stage counts of `dot_product`."""

    count_levels: int
    sum_levels: int

    @property
    def latency(self) -> int:
        """Cycles from operands to sum."""
        return 1 + self.count_levels + self.sum_levels


def levels(terms: int) -> int:
    """Adder stages of RADIX operands that sum `terms` of them."""
    n = 0
    while RADIX**n < terms:
        n += 1
    return n


def dot_product(size: int, planes: int, chunk: int) -> DotProduct:
    """Stages for `size` elements and `planes` pairs of bit planes."""
    return DotProduct(levels(-(-size // chunk)), levels(planes))


def threshold_search(stages: int) -> int:
    """Cycles of `threshold_search`."""
    return 2 * stages


def credit_depth(latency: int, steps_per_result: int) -> int:
    """Depth of a credit_fifo that never limits a pipeline of `latency` cycles, a power of two of at least 4.

    A credit comes back `latency` + 4 cycles after it was taken.
    """
    in_flight = -(-(latency + 4) // steps_per_result) + 1
    return int(max(4, 1 << (in_flight - 1).bit_length()))
