"""Bases of graph transformations."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from onnx import NodeProto

from finn.core.errors import ConfigError

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


class Transformation(ABC):
    """A change of a whole model. `ModelWrapper.transform` applies it until it reports no change."""

    @abstractmethod
    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Transform the model in place. Returns it (or another one) and whether something changed."""


class NodeLocalTransformation(Transformation):
    """A change that looks at one node at a time and may edit only that node.

    num_workers: threads that work on nodes at the same time; None takes the environment variable NUM_DEFAULT_WORKERS
    (1 if not set), 0 takes all cores. `ref_input_model` is a copy of the whole model as it was, for reading only.
    """

    def __init__(self, num_workers: int | None = None) -> None:
        self._num_workers = _default_workers() if num_workers is None else num_workers
        if self._num_workers < 0:
            raise ConfigError(f"num_workers is {self._num_workers}", remedy="use 0 for all cores, or a positive number")
        self.ref_input_model: ModelWrapper | None = None

    @abstractmethod
    def applyNodeLocal(self, node: NodeProto) -> tuple[NodeProto, bool]:
        """Returns the changed node and whether to call again for it."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.ref_input_model = copy.deepcopy(model)
        nodes = list(model.graph.node)
        # Threads: the work of a node is usually a subprocess, and no model has to be copied to another process.
        workers = self._num_workers or os.cpu_count() or 1
        if workers == 1:
            results = list(map(self.applyNodeLocal, nodes))
        else:
            with ThreadPoolExecutor(workers) as pool:
                results = list(pool.map(self.applyNodeLocal, nodes))
        for node, (new, _) in zip(nodes, results, strict=True):
            if new is not node:
                node.CopyFrom(new)
        return model, any(again for _, again in results)


def _default_workers() -> int:
    text = os.environ.get("NUM_DEFAULT_WORKERS", "1")
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"NUM_DEFAULT_WORKERS is '{text}'", remedy="set it to a number of workers") from error
