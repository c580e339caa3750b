# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Kernels are held to the schedules of their layers: networks with forks beside RTL, and kernels that are wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from test_timing import GRAPHS, RTL_FRAMES, random_graph

from finn.core.datatype import DataType
from finn.dataflow import timing
from finn.dataflow.graph import DataflowError, Instance, make_graph, make_model
from finn.dataflow.layer import Layer
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.hls import CppSimulator, HlsError, compilation
from finn.rtl import Simulator, stitch
from finn_hlslib import include_dir

UINT2 = DataType["UINT2"]


def test_random_graphs_beside_rtl() -> None:
    """Outputs, cycles, when frames pass, how full FIFOs are, how long beats wait; memory is bounded as in hardware."""
    graphs: list[list[Instance]] = []
    for seed in range(1000, 2000):
        try:
            timing.simulate(placed := random_graph(seed), RTL_FRAMES)
            graphs += [placed]
        except DataflowError:
            continue  # forks whose ends are too short for their difference
        if len(graphs) == GRAPHS:
            break
    placed = [i for graph in graphs for i in graph]
    model = make_graph(placed)
    design = stitch(model)
    rng = np.random.default_rng(2)
    x = [rng.integers(0, 4, (RTL_FRAMES, *p.stream.shape[1:])) for p in design.inputs]
    stepped = CppSimulator(model).run_cycles(*x)
    with Simulator(design) as simulator:
        found = simulator.run(*x)
    for a, b in zip(stepped.outputs, found.outputs, strict=True):
        np.testing.assert_array_equal(a, b)
    assert stepped.cycles == found.cycles
    times = stepped.times
    for tensor, passage in zip(times.inputs + times.outputs, (*found.entered, *found.left), strict=True):
        np.testing.assert_array_equal(times.passed[tensor], np.stack([passage.first, passage.last], axis=1), tensor)
    assert times.high_water == found.fifo_high_water
    tensors = {f"{i.name}_out{k}": t for i in placed for k, t in enumerate(i.outputs)}
    assert {t: found.links[link].blocked for link, t in tensors.items()} == {
        t: times.blocked[t] for t in tensors.values()
    }
    network = timing.Network(placed)
    for i in placed:
        for tensor, stream in zip(i.inputs, i.layer.inputs, strict=True):
            if tensor not in times.inputs:  # a reader is stepped when it makes something, which it does in each frame
                assert stepped.held[tensor] <= network.border(tensor) + stream.beats


# Wrong kernels


def thresholding() -> Layer:
    return Thresholding((1, 3, 8), UINT2, np.array([[1, 2, 3]]), UINT2, PE=2)


def mvau() -> Layer:
    weights = np.random.default_rng(0).integers(-2, 2, (8, 4))
    return MVAU((1, 3, 8), UINT2, weights, DataType["INT2"], UINT2, np.array([[0, 2, 5]]), SIMD=2, PE=2)


@pytest.fixture
def headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the library, of which simulations are made."""
    folder = tmp_path / "include"
    shutil.copytree(include_dir(), folder)
    monkeypatch.setattr(compilation, "include_dir", lambda: folder)
    compilation.library.cache_clear()
    yield folder / "finn"
    compilation.library.cache_clear()


def change(file: Path, replacements: Mapping[str, str]) -> None:
    text = file.read_text()
    for old, new in replacements.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)


EARLY = """
#include <finn/punctual.hpp>

namespace finn {
template <typename Config>
class Thresholding {
  using Pixel = Beat<typename Config::Output, Config::PE>;  // of input and output alike
  struct Ahead {
    Pixel beats[Config::Folds];
    unsigned next = Config::Folds;
    Pixel read() { return beats[next++]; }
  };

 public:
  template <typename In, typename Out, typename Activation>
  void step(In &in, Out &out, const Activation &activation) {
    if (ahead_.next == Config::Folds) {
      for (auto &beat : ahead_.beats) beat = in.read();
      ahead_.next = 0;
    }
    kernel_.step(ahead_, out, activation);
  }

 private:
  Punctual<Config> kernel_;
  Ahead ahead_;
};
}  // namespace finn
"""


def test_a_kernel_that_reads_ahead(headers: Path) -> None:
    """It gives the right values, but its first beat leaves when the whole pixel has come."""
    original = (headers / "thresholding.hpp").read_text()
    (headers / "punctual.hpp").write_text(original.replace("class Thresholding", "class Punctual"))
    (headers / "thresholding.hpp").write_text(EARLY)
    x = np.random.default_rng(3).integers(0, 4, (4, 3, 8))
    simulator = CppSimulator(make_model([("early", thresholding())]))
    np.testing.assert_array_equal(simulator.run(x)[0], thresholding().results(x)[0])
    with pytest.raises(DataflowError) as error:
        simulator.run_cycles(x)
    assert str(error.value) == (
        "node early: the kernel and the schedule of a layer contradict each other (its kernel waits for a beat that "
        "has not come by then). Remedy: compare schedule() of the layer with its kernel in finn-hlslib"
    )


@pytest.mark.parametrize(
    ("layer", "header", "replacement", "fault"),
    [
        (mvau, "replay.hpp", {"if (walk_.fresh())": "if (walk_.fresh() && place == 0)"}, "leaves beats that"),
        (mvau, "replay.hpp", {"return repeat_.first() && hold_.first();": "return hold_.first();"}, "waits for a beat"),
        (thresholding, "thresholding.hpp", {"out.write(y);": "out.write(y);\n    out.write(y);"}, "sends more beats"),
        (thresholding, "thresholding.hpp", {"out.write(y);": "if (fold_.last()) out.write(y);"}, "waits for a beat"),
    ],
)  # fmt: skip
def test_a_kernel_that_reads_or_writes_too_much_or_too_little(
    headers: Path, layer: Callable[[], Layer], header: str, replacement: dict[str, str], fault: str
) -> None:
    change(headers / header, replacement)
    x = np.random.default_rng(3).integers(0, 4, (4, 3, 8))
    simulator = CppSimulator(make_model([("wrong", layer())]))
    with pytest.raises(DataflowError, match=rf"^node wrong: .* \(its kernel {fault}"):
        simulator.run_cycles(x)
    if fault == "waits for a beat":  # the rest only the schedule says
        with pytest.raises(HlsError, match=rf"^node wrong: .* \(its kernel {fault}"):
            simulator.run(x)
