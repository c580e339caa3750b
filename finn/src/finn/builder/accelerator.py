# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""From a build directory to an accelerator on a simulated device: built at the first call, then from the cache.

What the cache gives needs no builder, which is imported only to build.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

import finn
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.native import cache_entry
from finn.dataflow.partition import Array, Partition
from finn.deploy import Accelerator, DeployError
from finn.deploy.simulated import platform
from finn.util.cache import content_key

RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
NETWORK, CONFIG = "model.onnx", "dataflow_build_config.json"


def load(directory: str | Path, target_platform: str = "rtlsim") -> Accelerator:
    """The accelerator that the build directory describes, on a device: "rtlsim", "cppsim" or "python".

    The first call builds it, as far as FIFOs, and compiles the simulator; both are kept for the next one, until the
    network, the configuration or the compiler changes. No file in the directory changes.
    Raises DeployError for an unknown platform or a network that several accelerators compute; what builds raise.
    """
    kind = platform(target_platform)
    place = _place(Path(directory))
    split = Partition(ModelWrapper(str(place / "host.onnx")), ModelWrapper(str(place / "layers.onnx")))
    if len(split.accelerators) != 1:
        raise DeployError(
            f"the network has {len(split.accelerators)} accelerators",
            where=str(directory),
            why="the host computes between them",
            remedy="`finn explain` tells which nodes stay on the host and how to change that",
        )
    settings = json.loads((place / "settings.json").read_text(encoding="utf-8"))
    host = NetworkHost(split) if len(split.parent.graph.input) == len(split.accelerators[0].output) == 1 else None
    return Accelerator(kind(split.dataflow, settings["clk_ns"]), host)


@dataclass(frozen=True)
class NetworkHost:
    """The host's part of a network with one accelerator, one input and one output."""

    split: Partition

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        before, (sample,) = self.split.before, self.split.parent.graph.input
        if before is not None and not {n.op_type for n in before.graph.node} <= RESHAPES:
            return None
        return tuple(self.split.parent.get_tensor_shape(sample.name) or ())[1:]

    def run(self, samples: Array, accelerator: Callable[[Array], Array]) -> Array:
        """Raises VerificationError for samples that are not made of the integers that the accelerator takes."""
        from finn.builder.streamlining import Ends

        ends = Ends.of(self.split.parent)
        found = self.split.run(ends.given(samples), lambda _, frames: [accelerator(frames[0]).astype(np.int64)])
        return ends.meant(found)


def _place(directory: Path) -> Path:
    """Where the accelerator is, once it is built."""
    place = cache_entry("accelerators", content_key(*_contents(directory), _compiler())) / "sized"
    if not place.is_dir():
        from finn.builder.sized import write_sized

        write_sized(directory, place)
    return place


def _contents(directory: Path) -> Iterator[bytes]:
    """All that the accelerator follows from: the network, the configuration, the files that it names."""
    if not all((directory / name).is_file() for name in (NETWORK, CONFIG)):
        return  # which the builder tells better
    for name in (NETWORK, CONFIG, "folding_config.json"):
        yield (directory / name).read_bytes() if (directory / name).is_file() else b""
    try:
        config = json.loads((directory / CONFIG).read_bytes())
    except ValueError:
        return
    named = [value for value in config.values() if isinstance(value, str)] if isinstance(config, dict) else []
    for file in sorted(directory / name for name in named):
        yield file.read_bytes() if file.suffix == ".json" and file.is_file() else b""


@lru_cache
def _compiler() -> bytes:
    """The sources of this compiler, so that a newer one builds anew."""
    files = sorted(p for folder in finn.__path__ for p in Path(folder).rglob("*") if p.suffix in (".py", ".json"))
    return b"".join(p.read_bytes() for p in files)
