"""Hand the stitched design to the synthesis tools. Their netlists and logs stay in synthesis/, the last run's."""

from __future__ import annotations

import logging
import shutil

from finn.builder import products
from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType
from finn.builder.design import design as design_of
from finn.builder.errors import BuildError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.cost import has_ultra_ram
from finn.dataflow.graph import layers
from finn.rtl.stitch import Design
from finn.synth import Board, Family, OocResult, Part, board, part
from finn.synth import out_of_context as run

log = logging.getLogger(__name__)

BITFILE = "finn-accel.bit"

SEEDS = (1, 2)
"""Placements to choose the fastest from. They run side by side; fmax varies by up to 7 % between them."""


def out_of_context(model: ModelWrapper, cfg: DataflowBuildConfig) -> OocResult:
    """Synthesize the design; place and route it if there are open tools for the part.

    With a bitstream to be made, it is placed for the board, once: the cache serves the second step that asks.
    """
    require_memories(model, cfg)
    design = design_of(model, cfg)
    target, bitfile = _target(cfg)
    _require_shell(design, target if isinstance(target, Part) else target.part)
    work = cfg.path("synthesis")
    shutil.rmtree(work, ignore_errors=True)
    top = design.write(work / "sources")
    sources = [*(top.with_name(source.name) for source in design.sources), top]
    first, last = design.inputs[0].stream, design.outputs[0].stream
    widths = first.padded_width, last.padded_width
    clk_ns = cfg.synth_clk_period_ns
    return run(sources, design.name, *widths, target, clk_ns=clk_ns, workdir=work, seeds=SEEDS, bitfile=bitfile)


def check(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """Raise `BuildError` now if synthesis is asked for and the streams of these layers do not fit the shell."""
    if cfg.asks_for(DataflowOutputType.OOC_SYNTH, DataflowOutputType.BITFILE):
        target, _ = _target(cfg)
        ports = len(model.graph.input), len(model.graph.output)
        _require_streams(*ports, target if isinstance(target, Part) else target.part)


def require_memories(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """Raise `BuildError` if layers are to have memories of UltraRAM, and the part is known to have none."""
    name = cfg.part()
    if has_ultra_ram(name):
        return
    ultra = [layer for layer, given in layers(model).items() if given.config().get("ram_style") == "ultra"]
    if ultra:
        raise BuildError(
            f"ram_style='ultra' of {', '.join(ultra)}",
            where=f"part {name}",
            why="this part has no UltraRAM",
            remedy="use ram_style 'auto', 'block' or 'distributed', or a part with UltraRAM",
        )


def _require_shell(design: Design, target: Part) -> None:
    """Raise `BuildError` if the shell for parts with place and route would leave ports of the design open."""
    _require_streams(len(design.inputs), len(design.outputs), target)
    if target.family is Family.ECP5 and (design.constants or design.registers):
        names = [*(p.prefix for p in design.constants), *(r.prefix for r in design.registers)]
        raise BuildError(
            f"the design has the ports {', '.join(names)}",
            where=f"part {target.name}",
            why="the shell around designs that are placed and routed has no AXI4-Lite and no streams of weights",
            remedy="keep weights in the design (mem_mode internal_embedded, runtime_writeable_weights 0), "
            f"or {ESTIMATE_ONLY}",
        )


def _require_streams(inputs: int, outputs: int, target: Part) -> None:
    if target.family is Family.ECP5 and (inputs, outputs) != (1, 1):
        raise BuildError(
            f"the design has {inputs} input and {outputs} output streams",
            where=f"part {target.name}",
            why="the shell around designs that are placed and routed has one stream on each side",
            remedy="see report/explanation.txt for what the host computes between layers and at the ends, "
            f"or {ESTIMATE_ONLY}",
        )


ESTIMATE_ONLY = "ask for out_of_context_synth with an AMD part, or for neither out_of_context_synth nor bitfile"


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
