"""Contents of a layer's memories as writes on AXI4-Lite: the images that FINN's drivers load at run time.

A line of a memory takes 2^k words of 32 bits, the least significant first; writing the last of them writes the line.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from finn.dataflow.cost import Fabric
from finn.dataflow.layer import Resources
from finn.dataflow.packing import Bits

Words = npt.NDArray[np.uint32]
Image = list[tuple[int, int]]
"""(byte address, 32-bit word), in the order in which to write them."""


def words_per_line(width: int) -> int:
    """32-bit words of a line of `width` bits."""
    return 1 << (-(-width // 32) - 1).bit_length()


def word_address_bits(width: int, line_bits: int) -> int:
    """Bits of the address of a word, if the address of a line has `line_bits`."""
    return line_bits + words_per_line(width).bit_length() - 1


def request_bits(width: int, line_bits: int) -> int:
    """Of a request to `line_access`: write or read, address of a word, data."""
    return 1 + word_address_bits(width, line_bits) + 32


def lines_of(bits: Bits) -> Words:
    """(lines, width), least significant first -> (lines, words per line)."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    raw = np.zeros((len(bits), 4 * words_per_line(bits.shape[-1])), np.uint8)
    raw[:, : packed.shape[1]] = packed
    return raw.view("<u4")


def writes(lines: Words, used: npt.NDArray[np.bool_] | None = None) -> Image:
    """The writes of lines 0, 1, …; of those `used` if that is given."""
    addresses = 4 * np.arange(lines.size).reshape(lines.shape)
    chosen = slice(None) if used is None else used
    return list(zip(addresses[chosen].reshape(-1).tolist(), lines[chosen].reshape(-1).tolist(), strict=True))


def access_resources(fab: Fabric, width: int, line_bits: int) -> Resources:
    """axi_lite and line_access: registers of both addresses, the data, a line; the choice of a word to read."""
    words, bits = words_per_line(width), word_address_bits(width, line_bits)
    return Resources(LUT=fab.control + 2 * bits + 32 + round(32 * (words - 1) * fab.choose))
