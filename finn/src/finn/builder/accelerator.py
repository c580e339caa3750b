# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""From a build directory to an accelerator on a simulated device: built at the first call, then from the cache."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from finn.builder import admission, products
from finn.builder import simulation as sim
from finn.builder.build_dataflow import configuration
from finn.builder.build_dataflow_config import FILES, DataflowBuildConfig, DataflowOutputType
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup
from finn.builder.steps import resolve_build_steps
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.native import cache_entry, content_key
from finn.dataflow.partition import Array, Partition
from finn.deploy import Accelerator, DeployError
from finn.deploy.simulated import platform

RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
LAST = "step_set_fifo_depths"


@dataclass(frozen=True)
class NetworkHost:
    """The host's part of a network with one accelerator."""

    split: Partition

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        before, (sample,) = self.split.before, self.split.parent.graph.input
        if before is not None and not {n.op_type for n in before.graph.node} <= RESHAPES:
            return None
        return tuple(self.split.parent.get_tensor_shape(sample.name) or ())[1:]

    def run(self, samples: Array, accelerator: Callable[[Array], Array]) -> Array:
        return self.split.run(samples, lambda _, frames: [accelerator(frames[0]).astype(np.int64)])


def load(directory: str | Path, target_platform: str = "rtlsim") -> Accelerator:
    """The accelerator that the build directory describes, on a device: "rtlsim", "cppsim" or "python".

    The first call builds it, as far as FIFOs, and compiles the simulator; both are kept for the next one, until the
    network, the configuration or the compiler changes. No file in the directory changes.
    Raises DeployError for an unknown platform or a network that several accelerators compute; what builds raise.
    """
    kind = platform(target_platform)
    cfg = configuration(Path(directory))
    model, parent = _sized(Path(directory) / "model.onnx", cfg)
    split = Partition(parent, model)
    if len(split.accelerators) != 1:
        raise DeployError(
            f"the network has {len(split.accelerators)} accelerators",
            where=str(directory),
            why="the host computes between them",
            remedy="`finn explain` tells which nodes stay on the host and how to change that",
        )
    return Accelerator(kind(model, cfg.synth_clk_period_ns), NetworkHost(split) if _one_in_one_out(split) else None)


def _one_in_one_out(split: Partition) -> bool:
    node = split.accelerators[0]
    return len(split.parent.graph.input) == len(node.input) == len(node.output) == 1


def _sized(network: Path, cfg: DataflowBuildConfig) -> tuple[ModelWrapper, ModelWrapper]:
    """The layers with FIFOs, and the host's graph, from the cache if they are there."""
    entry = cache_entry("accelerators", _key(network, cfg))
    place = entry / "model"
    if not place.is_dir():
        with tempfile.TemporaryDirectory(dir=entry) as work, products.directory(place) as made:
            own = cfg.model_copy(update={**_OVERRIDES, "output_dir": work})
            model = _run(ModelWrapper(str(network)), own)
            model.save(str(made / "layers.onnx"))
            sim.host(own).save(str(made / "host.onnx"))
    return ModelWrapper(str(place / "layers.onnx")), ModelWrapper(str(place / "host.onnx"))


_OVERRIDES = {
    "generate_outputs": [DataflowOutputType.STITCHED_IP],
    "verify_steps": None,
    "validation_dataset": None,
    "start_step": None,
    "stop_step": None,
}
"""What is different from a build of the same directory; FIFOs are for hardware only."""


def _run(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """The steps of a build up to FIFOs."""
    admission.check(model)
    for step in resolve_build_steps(cfg):
        model = step.function(model, cfg)
        if step.function is build_dataflow_step_lookup[LAST]:
            return model
    raise DeployError(f"the build has no {LAST}", where="steps", remedy="add it")


def _key(network: Path, cfg: DataflowBuildConfig) -> str:
    """The digest of all that the accelerator follows from: network, configuration, folding, compiler."""
    files = [network, *(Path(f) for f in (cfg.folding_config_file, cfg.specialize_layers_config_file) if f)]
    plain = cfg.model_copy(update={**_OVERRIDES, "output_dir": "output"}).to_dict()
    for name in FILES:
        del plain[name]
    return content_key(str(sorted(plain.items())), *(f.read_bytes() for f in files), _compiler())


@lru_cache
def _compiler() -> bytes:
    """The sources of this compiler, so that a newer one builds anew."""
    import finn

    files = sorted(p for folder in finn.__path__ for p in Path(folder).rglob("*") if p.suffix in (".py", ".json"))
    return b"".join(p.read_bytes() for p in files)
