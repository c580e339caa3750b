"""Bases of graph transformations."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from abc import ABC, abstractmethod
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ClassVar

from onnx import NodeProto

from finn.core.errors import ConfigError, FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.util.basic import get_num_default_workers


class Transformation(ABC):
    """A change of a whole model. `ModelWrapper.transform` applies it until it reports no change."""

    @abstractmethod
    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Transform the model in place. Returns it (or another one) and whether something changed."""


class NodeLocalTransformation(Transformation):
    """A change that looks at one node at a time and may edit only that node.

    num_workers: how many nodes are worked on at the same time; None takes the environment variable NUM_DEFAULT_WORKERS
    (1 if not set), 0 takes all cores. `ref_input_model` is a copy of the whole model as it was, for reading only.

    The workers are threads: the work of a node is usually a subprocess, or numerical code that leaves the interpreter
    free. A subclass whose work is Python itself sets `uses_processes`. Each process imports the module of the subclass
    and gets the model and the transformation once, by pickle, and then node numbers; what `applyNodeLocal` stores in
    the transformation stays in that process. A second or so for the start has to be worth it.
    """

    uses_processes: ClassVar[bool] = False

    def __init__(self, num_workers: int | None = None) -> None:
        self._num_workers = get_num_default_workers() if num_workers is None else num_workers
        if self._num_workers < 0:
            raise ConfigError(f"num_workers is {self._num_workers}", remedy="use 0 for all cores, or a positive number")
        self.ref_input_model: ModelWrapper | None = None

    @abstractmethod
    def applyNodeLocal(self, node: NodeProto) -> tuple[NodeProto, bool]:
        """Returns the changed node and whether to call again for it."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.ref_input_model = copy.deepcopy(model)
        nodes = list(model.graph.node)
        workers = min(self._num_workers or os.cpu_count() or 1, len(nodes))
        if workers <= 1:
            results = list(map(self._changed, nodes))
        elif self.uses_processes:
            results = self._by_processes(workers, len(nodes))
        else:
            with ThreadPoolExecutor(workers) as pool:
                results = list(pool.map(self._changed, nodes))
        for node, (new, _) in zip(nodes, results, strict=True):
            if new is not node:
                node.CopyFrom(new)
        return model, any(again for _, again in results)

    def _changed(self, node: NodeProto) -> tuple[NodeProto, bool]:
        try:
            return self.applyNodeLocal(node)
        except FinnError as error:
            error.where = error.where or f"node {describe(node)}"
            raise

    def _by_processes(self, workers: int, count: int) -> list[tuple[NodeProto, bool]]:
        """Not by fork: other threads of this process may hold locks that a copy would wait for."""
        model, self.ref_input_model = self.ref_input_model, None
        try:
            work = pickle.dumps(self)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"{type(self).__name__} cannot be sent to other processes",
                why=str(error),
                remedy="define the class at module level, or use one worker",
            ) from error
        finally:
            self.ref_input_model = model
        proto = b"" if model is None else model.model.SerializeToString()
        context = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(work, proto)) as pool:
                answers = list(pool.map(_change_node, range(count), chunksize=max(1, count // (4 * workers))))
        except BrokenProcessPool as error:
            raise ConfigError(
                f"the workers of {type(self).__name__} have died",
                why="their error output says more",
                remedy="see that its module can be imported, and that a script starts its work below "
                'if __name__ == "__main__"',
            ) from error
        return [(NodeProto.FromString(data), again) for data, again in answers]


_worker: NodeLocalTransformation | None = None
"""In a worker process: its transformation, with the model."""


def _start_worker(work: bytes, proto: bytes) -> None:
    global _worker
    _worker = pickle.loads(work)
    if _worker is not None:
        _worker.ref_input_model = ModelWrapper(proto)


def _change_node(index: int) -> tuple[bytes, bool]:
    if _worker is None or _worker.ref_input_model is None:
        raise ConfigError("this process was not started as a worker")
    node = NodeProto()
    node.CopyFrom(_worker.ref_input_model.graph.node[index])
    new, again = _worker._changed(node)
    return new.SerializeToString(), again
