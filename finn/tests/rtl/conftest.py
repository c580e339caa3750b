"""A small design that most tests of this folder look at: a matrix, a FIFO, the largest score, another FIFO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers, make_model
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.rtl import Design, Simulator, stitch

FRAMES = 8


@pytest.fixture
def model() -> ModelWrapper:
    weights = np.random.default_rng(0).integers(-2, 2, (9, 6))
    matrix = MVAU((1, 9), DataType["INT3"], weights, DataType["INT2"], DataType["INT7"], SIMD=3, PE=2)
    scores = matrix.outputs[0].dtype
    select = LabelSelect((1, 6), scores, 2, PE=2)
    return make_model(
        [
            ("MVAU_0", matrix),
            ("StreamingFIFO_0", StreamingFIFO((1, 6), scores, 2, 4)),
            ("LabelSelect_0", select),
            ("StreamingFIFO_1", StreamingFIFO((1, 2), select.outputs[0].dtype, 1, 4)),
        ]
    )


@pytest.fixture
def design(model: ModelWrapper) -> Design:
    return stitch(model, "demo")


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).integers(-4, 4, (FRAMES, 9))


@pytest.fixture
def y(model: ModelWrapper, x: np.ndarray) -> np.ndarray:
    for layer in layers(model).values():
        (x,) = layer.results(x)
    return x


@pytest.fixture
def simulator(design: Design) -> Iterator[Simulator]:
    with Simulator(design) as built:
        yield built


LABEL_SELECT = """\
module label_select #(
    parameter int unsigned Labels = 10, PE = 1, K = 1, InBits = 8,
    parameter bit InSigned = 1,
    parameter int unsigned OutBits = 4, OutDepth = 8
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic [PE*InBits-1:0] in_data_i,
    input  logic in_valid_i,
    output logic in_ready_o,
    output logic [OutBits-1:0] out_data_o,
    output logic out_valid_o,
    input  logic out_ready_i
);
"""


def with_label_select(design: Design, body: str, folder: Path) -> Design:
    """The design with another body of label_select."""
    path = folder / "label_select.sv"
    path.write_text(f"{LABEL_SELECT}{body}\nendmodule\n")
    return replace(design, sources=tuple(path if s.name == path.name else s for s in design.sources))


@pytest.fixture
def deaf(design: Design, tmp_path: Path) -> Design:
    """The design with a label_select that takes nothing and gives nothing."""
    return with_label_select(
        design, "assign in_ready_o = 1'b0; assign out_valid_o = 1'b0; assign out_data_o = '0;", tmp_path
    )


@pytest.fixture
def fickle(design: Design, tmp_path: Path) -> Design:
    """The design with a label_select that offers a beat in every other cycle, whether it is taken or not."""
    body = """
  logic on_q;
  always_ff @(posedge clk_i) on_q <= rst_ni && !on_q;
  assign in_ready_o = 1'b1;
  assign out_valid_o = on_q;
  assign out_data_o = '0;"""
    return with_label_select(design, body, tmp_path)
