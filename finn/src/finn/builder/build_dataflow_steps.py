"""The steps of a build under FINN's names. A step is a function (model, cfg) -> model.

A step whose product is not asked for does nothing. What lies between steps is the network itself, the files in the
output directory, and nothing else: a build can be resumed at any step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finn.builder import fifos, hls, products, streamlining, synthesis
from finn.builder import simulation as sim
from finn.builder.build_dataflow_config import (
    DataflowBuildConfig,
    DataflowOutputType,
    LargeFIFOMemStyle,
    VerificationStepType,
    default_build_dataflow_steps,
    estimate_only_dataflow_steps,
    hw_codegen_dataflow_steps,
)
from finn.builder.design import design as design_of
from finn.builder.tools import unavailable
from finn.builder.verification import verify
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import analysis, folding, pareto, partition
from finn.dataflow.candidates import KINDS
from finn.dataflow.graph import DataflowError, layers
from finn.dataflow.search import BudgetError
from finn.report import estimates
from finn.report.synthesis import ooc_synth_and_timing, post_synth_resources
from finn.transformation.infer_shapes import require_static_shapes

__all__ = [
    "build_dataflow_step_lookup",
    "default_build_dataflow_steps",
    "estimate_only_dataflow_steps",
    "hw_codegen_dataflow_steps",
]

log = logging.getLogger(__name__)


def step_qonnx_to_finn(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Bring every dialect of quantizers into one form, or refuse it."""
    model = streamlining.cleaned(model)
    require_static_shapes(model)
    model = streamlining.to_finn_dialect(model, cfg)
    verify(VerificationStepType.QONNX_TO_FINN_PYTHON, sim.in_python(model, cfg), model, cfg)
    return model


def step_tidy_up(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Infer shapes and datatypes, fold constants, give unique names."""
    model = streamlining.cleaned(model)
    require_static_shapes(model)
    verify(VerificationStepType.TIDY_UP_PYTHON, sim.in_python(model, cfg), model, cfg)
    return model


def step_streamline(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """From scaled floats to integers and thresholds; report/explanation.json says what became of each node."""
    model = streamlining.to_integers(model, cfg)
    verify(VerificationStepType.STREAMLINED_PYTHON, sim.in_python(model, cfg), model, cfg)
    return model


def step_convert_to_hw(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """From integer operators to hardware layers."""
    return streamlining.to_layers(model, cfg)


def step_create_dataflow_partition(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Separate the layers from what stays on the host, which is saved as dataflow_parent.onnx."""
    try:
        split = partition.create_dataflow_partition(model, "supported_op_partitions/partition_0.onnx")
    except DataflowError as error:
        raise streamlining.cannot_cut(error, model, cfg) from error
    if len(split.accelerators) > 1:
        text = "the host computes between %d accelerators; cycles, frames/s and latency are those of the layers alone"
        log.warning(text, len(split.accelerators))
    synthesis.check(split.dataflow, cfg)
    streamlining.keep_ends(model, split.parent)
    sim.save_host(split, cfg)
    hls.write_template(split.dataflow, cfg)
    return split.dataflow


def step_specialize_layers(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Set which layers prefer HLS, as specialize_layers_config_file says; others are of RTL."""
    hls.specialize(model, cfg)
    return model


def step_target_fps_parallelization(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Fold every layer for target_fps, or as fast as folding_budget allows; writes auto_folding_config.json."""
    if cfg.target_fps is None:
        return model
    if cfg.target_fps == "max":
        _fold_for_budget(model, cfg)
    else:
        _fold_for_target(model, cfg, cfg.target_fps)
    config = pareto.without_depths(folding.extract_config(model))
    products.write_json(cfg.path("auto_folding_config.json"), config)
    return model


def _fold_for_target(model: ModelWrapper, cfg: DataflowBuildConfig, target_fps: int) -> None:
    clk_ns = cfg.synth_clk_period_ns
    target = folding.target_cycles(target_fps, clk_ns)
    found = folding.set_folding(model, target, cfg.mvau_wwidth_max, cfg.part())
    fps = 1e9 / (clk_ns * found.cycles)
    met = "met" if fps >= target_fps * (1 - 1e-9) else "missed"
    text = "target_fps=%g is %s: %.0f frames/s (%+.1f %%), limited by %s with %d cycles/frame"
    excess = 100 * (fps / target_fps - 1)
    log.warning(text, target_fps, met, fps, excess, found.limiting_layer, found.cycles)


def _fold_for_budget(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    found = folding.set_fastest(model, cfg.budget(), cfg.mvau_wwidth_max, cfg.part())
    fps = 1e9 / (cfg.synth_clk_period_ns * found.cycles)
    used = ", ".join(f"{kind} {getattr(found.resources, kind)}" for kind in KINDS)
    text = "target_fps=max: %.0f frames/s, limited by %s with %d cycles/frame; layers take about %s"
    log.warning(text, fps, found.limiting_layer, found.cycles, used)


def step_apply_folding_config(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Set what folding_config_file says about the layers; no memory may be of what the part does not have."""
    if cfg.folding_config_file is not None:
        fifos.configure(model, Path(cfg.folding_config_file))
    synthesis.require_memories(model, cfg)
    if VerificationStepType.FOLDED_HLS_CPPSIM in cfg._resolve_verification_steps():
        verify(VerificationStepType.FOLDED_HLS_CPPSIM, sim.in_cpp(model, cfg), sim.host(cfg), cfg)
    return model


def step_minimize_bit_width(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Nothing to do: streamlining and lowering already give each tensor the narrowest type of its exact range."""
    return model


def step_generate_estimate_reports(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Cycles, resources and counts of the layers, without simulation or synthesis."""
    if cfg.asks_for(DataflowOutputType.ESTIMATE_REPORTS):
        part, performance = cfg.part(), fifos.performance(model)
        reports: dict[str, dict[str, Any]] = {
            "estimate_layer_cycles": dict(analysis.exp_cycles_per_layer(model)),
            "estimate_layer_resources": dict(estimates.layer_resources(analysis.res_estimation(model, part))),
            "estimate_layer_config_alternatives": dict(estimates.layer_config_alternatives(layers(model), part)),
            "estimate_network_performance": estimates.network_performance(performance, cfg.synth_clk_period_ns),
            "op_and_param_counts": dict(analysis.op_and_param_counts(model)),
        }
        for name, report in reports.items():
            products.write_json(_report(cfg, name), report)
    return model


def step_hw_codegen(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """HLS projects of the layers that prefer HLS, or that are asked for; SystemVerilog: see step_create_stitched_ip."""
    hls.write_projects(model, cfg)
    return model


def step_hw_ipgen(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Run Vitis HLS, where it is, on layers that prefer it; verify, if asked, each layer's SystemVerilog alone."""
    hls.synthesize(model, cfg)
    if VerificationStepType.NODE_BY_NODE_RTLSIM in cfg._resolve_verification_steps():
        verify(VerificationStepType.NODE_BY_NODE_RTLSIM, sim.node_by_node(model, cfg), sim.host(cfg), cfg)
    return model


def step_set_fifo_depths(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Insert width converters and FIFOs as deep as needed; writes final_hw_config.json, report/fifo_sizing.json."""
    if not cfg.needs_hardware():
        return model
    products.write_json(_report(cfg, "fifo_sizing"), fifos.insert(model, cfg))
    if cfg.target_fps == "max" and cfg.folding_config_file is None:
        _choose_memories(model, cfg)
    products.write_json(cfg.path("final_hw_config.json"), folding.extract_config(model))
    return model


def _choose_memories(model: ModelWrapper, cfg: DataflowBuildConfig) -> None:
    """Of layers and FIFOs together, for the part has to hold them all; as they are if that is not to be."""
    if cfg.large_fifo_mem_style is not LargeFIFOMemStyle.AUTO:
        return
    try:
        folding.set_memories(model, cfg.budget(whole=True), cfg.part())
    except BudgetError as error:
        log.warning("layers and FIFOs do not fit: %s; %s", error.what, error.why)


def step_create_stitched_ip(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """The design as SystemVerilog with its memories, file list and self-checking testbench, in stitched_ip/."""
    if cfg.asks_for(DataflowOutputType.STITCHED_IP):
        design = design_of(model, cfg)
        with products.directory(cfg.path("stitched_ip")) as place:
            design.write(place)
            sim.write_testbench(design, model, place)
        empty = [i.name for i in design.instances if i.layer.first_writes]
        if empty:
            text = "stitched_ip: the testbench does not write the weights that %s need before the first frame"
            log.warning(text, ", ".join(empty))
    if VerificationStepType.STITCHED_IP_RTLSIM in cfg._resolve_verification_steps():
        verify(VerificationStepType.STITCHED_IP_RTLSIM, sim.stitched(model, cfg), sim.host(cfg), cfg)
    return model


def step_measure_rtlsim_performance(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Throughput and latency of the simulated design, and its accuracy on validation_dataset."""
    if cfg.asks_for(DataflowOutputType.RTLSIM_PERFORMANCE):
        products.write_json(_report(cfg, "rtlsim_performance"), sim.performance(model, cfg))
    if cfg.validation_dataset is not None:
        products.write_json(_report(cfg, "accuracy"), sim.accuracy(model, cfg))
    return model


def step_out_of_context_synthesis(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Resources by Yosys; for ECP5 parts also timing by nextpnr."""
    if cfg.asks_for(DataflowOutputType.OOC_SYNTH):
        result = synthesis.out_of_context(model, cfg)
        synthesis.tell_timing(result)
        cycles = max(layer.cycles for layer in layers(model).values())
        report = ooc_synth_and_timing(result, cfg.synth_clk_period_ns, cycles)
        products.write_json(_report(cfg, "ooc_synth_and_timing"), report)
    return model


def step_synthesize_bitfile(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """The bitstream for an ECP5 board, bitfile/finn-accel.bit, and post_synth_resources.json."""
    if cfg.asks_for(DataflowOutputType.BITFILE) and not _skips(cfg, DataflowOutputType.BITFILE):
        result = synthesis.out_of_context(model, cfg)
        if not cfg.asks_for(DataflowOutputType.OOC_SYNTH):
            synthesis.tell_timing(result)
        products.write_json(_report(cfg, "post_synth_resources"), post_synth_resources(result))
        synthesis.publish_bitfile(result, cfg)
    return model


def step_make_driver(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Not implemented; says so if a driver is asked for."""
    _skips(cfg, DataflowOutputType.PYNQ_DRIVER, DataflowOutputType.CPP_DRIVER)
    return model


def step_deployment_package(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """Not implemented; says so if a package is asked for."""
    _skips(cfg, DataflowOutputType.DEPLOYMENT_PACKAGE)
    return model


step_convert_to_hls = step_convert_to_hw
step_hls_codegen = step_hw_codegen
step_hls_ipgen = step_hw_ipgen
step_make_pynq_driver = step_make_driver

build_dataflow_step_lookup: dict[str, Callable[[ModelWrapper, DataflowBuildConfig], ModelWrapper]] = {
    "step_qonnx_to_finn": step_qonnx_to_finn,
    "step_tidy_up": step_tidy_up,
    "step_streamline": step_streamline,
    "step_convert_to_hw": step_convert_to_hw,
    "step_convert_to_hls": step_convert_to_hls,
    "step_create_dataflow_partition": step_create_dataflow_partition,
    "step_specialize_layers": step_specialize_layers,
    "step_target_fps_parallelization": step_target_fps_parallelization,
    "step_apply_folding_config": step_apply_folding_config,
    "step_minimize_bit_width": step_minimize_bit_width,
    "step_generate_estimate_reports": step_generate_estimate_reports,
    "step_hw_codegen": step_hw_codegen,
    "step_hls_codegen": step_hls_codegen,
    "step_hw_ipgen": step_hw_ipgen,
    "step_hls_ipgen": step_hls_ipgen,
    "step_set_fifo_depths": step_set_fifo_depths,
    "step_create_stitched_ip": step_create_stitched_ip,
    "step_measure_rtlsim_performance": step_measure_rtlsim_performance,
    "step_out_of_context_synthesis": step_out_of_context_synthesis,
    "step_synthesize_bitfile": step_synthesize_bitfile,
    "step_make_driver": step_make_driver,
    "step_make_pynq_driver": step_make_pynq_driver,
    "step_deployment_package": step_deployment_package,
}


def _report(cfg: DataflowBuildConfig, name: str) -> Path:
    return cfg.path("report", f"{name}.json")


def _skips(cfg: DataflowBuildConfig, *outputs: DataflowOutputType) -> bool:
    """Whether any of `outputs` is asked for and cannot be made; says so."""
    lines = [reason for output, reason in unavailable(cfg).items() if output in outputs]
    for line in lines:
        log.warning("%s", line)
    return bool(lines)
