"""Newer versions of the standard operators for a model that stays what it computes.

Between opsets 9 and 13 attributes became inputs, Softmax lost its flattening, Upsample became Resize and Scatter
ScatterElements (https://github.com/onnx/onnx/blob/main/docs/Changelog.md). onnx.version_converter knows these changes,
too, but loses the annotations of tensors and refuses models that do not import the domains of their custom operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper

from finn.core.domains import is_custom_domain
from finn.core.errors import UnsupportedError
from finn.core.index import subgraphs
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe

OLDEST_OPSET, NEWEST_OPSET = 9, 13
_IR_VERSION = 7  # of ONNX 1.8, which brought opset 13


@dataclass(frozen=True)
class _Moved:
    """Attributes that became inputs, in this order, with `since`; None: the element type is that of input 0."""

    since: int
    attributes: tuple[tuple[str, type[np.generic] | None], ...]


_MOVED = {
    "Clip": _Moved(11, (("min", None), ("max", None))),
    "Dropout": _Moved(12, (("ratio", np.float32),)),
    "Pad": _Moved(11, (("pads", np.int64), ("value", None))),
    "ReduceSum": _Moved(13, (("axes", np.int64),)),
    "Slice": _Moved(10, (("starts", np.int64), ("ends", np.int64), ("axes", np.int64))),
    "Split": _Moved(13, (("split", np.int64),)),
    "Squeeze": _Moved(13, (("axes", np.int64),)),
    "TopK": _Moved(10, (("k", np.int64),)),
    "Unsqueeze": _Moved(13, (("axes", np.int64),)),
}
_VECTORS = frozenset({"TopK"})  # a number that became a vector of one element


def raise_opset(model: ModelWrapper, version: int) -> bool:
    """Import the standard operators at `version` (10..13), if the model imports an older one, and adapt every node.

    Results stay the same, also in the bodies of control flow. Returns whether something changed. UnsupportedError, with
    the model as it was, for models older than opset 9, for newer versions than 13, and for a Resize or an Upsample
    whose scales are not constant or partly above and partly below 1.
    """
    current = model.get_opset_imports().get("", 1)
    if current >= version:
        return False
    if current < OLDEST_OPSET or version > NEWEST_OPSET:
        raise UnsupportedError(
            f"cannot raise a model of opset {current} to {version}",
            why=f"only the changes from {OLDEST_OPSET} to {NEWEST_OPSET} are known",
            remedy=f"export the model with opset {NEWEST_OPSET}",
        )
    step = _Step(model, current, version)
    graphs = list(_graphs(model.graph))
    adapted = [[step.adapted(node) for node in graph.node] for graph in graphs]
    for graph, nodes in zip(graphs, adapted, strict=True):
        for node, new in zip(list(graph.node), nodes, strict=True):
            if len(new) == 1 and new[0] is not node:
                node.CopyFrom(new[0])
        if any(len(new) > 1 for new in nodes):
            pairs = zip(list(graph.node), nodes, strict=True)
            _replace_nodes(graph, [n for node, new in pairs for n in ([node] if len(new) == 1 else new)])
    for name, value in step.constants.items():
        model.set_initializer(name, value)
    _import(model, version)
    model.model.ir_version = max(model.model.ir_version, _IR_VERSION)
    return True


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """`graph` and the bodies in it, inner ones first."""
    for node in graph.node:
        for body in subgraphs(node):
            yield from _graphs(body)
    yield graph


def _replace_nodes(graph: GraphProto, nodes: list[NodeProto]) -> None:
    copies = GraphProto()
    copies.node.extend(nodes)
    del graph.node[:]
    graph.node.extend(copies.node)


def _import(model: ModelWrapper, version: int) -> None:
    for entry in model.model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = version
            return
    model.set_opset_import("", version)


class _Step:
    """The nodes of one model at another version, which is only read; new constants gather in `constants`."""

    def __init__(self, model: ModelWrapper, current: int, version: int) -> None:
        self.model, self.current, self.version = model, current, version
        self.constants: dict[str, np.ndarray] = {}
        self._names: set[str] = set()

    def adapted(self, node: NodeProto) -> list[NodeProto]:
        """The node itself if nothing changed, or what takes its place."""
        if is_custom_domain(node.domain) or node.domain not in ("", "ai.onnx"):
            return [node]
        moved = _MOVED.get(node.op_type)
        if moved is not None and self._passes(moved.since):
            return [self._with_inputs(node, moved)]
        since, adapter = _REWRITTEN.get(node.op_type, (0, None))
        return adapter(self, node) if adapter is not None and self._passes(since) else [node]

    def _passes(self, since: int) -> bool:
        return self.current < since <= self.version

    def _with_inputs(self, node: NodeProto, moved: _Moved) -> NodeProto:
        values = _attributes(node)
        inputs = list(node.input)
        for name, dtype in moved.attributes:
            value = values.pop(name, None)
            kind = self._dtype_of(node.input[0]) if dtype is None else np.dtype(dtype)
            shaped = [value] if node.op_type in _VECTORS else value
            inputs.append("" if value is None else self.constant(f"{node.output[0]}_{name}", np.asarray(shaped, kind)))
        while inputs and not inputs[-1]:
            inputs.pop()
        return _like(node, node.op_type, inputs, values)

    def _dtype_of(self, tensor: str) -> np.dtype[Any]:
        kind = self.model.get_tensor_elem_type(tensor) or TensorProto.FLOAT
        return np.dtype(helper.tensor_dtype_to_np_dtype(kind))

    def fresh(self, wish: str) -> str:
        name, number = self.model.unique_tensor_name(wish), 0
        while name in self._names:
            number += 1
            name = self.model.unique_tensor_name(f"{wish}_{number}")
        self._names.add(name)
        return name

    def constant(self, wish: str, value: np.ndarray) -> str:
        """Names are derived from outputs, which no body uses twice: bodies may read the constants, too."""
        name = self.fresh(wish)
        self.constants[name] = value
        return name

    def softmax(self, node: NodeProto) -> list[NodeProto]:
        """Before opset 13 these operators saw a matrix: the axes before `axis`, and all others as one."""
        axis = _attributes(node).get("axis", 1)
        shape = self.model.get_tensor_shape(node.input[0])
        if axis == -1 or (shape is not None and axis == len(shape) - 1):
            return [_like(node, node.op_type, list(node.input), {"axis": -1})]
        x, out = node.input[0], node.output[0]
        matrix, result = (self.fresh(f"{out}_{what}") for what in ("matrix", "rows"))
        nodes = [
            helper.make_node("Flatten", [x], [matrix], axis=axis),
            helper.make_node(node.op_type, [matrix], [result], node.name, axis=1),
        ]
        if shape is not None and all(shape):
            dims = self.constant(f"{out}_shape", np.asarray(shape, np.int64))
        else:
            dims = self.fresh(f"{out}_shape")
            nodes.append(helper.make_node("Shape", [x], [dims]))
        return [*nodes, helper.make_node("Reshape", [result, dims], [out])]

    def resize(self, node: NodeProto) -> list[NodeProto]:
        """Upsample, and Resize of opset 10: x_old = x_new / scale, of the nearest the lower, to shrink the upper."""
        x, scales = node.input
        if self.version < 11:
            return [_like(node, "Resize", [x, scales], _attributes(node))]
        values = self.model.get_initializer(scales)
        if values is None or not (np.all(values >= 1) or np.all(values <= 1)):
            raise UnsupportedError(
                "its scales are not constant, or some enlarge and others shrink",
                where=f"node {describe(node)}",
                why=f"no {node.op_type} of opset {self.version} does the same",
                remedy=f"export the model with opset {self.version}",
            )
        nearest = "floor" if np.all(values >= 1) else "ceil"
        modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": nearest}
        roi = self.constant(f"{node.output[0]}_roi", np.zeros(0, np.float32))
        return [_like(node, "Resize", [x, roi, scales], _attributes(node) | modes)]

    def scatter(self, node: NodeProto) -> list[NodeProto]:
        return [_like(node, "ScatterElements", list(node.input), _attributes(node))]


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _like(node: NodeProto, op_type: str, inputs: list[str], attributes: dict[str, Any]) -> NodeProto:
    return helper.make_node(op_type, inputs, list(node.output), node.name or None, **attributes)


_Adapter = Callable[[_Step, NodeProto], list[NodeProto]]
_REWRITTEN: dict[str, tuple[int, _Adapter]] = {
    "Hardmax": (13, _Step.softmax),
    "LogSoftmax": (13, _Step.softmax),
    "Resize": (11, _Step.resize),
    "Scatter": (11, _Step.scatter),
    "Softmax": (13, _Step.softmax),
    "Upsample": (10, _Step.resize),
}
