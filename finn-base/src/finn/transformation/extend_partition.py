"""The inverse of `finn.transformation.create_generic_partitions`."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import GraphProto, NodeProto, helper, numpy_helper

from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe, fresh_name, rename_in_graph
from finn.custom_op.general.genericpartition import GenericPartition, port_names
from finn.transformation._joining import agree_on_opsets, all_names, take_functions
from finn.transformation.base import Transformation
from finn.transformation.create_generic_partitions import replace_nodes


class ExtendPartition(Transformation):
    """Replace the GenericPartition nodes at these indices of the graph by the nodes of their models.

    Shapes, annotations and constants come along; the tensors at the border keep those that they have in this graph.
    Names that the graph has already get a number, except for constants that are the same. The files stay.

    Nothing is changed if one cannot be replaced: ModelError if an index is not that of a GenericPartition or its model
    is missing or has other ports, UnsupportedError if the versions of operators cannot be brought together.
    """

    def __init__(self, extend_index: Iterable[int] | int) -> None:
        indices = [extend_index] if isinstance(extend_index, int) else extend_index
        self.extend_index = list(dict.fromkeys(indices))

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        inner = {index: _submodel(model, index) for index in self.extend_index}
        if not inner:
            return model, False
        if any(other.get_opset_imports() != model.get_opset_imports() for other in inner.values()):
            outer = ModelWrapper(model.model, make_deepcopy=True)
            agree_on_opsets([outer, *inner.values()])
            model.model.CopyFrom(outer.model)
            model.model = model.model  # the wrapper looks at the graph again
        with model.trusted_index():
            inlining = _Inlining(model)
            parts = [inlining.nodes_of(n, inner[i]) if i in inner else [n] for i, n in enumerate(model.graph.node)]
            replace_nodes(model, [node for part in parts for node in part])
        return model, False


def _submodel(outer: ModelWrapper, index: int) -> ModelWrapper:
    """A copy of the model of the partition at `index`."""
    nodes = outer.graph.node
    if not 0 <= index < len(nodes) or nodes[index].op_type != "GenericPartition":
        found = f"it is {describe(nodes[index])}" if 0 <= index < len(nodes) else f"there are {len(nodes)} nodes"
        raise ModelError(f"node {index} is no GenericPartition", why=found)
    model = ModelWrapper(GenericPartition(nodes[index]).submodel().model, make_deepcopy=True)
    for port, name in zip(port_names(model), nodes[index].input, strict=True):
        if not name:
            raise ModelError(f"its input '{port}' is omitted", where=f"node {describe(nodes[index])}")
    return model


class _Inlining:
    """Puts what is in partitions into `model`."""

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.names = all_names(model.graph)  # with those in bodies of control flow: none of them shall be hidden
        self.visible = set(model.get_all_tensor_names())
        self.node_names = {node.name for node in model.graph.node}
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.values = {value.name for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)}
        self.annotations = {entry.tensor_name: entry for entry in model.graph.quantization_annotation}

    def nodes_of(self, partition: NodeProto, inner: ModelWrapper) -> list[NodeProto]:
        """The nodes that replace `partition`, wired to its inputs and outputs. `inner` is used up."""
        take_functions(self.model, inner)
        _let_nodes_make_outputs(inner)
        mapping = dict(zip(port_names(inner), partition.input, strict=True))
        outputs = zip(inner.graph.output, partition.output, strict=True)
        mapping |= {value.name: name for value, name in outputs if name}
        for name in inner.get_all_tensor_names():
            if name not in mapping:
                mapping[name] = name if self._is_known_constant(inner, name) else fresh_name(name, self.names)
                self.names.add(mapping[name])
        self.visible.update(mapping.values())
        rename_in_graph(inner.graph, mapping, self.visible)
        self.names |= all_names(inner.graph)
        self._take_tensors(inner.graph)
        self.node_names.discard(partition.name)
        for node in inner.graph.node:
            if node.name:
                node.name = fresh_name(node.name, self.node_names)
                self.node_names.add(node.name)
        return list(inner.graph.node)

    def _is_known_constant(self, inner: ModelWrapper, name: str) -> bool:
        """Whether both models have the same constant of this name, as when partitions share it."""
        value = inner.get_initializer(name)
        if value is None or name not in self.constants:
            return False
        own = numpy_helper.to_array(self.constants[name])
        same = own.dtype == value.dtype and own.shape == value.shape and own.tobytes() == value.tobytes()
        entries = [e for e in inner.graph.quantization_annotation if e.tensor_name == name]
        return same and entries in ([], [self.annotations[name]] if name in self.annotations else [])

    def _take_tensors(self, graph: GraphProto) -> None:
        """What the model knows already, as of the tensors at the border, it keeps."""
        target = self.model.graph
        for tensor in graph.initializer:
            if tensor.name not in self.constants:
                target.initializer.append(tensor)
                self.constants[tensor.name] = tensor
        target.sparse_initializer.extend(graph.sparse_initializer)
        for value in (*graph.value_info, *graph.input, *graph.output):
            if value.name not in self.values:
                target.value_info.append(value)
                self.values.add(value.name)
        for entry in graph.quantization_annotation:
            if entry.tensor_name not in self.annotations:
                target.quantization_annotation.append(entry)
                self.annotations[entry.tensor_name] = entry


def _let_nodes_make_outputs(model: ModelWrapper) -> None:
    """An Identity for each output that is an input, a constant, or another output as well."""
    graph = model.graph
    made = {name for node in graph.node for name in node.output}
    names = all_names(graph)
    for output in graph.output:
        if output.name in made:
            made.remove(output.name)
        else:
            new = fresh_name(f"{output.name}_out", names)
            names.add(new)
            graph.node.append(helper.make_node("Identity", [output.name], [new]))
            output.name = new
