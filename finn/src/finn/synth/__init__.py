"""From SystemVerilog to resources, timing and a bitstream, with open tools.

    from finn.synth import board, out_of_context

    result = out_of_context(design.sources, design.name, 784, 16, board("ULX3S-85F"), clk_ns=10.0, workdir=path)
    result.synthesis.resources["LUT"], result.pnr.fmax_mhz

AMD 7-series and UltraScale+ get resources (Yosys); Lattice ECP5 gets resources, fmax and bitstream (Yosys, nextpnr,
ecppack).

    [tool.status() for tool in TOOLCHAINS]  # for `finn doctor`
"""

from finn.synth.boards import DEFAULT_ECP5_BOARD, Board, Family, Part, board, board_names, part, part_of
from finn.synth.errors import BoardError, DoesNotFit, PlacementError, SynthesisError, ToolMissing
from finn.synth.flow import OocResult, out_of_context
from finn.synth.nextpnr import NEXTPNR, PnrResult, place_and_route
from finn.synth.process import Toolchain, ToolStatus
from finn.synth.shell import PinShell
from finn.synth.vivado import VIVADO
from finn.synth.yosys import YOSYS, SynthesisResult, synthesize

TOOLCHAINS: tuple[Toolchain, ...] = (YOSYS, NEXTPNR, VIVADO)

__all__ = [
    "DEFAULT_ECP5_BOARD",
    "TOOLCHAINS",
    "Board",
    "BoardError",
    "DoesNotFit",
    "Family",
    "OocResult",
    "Part",
    "PinShell",
    "PlacementError",
    "PnrResult",
    "SynthesisError",
    "SynthesisResult",
    "ToolMissing",
    "ToolStatus",
    "Toolchain",
    "board",
    "board_names",
    "out_of_context",
    "part",
    "part_of",
    "place_and_route",
    "synthesize",
]
