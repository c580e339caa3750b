"""Puts the replacement of an expression into the graph."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper

from finn.core.datatype import BaseDataType
from finn.core.domains import CHANNELS_LAST, GENERAL, is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.registry import getCustomOp
from finn.transformation.infer_shapes import infer_node_types
from finn.transformation.rewrite._patterns import Call, Constant, NoMatch, TensorRef, require

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16})
_NUMBERS = (bool, int, float)
_CONSTANTS = (np.ndarray, np.generic, list, tuple, *_NUMBERS)


class Editor:
    """Replaces expressions of one model. What is left without a reader goes in `finish`, all at once."""

    def __init__(self, model: ModelWrapper) -> None:
        self._model = model
        self._names = _Names(model)
        self._unread: dict[str, None] = {}

    def replace(self, nodes: list[NodeProto], output: str, replacement: Any, dry: bool = False) -> list[str]:
        """Let `output`, which the first of the nodes writes, be the value of the replacement, and drop the nodes.

        Returns the tensors near which other patterns may fit now. dry: only see whether it can be done. NoMatch, with
        the graph as it was, if it cannot; TypeError if the replacement is no expression.
        """
        _check_replaceable(self._model, output, replacement)
        builder = _Builder(self._model, self._names, output)
        done = False
        try:
            result = builder.expand(replacement, output)
            done = not dry
        finally:
            if not done:
                builder.undo()
        return self._commit(builder, nodes, output, result) if done else []

    def _commit(self, builder: _Builder, nodes: list[NodeProto], output: str, result: str) -> list[str]:
        model = self._model
        index = model.get_node_index(nodes[0]) or 0
        border = list(dict.fromkeys(name for node in nodes for name in node.input if name))
        for node in nodes:
            model.remove_node(node)
        first = min(index - len(nodes) + 1, len(model.graph.node))
        for offset, node in enumerate(builder.nodes):
            model.insert_node(first + offset, node)
        if result != output:
            self._rewire(output, result)
        inner = [name for node in nodes for name in node.output if name and name != output]
        unread = [name for name in border if model.has_initializer(name) and not model.find_consumers(name)]
        self._unread |= dict.fromkeys(inner + unread)
        # A node that lost another reader of its operand may match now.
        freed = [name for name in border if not model.has_initializer(name) and len(model.find_consumers(name)) < 2]
        return list(dict.fromkeys([*builder.made, *freed, output, result]))

    def _rewire(self, output: str, result: str) -> None:
        """Let the tensor `result`, which exists already, stand for `output`."""
        model = self._model
        if not model.is_graph_output(output):
            model.replace_uses(output, result)
            self._unread[output] = None
            return
        producer = model.find_producer(result)
        if producer is not None:
            model.set_node_output(producer, list(producer.output).index(result), output)
            model.replace_uses(result, output)
            self._unread[result] = None

    def finish(self) -> None:
        """Forget the tensors that nothing makes or reads any more."""
        model = self._model
        dead = {name for name in self._unread if not (model.find_consumers(name) or model.is_graph_output(name))}
        dead -= {name for name in dead if model.find_producer(name) is not None}
        # in the order of the graph, where the index finds each next to the one before
        known = [t.name for t in model.graph.initializer] + list(self._unread)
        model.remove_tensors([name for name in dict.fromkeys(known) if name in dead])


def _check_replaceable(model: ModelWrapper, output: str, replacement: Any) -> None:
    """NoMatch if `output` cannot become the value of the replacement. TypeError if that is no expression."""
    if replacement is None or not isinstance(replacement, (Call, TensorRef, Constant, *_CONSTANTS)):
        raise TypeError(f"it returned {type(replacement).__name__}, want a call, a tensor or a constant")
    if isinstance(replacement, Call):
        return
    captured = [n for n in model.find_consumers(output) if output not in n.input]
    require(not captured, f"'{output}' is read by the body of a control flow operator")
    if not model.is_graph_output(output):
        return
    require(isinstance(replacement, TensorRef), f"the graph output '{output}' would become a constant")
    source = replacement.name if isinstance(replacement, TensorRef) else ""
    computed = model.find_producer(source) is not None
    require(computed, f"the graph output '{output}' would be a graph input or a constant")
    require(not model.is_graph_output(source), f"the graph outputs '{source}' and '{output}' would be the same")


class _Names:
    """Names for new tensors: that of the original tensor they help to compute, and what makes them."""

    def __init__(self, model: ModelWrapper) -> None:
        self._model = model
        self._origins: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    def fresh(self, near: str, what: str) -> str:
        """A name that no tensor has. It stays short where rewrites pile up: `near` may be a fresh name, too."""
        origin = self._origins.get(near, near)
        wish = f"{origin}_{what}"
        number = self._numbers.get(wish, 0)
        while self._model.unique_tensor_name(name := f"{wish}_{number}" if number else wish) != name:
            number += 1
        self._numbers[wish] = number + 1
        self._origins[name] = origin
        return name


class _Builder:
    """Nodes and constants of one replacement. Only tensors, under new names, and domains are added to the model."""

    def __init__(self, model: ModelWrapper, names: _Names, output: str) -> None:
        self._model, self._names, self._output = model, names, output
        self._opset = model.get_opset_imports().get("", 11)
        self.made: list[str] = []
        self.nodes: list[NodeProto] = []
        self._imports = len(model.model.opset_import)

    def undo(self) -> None:
        """Take away what was added to the model."""
        self._model.remove_tensors(self.made)
        del self._model.model.opset_import[self._imports :]

    def expand(self, expression: Any, output: str = "") -> str:
        """Add what an expression needs; returns the name of its value. output: the name that a call has to give it."""
        if expression is None:
            return ""
        if isinstance(expression, TensorRef):
            return expression.name
        if isinstance(expression, Call):
            return self._call(expression, output)
        kind = self._model.get_tensor_elem_type(self._output)
        return self._constant(expression, kind if kind in _FLOATS else TensorProto.FLOAT)

    def _call(self, call: Call, output: str) -> str:
        domain = call.domain or ("" if onnx.defs.has(call.op) else GENERAL)
        schema = None if domain else _schema(call.op, self._opset)
        if not domain:
            _check_legal(call, schema, self._opset)
        inputs = ["" if _is_plain(item) else self.expand(item) for item in call.inputs]
        for position, item in enumerate(call.inputs):
            if _is_plain(item):
                kind = self._kind_beside(schema, position, inputs)
                inputs[position] = self._constant(item, kind, keep=schema is None)
        outputs = self._outputs(call, schema, output)
        attributes = {name: value for name, value in call.attributes.items() if value is not None}
        title = call.name or f"{call.op}_{self.made[-1] if self.made else self._output}"
        node = helper.make_node(call.op, inputs, outputs, title, domain=domain, **attributes)
        if domain and not call.domain:
            getCustomOp(node)  # a name that nobody defines is an error here, not when the model runs
        self._import(domain)
        self._note_types(node, output)
        if call.datatype is not None:
            self._model.set_tensor_datatype(outputs[call.index], call.datatype)
        self.nodes.append(node)
        return outputs[call.index]

    def _import(self, domain: str) -> None:
        """Operators with the channels last have the versions of those of ONNX."""
        if is_custom_domain(domain) and domain not in self._model.get_opset_imports():
            self._model.set_opset_import(domain, self._opset if domain == CHANNELS_LAST else 1)

    def _outputs(self, call: Call, schema: Any, output: str) -> list[str]:
        count = max(call.index + 1, 1 if schema is None else schema.min_output)
        return [output if output and i == call.index else self._fresh(call.op) for i in range(count)]

    def _note_types(self, node: NodeProto, output: str) -> None:
        """Record what can be told of the new tensors; `output` keeps its own."""
        new = [name for name in node.output if name != output]
        kinds = infer_node_types(self._model, node) if new else {}
        for name in new:
            kind = kinds.get(name)
            if kind is not None and kind.tensor_type.HasField("shape"):
                self._model.set_tensor_shape(name, [], kind.tensor_type.elem_type)
                info = self._model.get_tensor_valueinfo(name)
                if info is not None:
                    info.type.CopyFrom(kind)

    def _fresh(self, what: str) -> str:
        name = self._names.fresh(self._output, what)
        self.made.append(name)
        return name

    def _constant(self, value: Any, kind: int, keep: bool = False) -> str:
        datatype: BaseDataType | None = None
        if isinstance(value, Constant):
            value, datatype = value.value, value.datatype
        array = np.asarray(value)
        if isinstance(value, _NUMBERS) or (array.dtype == np.float64 and not keep):
            array = _as_operand(array, kind)
        name = self._fresh("const")
        self._model.set_initializer(name, array)
        if datatype is not None:
            self._model.set_tensor_datatype(name, datatype)
        return name

    def _kind_beside(self, schema: Any, position: int, inputs: list[str]) -> int:
        """The element type that a number gets: that of the operands which the operator wants to have the same."""
        formal = None if schema is None else _formal(schema, position)
        if formal is not None and formal.startswith("tensor("):
            return _ELEMENT_TYPES.get(formal, TensorProto.FLOAT)
        for i, name in enumerate(inputs):
            if name and (schema is None or _formal(schema, i) == formal):
                kind = self._model.get_tensor_elem_type(name)
                if kind and (schema is not None or kind in _FLOATS):
                    return kind
        kind = self._model.get_tensor_elem_type(self._output)
        return kind if kind in _FLOATS else TensorProto.FLOAT


_ELEMENT_TYPES = {f"tensor({name.lower()})": kind for name, kind in TensorProto.DataType.items()}


@lru_cache(maxsize=1024)
def _schema(op_type: str, opset: int) -> Any:
    """ONNX's definition of an operator, None if this opset has none."""
    try:
        return onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return None


def _check_legal(call: Call, schema: Any, opset: int) -> None:
    """Decline what the opset of the model does not have."""
    require(schema is not None, f"opset {opset} has no {call.op}")
    count, least, most = len(call.inputs), schema.min_input, schema.max_input
    require(least <= count <= most, f"{call.op} has {least} to {most} inputs in opset {opset}, not {count}")
    for name, value in call.attributes.items():
        require(value is None or name in schema.attributes, f"{call.op} has no attribute {name} in opset {opset}")


def _formal(schema: Any, position: int) -> str | None:
    """The type, or type variable, of an input."""
    formal = schema.inputs[min(position, len(schema.inputs) - 1)] if schema.inputs else None
    return None if formal is None else str(formal.type_str)


def _is_plain(item: Any) -> bool:
    """Whether an input of a call is a constant, or not an expression at all (which `_constant` refuses)."""
    return item is not None and not isinstance(item, Call | TensorRef)


def _as_operand(array: np.ndarray, kind: int) -> np.ndarray:
    """The constant in the element type of the tensors around it, unless that would change integers.

    NoMatch for fractions among integers.
    """
    narrow = array.astype(helper.tensor_dtype_to_np_dtype(kind))
    if np.array_equal(narrow, array):
        return narrow
    if kind not in _FLOATS:
        raise NoMatch(f"{array.reshape(-1)[:4].tolist()} cannot be {TensorProto.DataType.Name(kind)}")
    whole = array.dtype.kind in "iu" or bool(np.all(np.trunc(array) == array))
    return array if whole else narrow
