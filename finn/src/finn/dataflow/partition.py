"""The graph cut in two: what the accelerator does, and what the host does before and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import DOMAIN, DataflowError
from finn.dataflow.layer import IntArray

Array = npt.NDArray[np.generic]
Accelerator = Callable[[Array], Array]


@dataclass(frozen=True)
class Partition:
    """parent : the host's graph with one StreamingDataflowPartition node; dataflow : the graph of layers.

    before, after : the parts of the parent on both sides of that node; None where there is nothing to do.
    """

    parent: ModelWrapper
    dataflow: ModelWrapper
    before: ModelWrapper | None
    after: ModelWrapper | None

    def to_hardware(self, inputs: Array) -> IntArray:
        """Samples (N, …) of the network's input -> frames (N, …) of the accelerator's input, as int64."""
        target = self.dataflow.graph.input[0].name
        frames = [_one(self.before, x, target) for x in _samples(inputs, self.parent)]
        return np.concatenate(frames).astype(np.int64)

    def from_hardware(self, outputs: Array) -> Array:
        """Frames (N, …) of the accelerator's output -> samples (N, …) of the network's output."""
        if self.after is None:
            return outputs
        target = self.parent.graph.output[0].name
        return np.concatenate([_one(self.after, y[None], target) for y in outputs])

    def run(self, inputs: Array, accelerator: Accelerator) -> Array:
        """The whole network on samples (N, …), with `accelerator` on the integers."""
        return self.from_hardware(accelerator(self.to_hardware(inputs)))


def _samples(inputs: Array, model: ModelWrapper) -> list[Array]:
    shape = tuple(model.get_tensor_shape(model.graph.input[0].name) or ())
    if inputs.shape[1:] != shape[1:] or not len(inputs):
        raise DataflowError(
            f"input of shape {inputs.shape}", where=f"tensor {model.graph.input[0].name}",
            why=f"one sample of the network has shape {shape[1:]}", remedy=f"give an array (N, {str(shape[1:])[1:]}",
        )  # fmt: skip
    return [sample[None] for sample in inputs]


def _one(model: ModelWrapper | None, x: Array, target: str) -> Array:
    if model is None:
        return x
    name = model.graph.input[0].name
    kind = helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    return np.asarray(execute_onnx(model, {name: x.astype(kind)})[target])


def create_dataflow_partition(model: ModelWrapper, filename: str = "partition_0.onnx") -> Partition:
    """Cut `model` around its layers. filename : what the parent's partition node says about where its graph is.

    Raises DataflowError if there are no layers, several inputs or outputs, or a host node between two layers.
    """
    hardware = [n for n in model.graph.node if n.domain == DOMAIN]
    if not hardware:
        raise DataflowError("there are no hardware layers to build", remedy="run step_convert_to_hw first")
    inside = {t for n in hardware for t in n.output}
    inputs = [i for n in hardware for i in n.input if i and i not in inside and not model.has_initializer(i)]
    read_outside = {i for n in model.graph.node if n.domain != DOMAIN for i in n.input}
    outputs = [t for n in hardware for t in n.output if t in read_outside or model.is_graph_output(t)]
    _check_cut(model, inputs, outputs)
    (source,), (sink,) = dict.fromkeys(inputs), dict.fromkeys(outputs)
    before = _between(model, model.graph.input[0].name, source, hardware)
    after = _between(model, sink, model.graph.output[0].name, hardware)
    _check_after(model, after)
    parent = _subgraph(model, model.graph.input[0].name, model.graph.output[0].name, [*before, *after])
    call = helper.make_node(
        "StreamingDataflowPartition", [source], [sink], "StreamingDataflowPartition_0", domain=DOMAIN, model=filename
    )
    parent.insert_node(len(before), call)
    return Partition(
        parent,
        _subgraph(model, source, sink, hardware),
        _subgraph(model, model.graph.input[0].name, source, before) if before else None,
        _subgraph(model, sink, model.graph.output[0].name, after) if after else None,
    )


def _check_after(model: ModelWrapper, after: list[NodeProto]) -> None:
    """Raise DataflowError if the host reads, behind the layers, what comes from in front of them."""
    inputs = {t.name for t in model.graph.input}
    for node in after:
        for tensor in node.input:
            if tensor in inputs:
                raise DataflowError(
                    f"{node.op_type} needs '{tensor}', which comes from in front of the hardware layers, behind them",
                    where=f"node {node.name}",
                    why="a branch passes the accelerator, and one tensor goes in and one comes out",
                    remedy="residual branches are not supported yet; remove the branch",
                )


def _check_cut(model: ModelWrapper, inputs: list[str], outputs: list[str]) -> None:
    for what, names in (("inputs", set(inputs)), ("outputs", set(outputs))):
        if len(names) != 1:
            raise DataflowError(
                f"the hardware part has {len(names)} {what}: {', '.join(sorted(names))}",
                why="nodes on the host lie between layers, or the network forks",
                remedy="see which nodes stayed on the host, and why, in the build log",
            )
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise DataflowError(
            f"the network has {len(model.graph.input)} inputs and {len(model.graph.output)} outputs",
            why="one of each is supported",
        )


def _between(model: ModelWrapper, source: str, sink: str, hardware: list[NodeProto]) -> list[NodeProto]:
    """The nodes from `source` to `sink`, none of them in `hardware`."""
    needed, nodes = {sink}, []
    for node in reversed(model.graph.node):
        if sink != source and needed & set(node.output) and source not in node.output:
            nodes.append(node)
            needed |= {i for i in node.input if i != source}
    inside = [n.name for n in nodes if any(n is h for h in hardware)]
    if inside:
        raise DataflowError(f"the host would run between the layers: {', '.join(inside)} are needed before the others")
    return nodes[::-1]


def _subgraph(model: ModelWrapper, source: str, sink: str, nodes: list[NodeProto]) -> ModelWrapper:
    """A model of these nodes, with everything that `model` says about their tensors."""
    ends = [[info] if (info := model.get_tensor_valueinfo(t)) else [] for t in (source, sink)]
    graph = helper.make_graph(nodes, model.graph.name or "graph", ends[0], ends[1])
    part = ModelWrapper(helper.make_model(graph, opset_imports=list(model.model.opset_import), ir_version=10))
    names = dict.fromkeys(t for n in nodes for t in (*n.input, *n.output) if t)
    for name in names:
        _copy_tensor(model, part, name)
    return part


def _copy_tensor(model: ModelWrapper, part: ModelWrapper, name: str) -> None:
    constant, shape = model.get_initializer(name), model.get_tensor_shape(name)
    if constant is not None:
        part.set_initializer(name, constant)
    elif shape is not None:
        part.set_tensor_shape(name, shape, model.get_tensor_elem_type(name))
    model_type = model.get_tensor_datatype(name)
    if model_type.is_integer():
        part.set_tensor_datatype(name, model_type)
