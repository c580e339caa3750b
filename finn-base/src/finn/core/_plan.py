"""Compiled form of a model: what `onnx_exec` runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from onnx import GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, helper

from finn.core import exactness, numpy_ops
from finn.core.datatype import BaseDataType
from finn.core.domains import is_custom_domain
from finn.core.errors import ExecutionError, FinnError
from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe, node_levels
from finn.custom_op.registry import getCustomOp

Context = MutableMapping[str, np.ndarray]
_IR_VERSION = 10
_DEFAULT_OPSET = 11


class Step(Protocol):
    """Computes some tensors of the context from others."""

    def run(self, context: Context) -> None: ...


@dataclass(frozen=True)
class Port:
    """An input of the plan: shape (0: any; None: any rank), element type and data type it must have."""

    name: str
    shape: tuple[int, ...] | None
    dtype: np.dtype[np.generic] | None
    datatype: BaseDataType
    wide: bool
    float64: bool

    def checked(self, array: Any) -> np.ndarray:
        """The array in the type that the plan wants. ExecutionError if it does not fit."""
        array = np.asarray(array)
        if self.shape is not None and not _fits(array.shape, self.shape):
            wanted = ", ".join("?" if d == 0 else str(d) for d in self.shape)
            raise ExecutionError(f"input '{self.name}' has shape {list(array.shape)}, the model wants [{wanted}]")
        if self.datatype.is_integer() and array.dtype.kind in "fiub":
            inside = self.datatype.allowed(array if array.ndim else array.reshape(1))
            if not np.all(inside):
                bad = array.reshape(-1)[~np.asarray(inside).reshape(-1)][0]
                raise ExecutionError(f"input '{self.name}' has the value {bad}, which is no {self.datatype}")
        return self._converted(array)

    def _converted(self, array: np.ndarray) -> np.ndarray:
        if self.dtype is None or (array.dtype == self.dtype and not self.float64):
            return array
        if self.dtype.kind == "f":
            if self.wide and array.dtype.kind in "iu":
                return array.astype(np.int64)
            return array.astype(np.float64 if self.float64 or self.wide else self.dtype, copy=False)
        converted = array.astype(self.dtype)
        if array.dtype.kind in "fiu" and self.dtype.kind in "iu" and not np.array_equal(converted, array):
            raise ExecutionError(f"input '{self.name}' of type {array.dtype} does not fit {self.dtype}")
        return converted


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (0, d) for d, w in zip(shape, wanted, strict=True))


@dataclass(frozen=True)
class Plan:
    """Steps in order; constants they read; ports by name; names of the graph outputs."""

    steps: list[Step]
    constants: dict[str, np.ndarray]
    inputs: dict[str, Port]
    outputs: list[str]


@dataclass(frozen=True)
class FloatTypes:
    """wide: integer tensors that need float64 or int64; double: tensors that are float64 by declaration."""

    wide: frozenset[str] = frozenset()
    double: frozenset[str] = frozenset()

    def narrowed(self, name: str, array: np.ndarray) -> np.ndarray:
        """The array in float32 if it is float64 without a reason."""
        if array.dtype == np.float64 and name not in self.wide and name not in self.double:
            return array.astype(np.float32)
        return array


class OrtStep:
    """A run of standard nodes in one onnxruntime session, built when the types of its inputs are known."""

    def __init__(
        self,
        nodes: list[NodeProto],
        constants: Mapping[str, TensorProto],
        opsets: list[OperatorSetIdProto],
        outputs: list[str],
        types: FloatTypes,
    ) -> None:
        self.nodes = [_copy(node) for node in nodes]
        self.outputs, self.opsets, self.types = outputs, opsets, types
        made = {name for node in nodes for name in node.output}
        wanted = list(dict.fromkeys(name for node in nodes for name in reads(node) if name not in made))
        self.constants = [constants[name] for name in wanted if name in constants]
        self.inputs = [name for name in wanted if name not in constants]
        self._sessions: dict[tuple[np.dtype[np.generic], ...], ort.InferenceSession] = {}

    def run(self, context: Context) -> None:
        feeds = {name: self._entering(name, context) for name in self.inputs}
        dtypes = tuple(array.dtype for array in feeds.values())
        try:
            if dtypes not in self._sessions:
                self._sessions[dtypes] = self._build(feeds)
            results = self._sessions[dtypes].run(self.outputs, feeds)
        except Exception as error:  # onnxruntime's errors have no common base
            names = ", ".join(describe(node) for node in self.nodes[:6])
            more = f" and {len(self.nodes) - 6} more" if len(self.nodes) > 6 else ""
            raise ExecutionError(
                "onnxruntime refuses to run these nodes", where=f"{names}{more}", why=str(error).strip()
            ) from error
        context.update(zip(self.outputs, results, strict=True))

    def _entering(self, name: str, context: Context) -> np.ndarray:
        if name not in context:
            raise ExecutionError(f"tensor '{name}' has no value", where=f"node {describe(self.nodes[0])}")
        array = np.asarray(context[name])
        widened = array.dtype == np.float64 and name not in self.types.double
        return array.astype(np.float32) if widened or name in self.types.wide else array

    def _build(self, feeds: Mapping[str, np.ndarray]) -> ort.InferenceSession:
        graph = GraphProto(name="segment")
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.constants)
        for name, array in feeds.items():
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, None))
        for name in self.outputs:
            graph.output.add().name = name
        model = ModelProto(ir_version=_IR_VERSION, graph=graph, opset_import=self.opsets)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class CustomStep:
    """One custom node. types: None leaves outputs as the operator makes them."""

    def __init__(self, node: NodeProto, graph: GraphProto, types: FloatTypes | None) -> None:
        self.op = getCustomOp(_copy(node))
        self.graph, self.types = graph, types

    def run(self, context: Context) -> None:
        node = self.op.onnx_node
        try:
            with np.errstate(all="ignore"):
                self.op.execute_node(context, self.graph)
        except FinnError as error:
            error.where = error.where or f"node {describe(node)}"
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ExecutionError(
                f"cannot be computed: {type(error).__name__}", where=f"node {describe(node)}", why=str(error)
            ) from error
        if self.types is not None:
            for name in filter(None, node.output):
                context[name] = self.types.narrowed(name, context[name])


class NumpyStep:
    """One standard node by NumPy semantics, in `dtype`. narrow: round outputs that need not be wide to float32."""

    def __init__(self, node: NodeProto, opset: int, dtype: type[np.generic], types: FloatTypes, narrow: bool) -> None:
        self.node, self.opset, self.dtype = _copy(node), opset, dtype
        self.types, self.narrow = types, narrow
        index_output = {"ArgMax": 0, "TopK": 1}.get(node.op_type)
        self.indices = "" if index_output is None else node.output[index_output]

    def run(self, context: Context) -> None:
        inputs = [self._entering(name, context) if name else None for name in self.node.input]
        outputs = numpy_ops.run_node(self.node, inputs, self.opset)
        for name, array in zip(self.node.output, outputs, strict=False):
            if name:
                context[name] = self._leaving(name, array) if self.narrow and name != self.indices else array

    def _entering(self, name: str, context: Context) -> np.ndarray:
        if name not in context:
            raise ExecutionError(f"tensor '{name}' has no value", where=f"node {describe(self.node)}")
        array = context[name]
        return array.astype(self.dtype) if array.dtype.kind == "f" or name in self.types.wide else array

    def _leaving(self, name: str, array: np.ndarray) -> np.ndarray:
        if self.dtype is np.int64 and name not in self.types.wide:
            return array.astype(np.float32)
        return self.types.narrowed(name, array)


def _copy(node: NodeProto) -> NodeProto:
    return copy.deepcopy(node)


# ------------------------------------------------------------------------------------------------------- compilation


def compile_plan(model: ModelWrapper, nodes: list[NodeProto], whole: bool, full: bool, float64: bool) -> Plan:
    """Compile `nodes` of `model`. whole: they are all of it; full: every tensor is wanted; float64: in NumPy."""
    with model.trusted_index():
        return _Compiler(model, nodes, whole, full, float64).plan()


class _Compiler:
    def __init__(self, model: ModelWrapper, nodes: list[NodeProto], whole: bool, full: bool, float64: bool) -> None:
        self.model, self.whole, self.full, self.float64 = model, whole, full, float64
        self.nodes = _sorted(model, nodes)
        self.tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        imports = model.get_opset_imports()
        self.opset = imports.get("", _DEFAULT_OPSET)
        standard = [o for o in model.model.opset_import if not is_custom_domain(o.domain) and o.domain != "ai.onnx"]
        self.opsets = [o for o in standard if o.domain] + [helper.make_opsetid("", self.opset)]
        self.exact = exactness.analyse(model, self.nodes)
        double = {n for n in model.get_all_tensor_names() if model.get_tensor_elem_type(n) == TensorProto.DOUBLE}
        self.types = FloatTypes(frozenset(self.exact.wide), frozenset(double - self.exact.wide))

    def plan(self) -> Plan:
        outputs = [value.name for value in self.model.graph.output]
        constants = self._constants()
        fixed = self._fixed_nodes()
        for step in self._steps([node for node in self.nodes if id(node) in fixed], set(outputs)):
            step.run(constants)  # once, here: quantizers of weights need not run with every frame
        steps = self._steps([node for node in self.nodes if id(node) not in fixed], set(outputs))
        return Plan(steps, constants, self._ports(), outputs)

    def _fixed_nodes(self) -> set[int]:
        """Nodes that depend on nothing but constants."""
        constant = set(self.tensors)
        fixed = set()
        for node in self.nodes:
            inputs = reads(node)
            if inputs and all(name in constant for name in inputs):
                fixed.add(id(node))
                constant.update(node.output)
        return fixed

    def _steps(self, nodes: list[NodeProto], outputs: set[str]) -> list[Step]:
        groups = _grouped(nodes, self._is_session_node)
        steps: list[Step] = []
        for group in groups:
            if self._is_session_node(group[0]):
                steps.append(OrtStep(group, self.tensors, self.opsets, self._leaving(group, outputs), self.types))
            else:
                steps += [self._single(node) for node in group]
        return [step for step in steps if not isinstance(step, OrtStep) or step.outputs]

    def _single(self, node: NodeProto) -> Step:
        if is_custom_domain(node.domain):
            return CustomStep(node, self.model.graph, None if self.float64 else self.types)
        dtype = self.exact.dtypes.get(id(node), np.float64)
        return NumpyStep(node, self.opset, dtype, self.types, narrow=not self.float64)

    def _is_session_node(self, node: NodeProto) -> bool:
        return not (self.float64 or is_custom_domain(node.domain) or id(node) in self.exact.dtypes)

    def _leaving(self, group: list[NodeProto], outputs: set[str]) -> list[str]:
        """What has to come out of a session: what others read or the caller wants."""
        inside = {id(node) for node in group}
        made = [name for node in group for name in node.output if name]
        if self.full or not self.whole:
            return made
        others = {name for node in self.nodes if id(node) not in inside for name in reads(node)}
        return [name for name in made if name in outputs or name in others]

    def _constants(self) -> dict[str, np.ndarray]:
        names = set(self.tensors)
        if not self.full:
            read = {name for node in self.nodes if not self._is_session_node(node) for name in reads(node)}
            names &= read | {value.name for value in self.model.graph.output}
        arrays = {name: np.asarray(self.model.get_initializer(name)) for name in names}
        if not self.float64:
            return arrays
        return {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in arrays.items()}

    def _ports(self) -> dict[str, Port]:
        made = {name for node in self.nodes for name in node.output}
        read = dict.fromkeys(name for node in self.nodes for name in reads(node) if name not in made)
        names = [value.name for value in self.model.graph.input] if self.whole else list(read)
        return {name: self._port(name) for name in names if name not in self.tensors}

    def _port(self, name: str) -> Port:
        shape = self.model.get_tensor_shape(name)
        kind = self.model.get_tensor_elem_type(name)
        return Port(
            name=name,
            shape=None if shape is None else tuple(shape),
            dtype=helper.tensor_dtype_to_np_dtype(kind) if kind else None,
            datatype=self.model.get_tensor_datatype(name),
            wide=name in self.exact.wide,
            float64=self.float64,
        )


def _sorted(model: ModelWrapper, nodes: list[NodeProto]) -> list[NodeProto]:
    """`nodes` so that each comes after those it reads from."""
    level = {id(node): level for node, level in zip(model.graph.node, node_levels(model.graph), strict=True)}
    return sorted(nodes, key=lambda node: level[id(node)])


def _grouped(nodes: list[NodeProto], is_session_node: Any) -> list[list[NodeProto]]:
    """Order `nodes` into as few alternating groups of session nodes and others as a greedy walk finds."""
    writer = {name: node for node in nodes for name in node.output if name}
    missing = {id(node): {id(writer[n]) for n in reads(node) if n in writer} for node in nodes}
    readers: dict[int, list[NodeProto]] = {}
    for node in nodes:
        for above in missing[id(node)]:
            readers.setdefault(above, []).append(node)
    queues: dict[bool, list[NodeProto]] = {True: [], False: []}
    for node in nodes:
        if not missing[id(node)]:
            queues[is_session_node(node)].append(node)
    groups: list[list[NodeProto]] = []
    kind = False  # custom nodes on constants first: the weight quantizers
    while queues[True] or queues[False]:
        group = queues[kind]
        for node in group:  # grows while it is walked
            for reader in readers.get(id(node), ()):
                missing[id(reader)].discard(id(node))
                if not missing[id(reader)]:
                    queues[is_session_node(reader)].append(reader)
        queues[kind] = []
        if group:
            groups.append(group)
        kind = not kind
    return groups
