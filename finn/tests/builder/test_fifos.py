"""FIFOs of a build: where depths come from, what memories they get, and the report."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from finn.builder import fifos, synthesis
from finn.builder.build_dataflow_config import DataflowBuildConfig
from finn.builder.errors import BuildError
from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow import timing
from finn.dataflow.folding import apply_config
from finn.dataflow.graph import DataflowError, Instance, instances, layers, make_graph
from finn.dataflow.layers.convolution_input_generator import ConvolutionInputGenerator
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.fm_padding import FMPadding
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.streaming_concat import StreamingConcat

UINT2 = DataType["UINT2"]


@pytest.fixture
def model() -> ModelWrapper:
    """The pixels of an image beside sums over their neighbours: a row of 300 pixels and more have to wait."""
    shape = (1, 8, 300, 1)
    padded = FMPadding(shape, UINT2, (1, 1, 1, 1))
    windows = ConvolutionInputGenerator(padded.outputs[0].shape, UINT2, (3, 3), (1, 1), (1, 1))
    weights = np.ones((9, 1), np.int64)
    sums = MVAU(windows.outputs[0].shape, UINT2, weights, DataType["BINARY"], DataType["UINT5"])
    types = (sums.output_dtype, UINT2)
    return make_graph(
        [
            Instance("copy", DuplicateStreams(shape, UINT2), ("x",), ("a", "b")),
            Instance("pad", padded, ("a",), ("p",)),
            Instance("windows", windows, ("p",), ("w",)),
            Instance("sums", sums, ("w",), ("m",)),
            Instance("both", StreamingConcat((1, 8, 300, 2), types, (1, 1)), ("m", "b"), ("y",)),
        ]
    )


def config(path: Path, **more: object) -> DataflowBuildConfig:
    return DataflowBuildConfig.from_dict(
        {"output_dir": str(path), "synth_clk_period_ns": 10, "generate_outputs": ["stitched_ip"], **more}
    )


def inserted(model: ModelWrapper) -> list[tuple[int, str]]:
    """Depth and memory of each FIFO."""
    return [(f.depth, f.ram_style) for f in layers(model).values() if isinstance(f, StreamingFIFO)]


def test_depths_by_schedules(model: ModelWrapper, tmp_path: Path) -> None:
    report = fifos.insert(model, config(tmp_path))
    ((depth, style),) = inserted(model)
    assert 300 < depth < 600
    assert report == {
        "fifo_depths": {"StreamingFIFO_0": depth},
        "fifo_sizes": {"StreamingFIFO_0": 2 * depth},
        "ram_style": {"StreamingFIFO_0": style},
        "streams": {"StreamingFIFO_0": "copy -> both"},
        "most_beats_held": {"StreamingFIFO_0": report["most_beats_held"]["StreamingFIFO_0"]},
        "total_fifo_size_kiB": 2 * depth / 8192,
        "interval_cycles": max(layer.cycles for layer in layers(model).values()),
        "latency_cycles": timing.of_graph(model, 1).latency,
    }
    assert 300 < report["most_beats_held"]["StreamingFIFO_0"] <= depth
    found = layers(model)
    assert found["copy"].outFIFODepths == (2, depth)
    assert found["both"].inFIFODepths == (2, depth)


def test_written_depths_make_the_same_design(model: ModelWrapper, tmp_path: Path) -> None:
    report = fifos.insert(model, config(tmp_path))
    again = make_graph(_bare(model))
    assert fifos.insert(again, config(tmp_path, auto_fifo_depths=False)) == report


def _bare(model: ModelWrapper) -> list[Instance]:
    """The layers without the FIFOs, with what they have been told."""
    behind = {i.outputs[0]: i.inputs[0] for i in instances(model) if isinstance(i.layer, StreamingFIFO)}
    return [
        Instance(i.name, i.layer, tuple(behind.get(t, t) for t in i.inputs), i.outputs)
        for i in instances(model)
        if not isinstance(i.layer, StreamingFIFO)
    ]


def test_depths_that_deadlock_are_refused(model: ModelWrapper, tmp_path: Path) -> None:
    apply_config(model, {"copy": {"outFIFODepths": [2, 40]}})
    with pytest.raises(DataflowError) as error:
        fifos.insert(model, config(tmp_path, auto_fifo_depths=False))
    assert error.value.what == "the schedules of copy, StreamingFIFO_0, both, sums, windows, pad deadlock"


@pytest.mark.parametrize(
    ("part", "asked", "style"),
    [
        (None, "block", "block"),
        (None, "ultra", "ultra"),
        (None, "distributed", "distributed"),
        ("xczu3eg-sbva484-1-e", "auto", "distributed"),
    ],
)
def test_memory_of_large_fifos(model: ModelWrapper, tmp_path: Path, part: str | None, asked: str, style: str) -> None:
    fifos.insert(model, config(tmp_path, large_fifo_mem_style=asked, fpga_part=part))
    assert [s for _, s in inserted(model)] == [style]


def test_no_synthesis_of_ultra_ram_that_the_part_has_not(model: ModelWrapper, tmp_path: Path) -> None:
    """However the FIFO came into the design: this one was inserted for another part, and the build was resumed."""
    fifos.insert(model, config(tmp_path, large_fifo_mem_style="ultra", fpga_part="xczu7ev-ffvc1156-2-e"))
    with pytest.raises(BuildError) as error:
        synthesis.out_of_context(model, config(tmp_path, fpga_part="LFE5U-85F-6BG381C"))
    assert str(error.value) == (
        "part LFE5U-85F-6BG381C: ram_style='ultra' of StreamingFIFO_0 (this part has no UltraRAM). "
        "Remedy: use ram_style 'auto', 'block' or 'distributed', or a part with UltraRAM"
    )
    synthesis.require_memories(model, config(tmp_path, fpga_part="xczu7ev-ffvc1156-2-e"))
    synthesis.require_memories(model, config(tmp_path))


@pytest.mark.parametrize(
    ("depth", "parts"), [(256, [256]), (300, [256, 44]), (1024, [1024]), (40000, [32768, 4096, 2048, 1024, 64])]
)
def test_split(depth: int, parts: list[int]) -> None:
    assert fifos._parts(depth) == parts


def test_split_fifos_keep_the_interval(model: ModelWrapper, tmp_path: Path) -> None:
    report = fifos.insert(model, config(tmp_path, split_large_fifos=True))
    first, *_ = depths = list(report["fifo_depths"].values())
    assert first == 256
    assert len(depths) == 2
    assert set(report["streams"].values()) == {"copy -> both"}
    assert report["interval_cycles"] == max(layer.cycles for layer in layers(model).values())


@pytest.mark.slow
def test_simulated_rtl_says_the_same(model: ModelWrapper, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    report = fifos.insert(model, config(tmp_path, verify_steps=["stitched_ip_rtlsim"]))
    cycles = f"{report['interval_cycles']:g}"
    assert f"FIFO sizing: {cycles} cycles per frame by the schedules, {cycles} by RTL simulation" in caplog.messages
