"""Memories and logic in numbers of FPGA primitives: what the layers' cost models are made of.

The constants are fitted to what Yosys 0.70 makes of the SystemVerilog library; docs/costs.md has the measurements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from finn.dataflow.layer import Resources

BRAM18_BITS = 18 * 1024

_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""(width, depth) of a block of 18 Kbit; two that are joined have twice the depth. AMD UG573 table 1-3, and the same in
ECP5 (Lattice FPGA-TN-02204)."""
BLOCK_SCORE, MUX_SCORE = 128, 0.5
"""What a block of 18 Kbit, and each further choice of a data bit, cost Yosys' memory_libmap."""


@dataclass(frozen=True)
class Blocks:
    """A memory in block RAM: `rows` of words stand side by side in `number` blocks of 18 Kbit, and one is chosen."""

    number: int
    rows: int
    score: float

    @classmethod
    @lru_cache(maxsize=1 << 16)
    def of(cls, width: int, depth: int, joined: bool = True) -> Blocks:
        """For `depth` words of `width` bits the cheapest, as in memory_libmap. joined : blocks come in pairs, too."""
        found = []
        for bits, words in _SHAPES:
            for pair in (1, 2) if joined else (1,):
                rows = ceil(depth / (words * pair))
                number = pair * ceil(rows * width / bits)
                found.append(cls(number, rows, BLOCK_SCORE * number + MUX_SCORE * (rows - 1) * width))
        return min(found, key=lambda blocks: blocks.score)


ULTRA_WIDTH, ULTRA_DEPTH = 72, 4096
"""Of an UltraRAM, AMD UG573 table 2-1."""


def in_ultra(width: int, depth: int) -> Resources:
    """`depth` words of `width` bits in UltraRAM."""
    number = ceil(width / ULTRA_WIDTH) * ceil(depth / ULTRA_DEPTH)
    return Resources(URAM=number, URAM_efficiency=width * depth / (number * ULTRA_WIDTH * ULTRA_DEPTH))


_WITH_ULTRA = re.compile(
    r"xczu(3t|4|5|7|11|15|17|19)(cg|eg|ev)|xczu\d+dr|xck26|xcu\d|xcku(3|5|11|13|15|19)p|xcvu\d+p|xcv([cmpeh]|80)"
)
"""Parts with UltraRAM: Zynq UltraScale+ (AMD DS891), RFSoC (DS889), Kria K26 (DS987), Alveo, Kintex and Virtex
UltraScale+ (DS890), Versal (DS950)."""


def has_ultra_ram(part: str | None) -> bool:
    """Whether a part has it; yes if nothing is said."""
    return part is None or _WITH_ULTRA.match(part.lower()) is not None


@dataclass(frozen=True)
class RamCell:
    """A distributed RAM with a write and a read port: `words` x `bits` in `luts` LUTs.

    mux : LUTs per data bit for each further cell in depth.
    score : of a cell to Yosys' memory_libmap (BLOCK_SCORE). scaled: bits that are not used do not count.
    """

    words: int
    bits: int
    luts: int
    mux: float
    score: float
    scaled: bool = False

    def resources(self, width: int, depth: int) -> Resources:
        rows = ceil(depth / self.words)
        return Resources(LUT=rows * ceil(width / self.bits) * self.luts + width * ceil((rows - 1) * self.mux))

    def worse_than_blocks(self, width: int, depth: int) -> bool:
        rows = ceil(depth / self.words)
        columns = width / self.bits if self.scaled else ceil(width / self.bits)
        return rows * columns * self.score + (rows - 1) * width * MUX_SCORE > Blocks.of(width, depth).score


@dataclass(frozen=True)
class Fabric:
    """LUTs per bit of the library's building blocks on a family.

    rom_words : words of one bit that a LUT holds as a constant memory.
    rom_block_bits : a constant memory of more bits per block RAM than this goes into block RAM.
    rams : distributed RAM, for few words and for many.
    queue : per bit of a queue's depth: pointers, occupancy and flags.
    block_mux : per data bit and further row of a memory in block RAM. joined : blocks come in pairs, too.
    collision : (LUTs, and LUTs per data bit) of a queue in block RAM, for a read and a write of the same word.
    xnor, product : per position of a population count of equal bits, or of products of bits.
    xnor_constant, product_constant : the same if one operand is constant (random bits).
    adder : of an adder with two or three operands. total : of the sums over bit planes, and of accumulators.
    threshold : of a comparison with a threshold.
    rank : of comparisons that put values in order. merge : of such comparisons with the best so far, in these units.
    larger : of the larger of two values. both : more than that where one of them is chosen from two words and has more
    than two bits: mapping for speed compares with both words. select : of a list, per word that a place may come from.
    accumulate : of a sum that starts at 0. choose : per word from which a data bit is chosen.
    delay : of a register chain; a LUT of AMD becomes a shift register, ECP5 has flip-flops only.
    level : per bit of a fill level. raster : LUTs that control the pixels of an image.
    control : LUTs of a layer's counters and flags.
    clip : of a result that is limited to a range.
    multiply : of a product in LUTs, per pair of bits.
    multiplier, least_product : bits of the operands of a multiplier block, and of a product (both operands together)
    from which Yosys takes one: DSP48E2 (AMD UG579), MULT18X18D (Lattice FPGA-TN-02205).
    prunes : what no result depends on is found and removed, the merge in a label_select of one beat per vector.
    """

    rom_words: int
    rom_block_bits: int
    rams: tuple[RamCell, RamCell]
    queue: float
    block_mux: float
    joined: bool
    collision: tuple[int, int]
    xnor: float
    product: float
    xnor_constant: float
    product_constant: float
    adder: float
    total: float
    threshold: float
    rank: float
    merge: float
    larger: float
    both: float
    select: float
    accumulate: float
    choose: float
    delay: int
    level: float
    raster: int
    control: int
    clip: float
    multiply: float
    multiplier: tuple[int, int]
    least_product: int
    prunes: bool

    def in_blocks(self, width: int, depth: int) -> Resources:
        """`depth` words of `width` bits in block RAM."""
        used = Blocks.of(width, depth, self.joined)
        efficiency = width * depth / (used.number * BRAM18_BITS)
        lut = round(self.block_mux * width * (used.rows - 1))
        return Resources(LUT=lut, BRAM_18K=used.number, BRAM_efficiency=efficiency)

    def rom(self, width: int, depth: int, style: str = "auto", lanes: int = 1) -> Resources:
        """`lanes` constant memories with random contents and one address.

        A few words make few different columns: on 2^n words there are 2^(2^n) functions, of which complements are one.
        """
        if depth == 1:
            return Resources()
        blocks = self.in_blocks(width, depth)
        if style == "block" or (style == "auto" and width * depth > self.rom_block_bits * blocks.BRAM_18K):
            return replace(blocks, LUT=lanes * blocks.LUT, BRAM_18K=lanes * blocks.BRAM_18K)
        rows = ceil(depth / self.rom_words)
        return Resources(LUT=min(lanes * width, 2 ** min(depth - 1, 16)) * (rows + (rows - 1) // 4))

    def ram(self, width: int, depth: int, style: str = "auto") -> Resources:
        """A memory with a write and a read port."""
        cell = self.rams[depth > self.rams[0].words]
        if style == "block" or (style == "auto" and cell.worse_than_blocks(width, depth)):
            return self.in_blocks(width, depth)
        return cell.resources(width, depth)

    def fifo(self, width: int, depth: int, style: str) -> Resources:
        """streaming_fifo."""
        memory = in_ultra(width, depth) if style == "ultra" else self.ram(width, depth, style)
        once, per_bit = self.collision if memory.BRAM_18K else (0, 0)
        return memory + Resources(LUT=round(self.queue * depth.bit_length()) + once + per_bit * width)

    def credit_fifo(self, width: int, depth: int) -> Resources:
        """credit_fifo: a FIFO and the counter of its free places."""
        credits = round(self.queue * depth.bit_length() / 2)
        return self.fifo(width, depth, "distributed") + Resources(LUT=credits)

    def replay_buffer(self, width: int, depth: int) -> Resources:
        """replay_buffer: as many counters as two queues have."""
        return self.ram(width, depth) + Resources(LUT=round(2 * self.queue * depth.bit_length()))


LUT6 = Fabric(
    rom_words=64,
    rom_block_bits=8192,
    rams=(RamCell(32, 14, 8, 1 / 3, 16, True), RamCell(64, 7, 8, 1 / 3, 16, True)),  # RAM32M16, RAM64M8
    queue=5.7,
    block_mux=0.63,
    joined=True,
    collision=(0, 0),
    xnor=1.6,
    product=1.8,
    xnor_constant=1.2,
    product_constant=0.65,
    adder=0.3,
    total=0.5,
    threshold=0.83,
    rank=1.3,
    merge=1.8,
    larger=1.8,
    both=0.0,
    select=0.33,
    accumulate=0.5,
    choose=0.5,
    delay=1,
    level=5.5,
    raster=9,
    control=25,
    clip=0.78,
    multiply=1.4,
    multiplier=(18, 27),
    least_product=9,
    prunes=True,
)

LUT4 = Fabric(
    rom_words=16,
    rom_block_bits=2048,
    rams=(RamCell(16, 4, 6, 1, 4), RamCell(16, 4, 6, 1, 4)),  # TRELLIS_DPR16X4
    queue=9.3,
    block_mux=1.2,
    joined=False,
    collision=(30, 1),
    xnor=3.3,
    product=3.5,
    xnor_constant=3.3,
    product_constant=1.1,
    adder=0.45,
    total=0.65,
    threshold=0.93,
    rank=2.2,
    merge=1.05,
    larger=2.4,
    both=2.1,
    select=1.95,
    accumulate=1.0,
    choose=0.66,
    delay=0,
    level=7.5,
    raster=15,
    control=50,
    clip=0.0,
    multiply=1.0,
    multiplier=(18, 18),
    least_product=4,
    prunes=False,
)


@lru_cache(maxsize=1 << 12)
def plane_adders(planes: tuple[int, int], signed: tuple[bool, bool], count: int, total: int) -> int:
    """Bits of the adders that sum up the products of bit planes in dot_product.sv, three operands per adder.

    planes, signed : of inputs and of weights. count : bits of a population count. total : bits of the result.
    The product of planes a and b has zeros below bit a + b, and above its count, unless it is negative.
    """
    operands = []  # (lowest bit, first bit above) of each
    for a in range(planes[0]):
        for b in range(planes[1]):
            negative = (signed[0] and a == planes[0] - 1) != (signed[1] and b == planes[1] - 1)
            operands.append((a + b, total if negative else min(total, a + b + count)))
    bits = 0
    while len(operands) > 1:
        groups = [operands[i : i + 3] for i in range(0, len(operands), 3)]
        operands = []
        for group in groups:
            low, high = min(g[0] for g in group), max(g[1] for g in group) + len(group) - 1
            operands.append((low, min(total, high)))
            bits += (len(group) - 1) * (operands[-1][1] - low)
    return bits


def fabric(part: str | None) -> Fabric:
    """The fabric of a part: LUT4 of Lattice ECP5, else LUT6 of AMD, also if nothing is said."""
    return LUT4 if part is not None and part.upper().startswith("LFE5") else LUT6
