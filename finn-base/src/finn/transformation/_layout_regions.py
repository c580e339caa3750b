"""From channels first to channels last, region by region: the procedural half of `channels_last`.

A region is a set of operators of one rank that can all compute with the channels last. Inside it nothing is transposed;
every tensor on its border is transposed once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, TypeProto, helper

from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._axes import Axes, Operand, call_of, moved_call
from finn.transformation._layout_rules import inverse, perm_of, to_first, to_last
from finn.transformation.general import SortGraph
from finn.transformation.rewrite import Call, NoMatch, TensorRef
from finn.transformation.standard_ops import opset_of


def node_perm(model: ModelWrapper, node: NodeProto) -> list[int] | None:
    """The perm of a Transpose; None for other operators and where the rank is not known."""
    if node.op_type != "Transpose" or node.domain:
        return None
    try:
        return perm_of(call_of(node), TensorRef.of(model, node.input[0]))
    except NoMatch:
        return None


def spread_channels_last(model: ModelWrapper) -> bool:
    """Let every operator that can, and that is connected with an operator of the channels-last domain through such
    operators, compute with the channels last. Returns whether some did not before.

    Transposes remain on the borders: at inputs and outputs of the graph, and at operators that are bound to their axes.
    """
    with model.trusted_index():
        plans = _region(model)
        if plans:
            _Mover(model, plans).move()
    return bool(plans)


@dataclass(frozen=True)
class Plan:
    """`node` is to become `moved`, which computes transpose(., inverse of perm) of what `node` computes."""

    node: NodeProto
    moved: Call
    perm: list[int]

    @staticmethod
    def of(model: ModelWrapper, node: NodeProto, perm: list[int]) -> Plan | None:
        """None if the operator is bound to its axes, or has outputs of another or unknown rank."""
        shapes = [model.get_tensor_shape(name) for name in node.output if name]
        if any(shape is None or len(shape) != len(perm) for shape in shapes):
            return None
        try:
            return Plan(node, moved_call(model, call_of(node), Axes.of_transpose(perm)), perm)
        except NoMatch:
            return None


def _region(model: ModelWrapper) -> dict[int, Plan]:
    """The operators that are to move."""
    waiting = deque(_seeds(model))
    seen, plans = set(waiting), dict[int, Plan]()
    while waiting:
        tensor = waiting.popleft()
        producer = model.find_producer(tensor)
        rank = len(model.get_tensor_shape(tensor) or ())
        for node in (*([producer] if producer is not None else ()), *model.find_consumers(tensor)):
            plan = Plan.of(model, node, to_first(rank)) if rank > 2 and id(node) not in plans else None
            if plan is None:
                continue
            plans[id(node)] = plan
            operands = [i.tensor for i in plan.moved.inputs if isinstance(i, Operand) and i.array is None]
            around = [t.name for t in operands if t.rank == rank] + [name for name in node.output if name]
            waiting.extend(name for name in around if name not in seen)
            seen.update(around)
    return plans


def _seeds(model: ModelWrapper) -> list[str]:
    """Channels-first tensors that only a Transpose separates from operators of the channels-last domain."""
    ends = {name for node in model.graph.node if node.domain == CHANNELS_LAST for name in (node.input[0], *node.output)}
    seeds = []
    for node in model.graph.node:
        perm = node_perm(model, node)
        if perm is None or len(perm) < 3:
            continue
        if perm == to_first(len(perm)) and node.input[0] in ends:
            seeds.append(node.output[0])
        if perm == to_last(len(perm)) and node.output[0] in ends:
            seeds.append(node.input[0])
    return seeds


def move_past_transpose(model: ModelWrapper, transpose: NodeProto, node: NodeProto) -> bool:
    """Let `node` read what `transpose` reads and transpose its outputs instead; other operands are transposed back.

    Returns False, with nothing changed, if the operator is bound to its axes.
    """
    perm = node_perm(model, transpose)
    plan = None if perm is None else Plan.of(model, node, perm)
    if plan is None:
        return False
    with model.trusted_index():
        _Mover(model, {id(node): plan}).move()
        if not model.find_consumers(transpose.output[0]) and not model.is_graph_output(transpose.output[0]):
            model.remove_node(transpose)
            model.remove_tensors([transpose.output[0]])
    return True


class _Mover:
    """Carries out plans. `twins` are the transposed forms of tensors."""

    def __init__(self, model: ModelWrapper, plans: dict[int, Plan]) -> None:
        self.model, self.plans = model, plans
        self.twins: dict[str, str] = {}
        self.constants: dict[str, str] = {}

    def move(self) -> None:
        plans = [self.plans[id(node)] for node in self.model.graph.node if id(node) in self.plans]
        perms = {name: plan.perm for plan in plans for name in plan.node.output if name}
        read = [name for plan in plans for name in plan.node.input if name]
        for name, perm in perms.items():
            self.twins[name] = transposed_tensor(self.model, name, inverse(perm))
        for plan in plans:
            self._replace(plan)
        for name, perm in perms.items():
            self._keep_for_others(name, perm)
        dead = [name for name in read if self.model.has_initializer(name)]
        self.model.remove_tensors([name for name in dict.fromkeys([*perms, *dead]) if self._is_unused(name)])

    def _is_unused(self, name: str) -> bool:
        model = self.model
        return model.find_producer(name) is None and not model.find_consumers(name) and not model.is_graph_output(name)

    def _replace(self, plan: Plan) -> None:
        node, moved = plan.node, plan.moved
        inputs = [self._input(item, plan) for item in moved.inputs]
        outputs = [self.twins.get(name, "") for name in node.output]
        new = helper.make_node(moved.op, inputs, outputs, node.name, domain=moved.domain, **moved.attributes)
        index = self.model.get_node_index(node) or 0
        self.model.insert_node(index, new)
        self.model.remove_node(node)

    def _input(self, item: Any, plan: Plan) -> str:
        if item is None:
            return ""
        if isinstance(item, TensorRef):
            return item.name
        if not isinstance(item, Operand):
            return self._new_constant(f"{plan.node.output[0]}_const", item)
        name = item.tensor.name
        if item.array is not None:
            if name not in self.constants:
                self.constants[name] = self._new_constant(f"{name}_moved", item.array)
                self.model.copy_annotations(name, self.constants[name])
            return self.constants[name]
        return self._twin(item.tensor, plan)

    def _new_constant(self, wish: str, array: np.ndarray) -> str:
        name = self.model.unique_tensor_name(wish)
        self.model.set_initializer(name, array)
        return name

    def _twin(self, tensor: TensorRef, plan: Plan) -> str:
        """The transposed form of a tensor, made in front of the reader if it does not exist yet."""
        if tensor.name not in self.twins:
            producer = self.model.find_producer(tensor.name)
            if producer is not None and node_perm(self.model, producer) == plan.perm:
                self.twins[tensor.name] = producer.input[0]
            else:
                back = inverse(plan.perm)
                source = self._with_rank(tensor, plan)
                twin = transposed_tensor(self.model, source, back)
                self._insert(plan.node, "Transpose", [source], twin, perm=back)
                self.twins[tensor.name] = twin
        return self.twins[tensor.name]

    def _with_rank(self, tensor: TensorRef, plan: Plan) -> str:
        """The tensor with leading axes of length 1, as broadcasting adds them."""
        missing = len(plan.perm) - tensor.rank
        if not missing:
            return tensor.name
        name = self.model.unique_tensor_name(f"{tensor.name}_unsqueezed")
        kind = type_of(self.model, tensor.name)
        if kind is not None:
            dims = list(kind.tensor_type.shape.dim)
            kind.CopyFrom(helper.make_tensor_type_proto(kind.tensor_type.elem_type, [1] * missing))
            kind.tensor_type.shape.dim.extend(dims)
            set_type(self.model, name, kind)
        self.model.set_tensor_datatype(name, tensor.datatype)
        if opset_of(self.model) < 13:
            self._insert(plan.node, "Unsqueeze", [tensor.name], name, axes=list(range(missing)))
        else:
            axes = self._new_constant(f"{name}_axes", np.arange(missing, dtype=np.int64))
            self._insert(plan.node, "Unsqueeze", [tensor.name, axes], name)
        return name

    def _insert(self, reader: NodeProto, op_type: str, inputs: list[str], output: str, **attributes: Any) -> None:
        node = helper.make_node(op_type, inputs, [output], f"{op_type}_{output}", **attributes)
        self.model.insert_node(self.model.get_node_index(reader) or 0, node)

    def _keep_for_others(self, name: str, perm: list[int]) -> None:
        """Make the old tensor again if something outside of the region reads it."""
        model, twin = self.model, self.twins[name]
        producer = model.find_producer(twin)
        if producer is None or not (model.find_consumers(name) or model.is_graph_output(name)):
            return
        node = helper.make_node("Transpose", [twin], [name], f"Transpose_{name}", perm=perm)
        model.insert_node((model.get_node_index(producer) or 0) + 1, node)


def transposed_tensor(model: ModelWrapper, name: str, perm: list[int]) -> str:
    """A new tensor name with shape, element type and annotations as transpose(name, perm) has them."""
    new = model.unique_tensor_name(f"{name}_{'channels_last' if perm == to_last(len(perm)) else 'transposed'}")
    kind, layout = type_of(model, name), model.get_tensor_layout(name)
    model.copy_annotations(name, new)
    if kind is not None:
        dims = list(kind.tensor_type.shape.dim)
        del kind.tensor_type.shape.dim[:]
        kind.tensor_type.shape.dim.extend(dims[i] for i in perm)
        set_type(model, new, kind)
    if layout:
        model.set_tensor_layout(new, [layout[i] for i in perm] if len(layout) == len(perm) else [])
    return new


def type_of(model: ModelWrapper, name: str) -> TypeProto | None:
    """A copy of the type of a tensor with its symbolic dimensions; None if its rank is not known."""
    info = model.get_tensor_valueinfo(name)
    if info is not None and info.type.tensor_type.HasField("shape"):
        kind = TypeProto()
        kind.CopyFrom(info.type)
        return kind
    shape = model.get_tensor_shape(name)
    return None if shape is None else helper.make_tensor_type_proto(model.get_tensor_elem_type(name), shape)


def set_type(model: ModelWrapper, name: str, kind: TypeProto) -> None:
    """Set element type and shape of a tensor, symbolic dimensions included."""
    model.set_tensor_shape(name, [], kind.tensor_type.elem_type)
    info = model.get_tensor_valueinfo(name)
    if info is not None:
        info.type.CopyFrom(kind)


# -------------------------------------------------------------------------------------------------------------- forks


def split_forks(
    model: ModelWrapper, op_types: Iterable[str], accepts: Callable[[NodeProto], bool] = lambda node: True
) -> bool:
    """Give every use of the first output of these operators an operator of its own; constant inputs are copied.

    accepts: which nodes of these types to split. The operator itself serves the graph output and the bodies of control
    flow, if they use it, else the first use.
    """
    changed = False
    with model.trusted_index():
        wanted = set(op_types)
        # From the end: a copy is one more reader of what it reads.
        for node in [n for n in model.graph.node if n.op_type in wanted and len(n.output) == 1][::-1]:
            uses = _uses(model, node.output[0])
            direct = {id(reader) for reader, _ in uses}
            captured = any(id(reader) not in direct for reader in model.find_consumers(node.output[0]))
            others = uses if captured or model.is_graph_output(node.output[0]) else uses[1:]
            for reader, position in others if others and accepts(node) else ():
                model.set_node_input(reader, position, _copied(model, node, reader))
                changed = True
    return changed


def _uses(model: ModelWrapper, name: str) -> list[tuple[NodeProto, int]]:
    readers = {id(reader): reader for reader in model.find_consumers(name)}.values()
    return [(reader, i) for reader in readers for i, read in enumerate(reader.input) if read == name]


def _copied(model: ModelWrapper, node: NodeProto, reader: NodeProto) -> str:
    """A copy of `node` in front of `reader`; returns its output."""
    new, output = NodeProto(), model.unique_tensor_name(f"{node.output[0]}_copy")
    new.CopyFrom(node)
    new.output[0], new.name = output, f"{node.name}_{output}" if node.name else ""
    model.copy_annotations(node.output[0], output)
    kind = type_of(model, node.output[0])
    if kind is not None:
        set_type(model, output, kind)
    for i, name in enumerate(node.input):
        value = model.get_initializer(name) if name else None
        if value is not None:
            new.input[i] = model.unique_tensor_name(f"{name}_copy")
            model.set_initializer(new.input[i], value)
            model.copy_annotations(name, new.input[i])
    model.insert_node(model.get_node_index(reader) or 0, new)
    return output


def merge_transposes(model: ModelWrapper) -> bool:
    """One Transpose for all that transpose a tensor in the same way; Transposes that nobody reads go."""
    changed = unsorted = False
    with model.trusted_index():
        found = [(node, perm) for node in model.graph.node if (perm := node_perm(model, node)) is not None]
        outer = [model.is_graph_output(node.output[0]) for node, _ in found]
        kept: dict[tuple[str, tuple[int, ...]], NodeProto] = {}
        for (node, perm), is_output in zip(found, outer, strict=True):
            if is_output:
                kept.setdefault((node.input[0], tuple(perm)), node)
        for node, perm in found:
            first = kept.setdefault((node.input[0], tuple(perm)), node)
            if first is not node:
                unsorted = unsorted or model.is_graph_output(first.output[0])  # it may stand behind the readers
                model.replace_uses(node.output[0], first.output[0])
        for (node, _), is_output in zip(found[::-1], outer[::-1], strict=True):
            if not is_output and not model.find_consumers(node.output[0]):
                model.remove_node(node)
                model.remove_tensors([node.output[0]])
                changed = True
    if unsorted:
        SortGraph().apply(model)
    return changed
