"""Compilation of a model to the steps that `onnx_exec` runs."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from finn.core import exactness
from finn.core._control_flow import ControlFlowStep, has_custom_body
from finn.core._steps import CustomStep, FloatTypes, NumpyStep, OrtStep, Plan, Port, Step
from finn.core.domains import is_custom_domain
from finn.core.errors import FinnError, ModelError
from finn.core.index import has_bodies, reads
from finn.core.model_file import tensor_bytes
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import blaming, node_levels
from finn.custom_op.base import CustomOp
from finn.custom_op.expansion import Expansion
from finn.custom_op.registry import getCustomOp, imported_version

DEFAULT_OPSET = 11
_EXPANDED_FROM = 9  # the opset that has what expansions use
_SESSION_BYTES = 2**30  # of constants; beyond, they are fed to the sessions: protobuf ends at 2 GiB


def compile_plan(model: ModelWrapper, nodes: list[NodeProto], whole: bool, full: bool, float64: bool) -> Plan:
    """Compile `nodes` of `model`. whole: they are all of it; full: every tensor is wanted; float64: in NumPy."""
    with model.trusted_index():
        return _Compiler(model, nodes, whole, full, float64).plan()


class _Compiler:
    def __init__(self, model: ModelWrapper, nodes: list[NodeProto], whole: bool, full: bool, float64: bool) -> None:
        self.model, self.whole, self.full, self.float64 = model, whole, full, float64
        self.nodes = _sorted(model, nodes)
        self.tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self.imports = model.get_opset_imports()
        self.opset = self.imports.get("", DEFAULT_OPSET)
        standard = [o for o in model.model.opset_import if not is_custom_domain(o.domain) and o.domain != "ai.onnx"]
        self.opsets = [o for o in standard if o.domain] + [helper.make_opsetid("", self.opset)]
        self.exact = exactness.analyse(model, self.nodes)
        double = {n for n in model.get_all_tensor_names() if model.get_tensor_elem_type(n) == TensorProto.DOUBLE}
        self.types = FloatTypes(frozenset(self.exact.wide), frozenset(double - self.exact.wide))
        self.fed = self._too_large()
        self.expansions: dict[int, Expansion] = {}
        self.outputs = {value.name for value in model.graph.output}

    def plan(self) -> Plan:
        constants = self._constants()
        self._check_outputs()
        fixed = self._fixed_nodes()
        for step in self._steps([node for node in self.nodes if id(node) in fixed]):
            step.run(constants, self.model.graph)  # once, here: quantizers of weights need not run with every frame
        constants = {name: _read_only(value) for name, value in constants.items()}
        dynamic = [node for node in self.nodes if id(node) not in fixed]
        computed = {name: constants[name] for name in constants if name not in self.tensors}
        self._expand(dynamic, lambda name: computed.get(name, self.model.get_initializer(name)))
        self._bake(computed)
        steps = self._steps(dynamic)
        if not self.full:
            needed = self.outputs | {name for step in steps for name in step.inputs}
            constants = {name: value for name, value in constants.items() if name in needed}
        spare = frozenset() if self.whole else frozenset(self.model.get_all_tensor_names())
        return Plan(steps, constants, self._ports(), [value.name for value in self.model.graph.output], spare)

    def _check_outputs(self) -> None:
        made = {name for node in self.nodes for name in node.output}
        for value in self.model.graph.output if self.whole else ():
            if not (value.name in made or value.name in self.tensors or self.model.is_graph_input(value.name)):
                raise ModelError(
                    f"nothing computes the graph output '{value.name}'", remedy="let a node write it, or remove it"
                )

    def _too_large(self) -> set[str]:
        """The largest constants, so many that the others fit into sessions."""
        sizes = {name: tensor_bytes(tensor) for name, tensor in self.tensors.items()}
        total = sum(sizes.values())
        fed: set[str] = set()
        for name in sorted(sizes, key=lambda n: -sizes[n]):
            if total <= _SESSION_BYTES:
                break
            total -= sizes[name]
            fed.add(name)
        return fed

    def _fixed_nodes(self) -> set[int]:
        """Nodes that depend on nothing but constants."""
        constant = set(self.tensors)
        fixed = set()
        for node in self.nodes:
            inputs = reads(node)
            if all(name in constant for name in inputs) if inputs else node.op_type == "Constant":
                fixed.add(id(node))
                constant.update(node.output)
        return fixed

    def _bake(self, computed: dict[str, np.ndarray]) -> None:
        """Let sessions have what the fixed nodes made as constants, which onnxruntime prepares once."""
        left = _SESSION_BYTES - sum(map(tensor_bytes, self.tensors.values()))
        for name, value in computed.items():
            left -= value.nbytes
            if left > 0 and value.dtype.kind in "fiub":
                self.tensors[name] = numpy_helper.from_array(self.types.for_session(name, value), name)

    def _expand(self, nodes: list[NodeProto], value_of: Callable[[str], np.ndarray | None]) -> None:
        """Find the standard form of the custom nodes that have one here: float32 throughout."""
        custom = [node for node in nodes if is_custom_domain(node.domain)]
        if self.float64 or self.opset < _EXPANDED_FROM or not custom:
            return
        typed = _typed(self.model)
        with typed.trusted_index():
            for node in custom:
                dynamic = [name for name in node.input if name and value_of(name) is None]
                names = [*dynamic, *node.output]
                if any(n in self.types.wide or typed.get_tensor_elem_type(n) != TensorProto.FLOAT for n in names):
                    continue
                expansion = Expansion(node, typed, self.opset, value_of)
                with blaming(node, "written in standard operators"):
                    results = self._op(node).expand(expansion)
                if results is not None:
                    expansion.finish(results)
                    self.expansions[id(node)] = expansion

    def _steps(self, nodes: list[NodeProto]) -> list[Step]:
        steps: list[Step] = []
        for group in _grouped(nodes, self._is_session_node):
            if not self._is_session_node(group[0]):
                steps += [self._single(node) for node in group]
            elif leaving := self._leaving(group):
                steps.append(self._session(group, leaving))
        return steps

    def _session(self, group: list[NodeProto], leaving: list[str]) -> OrtStep:
        nodes: list[NodeProto] = []
        constants = {name: tensor for name, tensor in self.tensors.items() if name not in self.fed}
        for node in group:
            expansion = self.expansions.get(id(node))
            nodes += [node] if expansion is None else expansion.nodes
            constants.update({} if expansion is None else {tensor.name: tensor for tensor in expansion.constants})
        return OrtStep(nodes, constants, self.opsets, leaving, self.types, origin=group)

    def _single(self, node: NodeProto) -> Step:
        if self._needs_own_bodies(node):
            return ControlFlowStep(node, self.model, self._compile_body)
        if is_custom_domain(node.domain):
            types = None if self.float64 else self.types
            return CustomStep(self._op(copy.deepcopy(node)), types, self.model.get_node_index(node))
        dtype = self.exact.dtypes.get(id(node), np.float64)
        return NumpyStep(node, self.opset, dtype, self.types, narrow=not self.float64)

    def _op(self, node: NodeProto) -> CustomOp:
        return getCustomOp(node, imported_version(self.imports, node.domain))

    def _is_session_node(self, node: NodeProto) -> bool:
        if is_custom_domain(node.domain):
            return id(node) in self.expansions
        return not (self.float64 or id(node) in self.exact.dtypes or self._needs_own_bodies(node))

    def _needs_own_bodies(self, node: NodeProto) -> bool:
        return has_bodies(node) and (self.float64 or has_custom_body(node, is_custom_domain))

    def _compile_body(self, body: ModelWrapper) -> Plan:
        return compile_plan(body, list(body.graph.node), whole=True, full=False, float64=self.float64)

    def _leaving(self, group: list[NodeProto]) -> list[str]:
        """What has to come out of a session: what others read or the caller wants."""
        inside = {id(node) for node in group}
        made = [name for node in group for name in node.output if name]
        if self.full or not self.whole:
            return made
        others = {name for node in self.nodes if id(node) not in inside for name in reads(node)}
        return [name for name in made if name in self.outputs or name in others]

    def _constants(self) -> dict[str, np.ndarray]:
        names = set(self.tensors)
        if not self.full:
            read = {name for node in self.nodes if not self._is_session_node(node) for name in reads(node)}
            names &= read | self.outputs | self.fed
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


def _read_only(value: np.ndarray) -> np.ndarray:
    """A view that refuses writing: plans are kept, and serve every model with the same content."""
    view: np.ndarray = np.asarray(value).view()
    view.flags.writeable = False
    return view


def _typed(model: ModelWrapper) -> ModelWrapper:
    """The model, or a copy with inferred element types if some are missing and can be inferred."""
    names = [name for node in model.graph.node for name in (*node.input, *node.output) if name]
    if all(model.get_tensor_elem_type(name) for name in names):
        return model
    from finn.transformation.infer_shapes import InferShapes  # late: transformations build on execution

    try:
        return model.transform(InferShapes(), cleanup=False)
    except FinnError:
        return model  # less is expanded then


def _sorted(model: ModelWrapper, nodes: list[NodeProto]) -> list[NodeProto]:
    """`nodes` so that each comes after those it reads from."""
    level = {id(node): level for node, level in zip(model.graph.node, node_levels(model.graph), strict=True)}
    return sorted(nodes, key=lambda node: level[id(node)])


def _grouped(nodes: list[NodeProto], is_session_node: Callable[[NodeProto], bool]) -> list[list[NodeProto]]:
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
