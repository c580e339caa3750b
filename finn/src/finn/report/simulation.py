"""The reports of RTL simulation, with FINN's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from finn.dataflow.layer import Stream
    from finn.rtl.sim import SimResult


def rtlsim_performance(
    result: SimResult, frames: int, clk_ns: float, inputs: Sequence[Stream], outputs: Sequence[Stream]
) -> dict[str, int | float]:
    """rtlsim_performance.json of `frames` frames, fed at full rate.

    inputs, outputs : the streams of all ports; transactions and bandwidths are their sums.
    stable_throughput is that of the steady state, 1 / (interval_cycles * clk_ns); throughput counts the filling and
    emptying of the pipeline. TIMEOUT and UNFINISHED_* are 0: a simulation that does not finish is an error here.
    """
    seconds = result.cycles * clk_ns * 1e-9
    return {
        "N_IN_TXNS": frames * sum(s.beats for s in inputs),
        "N_OUT_TXNS": frames * sum(s.beats for s in outputs),
        "cycles": int(result.cycles),
        "N": frames,
        "latency_cycles": int(result.latency_cycles),
        "interval_cycles": float(result.interval_cycles),
        "TIMEOUT": 0,
        "UNFINISHED_INS": 0,
        "UNFINISHED_OUTS": 0,
        "runtime[ms]": seconds * 1e3,
        "throughput[images/s]": frames / seconds,
        "DRAM_in_bandwidth[MB/s]": frames * sum(map(_bytes, inputs)) * 1e-6 / seconds,
        "DRAM_out_bandwidth[MB/s]": frames * sum(map(_bytes, outputs)) * 1e-6 / seconds,
        "fclk[mhz]": 1e3 / clk_ns,
        "stable_throughput[images/s]": 1e9 / (result.interval_cycles * clk_ns),
    }


@dataclass(frozen=True)
class Accuracy:
    """How many of `samples` were classified as labelled."""

    samples: int
    correct: int

    @classmethod
    def of(cls, outputs: np.ndarray, labels: np.ndarray) -> Accuracy:
        """outputs: (N, 1) class indices, or (N, classes) scores, of which the first highest counts; labels: (N,)."""
        scores = outputs.reshape(len(labels), -1)
        decided = scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0]
        return cls(len(labels), int(np.sum(decided == labels)))

    def report(self, dataset: str) -> dict[str, int | float | str]:
        """accuracy.json."""
        return {
            "dataset": dataset,
            "method": "rtlsim",
            "samples": self.samples,
            "correct": self.correct,
            "accuracy": self.correct / self.samples,
        }


def _bytes(stream: Stream) -> int:
    """Bytes per frame, each beat padded to whole bytes."""
    return stream.beats * stream.padded_width // 8
