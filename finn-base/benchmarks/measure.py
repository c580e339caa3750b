# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Time one package on the networks of `models.py`: `python measure.py finn|qonnx NETWORK...`, JSON on standard output.

Runs in the interpreter in which that package is installed; `compare.py` starts it for both. All times are wall times in
seconds, the least of several runs.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import models
import numpy as np

NEIGHBOUR_NODES = (500, 1000)
FOLDED = 200


def least(
    run: Callable[[], Any],
    seconds: float = 1.5,
    at_least: int = 3,
    at_most: int = 200,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The least time of one call, over about `seconds`."""
    times: list[float] = []
    while len(times) < at_least or (sum(times) < seconds and len(times) < at_most):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


class Package:
    """The same names in either package."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wrapper = import_module(f"{name}.core.modelwrapper").ModelWrapper
        self.execute = import_module(f"{name}.core.onnx_exec").execute_onnx
        self.cleanup = import_module(f"{name}.util.cleanup").cleanup_model
        self.infer_shapes = import_module(f"{name}.transformation.infer_shapes").InferShapes
        self.fold = import_module(f"{name}.transformation.fold_constants").FoldConstants

    def network(self, name: str) -> dict[str, float]:
        """Load and clean up; run one sample, when everything that can be kept is kept."""
        proto = models.NETWORKS[name]()
        data = proto.SerializeToString()
        times = {"load and cleanup": least(lambda: self.cleanup(self.wrapper(data)))}
        model = self.cleanup(self.wrapper(data))
        shape = model.get_tensor_shape("global_in")
        inputs = {"global_in": np.random.default_rng(0).random(shape).astype(np.float32)}
        self.execute(model, inputs)
        times["execute"] = least(lambda: self.execute(model, inputs))
        if self.name == "finn":
            times |= self._against_onnxruntime(models.without_quantizers(proto), model, inputs)
        return times

    def _against_onnxruntime(self, standard: Any, model: Any, inputs: Any) -> dict[str, float]:
        """The part in standard operators in both engines, and the whole without the check for edits."""
        import onnxruntime as ort

        compiled = import_module("finn.core.onnx_exec").compile_model(model)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(standard.SerializeToString(), options, providers=["CPUExecutionProvider"])
        wrapped = self.cleanup(self.wrapper(standard))
        compiled_standard = import_module("finn.core.onnx_exec").compile_model(wrapped)
        feed = {"x": inputs["global_in"]}
        return {
            "execute, compiled": least(lambda: compiled.run(inputs)),
            "standard part": least(lambda: self.execute(wrapped, inputs)),
            "standard part, compiled": least(lambda: compiled_standard.run(inputs)),
            "standard part, onnxruntime": least(lambda: session.run(None, feed)),
        }

    def folding(self) -> float:
        """Fold `FOLDED` constants."""
        model = self.wrapper(models.constants(FOLDED)).transform(self.infer_shapes())
        return least(lambda: model.transform(self.fold()), at_least=1)

    def neighbours(self, nodes: int) -> float:
        """Producers and consumers of all tensors of a chain."""
        model = self.wrapper(models.chain(nodes))

        def look() -> None:
            for node in list(model.graph.node):
                for name in node.input:
                    model.find_producer(name)
                for name in node.output:
                    model.find_consumers(name)

        if self.name != "finn":
            return least(look, at_least=1)
        with model.trusted_index():
            return least(look)


def main() -> None:
    warnings.simplefilter("ignore")
    package = Package(sys.argv[1])
    result: dict[str, Any] = {name: package.network(name) for name in sys.argv[2:] if name in models.NETWORKS}
    if "small" in sys.argv[2:]:
        result[f"fold {FOLDED} constants"] = {"": package.folding()}
        result |= {f"neighbours of {n} nodes": {"": package.neighbours(n)} for n in NEIGHBOUR_NODES}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
