"""What this distribution provides to published names of finn-base, as entry points of the group "finn.hooks"."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.fifo import insert_width_converters
from finn.dataflow.graph import DataflowError, layers
from finn.report.simulation import rtlsim_performance
from finn.rtl.sim import Simulator
from finn.rtl.stitch import Design, stitch
from finn.synth.yosys import synthesize
from finn.util.basic import gen_finn_dt_tensor


def rtlsim_exec(
    model: ModelWrapper,
    execution_context: MutableMapping[str, np.ndarray],
    pre_hook: Callable[[Any], None] | None = None,
    post_hook: Callable[[Any], None] | None = None,
) -> None:
    """Simulate the hardware of a dataflow graph: inputs from execution_context, outputs into it.

    The arrays hold one or more frames. The number of cycles goes to the metadata property cycles_rtlsim. The hooks are
    called with the `Simulator`, before and after. DataflowError if the model has no layers.
    """
    with Simulator(_design(model)) as simulator:
        if pre_hook is not None:
            pre_hook(simulator)
        result = simulator.run(*(_integers(execution_context[value.name]) for value in model.graph.input))
        if post_hook is not None:
            post_hook(simulator)
    for value, array in zip(model.graph.output, result.outputs, strict=True):
        execution_context[value.name] = array.astype(np.float32 if abs(array).max(initial=0) <= 2**24 else np.float64)
    model.set_metadata_prop("cycles_rtlsim", str(result.cycles))


def throughput_test_rtlsim(model: ModelWrapper, batchsize: int = 100) -> dict[str, Any]:
    """Simulate `batchsize` random frames in a row; the keys are those of rtlsim_performance.json.

    The clock is the metadata property clk_ns, in ns. ConfigError if it is missing.
    """
    clock = model.get_metadata_prop("clk_ns")
    if clock is None:
        raise ConfigError("the model says no clock", remedy="set the metadata property clk_ns, such as '10.0'")
    design = _design(model)
    streams = [port.stream for port in design.inputs]
    inputs = [_integers(gen_finn_dt_tensor(s.dtype, (batchsize, *s.shape[1:]), seed=0)) for s in streams]
    with Simulator(design) as simulator:
        result = simulator.run(*inputs)
    return dict(rtlsim_performance(result, batchsize, float(clock), streams, [p.stream for p in design.outputs]))


def out_of_context_synth(
    verilog_dir: str,
    top_name: str,
    fpga_part: str = "xczu3eg-sbva484-1-e",
    clk_name: str = "ap_clk_0",
    clk_period_ns: float = 5.0,
) -> dict[str, Any]:
    """Resources of module `top_name` of a folder by Yosys. WNS and fmax_mhz are NaN: Yosys does not place.

    clk_name, clk_period_ns: of no influence on the resources. ConfigError if the folder has no (System)Verilog.
    """
    sources = sorted(path for kind in ("*.v", "*.sv") for path in Path(verilog_dir).glob(kind))
    if not sources:
        raise ConfigError("there is no .v or .sv file", where=verilog_dir)
    with tempfile.TemporaryDirectory(prefix="finn_ooc_") as workdir:
        result = synthesize(sources, top_name, fpga_part, Path(workdir))
    return {**result.resources, "WNS": math.nan, "fmax_mhz": math.nan}


def _design(model: ModelWrapper) -> Design:
    if not layers(model):
        raise DataflowError("the model has no hardware layers to simulate", remedy="run the build up to the layers")
    design = copy.deepcopy(model)
    insert_width_converters(design)
    return stitch(design)


def _integers(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64)
