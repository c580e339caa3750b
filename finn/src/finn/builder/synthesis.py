"""Hand the stitched design to the synthesis tools. Their netlists and logs stay in synthesis/, the last run's."""

from __future__ import annotations

import logging
import shutil

from finn.builder import products
from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType
from finn.builder.errors import BuildError
from finn.core.modelwrapper import ModelWrapper
from finn.rtl.stitch import stitch
from finn.synth import Board, OocResult, Part, board, part
from finn.synth import out_of_context as run

log = logging.getLogger(__name__)

BITFILE = "finn-accel.bit"

SEEDS = (1, 2)
"""Placements to choose the fastest from. They run side by side; fmax varies by up to 7 % between them."""


def out_of_context(model: ModelWrapper, cfg: DataflowBuildConfig) -> OocResult:
    """Synthesize the design; place and route it if there are open tools for the part.

    With a bitstream to be made, it is placed for the board, once: the cache serves the second step that asks.
    """
    design = stitch(model)
    work = cfg.path("synthesis")
    shutil.rmtree(work, ignore_errors=True)
    top = design.write(work / "sources")
    sources = [*(top.with_name(source.name) for source in design.sources), top]
    first, last = design.inputs[0].stream, design.outputs[0].stream
    target, bitfile = _target(cfg)
    widths = first.padded_width, last.padded_width
    clk_ns = cfg.synth_clk_period_ns
    return run(sources, design.name, *widths, target, clk_ns=clk_ns, workdir=work, seeds=SEEDS, bitfile=bitfile)


def tell_timing(result: OocResult) -> None:
    """Say if the clock is too fast for the design; the slowest path goes to the log."""
    if result.pnr is None:
        return
    log.info("slowest path of the design:\n%s", result.pnr.critical_path_text())
    if not result.pnr.timing_met:
        asked, reached = 1e3 / result.pnr.clk_ns, result.pnr.fmax_mhz
        log.warning("the clock of %.4g MHz is not met: fmax is %.1f MHz; the log has the slowest path", asked, reached)


def publish_bitfile(result: OocResult, cfg: DataflowBuildConfig) -> None:
    """Put the bitstream in its place, bitfile/finn-accel.bit."""
    if result.pnr is None or result.pnr.bitfile is None:
        raise BuildError("no bitstream was made", where=str(cfg.path("synthesis")), remedy="see the logs there")
    with products.file(cfg.path("bitfile", BITFILE)) as place:
        shutil.copyfile(result.pnr.bitfile, place)


def _target(cfg: DataflowBuildConfig) -> tuple[Board | Part, str]:
    """What to synthesize for, and the name of the bitstream to write, if any."""
    if cfg.asks_for(DataflowOutputType.BITFILE) and cfg.board is not None and board(cfg.board).has_bitstream:
        return board(cfg.board), BITFILE
    return part(cfg._resolve_fpga_part()), ""
