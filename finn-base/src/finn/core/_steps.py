"""What a compiled model consists of: checked inputs, and steps that compute some tensors from others."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnx.defs
from onnx import GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, helper

from finn.core import numpy_ops
from finn.core.datatype import BaseDataType
from finn.core.errors import ExecutionError
from finn.core.index import reads
from finn.core.model_file import tensor_bytes
from finn.core.tidy import blaming, describe
from finn.custom_op.base import CustomOp

if TYPE_CHECKING:
    import onnxruntime as ort

Context = MutableMapping[str, np.ndarray]
IR_VERSION = 10
_OLD_OPSET = 21  # every onnxruntime since 1.20 has it
_SMALL_BYTES = 2**20  # constants of a session that is too small to gain from several threads


class Step(Protocol):
    """Computes some tensors of the context from others. inputs: those it reads from the context."""

    @property
    def inputs(self) -> list[str]: ...

    def run(self, context: Context, graph: GraphProto) -> None: ...


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
        number = array.dtype.kind in "fiubO" or np.can_cast(array.dtype, self.dtype, "same_kind")
        if not number and self.dtype.kind != "O":
            raise ExecutionError(f"input '{self.name}' is of type {array.dtype}, the model wants {self.dtype}")
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
    """Steps in order; constants they read, which nobody can write to; ports by name; names of the graph outputs.

    spare: tensors that may be given as well, though nothing reads them, since only a part of the model is run.
    """

    steps: list[Step]
    constants: dict[str, np.ndarray]
    inputs: dict[str, Port]
    outputs: list[str]
    spare: frozenset[str] = frozenset()


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

    def for_session(self, name: str, array: np.ndarray) -> np.ndarray:
        """The array in the type that onnxruntime is to have: wide integers are float32 by declaration."""
        return array.astype(np.float32) if name in self.wide else array


class OrtStep:
    """A run of standard nodes in one onnxruntime session, built when the types of its inputs are known.

    origin: the nodes of the model that it computes, for messages.
    """

    def __init__(
        self,
        nodes: list[NodeProto],
        constants: Mapping[str, TensorProto],
        opsets: list[OperatorSetIdProto],
        outputs: list[str],
        types: FloatTypes,
        origin: list[NodeProto] | None = None,
    ) -> None:
        self.nodes = [_copy(node) for node in nodes]
        _drop_repeated_names(self.nodes)
        self.origin = self.nodes if origin is None else [_copy(node) for node in origin]
        self.outputs, self.opsets, self.types = outputs, opsets, types
        made = {name for node in nodes for name in node.output}
        wanted = list(dict.fromkeys(name for node in nodes for name in reads(node) if name not in made))
        self.constants = [constants[name] for name in wanted if name in constants]
        self.inputs = [name for name in wanted if name not in constants]
        self._sessions: dict[tuple[np.dtype[np.generic], ...], ort.InferenceSession] = {}

    def run(self, context: Context, graph: GraphProto) -> None:
        feeds = {name: self._entering(name, context) for name in self.inputs}
        dtypes = tuple(array.dtype for array in feeds.values())
        try:
            if dtypes not in self._sessions:
                self._sessions[dtypes] = self._build(feeds)
            results = self._sessions[dtypes].run(self.outputs, feeds)
        except Exception as error:  # onnxruntime's errors have no common base
            names = ", ".join(describe(node) for node in self.origin[:6])
            more = f" and {len(self.origin) - 6} more" if len(self.origin) > 6 else ""
            raise ExecutionError(
                "onnxruntime refuses to run these nodes", where=f"{names}{more}", why=str(error).strip()
            ) from error
        context.update(zip(self.outputs, results, strict=True))

    def _entering(self, name: str, context: Context) -> np.ndarray:
        if name not in context:
            raise ExecutionError(f"tensor '{name}' has no value", where=f"node {describe(self.origin[0])}")
        return self.types.for_session(name, np.asarray(context[name]))

    def _build(self, feeds: Mapping[str, np.ndarray]) -> ort.InferenceSession:
        import onnxruntime as ort  # late, since reading and editing models does not need it

        graph = GraphProto(name="segment")
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.constants)
        for name, array in feeds.items():
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, None))
        for name in self.outputs:
            graph.output.add().name = name
        model = ModelProto(ir_version=IR_VERSION, graph=graph, opset_import=self._loadable_opsets())
        options = ort.SessionOptions()
        weight = sum(map(tensor_bytes, self.constants))
        options.intra_op_num_threads = 1 if weight < _SMALL_BYTES else os.cpu_count() or 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads burn shared cores
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def _loadable_opsets(self) -> list[OperatorSetIdProto]:
        """The versions of the model, but none newer than onnxruntime has: most operators have not changed since."""
        if all(entry.domain or entry.version <= _OLD_OPSET for entry in self.opsets):
            return self.opsets
        newest = newest_opset()
        return [
            helper.make_opsetid(entry.domain, entry.version if entry.domain else min(entry.version, newest))
            for entry in self.opsets
        ]


@cache
def newest_opset() -> int:
    """The newest version of ONNX's operators that onnxruntime loads."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    for version in range(onnx.defs.onnx_opset_version(), _OLD_OPSET, -1):
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [])
        graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [value])
        graph.output[0].name = "y"
        probe = ModelProto(ir_version=IR_VERSION, graph=graph, opset_import=[helper.make_opsetid("", version)])
        try:
            ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception:  # noqa: BLE001  # onnxruntime's errors have no common base
            continue
        return version
    return _OLD_OPSET


def _drop_repeated_names(nodes: list[NodeProto]) -> None:
    """Nodes need no names, but onnxruntime refuses two of the same name."""
    seen: set[str] = set()
    for node in nodes:
        if node.name in seen:
            node.ClearField("name")
        seen.add(node.name)


class CustomStep:
    """One custom node. types: None leaves outputs as the operator makes them.

    place: the index of the node in the graph. What the operator notes in attributes while it runs, such as the cycles
    of a simulation, is written there; the step itself stays as it was compiled.
    """

    def __init__(self, op: CustomOp, types: FloatTypes | None, place: int | None = None) -> None:
        self.op, self.types, self.place = op, types, place
        self.inputs = reads(op.onnx_node)
        self._compiled = _copy(op.onnx_node)

    def run(self, context: Context, graph: GraphProto) -> None:
        node = self.op.onnx_node
        with blaming(node, "computed"), np.errstate(all="ignore"):
            self.op.execute_node(context, graph)
        if node != self._compiled and self.place is not None:
            if self.place < len(graph.node) and graph.node[self.place] == self._compiled:
                graph.node[self.place].CopyFrom(node)
            node.CopyFrom(self._compiled)
        missing = [name for name in node.output if name and name not in context]
        if missing:
            raise ExecutionError(f"its operator has not computed '{missing[0]}'", where=f"node {describe(node)}")
        if self.types is not None:
            for name in filter(None, node.output):
                context[name] = self.types.narrowed(name, context[name])


class NumpyStep:
    """One standard node by NumPy semantics, in `dtype`. narrow: round outputs that need not be wide to float32."""

    def __init__(self, node: NodeProto, opset: int, dtype: type[np.generic], types: FloatTypes, narrow: bool) -> None:
        self.node, self.opset, self.dtype = _copy(node), opset, dtype
        self.types, self.narrow = types, narrow
        self.inputs = reads(node)
        index_output = {"ArgMax": 0, "TopK": 1}.get(node.op_type)
        self.indices = "" if index_output is None else node.output[index_output]

    def run(self, context: Context, graph: GraphProto) -> None:
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
