"""What Yosys makes of the layers' modules before any mapping, simulated by Verilator, means what NumPy says.

The ladder simulates the sources as Verilator reads them. This is the other reader: it has taken -N'(x) for (-N)'(x).
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from strategies import LAYERS, frames

from finn.core.datatype import DataType
from finn.dataflow.graph import make_model
from finn.dataflow.layer import Layer
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter
from finn.rtl import Design, Simulator, stitch

pytest.importorskip("pyosys")

FRAMES = 5
BIPOLAR = DataType["BIPOLAR"]
DRAWN = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

STAND_IN = """\
module {module} #(
    parameter {parameters}
) (
    input logic clk_i, input logic rst_ni,
    input logic [{into}:0] in_data_i, input logic [{inputs}:0] in_valid_i, output logic [{inputs}:0] in_ready_o,
    output logic [{out}:0] out_data_o, output logic [{outputs}:0] out_valid_o, input logic [{outputs}:0] out_ready_i
);
  {body}
endmodule
"""


def elaborated(layer: Layer, folder: Path) -> Design:
    """The design of `layer` alone, its module replaced by what Yosys has read."""
    design, rtl = stitch(make_model([("layer", layer)])), layer.rtl()
    design.write(folder)
    given_parameters = {**rtl.parameters, **({"File": "layer"} if rtl.memories else {})}
    into = [s.width for s in (*layer.inputs, *(c.stream for c in layer.constant_inputs))]
    out = [s.width for s in layer.outputs]
    if rtl.axilite:
        into, out = [*into, rtl.axilite + 31], [*out, 32]  # requests and replies, see axi_lite.sv
    sizes = {"into": sum(into) - 1, "out": sum(out) - 1, "inputs": len(into) - 1, "outputs": len(out) - 1}
    text = design.top[design.top.index(f"  {rtl.module} #(") : design.top.index(") layer (")]
    alone = STAND_IN.format(module="alone", parameters="Nothing = 0", body=f"{text}) u_layer (.*);", **sizes)
    (folder / "alone.sv").write_text(alone)
    sources = " ".join(sorted(s.name for s in design.sources))
    commands = [
        f"read_verilog -sv -DSYNTHESIS {sources} alone.sv",
        "hierarchy -check -top alone",
        "proc",
        "flatten",
        "opt_clean",
        "write_verilog -noattr elaborated.v",
    ]
    code = "import sys; from pyosys import libyosys as y; d = y.Design(); [y.run_pass(c, d) for c in sys.argv[1:]]"
    done = subprocess.run(
        [sys.executable, "-c", code, *commands], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-1000:]
    names = ", parameter ".join(f"{name} = 0" for name in given_parameters)
    stand_in = STAND_IN.format(module=rtl.module, parameters=names, body="alone u_alone (.*);", **sizes)
    (folder / "stand_in.sv").write_text(stand_in)
    rest = [source for source in design.sources if source.stem != rtl.module]
    files = (folder / "elaborated.v", folder / "stand_in.sv", *rest)
    return replace(design, sources=files, instances=())  # the simulator looks into FIFOs and checksums


def agrees(layer: Layer, folder: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = [frames(s, FRAMES, rng) for s in layer.inputs]
    with Simulator(elaborated(layer, folder)) as sim:
        found = sim.run(*inputs, input_gaps=0.3, back_pressure=0.3, seed=1).outputs
    for y, expected in zip(found, layer.results(*inputs), strict=True):
        np.testing.assert_array_equal(y, expected, str(layer))


@pytest.mark.parametrize(
    "layer",
    [
        StreamingDataWidthConverter((1, 12), DataType["UINT2"], 4, 6),
        MVAU(
            (1, 6),
            BIPOLAR,
            np.sign(np.arange(-7, 11).reshape(6, 3) + 0.5).astype(int),
            BIPOLAR,
            DataType["INT4"],
            SIMD=2,
        ),
    ],
)
def test_yosys_reads_what_verilator_reads(layer: Layer, tmp_path: Path) -> None:
    agrees(layer, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_yosys_reads_every_layer(name: str, tmp_path: Path) -> None:
    drawn: list[Layer] = []

    def collect(layer: Layer) -> None:
        drawn.append(layer)

    DRAWN(given(LAYERS[name]())(collect))()
    for k, layer in enumerate(drawn):
        (tmp_path / str(k)).mkdir()
        agrees(layer, tmp_path / str(k))
