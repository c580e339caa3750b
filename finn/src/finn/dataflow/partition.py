"""The graph cut in two: what accelerators do, and what the host does before, between and after them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import DOMAIN, DataflowError
from finn.dataflow.layer import IntArray

Array = npt.NDArray[np.generic]
Accelerator = Callable[[int, Sequence[IntArray]], Sequence[IntArray]]
"""(which one, frames of each of its inputs) -> frames of each of its outputs."""

PARTITION = "StreamingDataflowPartition"


@dataclass(frozen=True)
class Partition:
    """parent : the host's graph, with a StreamingDataflowPartition node for each accelerator.

    dataflow : the layers of all accelerators, one graph with the inputs and outputs of all; it may be folded in another
    way than when it was cut, or have FIFOs.
    """

    parent: ModelWrapper
    dataflow: ModelWrapper

    @cached_property
    def accelerators(self) -> tuple[NodeProto, ...]:
        """The nodes of the accelerators, in the order in which they run."""
        return tuple(n for n in self.parent.graph.node if n.op_type == PARTITION and n.domain == DOMAIN)

    @cached_property
    def hosts(self) -> tuple[ModelWrapper | None, ...]:
        """What the host does before each accelerator, and after the last; None where that is nothing."""
        known = [t.name for t in self.parent.graph.input]
        found = []
        for node in self.accelerators:
            found.append(_host(self.parent, known, list(node.input)))
            known += node.output
        return (*found, _host(self.parent, known, [t.name for t in self.parent.graph.output]))

    @property
    def before(self) -> ModelWrapper | None:
        """What the host does before the first accelerator."""
        return self.hosts[0]

    @property
    def after(self) -> ModelWrapper | None:
        """What the host does after the last accelerator."""
        return self.hosts[-1]

    def stage(self, k: int) -> ModelWrapper:
        """The graph of the layers of accelerator `k`."""
        node = self.accelerators[k]
        if len(self.accelerators) == 1:
            return self.dataflow
        nodes = _between(self.dataflow, list(node.input), list(node.output))
        return subgraph(self.dataflow, list(node.input), list(node.output), nodes)

    def to_hardware(self, *inputs: Array) -> IntArray:
        """Samples (N, …) of the network's inputs -> frames (N, …) of the first accelerator's only input, as int64."""
        name = _only(self.accelerators[0].input, "inputs of the first accelerator")
        return _run_host(self.hosts[0], self._samples(inputs), [name])[name].astype(np.int64)

    def from_hardware(self, outputs: Array) -> Array:
        """Frames (N, …) of the last accelerator's only output -> samples (N, …) of the network's only output."""
        name = _only(self.accelerators[-1].output, "outputs of the last accelerator")
        target = _only([t.name for t in self.parent.graph.output], "outputs of the network")
        return _run_host(self.hosts[-1], {name: outputs}, [target])[target]

    def run(self, inputs: Array | Sequence[Array], accelerator: Accelerator) -> Array:
        """The network's first output for samples (N, …) of its input or inputs, with `accelerator` on the integers."""
        values = self._samples([inputs] if isinstance(inputs, np.ndarray) else inputs)
        for k, node in enumerate(self.accelerators):
            values |= _run_host(self.hosts[k], values, list(node.input))
            frames = [np.asarray(values[t]).astype(np.int64) for t in node.input]
            values |= zip(node.output, accelerator(k, frames), strict=True)
        target = self.parent.graph.output[0].name
        return _run_host(self.hosts[-1], values, [target])[target]

    def _samples(self, inputs: Sequence[Array]) -> dict[str, Array]:
        """The inputs by name. Raises DataflowError if there are others, or of another shape."""
        names = [t.name for t in self.parent.graph.input]
        if len(inputs) != len(names):
            raise DataflowError(f"{len(inputs)} inputs", why=f"the network has {len(names)}: {', '.join(names)}")
        for name, x in zip(names, inputs, strict=True):
            shape = tuple(self.parent.get_tensor_shape(name) or ())
            if x.shape[1:] != shape[1:] or not len(x):
                raise DataflowError(
                    f"input of shape {x.shape}", where=f"tensor {name}",
                    why=f"one sample of the network has shape {shape[1:]}",
                    remedy=f"give an array (N, {str(shape[1:])[1:]}",
                )  # fmt: skip
        return dict(zip(names, inputs, strict=True))


def _only(names: Sequence[str], what: str) -> str:
    if len(names) != 1:
        raise DataflowError(f"{len(names)} {what}: {', '.join(names)}", remedy="use Partition.run, which passes all")
    return names[0]


def _run_host(model: ModelWrapper | None, values: Mapping[str, Array], wanted: list[str]) -> dict[str, Array]:
    """`wanted` for all samples in `values`, one at a time."""
    if model is None:
        return {t: values[t] for t in wanted}
    names = {t.name: helper.tensor_dtype_to_np_dtype(t.type.tensor_type.elem_type) for t in model.graph.input}
    count = len(next(iter(values.values())))
    runs = [execute_onnx(model, {t: values[t][i : i + 1].astype(k) for t, k in names.items()}) for i in range(count)]
    return {t: values[t] if t in values else np.concatenate([r[t] for r in runs]) for t in wanted}


def create_dataflow_partition(model: ModelWrapper, filename: str = "partition_0.onnx") -> Partition:
    """Cut `model` around its layers. filename : what the parent's partition nodes say about where their graph is.

    Layers that need what the host makes of other layers' results belong to a later accelerator; its file name has its
    number in the place of the 0. What an accelerator makes and a later one needs goes through the host.
    Raises DataflowError if there are no layers.
    """
    if not any(n.domain == DOMAIN for n in model.graph.node):
        raise DataflowError("there are no hardware layers to build", remedy="run step_convert_to_hw first")
    nodes = list(model.graph.node)  # kept, so that they keep their identity
    levels = _levels(nodes)
    count = 1 + max(levels[id(n)] for n in nodes if n.domain == DOMAIN)
    stages = [[n for n in nodes if n.domain == DOMAIN and levels[id(n)] == k] for k in range(count)]
    names, layers = _cut(model, stages)
    parent = _parent(model, stages, names, filename)
    return Partition(parent, layers)


def _levels(nodes: list[NodeProto]) -> dict[int, int]:
    """Of each node, by identity: the accelerator that it belongs to; on the host, the last whose results it needs."""
    levels: dict[int, int] = {}
    made: dict[str, tuple[bool, int]] = {}  # tensor -> by a layer?, level
    for node in nodes:
        layer = node.domain == DOMAIN
        known = [made[t] for t in node.input if t in made]
        level = max((level + int(layer and not by_layer) for by_layer, level in known), default=-1 + int(layer))
        levels[id(node)] = max(level, 0) if layer else level
        made |= {t: (layer, levels[id(node)]) for t in node.output}
    return levels


def _cut(
    model: ModelWrapper, stages: list[list[NodeProto]]
) -> tuple[list[tuple[dict[str, str], list[str]]], ModelWrapper]:
    """Per accelerator (its inputs: name in the network -> name here, its outputs); and the graph of all layers."""
    ends = []
    copies: list[NodeProto] = []
    sources: dict[str, str] = {}
    layered = {t for nodes in stages for n in nodes for t in n.output}
    for k, nodes in enumerate(stages):
        made = {t for n in nodes for t in n.output}
        read = [t for n in nodes for t in n.input if t and t not in made and not model.has_initializer(t)]
        inputs = {t: f"{t}_in{k}" if t in sources or t in layered else t for t in dict.fromkeys(read)}
        mine = {id(n) for n in nodes}
        outside = {t for n in model.graph.node if id(n) not in mine for t in n.input}
        outputs = [t for n in nodes for t in n.output if t in outside or model.is_graph_output(t)]
        ends.append((inputs, outputs))
        sources |= {name: t for t, name in inputs.items()}
        for node in nodes:
            copies.append(NodeProto())
            copies[-1].CopyFrom(node)
            copies[-1].input[:] = [inputs.get(t, t) for t in node.input]
    results = [t for _, outputs in ends for t in outputs]
    return ends, subgraph(model, list(sources), results, copies, sources)


def _parent(
    model: ModelWrapper,
    stages: list[list[NodeProto]],
    ends: list[tuple[dict[str, str], list[str]]],
    filename: str,
) -> ModelWrapper:
    """The host's graph: its own nodes, and one for each accelerator."""
    inside = {id(n) for nodes in stages for n in nodes}
    nodes: list[NodeProto] = []
    waiting = [(n, set(n.input)) for n in model.graph.node if id(n) not in inside]
    for k, (inputs, outputs) in enumerate(ends):
        for t, name in inputs.items():
            if name != t:
                waiting.append((helper.make_node("Identity", [t], [name], name), {t}))
        file = filename.replace("0", str(k)) if k else filename
        call = helper.make_node(
            PARTITION, list(inputs.values()), outputs, f"{PARTITION}_{k}", domain=DOMAIN, model=file
        )
        waiting.append((call, set(inputs.values())))
    missing = {t for n, _ in waiting for t in n.output}
    while waiting:
        ready = [(n, needs) for n, needs in waiting if not needs & missing]
        if not ready:
            raise DataflowError("the host's part of the network has a cycle", why="the graph is not sorted")
        nodes += [n for n, _ in ready]
        missing -= {t for n, _ in ready for t in n.output}
        waiting = [(n, needs) for n, needs in waiting if needs & missing or not any(n is r for r, _ in ready)]
    sources = {name: t for inputs, _ in ends for t, name in inputs.items() if name != t}
    return subgraph(model, [t.name for t in model.graph.input], [t.name for t in model.graph.output], nodes, sources)


def _host(parent: ModelWrapper, known: Sequence[str], wanted: list[str]) -> ModelWrapper | None:
    """The graph that makes `wanted` of `known`; None if all of them are known."""
    nodes = _between(parent, known, wanted)
    if not nodes:
        return None
    made = {t for n in nodes for t in n.output}
    read = dict.fromkeys(t for n in nodes for t in n.input if t and t not in made and not parent.has_initializer(t))
    return subgraph(parent, list(read), [t for t in wanted if t in made], nodes)


def _between(model: ModelWrapper, sources: Sequence[str], sinks: Sequence[str]) -> list[NodeProto]:
    """The nodes that are needed to make `sinks` of `sources`."""
    needed, given, nodes = set(sinks) - set(sources), set(sources), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= {i for i in node.input if i not in given}
    return nodes[::-1]


def subgraph(
    model: ModelWrapper,
    sources: Sequence[str],
    sinks: Sequence[str],
    nodes: Iterable[NodeProto],
    names: Mapping[str, str] | None = None,
) -> ModelWrapper:
    """A model of these nodes, with everything that `model` says about their tensors. names : new name -> its own."""
    own = names or {}

    def infos(side: Sequence[str]) -> list[ValueInfoProto]:
        known = [(t, model.get_tensor_valueinfo(own.get(t, t))) for t in side]
        floats = TensorProto.FLOAT
        return [
            helper.make_value_info(t, info.type) if info else helper.make_tensor_value_info(t, floats, None)
            for t, info in known
        ]

    graph = helper.make_graph(list(nodes), model.graph.name or "graph", infos(sources), infos(sinks))
    part = ModelWrapper(helper.make_model(graph, opset_imports=list(model.model.opset_import), ir_version=10))
    used = dict.fromkeys((*sources, *sinks, *(t for n in part.graph.node for t in (*n.input, *n.output) if t)))
    for name in used:
        _copy_tensor(model, part, name, own.get(name, name))
    return part


def _copy_tensor(model: ModelWrapper, part: ModelWrapper, name: str, own: str) -> None:
    constant, shape = model.get_initializer(own), model.get_tensor_shape(own)
    if constant is not None:
        part.set_initializer(name, constant)
    elif shape is not None:
        part.set_tensor_shape(name, shape, model.get_tensor_elem_type(own))
    model_type = model.get_tensor_datatype(own)
    if model_type.is_integer():
        part.set_tensor_datatype(name, model_type)
