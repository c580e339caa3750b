"""One call from sources to figures, for whatever target: what can be had for it with open tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finn.synth.boards import Board, Family, Part
from finn.synth.nextpnr import PnrResult, place_and_route
from finn.synth.shell import PinShell, no_bitstream
from finn.synth.yosys import SynthesisResult, synthesize


@dataclass(frozen=True)
class OocResult:
    """pnr is None for a part without open place and route; no_timing then says so in one line."""

    synthesis: SynthesisResult
    pnr: PnrResult | None
    no_timing: str = ""


def out_of_context(
    sources: Sequence[Path],
    top: str,
    in_width: int,
    out_width: int,
    target: Board | Part,
    *,
    clk_ns: float,
    workdir: Path,
    seeds: Sequence[int] = (1,),
    bitfile: str = "",
) -> OocResult:
    """Resources of module `top`, and for ECP5 also fmax, and with `bitfile` a bitstream for the board `target`.

    top: has ports ap_clk, ap_rst_n, s_axis_0_*, m_axis_0_*. in_width, out_width: bits of its two tdata, whole bytes.
    Without `bitfile` the pins of a board are left to the placer: they say nothing about the design.
    Raises what `synthesize` and `place_and_route` raise.
    """
    on_board = target if isinstance(target, Board) else None
    device = target.part if isinstance(target, Board) else target
    if on_board and bitfile and not on_board.has_bitstream:
        raise no_bitstream(on_board)
    if device.family is not Family.ECP5:
        synthesis = synthesize(sources, top, device.name, workdir)
        return OocResult(synthesis, None, f"no timing: there is no open place and route for {device.name}")
    shell = PinShell(top, in_width, out_width, on_board if bitfile else None)
    synthesis = synthesize(sources, top, device.name, workdir, shell=shell)
    placed_on: Board | Part = on_board if on_board and bitfile else device
    pnr = place_and_route(synthesis.netlist, placed_on, clk_ns, workdir, seeds=seeds, bitfile=bitfile)
    return OocResult(synthesis, pnr)
