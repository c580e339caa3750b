"""The top level around a streaming design: rtllib/shell/pin_shell.sv and, for a board, its pins.

With a serial link in place of the streams, a design of any width has few enough pins to be placed, and all its paths
run from register to register, so that the timing report speaks of the design. On a board it is the minimal top level.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import finn.synth.boards as boards
from finn.synth.errors import BoardError

TOP = "finn_top"
INSTANCE = "u_design"

PIN_SHELL = Path(str(files("finn.rtllib"))) / "shell" / "pin_shell.sv"

# Signals of the link -> direction, in the order of the ports.
LINK = {
    "si_data": "input",
    "si_valid": "input",
    "si_ready": "output",
    "so_data": "output",
    "so_valid": "output",
    "so_ready": "input",
}

_TEMPLATE = Template("""\
// $design behind a bit-serial link; pin_shell.sv has the protocol. Board: $board.
module $top (
    input  logic clk,
$reset_port    input  logic si_data,
    input  logic si_valid,
    output logic si_ready,
    output logic so_data,
    output logic so_valid,
    input  logic so_ready
);
  logic ap_rst_n;
  logic [$in_high:0] s_axis_0_tdata;
  logic s_axis_0_tvalid, s_axis_0_tready;
  logic [$out_high:0] m_axis_0_tdata;
  logic m_axis_0_tvalid, m_axis_0_tready;

  pin_shell #(
      .InW($in_width),
      .OutW($out_width)
  ) u_shell (
      .clk_i(clk),
      .rst_ni($reset),
      .si_data_i(si_data),
      .si_valid_i(si_valid),
      .si_ready_o(si_ready),
      .so_data_o(so_data),
      .so_valid_o(so_valid),
      .so_ready_i(so_ready),
      .ap_rst_no(ap_rst_n),
      .m_axis_tdata(s_axis_0_tdata),
      .m_axis_tvalid(s_axis_0_tvalid),
      .m_axis_tready(s_axis_0_tready),
      .s_axis_tdata(m_axis_0_tdata),
      .s_axis_tvalid(m_axis_0_tvalid),
      .s_axis_tready(m_axis_0_tready)
  );

  $design $instance (
      .ap_clk(clk),
      .ap_rst_n(ap_rst_n),
      .s_axis_0_tdata(s_axis_0_tdata),
      .s_axis_0_tvalid(s_axis_0_tvalid),
      .s_axis_0_tready(s_axis_0_tready),
      .m_axis_0_tdata(m_axis_0_tdata),
      .m_axis_0_tvalid(m_axis_0_tvalid),
      .m_axis_0_tready(m_axis_0_tready)
  );
endmodule
""")


@dataclass(frozen=True)
class PinShell:
    """The shell around module `design`, whose streams are s_axis_0 and m_axis_0.

    in_width, out_width: bits of their tdata, padded to whole bytes. board: gives the reset button; without one the only
    reset is the one after configuration.
    """

    design: str
    in_width: int
    out_width: int
    board: boards.Board | None = None

    def __post_init__(self) -> None:
        for name, width in (("s_axis_0_tdata", self.in_width), ("m_axis_0_tdata", self.out_width)):
            if width < 8 or width % 8:
                raise BoardError(
                    f"{name} has {width} bits", where=self.design, remedy="pad the streams of a design to whole bytes"
                )
        if self.board and not self.board.has_bitstream:
            raise no_bitstream(self.board)

    @property
    def source(self) -> Path:
        """The module that `text` instantiates."""
        return PIN_SHELL

    def text(self) -> str:
        """SystemVerilog of module `TOP`: ports clk, reset (where the board has a button), and `LINK`."""
        active = self.board.reset_active if self.board else "none"
        return _TEMPLATE.substitute(
            design=self.design,
            top=TOP,
            instance=INSTANCE,
            board=self.board.name if self.board else "none, for out-of-context place and route",
            reset_port="" if active == "none" else "    input  logic reset,\n",
            reset={"none": "1'b1", "high": "~reset", "low": "reset"}[active],
            in_width=self.in_width,
            in_high=self.in_width - 1,
            out_width=self.out_width,
            out_high=self.out_width - 1,
        )


def constraints(board: boards.Board | None, clk_ns: float) -> str:
    """Lattice preference file (.lpf): pins of `board` (none: pins are left to the placer) and the clock to reach.

    On a board the clock is the faster of 1/clk_ns and the oscillator, so that a met constraint means a working board.
    """
    mhz = 1e3 / clk_ns
    if board is None:
        return f'FREQUENCY PORT "clk" {mhz:.3f} MHZ;\n'
    lines = [f'FREQUENCY PORT "clk" {max(mhz, board.clock_mhz):.3f} MHZ;']
    for signal, pin in board.pins.items():
        lines.append(f'LOCATE COMP "{signal}" SITE "{pin}";')
        lines.append(f'IOBUF PORT "{signal}" IO_TYPE=LVCMOS33{_pull(board, signal)};')
    return "\n".join(lines) + "\n"


def _pull(board: boards.Board, signal: str) -> str:
    """Open inputs rest at their inactive level."""
    if signal == "reset":
        return " PULLMODE=DOWN" if board.reset_active == "high" else " PULLMODE=UP"
    return " PULLMODE=DOWN" if LINK.get(signal) == "input" else ""


def no_bitstream(board: boards.Board) -> BoardError:
    """`board` gets estimates only."""
    family = "AMD" if board.part.family is not boards.Family.ECP5 else "this"
    return BoardError(
        f"no bitstream for board {board.name}",
        where="board",
        why=f"there is no open place and route for its part {board.part.name} ({family} parts get resource estimates)",
        remedy=f"use one of {', '.join(boards.board_names(bitstream=True))}, or ask for resources only",
    )
