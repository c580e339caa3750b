# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The first half of a build by itself: from the files of a build directory to layers with FIFOs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finn.builder import admission, products
from finn.builder import simulation as sim
from finn.builder.build_dataflow import configuration
from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup
from finn.builder.console import LOGGER
from finn.builder.errors import BuildError
from finn.builder.steps import resolve_build_steps
from finn.core.modelwrapper import ModelWrapper

LAST = "step_set_fifo_depths"


def write_sized(directory: Path, place: Path) -> None:
    """Write layers.onnx, host.onnx and settings.json of the build directory to the new directory `place`.

    Raises what the steps raise; nothing is written then.
    """
    cfg = configuration(directory)
    changes: dict[str, object] = {
        "generate_outputs": [DataflowOutputType.STITCHED_IP],  # FIFOs are for hardware only
        "verify_steps": None,
        "validation_dataset": None,
        "start_step": None,
        "stop_step": None,
    }
    with tempfile.TemporaryDirectory() as work, products.directory(place) as made, _unread():
        own = cfg.model_copy(update=changes | {"output_dir": work})
        model = _run(ModelWrapper(str(directory / "model.onnx")), own)
        products.write_model(made / "layers.onnx", model)
        products.write_model(made / "host.onnx", sim.host(own))
        products.write_json(made / "settings.json", {"clk_ns": cfg.synth_clk_period_ns})


def _run(model: ModelWrapper, cfg: DataflowBuildConfig) -> ModelWrapper:
    """The steps of a build up to FIFOs."""
    admission.check(model)
    for step in resolve_build_steps(cfg):
        model = step.function(model, cfg)
        if step.function is build_dataflow_step_lookup[LAST]:
            return model
    raise BuildError(f"the build has no {LAST}", where="steps", remedy="add it, or remove the key")


@contextmanager
def _unread() -> Iterator[None]:
    """What steps tell on the screen of a build, for example by how much a target is met, is not printed."""
    handler = logging.NullHandler()
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
