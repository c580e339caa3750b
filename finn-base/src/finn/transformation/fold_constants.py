"""Constant folding."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.core.tidy import node_levels
from finn.transformation.base import Transformation
from finn.transformation.infer_shapes import InferShapes

RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)


class FoldConstantsFiltered(Transformation):
    """Replace nodes that depend only on constants, and on known shapes, by their results; then infer shapes.

    match_filter_fxn(model, node): whether the node may be folded. All are found in one pass and computed together.
    """

    def __init__(self, match_filter_fxn: Callable[[ModelWrapper, NodeProto], bool]) -> None:
        self._may_fold = match_filter_fxn

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            shapes, nodes = self._foldable(model)
            if not shapes and not nodes:
                return model, False
            doomed = [*nodes, *(node for node, _ in shapes)]
            constants = {node.output[0]: value for node, value in shapes}
            results = constants | compute(model, nodes, constants)
            inside = {id(node) for node in doomed}
            for node in doomed:
                model.remove_node(node)
            _store(model, results, [name for node in doomed for name in node.output], inside)
        return InferShapes().apply(model)[0], True

    def _foldable(self, model: ModelWrapper) -> tuple[list[tuple[NodeProto, np.ndarray]], list[NodeProto]]:
        """Shape nodes with their results, and other nodes, in topological order."""
        shapes: list[tuple[NodeProto, np.ndarray]] = []
        nodes: list[NodeProto] = []
        folded: set[str] = set()
        levels = node_levels(model.graph)
        for _, node in sorted(zip(levels, model.graph.node, strict=True), key=lambda pair: pair[0]):
            if not self._is_candidate(model, node):
                continue
            if all(name in folded or model.has_initializer(name) for name in reads(node)):
                nodes.append(node)
                folded.update(node.output)
            elif node.op_type == "Shape" and (value := _shape_value(model, node)) is not None:
                shapes.append((node, value))
                folded.update(node.output)
        return shapes, nodes

    def _is_candidate(self, model: ModelWrapper, node: NodeProto) -> bool:
        is_output = any(model.is_graph_output(name) for name in node.output)
        return node.op_type not in RANDOM and not is_output and self._may_fold(model, node)


class FoldConstants(FoldConstantsFiltered):
    """Fold all constant nodes except those of the excluded op types: quantized weights keep their quantizer."""

    def __init__(self, exclude_op_types: Iterable[str] | None = ("Quant", "BipolarQuant")) -> None:
        excluded = set(exclude_op_types or ())
        excluded |= {"IntQuant"} if "Quant" in excluded else set()
        super().__init__(lambda model, node: node.op_type not in excluded)


def _shape_value(model: ModelWrapper, node: NodeProto) -> np.ndarray | None:
    shape = model.get_tensor_shape(node.input[0])
    if shape is None or not all(dim > 0 for dim in shape):
        return None
    bounds = {a.name: a.i for a in node.attribute}
    return np.asarray(shape[bounds.get("start", 0) : bounds.get("end")], dtype=np.int64)


def compute(model: ModelWrapper, nodes: list[NodeProto], extra: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{tensor: value} of the outputs of `nodes`, by running them as a model of their own.

    They read constants of the model, each other, and `extra`.
    """
    if not nodes:
        return {}
    graph = GraphProto(name="constants")
    graph.node.extend(nodes)
    wanted = {name for node in nodes for name in reads(node)}
    graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in wanted)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in extra.items())
    annotations = model.graph.quantization_annotation
    graph.quantization_annotation.extend(entry for entry in annotations if entry.tensor_name in wanted)
    proto = ModelProto(ir_version=10, graph=graph, opset_import=model.model.opset_import)
    proto.functions.extend(model.model.functions)
    context = execute_onnx(ModelWrapper(proto), {}, return_full_exec_context=True)
    return {name: context[name] for node in nodes for name in node.output if name}


def _store(model: ModelWrapper, results: dict[str, np.ndarray], made: list[str], inside: set[int]) -> None:
    """Make constants of the results that are still read, forget the others, and constants that nobody reads now."""
    unread = [name for name in made if name and not model.find_consumers(name)]
    for name in made:
        if name and name not in unread:
            kind = model.get_tensor_elem_type(name)
            value = results[name]
            narrow = kind == TensorProto.FLOAT and value.dtype == np.float64
            model.set_initializer(name, value.astype(np.float32) if narrow else value)
    dead = [t.name for t in model.graph.initializer if not model.find_consumers(t.name)]
    model.remove_tensors(unread + [name for name in dead if not model.is_graph_output(name)])
