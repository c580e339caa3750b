# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The stitched design of a build: layers of RTL, and of what Vitis HLS made where they prefer it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from finn.builder.build_dataflow_config import DataflowBuildConfig
from finn.builder.errors import BuildError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers
from finn.dataflow.layer import Layer
from finn.hls import vitis
from finn.hls.project import is_project_of
from finn.rtl.stitch import Design, stitch

HLS = "hls"


def preferred(model: ModelWrapper) -> dict[str, Layer]:
    """Node name -> layer, of those that are to be of HLS."""
    return {name: layer for name, layer in layers(model).items() if layer.preferred_impl_style == HLS}


def design(model: ModelWrapper, cfg: DataflowBuildConfig) -> Design:
    """The design of these layers, or of some of them. Raises `BuildError` if what Vitis HLS made is of other layers."""
    return stitch(model, made=_made(preferred(model), cfg))


def implementations(cfg: DataflowBuildConfig) -> Path:
    """The report of what became of each layer that prefers HLS: its `implementation` is rtl or hls."""
    return cfg.path("report", "hls_ipgen.json")


def folder_of(name: str, cfg: DataflowBuildConfig) -> Path:
    """The HLS project of a layer."""
    return cfg.path("hls", name)


def _made(chosen: Mapping[str, Layer], cfg: DataflowBuildConfig) -> dict[str, tuple[Path, ...]]:
    """Node name -> files, of the layers that Vitis HLS has made."""
    report = implementations(cfg)
    entries = json.loads(report.read_text()) if chosen and report.is_file() else {}
    made = {}
    for name, layer in chosen.items():
        if entries.get(name, {}).get("implementation") == HLS:
            made[name] = vitis.files(name, folder_of(name, cfg))
            _require_present(name, layer, made[name], cfg)
    return made


def _require_present(name: str, layer: Layer, files: tuple[Path, ...], cfg: DataflowBuildConfig) -> None:
    """Raise `BuildError` unless there are files, and they are of just this layer."""
    folder = folder_of(name, cfg)
    same = is_project_of(folder, name, layer, cfg._resolve_fpga_part(), cfg._resolve_hls_clk_period())
    if not files or not same:
        raise BuildError(
            f"{name} is to be of HLS, and its Verilog is {'of another layer' if files else 'missing'}",
            where=str(folder),
            why="the network or the configuration has changed since Vitis HLS was run" if files else "",
            remedy="start again at step_hw_codegen",
        )
