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
from finn.builder.design import HLS, folder_of, implementations, preferred
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers
from finn.dataflow.layer import Layer
from finn.hls import vitis
from finn.hls.errors import HlsError
from finn.hls.project import has_adapter, project_of

log = logging.getLogger(__name__)


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

    The design has the Verilog that comes out in the place of the library's RTL. A layer that is not synthesized is
    built from RTL, as are all others.
    """
    for old in (implementations(cfg), _estimates(cfg)):
        old.unlink(missing_ok=True)
    chosen = preferred(model)
    if not chosen:
        return
    if vitis.command() is None:
        reason = "Vitis HLS is not on this machine"
        log.warning("%s: %s are built from RTL; their projects are in hls/", reason, ", ".join(chosen))
        _report(cfg, {name: _of_rtl(reason) for name in chosen})
        return
    folders = {name: folder_of(name, cfg) for name in chosen}
    found = vitis.synthesize_all(folders, len(os.sched_getaffinity(0)))
    _report(cfg, {name: _entry(name, chosen[name], result, cfg) for name, result in found.items()})
    estimates = {name: dict(r.resources) for name, r in found.items() if isinstance(r, vitis.Synthesized)}
    if estimates:
        products.write_json(_estimates(cfg), estimates)


def _entry(name: str, layer: Layer, result: vitis.Synthesized | HlsError, cfg: DataflowBuildConfig) -> dict[str, Any]:
    """What the report says of a layer; the log, too, if it is not as asked for."""
    if isinstance(result, HlsError):
        log.warning("%s is built from RTL: %s", name, result)
        return _of_rtl(str(result))
    if has_adapter(layer):
        entry = {"implementation": HLS, "reason": "preferred_impl_style"}
    else:
        reason = "weights are written at run time, and the registers of HLS have other addresses than those of RTL"
        log.warning("%s is built from RTL: %s", name, reason)
        entry = _of_rtl(reason)
    _tell_speed(name, result, cfg)
    estimates = {"clk_ns": result.clk_ns, "latency_cycles": result.latency, "interval_cycles": result.interval}
    files = [str(path.relative_to(cfg.output_dir)) for path in result.verilog]
    return {**entry, "hls_estimates": {**result.resources, **estimates}, "verilog": files}


def _tell_speed(name: str, result: vitis.Synthesized, cfg: DataflowBuildConfig) -> None:
    """Warn if the layer is slower than its schedule, or than the clock."""
    if result.interval is not None and result.interval > 1:
        text = (
            "%s: Vitis HLS estimates an initiation interval of %d instead of 1: a frame takes so many times the cycles"
        )
        log.warning(text, name, result.interval)
    if result.clk_ns > cfg._resolve_hls_clk_period():
        text = "%s: Vitis HLS estimates a clock period of %g ns; %g ns are asked for"
        log.warning(text, name, result.clk_ns, cfg._resolve_hls_clk_period())


def _of_rtl(reason: str) -> dict[str, Any]:
    return {"implementation": "rtl", "reason": reason}


def _estimates(cfg: DataflowBuildConfig) -> Path:
    """The resources by layer, under FINN's name."""
    return cfg.path("report", "estimate_layer_resources_hls.json")


def _report(cfg: DataflowBuildConfig, entries: Mapping[str, object]) -> None:
    products.write_json(implementations(cfg), entries)
