"""The published ways to simulate and synthesise, through the hooks of finn-base."""

import math
from pathlib import Path

import numpy as np
import pytest

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.core.rtlsim_exec import rtlsim_exec
from finn.core.throughput_test import throughput_test_rtlsim
from finn.dataflow.graph import DataflowError
from finn.util.vivado import out_of_context_synth


def test_exec_mode_rtlsim(model: ModelWrapper, x: np.ndarray, y: np.ndarray) -> None:
    model.set_metadata_prop("exec_mode", "rtlsim")
    (output,) = execute_onnx(model, {model.get_first_global_in(): x}).values()
    np.testing.assert_array_equal(output.reshape(y.shape), y)
    cycles = model.get_metadata_prop("cycles_rtlsim")
    assert cycles is not None
    assert int(cycles) > len(x) * 9


def test_hooks_of_the_simulation(model: ModelWrapper, x: np.ndarray) -> None:
    calls: list[str] = []
    context = {model.get_first_global_in(): x}
    rtlsim_exec(
        model, context, lambda sim: calls.append(sim.design.name), lambda sim: calls.append(f"{sim.design.name} done")
    )
    assert len(calls) == 2
    assert calls[1] == f"{calls[0]} done"
    assert model.get_first_global_out() in context


def test_throughput(model: ModelWrapper) -> None:
    with pytest.raises(ConfigError, match="clk_ns"):
        throughput_test_rtlsim(model)
    model.set_metadata_prop("clk_ns", "10.0")
    found = throughput_test_rtlsim(model, batchsize=20)
    assert found["N"] == 20
    assert found["throughput[images/s]"] == pytest.approx(20 / (found["cycles"] * 10e-9))
    assert found["fclk[mhz]"] == 100


def test_a_model_without_layers_is_refused(model: ModelWrapper) -> None:
    for node in list(model.graph.node):
        model.graph.node.remove(node)
    with pytest.raises(DataflowError, match="no hardware layers"):
        rtlsim_exec(model, {})


def test_out_of_context_synthesis(tmp_path: Path) -> None:
    (tmp_path / "adder.v").write_text(
        "module adder(input ap_clk, input [7:0] a, b, output reg [8:0] s);\n"
        "  always @(posedge ap_clk) s <= a + b;\nendmodule\n"
    )
    found = out_of_context_synth(str(tmp_path), "adder", "xc7z020clg400-1", "ap_clk", 10.0)
    assert found["FF"] == 9
    assert found["LUT"] >= 8
    assert math.isnan(found["fmax_mhz"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no \.v or \.sv file"):
        out_of_context_synth(str(tmp_path / "empty"), "adder")
