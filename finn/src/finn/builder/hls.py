# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Which layers are to be of HLS, their projects, and what Vitis HLS makes of them where it is installed."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finn.builder import fifos, products
from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers
from finn.dataflow.layer import Layer
from finn.hls import vitis
from finn.hls.errors import HlsError
from finn.hls.project import project_of

log = logging.getLogger(__name__)

HLS = "hls"


def write_template(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """template_specialize_layers_config.json: what can be said about each layer, to be filled in."""
    entries = {name: {"preferred_impl_style": layer.preferred_impl_style} for name, layer in layers(model).items()}
    products.write_json(cfg.path("template_specialize_layers_config.json"), {"Defaults": {}, **entries})


def specialize(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """Set preferred_impl_style as specialize_layers_config_file says. Raises `ConfigError` for what it cannot say."""
    if cfg.specialize_layers_config_file is not None:
        fifos.configure_styles(model, Path(cfg.specialize_layers_config_file))
    if chosen := preferred(model):
        log.info("%d of %d layers prefer HLS: %s", len(chosen), len(layers(model)), ", ".join(chosen))


def preferred(model: ModelWrapper) -> dict[str, Layer]:
    """Node name -> layer, of those that are to be of HLS."""
    return {name: layer for name, layer in layers(model).items() if layer.preferred_impl_style == HLS}


def write_projects(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """hls/<node>/ for each layer that prefers HLS; of all layers if hls_projects are asked for."""
    chosen = layers(model) if cfg.asks_for(DataflowOutputType.HLS_PROJECTS) else preferred(model)
    if not chosen:
        return
    part, clk_ns = cfg._resolve_fpga_part(), cfg._resolve_hls_clk_period()
    with products.directory(cfg.path("hls")) as place:
        for name, layer in chosen.items():
            project_of(name, layer, part, clk_ns).write(place / name)
    log.info("hls: projects of %d layers; in each, `vitis_hls -f hls.tcl` synthesizes it", len(chosen))


def synthesize(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """Run Vitis HLS on the layers that prefer it, where it is; report/hls_ipgen.json says what became of each.

    A layer that is not synthesized is built from RTL, as are all others.
    """
    chosen = preferred(model)
    if not chosen:
        return
    if vitis.command() is None:
        reason = "Vitis HLS is not on this machine"
        log.warning("%s: %s are built from RTL; their projects are in hls/", reason, ", ".join(chosen))
        _report(cfg, {name: {"implementation": "rtl", "reason": reason} for name in chosen})
        return
    folders = {name: cfg.path("hls", name) for name in chosen}
    entries: dict[str, dict[str, Any]] = {}
    for name, found in vitis.synthesize_all(folders, len(os.sched_getaffinity(0))).items():
        if isinstance(found, HlsError):
            log.warning("%s is built from RTL: %s", name, found)
            entries[name] = {"implementation": "rtl", "reason": str(found)}
        else:
            reason = "the design has the RTL, whose timing is known; the synthesized HLS stands beside it"
            files = [str(path.relative_to(cfg.output_dir)) for path in found.verilog]
            estimates = {**found.resources, "clk_ns": found.clk_ns}
            entries[name] = {"implementation": "rtl", "reason": reason, "hls_estimates": estimates, "verilog": files}
    _report(cfg, entries)


def _report(cfg: DataflowBuildConfig, entries: Mapping[str, object]) -> None:
    products.write_json(cfg.path("report", "hls_ipgen.json"), entries)
