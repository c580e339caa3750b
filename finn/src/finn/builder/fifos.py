"""Folding configurations applied to the layers, and the width converters and FIFOs between them."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from finn.builder.admission import folding_config
from finn.builder.build_dataflow_config import DataflowBuildConfig
from finn.builder.simulation import STEADY_FRAMES, random_frames
from finn.core.errors import ConfigError, FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import fifo, folding
from finn.dataflow.analysis import dataflow_performance
from finn.dataflow.graph import instances, set_layer
from finn.rtl.sim import Simulator
from finn.rtl.stitch import stitch

log = logging.getLogger(__name__)

CONVERTER = re.compile(r"StreamingDataWidthConverter(_hls|_rtl)?_\d+")
FIFO = re.compile(r"StreamingFIFO(_hls|_rtl)?_\d+")


def configure(model: ModelWrapper, path: Path) -> None:
    """Apply the folding configuration in `path` to the layers of the network.

    A final_hw_config.json serves as it is: what it says about width converters and FIFOs waits until they are inserted.
    """
    entries = folding_config(path).items()
    _apply(model, {name: v for name, v in entries if not CONVERTER.fullmatch(name) and not FIFO.fullmatch(name)}, path)


def performance(model: ModelWrapper) -> dict[str, int | str]:
    """`dataflow_performance` with the width converters that `model` will have or has."""
    complete = copy.deepcopy(model)
    fifo.insert_width_converters(complete)
    return dataflow_performance(complete)


def insert(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """Insert width converters and FIFOs, in place.

    Depths come from simulation, or, without auto_fifo_depths, from inFIFODepths and outFIFODepths of the layers; there
    they are written, too, so that the final configuration has them.
    """
    fifo.insert_width_converters(model)
    if cfg.auto_fifo_depths:
        frames = max(cfg.fifosim_n_inferences, STEADY_FRAMES)
        sizing = fifo.size_fifos(model, lambda trial: _measure(trial, frames))
        depths = sizing.depths
        text = "FIFO sizing: %d FIFOs; cycles per frame: %g with deep FIFOs everywhere, %g with these"
        log.info(text, len(depths), sizing.interval_generous, sizing.interval)
        if not sizing.unchanged:
            log.warning("FIFO sizing: %g cycles per frame instead of %g", sizing.interval, sizing.interval_generous)
        _record(model, depths)
    else:
        if cfg.folding_config_file is not None:
            path = Path(cfg.folding_config_file)
            present = {i.name for i in instances(model)}
            entries = folding_config(path).items()
            _apply(model, {name: v for name, v in entries if CONVERTER.fullmatch(name) and name in present}, path)
        depths = fifo.configured_depths(model)
    fifo.insert_fifos(model, depths)


def _measure(model: ModelWrapper, frames: int) -> fifo.Measurement:
    design = stitch(model)
    with Simulator(design) as simulator:
        result = simulator.run(*random_frames(design, frames))
    return fifo.Measurement(result.interval_cycles, result.fifo_high_water)


def _record(model: ModelWrapper, depths: Mapping[fifo.Edge, int]) -> None:
    """Write the depths into the layers at both ends."""
    tensors = fifo.edges(model)
    for (producer, consumer), depth in depths.items():
        tensor = tensors[producer, consumer]
        found = {i.name: i for i in instances(model)}
        out, into = found[producer], found[consumer]
        out_depths, in_depths = list(out.layer.outFIFODepths), list(into.layer.inFIFODepths)
        out_depths[out.outputs.index(tensor)] = in_depths[into.inputs.index(tensor)] = depth
        set_layer(model, producer, replace(out.layer, outFIFODepths=tuple(out_depths)))
        set_layer(model, consumer, replace(into.layer, inFIFODepths=tuple(in_depths)))


def _apply(model: ModelWrapper, config: Mapping[str, Any], path: Path) -> None:
    """`apply_config`, with the file in the error."""
    try:
        folding.apply_config(model, config)
    except FinnError as error:
        where = ", ".join(filter(None, (str(path), error.where)))
        raise ConfigError(error.what, where=where, why=error.why, remedy=error.remedy) from error
