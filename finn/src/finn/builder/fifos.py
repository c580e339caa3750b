"""Folding configurations applied to the layers, and the width converters and FIFOs between them."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from finn.builder.admission import folding_config
from finn.builder.build_dataflow_config import (
    AutoFIFOSizingMethod,
    DataflowBuildConfig,
    LargeFIFOMemStyle,
    VerificationStepType,
)
from finn.builder.design import design
from finn.builder.simulation import STEADY_FRAMES, random_frames
from finn.core.errors import ConfigError, FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import fifo, folding, timing
from finn.dataflow.analysis import dataflow_performance, exp_cycles_per_layer
from finn.dataflow.cost import fabric, has_ultra_ram
from finn.dataflow.graph import instances, set_layer
from finn.dataflow.layer import Layer
from finn.report.fifos import fifo_sizing
from finn.rtl.errors import DeadlockError
from finn.rtl.sim import Simulator

log = logging.getLogger(__name__)

CONVERTER = re.compile(r"StreamingDataWidthConverter(_hls|_rtl)?_\d+")
FIFO = re.compile(r"StreamingFIFO(_hls|_rtl)?_\d+")

STYLE = "preferred_impl_style"

LARGE = 256
"""A FIFO deeper than this is made of what large_fifo_mem_style says (FINN's max_qsrl_depth)."""

DEEPEST = 32768
"""The deepest FIFO under split_large_fifos, as in FINN."""


def check(cfg: DataflowBuildConfig) -> None:
    """Raise `ConfigError` if large FIFOs are to be of UltraRAM, and the part is known to have none."""
    name = cfg.part()
    if cfg.large_fifo_mem_style is LargeFIFOMemStyle.URAM and not has_ultra_ram(name):
        raise ConfigError(
            "large FIFOs of UltraRAM",
            where="large_fifo_mem_style",
            why=f"the part {name} has no UltraRAM",
            remedy="use auto, block or distributed, or a part with UltraRAM",
        )


def configure(model: ModelWrapper, path: Path) -> None:
    """Apply the folding configuration in `path` to the layers of the network.

    A final_hw_config.json serves as it is: what it says about width converters and FIFOs waits until they are inserted.
    """
    entries = folding_config(path).items()
    own = {name: v for name, v in entries if not CONVERTER.fullmatch(name) and not FIFO.fullmatch(name)}
    folded = _apply(model, own, path)
    cycles = exp_cycles_per_layer(model)
    slowest, of_folded = max(cycles, key=cycles.__getitem__), max((cycles[n] for n in folded), default=0)
    if cycles[slowest] > of_folded > 0:
        text = "%s does not fold %s, which takes %d cycles per frame; what it folds takes %d at most"
        log.warning(text, path.name, slowest, cycles[slowest], of_folded)


def configure_styles(model: ModelWrapper, path: Path) -> None:
    """Apply the configuration of implementation styles in `path`, which says nothing else about the layers."""
    entries = folding_config(path, "specialize_layers_config_file")
    for name, values in entries.items():
        if other := sorted(set(values) - {STYLE}):
            raise ConfigError(
                f"{name}: {other[0]}", where=str(path), why=f"only {STYLE} is said here",
                remedy="say the rest in folding_config_file",
            )  # fmt: skip
    _apply(model, entries, path)


def performance(model: ModelWrapper) -> dict[str, int | float | str]:
    """`dataflow_performance` with the width converters that `model` will have or has."""
    complete = copy.deepcopy(model)
    fifo.insert_width_converters(complete)
    return dataflow_performance(complete)


def insert(model: ModelWrapper, cfg: DataflowBuildConfig) -> dict[str, Any]:
    """Insert width converters and FIFOs, in place. Returns fifo_sizing.json.

    Depths come from the layers' schedules or from simulated RTL (auto_fifo_strategy), or, without auto_fifo_depths,
    from inFIFODepths and outFIFODepths of the layers; there they are written, too, for the final configuration.
    """
    fifo.insert_width_converters(model)
    if cfg.auto_fifo_depths:
        sizing = _sizing(model, cfg)
        text = "FIFO sizing: %d FIFOs; cycles per frame: %g with FIFOs that never fill, %g with these"
        log.info(text, len(sizing.depths), sizing.interval_generous, sizing.interval)
        if not sizing.unchanged:
            log.warning("FIFO sizing: %g cycles per frame instead of %g", sizing.interval, sizing.interval_generous)
        depths = sizing.depths
        _record(model, depths)
    else:
        if cfg.folding_config_file is not None:
            path = Path(cfg.folding_config_file)
            present = {i.name for i in instances(model)}
            entries = folding_config(path).items()
            _apply(model, {name: v for name, v in entries if CONVERTER.fullmatch(name) and name in present}, path)
        depths = fifo.configured_depths(model)
    names = fifo.insert_fifos(
        model,
        depths,
        style=lambda width, depth: _style(cfg, width, depth),
        parts=lambda width, depth: _parts(depth) if cfg.split_large_fifos else (depth,),
    )
    _configure_fifos(model, cfg)
    found = timing.Network(instances(model)).run(fifo.FRAMES, until_steady=True)
    if VerificationStepType.STITCHED_IP_RTLSIM in cfg._resolve_verification_steps():
        measured = _measure(model, cfg, STEADY_FRAMES).interval
        log.info("FIFO sizing: %g cycles per frame by the schedules, %g by RTL simulation", found.interval, measured)
    return fifo_sizing({i.name: i.layer for i in instances(model)}, {n: str(e) for n, e in names.items()}, found)


def _configure_fifos(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """What the folding configuration says about FIFOs: their memories, and their depths unless these are found."""
    if cfg.folding_config_file is None:
        return
    path, present = Path(cfg.folding_config_file), {i.name for i in instances(model)}
    chosen = {}
    for name, values in folding_config(path).items():
        if FIFO.fullmatch(name) and re.sub("_(hls|rtl)_", "_", name) in present:
            kept = {} if cfg.auto_fifo_depths else {k: values[k] for k in ("depth",) if k in values}
            if values.get("ram_style", "auto") != "auto":
                kept["ram_style"] = values["ram_style"]
            chosen[name] = kept
    _apply(model, chosen, path)


def _sizing(model: ModelWrapper, cfg: DataflowBuildConfig) -> fifo.FifoSizing:
    if cfg.auto_fifo_strategy is AutoFIFOSizingMethod.LARGEFIFO_RTLSIM:
        frames = max(cfg.fifosim_n_inferences, STEADY_FRAMES)
        return fifo.measured_fifos(model, lambda trial: _trial(trial, cfg, frames))
    sizing = fifo.size_fifos(model, cfg.part())
    log.info("FIFO sizing: %d runs of %.2g beats in %.1f s", sizing.runs, sizing.beats, sizing.seconds)
    return sizing


def _trial(model: ModelWrapper, cfg: DataflowBuildConfig, frames: int) -> fifo.Measurement:
    """A design without FIFOs beside a skip connection may stop, which says that it needs them."""
    try:
        return _measure(model, cfg, frames)
    except DeadlockError:
        return fifo.Measurement(inf, {})


def _measure(model: ModelWrapper, cfg: DataflowBuildConfig, frames: int) -> fifo.Measurement:
    made = design(model, cfg)
    with Simulator(made) as simulator:
        result = simulator.run(*random_frames(made, frames))
    return fifo.Measurement(result.interval_cycles, result.fifo_high_water)


def _style(cfg: DataflowBuildConfig, width: int, depth: int) -> str:
    """The memory of a FIFO: of a large one what is asked for, or what costs least on the part."""
    if depth <= LARGE:
        return "auto"
    if cfg.large_fifo_mem_style is not LargeFIFOMemStyle.AUTO:
        return str(cfg.large_fifo_mem_style.value)
    part = cfg.part()
    styles = ["distributed", "block"] + ["ultra"] * (part is not None and has_ultra_ram(part))
    return min(styles, key=lambda style: fabric(part).fifo(width, depth, style).area)


def _parts(depth: int) -> list[int]:
    """A large FIFO as FIFOs of powers of two of at most DEEPEST places, which hold as many beats and fill memories.

    A rest of at most LARGE places stays as it is.
    """
    parts = []
    while depth > LARGE:
        parts.append(min(DEEPEST, 1 << (depth.bit_length() - 1)))
        depth -= parts[-1]
    return [*parts, max(2, depth)] if depth else parts


def _record(model: ModelWrapper, depths: Mapping[fifo.Edge, int]) -> None:
    """Write the depths into the layers at both ends."""
    found = {i.name: i for i in instances(model)}
    changed: dict[str, Layer] = {}
    for edge, depth in depths.items():
        out, into = found[edge.producer], found[edge.consumer]
        ends = ("outFIFODepths", out, out.outputs), ("inFIFODepths", into, into.inputs)
        for field, i, tensors in ends:
            layer = changed.get(i.name, i.layer)
            old = getattr(layer, field)
            new = [
                depth if t == edge.tensor else old[k] if k < len(old) else fifo.BORDER for k, t in enumerate(tensors)
            ]
            changed[i.name] = layer.with_config(**{field: tuple(new)})
    for name, layer in changed.items():
        set_layer(model, name, layer)


def _apply(model: ModelWrapper, config: Mapping[str, Any], path: Path) -> set[str]:
    """`apply_config`, with the file in the error."""
    try:
        return folding.apply_config(model, config)
    except FinnError as error:
        where = ", ".join(filter(None, (str(path), error.where)))
        raise ConfigError(error.what, where=where, why=error.why, remedy=error.remedy) from error
