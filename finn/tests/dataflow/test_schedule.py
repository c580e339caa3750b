"""Schedules by hand: waiting for input, for room in the output, and for each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from finn.core.datatype import DataType
from finn.dataflow.analysis import dataflow_performance, exp_cycles_per_layer, latency_cycles, op_and_param_counts
from finn.dataflow.graph import DataflowError, Instance, make_model
from finn.dataflow.layer import Hls, Layer, Reads, Resources, Rtl, Schedule, Stream, Writes
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.timing import simulate

INT4, INT2 = DataType["INT4"], DataType["INT2"]


@dataclass(frozen=True, eq=False)
class Steps(Layer):
    """A layer that is only a schedule: beats of one bit."""

    plan: Schedule

    def _stream(self, steps: np.ndarray) -> tuple[Stream, ...]:
        return (Stream((1, len(steps) * self.plan.periods), DataType["BINARY"]),)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return self._stream(self.plan.reads[0].steps)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self._stream(self.plan.writes[0].steps)

    def schedule(self) -> Schedule:
        return self.plan

    def execute(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0]

    def resources(self, part: str | None = None) -> Resources:
        return Resources()

    def rtl(self) -> Rtl:
        return Rtl("none", {})

    def hls(self) -> Hls:
        return Hls("none", "None", {})


def left(*plans: Schedule, frames: int = 1) -> list[int]:
    """The cycles in which beats leave a chain of layers with these schedules."""
    chain = [Instance(f"n{k}", Steps(p), (f"t{k}",), (f"t{k + 1}",)) for k, p in enumerate(plans)]
    return simulate(chain, frames, every=True).passed[f"t{len(plans)}"].reshape(-1).tolist()


def test_steps_wait_for_their_beats() -> None:
    """Four steps need beats 0 and 1 in the first two and write in the second and the fourth, 3 cycles later."""
    writes = Writes(np.array([1, 3]), 3, depth=8)
    assert left(Schedule(4, (Reads(np.array([0, 1])),), (writes,))) == [4, 6]
    held = Reads(np.array([0, 1]), depth=2, delay=2)
    assert left(Schedule(4, (held,), (writes,))) == [6, 8]
    assert left(Schedule(4, (held,), (writes,)), frames=3) == [6, 8, 10, 12, 14, 16]


def test_a_full_output_stops_the_steps_and_a_full_input_the_producer() -> None:
    """The reader uses a beat in every fifth step; the writer has two places, the reader holds one beat."""
    beat = np.zeros(1, np.int64)
    writer = Schedule(1, (Reads(beat),), (Writes(beat, 1, depth=2),), periods=4)
    reader = Schedule(5, (Reads(beat, depth=1, delay=1),), (Writes(beat, 1, depth=8),), periods=4)
    assert left(writer, reader) == [3, 8, 13, 18]
    chain = [Instance("a", Steps(writer), ("t0",), ("t1",)), Instance("b", Steps(reader), ("t1",), ("t2",))]
    times = simulate(chain, 1, every=True)
    assert times.passed["t1"].tolist() == [[1, 3, 8, 13]]  # a place is free in the cycle after its beat was used
    assert times.passed["t0"].tolist() == [[0, 1, 2, 4]]
    assert times.latency == 19


def test_beats_that_never_come_are_a_deadlock() -> None:
    """A fork whose one branch holds three beats before it gives one, while the join takes from both in turn."""
    one, beat = Writes(np.zeros(1, np.int64), 1, depth=2), np.zeros(1, np.int64)
    fork = Schedule(1, (Reads(beat),), (one, one), periods=6)
    block = Schedule(3, (Reads(np.arange(3)),), (Writes(np.full(3, 2), 1, depth=6),), periods=2)
    join = Schedule(1, (Reads(beat), Reads(beat)), (one,), periods=6)

    @dataclass(frozen=True, eq=False)
    class Many(Steps):
        @property
        def inputs(self) -> tuple[Stream, ...]:
            return tuple(self._stream(r.steps)[0] for r in self.plan.reads)

        @property
        def outputs(self) -> tuple[Stream, ...]:
            return tuple(self._stream(w.steps)[0] for w in self.plan.writes)

    def graph(direct: int) -> list[Instance]:
        short = Schedule(1, (Reads(beat),), (Writes(beat, 1, depth=direct),), periods=6)
        return [
            Instance("fork", Many(fork), ("x",), ("a", "b")),
            Instance("block", Steps(block), ("a",), ("c",)),
            Instance("short", Steps(short), ("b",), ("d",)),
            Instance("join", Many(join), ("c", "d"), ("y",)),
        ]

    assert simulate(graph(direct=1), 1, every=True).passed["y"].shape == (
        1,
        6,
    )  # 2 places of the fork and 1: just enough
    wide = Schedule(6, (Reads(np.arange(6)),), (Writes(np.full(6, 5), 1, depth=6),))
    stuck = [graph(1)[0], Instance("block", Steps(wide), ("a",), ("c",)), *graph(1)[2:]]
    with pytest.raises(DataflowError) as error:
        simulate(stuck, 1)
    assert str(error.value) == (
        "the schedules of fork, short, join, block deadlock (fork waits for room towards short; short waits for room "
        "towards join; join waits for a beat of block; block waits for a beat of fork). "
        "Remedy: put a deeper FIFO where a layer waits for room"
    )


def mvau(simd: int, pe: int) -> MVAU:
    weights = np.ones((8, 6), np.int64)
    return MVAU((1, 8), INT4, weights, INT2, DataType["INT7"], SIMD=simd, PE=pe)


@pytest.mark.parametrize(("simd", "pe", "cycles"), [(1, 1, 48), (2, 3, 8), (8, 1, 6), (1, 6, 8), (8, 6, 1)])
def test_cycles_of_a_matrix(simd: int, pe: int, cycles: int) -> None:
    """MW / SIMD * MH / PE (Blott et al. 2018, arXiv:1809.04570)."""
    assert mvau(simd, pe).cycles == cycles


def test_network() -> None:
    steps = np.array([[1, 2, 3]])
    model = make_model(
        [
            ("MVAU_0", mvau(2, 3)),
            ("Thresholding_0", Thresholding((1, 6), DataType["INT7"], steps, DataType["UINT2"], PE=3)),
            ("LabelSelect_0", LabelSelect((1, 6), DataType["UINT2"], PE=3)),
        ]
    )
    assert exp_cycles_per_layer(model) == {"MVAU_0": 8, "Thresholding_0": 2, "LabelSelect_0": 2}
    found = dataflow_performance(model)
    assert found == {
        "critical_path_cycles": latency_cycles(model),
        "max_cycles": 8,
        "max_cycles_node_name": "MVAU_0",
        "interval_cycles": 8,
    }
    assert op_and_param_counts(model) == {
        "MVAU_0": {"op_mac_2bx4b": 48, "param_weight_2b": 48},
        "Thresholding_0": {"param_threshold_7b": 3},
        "LabelSelect_0": {},
        "total": {"op_mac_2bx4b": 48, "param_weight_2b": 48, "param_threshold_7b": 3},
    }
