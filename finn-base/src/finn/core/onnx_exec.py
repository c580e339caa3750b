"""Execution of models: standard operators by onnxruntime, custom ones by NumPy, wide integers exactly.

A model is compiled once: runs of standard nodes become one onnxruntime session each, as long as the graph allows. The
compiled plan is kept by the content of the model, so that a second call starts at once. onnxruntime's graph
optimizations are off: the result of a node does not depend on its neighbours.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from google.protobuf.message import EncodeError, Message
from onnx import GraphProto, ModelProto, NodeProto, helper

from finn.core._plan import DEFAULT_OPSET, compile_plan
from finn.core._steps import CustomStep, FloatTypes, OrtStep, Plan
from finn.core.domains import is_custom_domain
from finn.core.errors import ConfigError, ExecutionError, ModelError, UnsupportedError, nearest
from finn.core.model_file import model_bytes
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.registry import getCustomOp, registrations

Precision = Literal["native", "float64"]
_CACHED_PLANS = 64
_CACHED_BYTES = 2**28  # of their models: a plan takes some four times as much, in constants and sessions

_SNAPSHOT_BYTES = 2**30

_plans: OrderedDict[bytes, tuple[Plan, int]] = OrderedDict()  # with the bytes of the model
_lock = threading.Lock()


@dataclass
class _Memo:
    """The plans of one wrapper, as long as its model equals the snapshot: to compare is faster than to hash."""

    snapshot: ModelProto
    plans: dict[str, Plan] = field(default_factory=dict)


_memos: WeakKeyDictionary[ModelWrapper, _Memo] = WeakKeyDictionary()


class CompiledModel:
    """A model that is ready to run many times; later changes of the model do not reach it.

    input_names, output_names: of the graph; constants are no inputs.
    """

    def __init__(self, plan: Plan, graph: GraphProto, return_full_exec_context: bool) -> None:
        self.input_names = list(plan.inputs)
        self.output_names = list(plan.outputs)
        self._plan, self._graph, self._full = plan, graph, return_full_exec_context

    def run(self, input_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As `execute_onnx`."""
        context = dict(self._plan.constants)
        context.update(_checked_inputs(self._plan, input_dict))
        for step in self._plan.steps:
            step.run(context, self._graph)
        if self._full:
            return context
        results = {name: context[name] for name in self._plan.outputs if name in context}
        return {n: a.copy() if a is self._plan.constants.get(n) else a for n, a in results.items()}


def compile_model(
    model: ModelWrapper, return_full_exec_context: bool = False, *, precision: Precision = "native"
) -> CompiledModel:
    """`model`, frozen and ready to run: `execute_onnx` without the check whether the model has changed since.

    Parameters and errors are those of `execute_onnx`.
    """
    plan = _compiled(model, return_full_exec_context, None, None, precision)
    frozen = GraphProto()
    frozen.CopyFrom(model.graph)
    return CompiledModel(plan, frozen, return_full_exec_context)


def execute_onnx(
    model: ModelWrapper,
    input_dict: Mapping[str, np.ndarray],
    return_full_exec_context: bool = False,
    start_node: NodeProto | None = None,
    end_node: NodeProto | None = None,
    *,
    precision: Precision = "native",
) -> dict[str, np.ndarray]:
    """Run `model` on {graph input: array}. Returns {graph output: array}, or every tensor with the full context
    (constants in it are read-only). An operator that sets attributes of its node while it runs sets them in `model`.

    start_node, end_node: run only the nodes from the one to the other, in the order of the graph; what they read and
    do not make has to be in input_dict, and other tensors of the model may be.
    precision: "native" computes in the declared types, except that integers (by annotation) beyond 2^24 are computed,
    and returned, in float64 or int64; "float64" computes everything in float64, the oracle for transformations.

    ExecutionError for missing or unknown inputs, wrong shapes, values outside an annotated integer type of a graph
    input, and for nodes that cannot run. If the model has a metadata property `exec_mode`, the distribution that
    provides this mode executes it, such as "rtlsim" of the compiler.
    """
    mode = model.get_metadata_prop("exec_mode")
    if mode:
        return _executed_elsewhere(model, input_dict, mode)
    plan = _compiled(model, return_full_exec_context, start_node, end_node, precision)
    return CompiledModel(plan, model.graph, return_full_exec_context).run(input_dict)


_MODES = {"rtlsim": "rtlsim_exec", "remote_pynq": "remote_exec"}


def _executed_elsewhere(model: ModelWrapper, input_dict: Mapping[str, np.ndarray], mode: str) -> dict[str, np.ndarray]:
    from finn.core import hooks  # late: entry points are looked up

    if mode not in _MODES:
        raise ConfigError(f"there is no exec_mode '{mode}'", remedy=nearest(mode, sorted(_MODES)))
    context = {name: value for name, value in model.make_empty_exec_context().items() if value is not None}
    context.update(input_dict)
    hooks.call(_MODES[mode], model, context)
    return {value.name: context[value.name] for value in model.graph.output}


def execute_onnx_and_make_model(model: ModelWrapper, input_dict: Mapping[str, np.ndarray]) -> ModelWrapper:
    """A copy of the model that holds the value of every tensor: as a constant and, if it is computed, as an output.

    An aid for debugging: look at the values in Netron.
    """
    values = execute_onnx(model, input_dict, return_full_exec_context=True)
    shown = copy.deepcopy(model)
    with shown.trusted_index():
        computed = [name for node in shown.graph.node for name in node.output if name]
        for name in computed:
            shown.set_initializer(name, values[name])
        returned = {value.name for value in shown.graph.output}
        infos = (shown.get_tensor_valueinfo(name) for name in computed if name not in returned)
        shown.graph.output.extend([info for info in infos if info is not None])
    return shown


def execute_onnx_float64(model: ModelWrapper, input_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`execute_onnx` in float64 throughout, by NumPy semantics."""
    return execute_onnx(model, input_dict, precision="float64")


def execute_node(
    node: NodeProto,
    context: MutableMapping[str, np.ndarray],
    graph: GraphProto,
    opset_version: int | None = None,
    return_full_exec_context: bool = False,
) -> None:
    """Run one node on `context`, in place. opset_version: of the standard domain, 11 if None."""
    if is_custom_domain(node.domain):
        CustomStep(getCustomOp(node), None).run(context, graph)
        return
    opset = DEFAULT_OPSET if opset_version is None else opset_version
    key = hashlib.blake2b(node.SerializeToString(deterministic=True) + b"@%d" % opset).digest()
    plan = _recall(key)
    if plan is None:
        outputs = [name for name in node.output if name]
        step = OrtStep([node], {}, [helper.make_opsetid("", opset)], outputs, FloatTypes())
        plan = Plan([step], {}, {}, [])
        _remember(key, plan, 0)
    plan.steps[0].run(context, graph)


def _all_close(x: np.ndarray, y: np.ndarray) -> bool:
    return x.shape == y.shape and bool(np.isclose(x, y, atol=1e-3).all())


def compare_execution(
    model_a: ModelWrapper,
    model_b: ModelWrapper,
    input_dict: Mapping[str, np.ndarray],
    compare_fxn: Callable[[np.ndarray, np.ndarray], bool] = _all_close,
) -> bool:
    """Whether both models give the same on input_dict: as many outputs, pairwise accepted by compare_fxn.

    The default wants equal shapes and values within 1e-3. If the input names of the models differ, inputs are matched
    by position.
    """
    results_a, results_b = (
        list(execute_onnx(model, _by_position(model, input_dict)).values()) for model in (model_a, model_b)
    )
    if len(results_a) != len(results_b):
        return False
    return all(bool(compare_fxn(a, b)) for a, b in zip(results_a, results_b, strict=True))


def _by_position(model: ModelWrapper, input_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [value.name for value in model.graph.input if not model.has_initializer(value.name)]
    if set(names) == set(input_dict) or len(names) != len(input_dict):
        return dict(input_dict)
    return dict(zip(names, input_dict.values(), strict=True))


# ------------------------------------------------------------------------------------------------------------- inputs


def _checked_inputs(plan: Plan, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    unknown = [name for name in given if name not in plan.inputs and name not in plan.spare]
    if unknown:
        raise ExecutionError(f"the model has no input '{unknown[0]}'", remedy=nearest(unknown[0], list(plan.inputs)))
    missing = [name for name in plan.inputs if name not in given]
    if missing:
        raise ExecutionError(
            f"input '{missing[0]}' is missing", remedy=f"give an array for each of: {', '.join(missing)}"
        )
    ports = plan.inputs
    return {n: ports[n].checked(array) if n in ports else np.asarray(array) for n, array in given.items()}


# -------------------------------------------------------------------------------------------------------------- cache


def _compiled(
    model: ModelWrapper, full: bool, start: NodeProto | None, end: NodeProto | None, precision: Precision
) -> Plan:
    first = 0 if start is None else _index(model, start, "start_node")
    last = len(model.graph.node) - 1 if end is None else _index(model, end, "end_node")
    variant = f"{full} {first} {last} {precision} {registrations()}"
    memo = _memos.get(model)
    if memo is not None and memo.snapshot == model.model and variant in memo.plans:
        return memo.plans[variant]
    key = _digest(model, variant)
    plan = _recall(key)
    if plan is None:
        whole = start is None and end is None
        inlined = _inlined(model)
        if not whole and inlined is not model:
            raise UnsupportedError(
                "a model with local functions cannot be run in parts",
                remedy="call onnx.inliner.inline_local_functions first",
            )
        nodes = list(inlined.graph.node)
        plan = compile_plan(inlined, nodes if whole else nodes[first : last + 1], whole, full, precision == "float64")
        _remember(key, plan, model_bytes(model.model))
    _memorise(model, variant, plan)
    return plan


def _inlined(model: ModelWrapper) -> ModelWrapper:
    """The model without local functions."""
    if not len(model.model.functions):
        return model
    import onnx.inliner  # late, since few models have functions

    return ModelWrapper(onnx.inliner.inline_local_functions(model.model))


def _memorise(model: ModelWrapper, variant: str, plan: Plan) -> None:
    memo = _memos.get(model)
    if memo is None or memo.snapshot != model.model:
        if model_bytes(model.model) > _SNAPSHOT_BYTES:
            return
        snapshot = ModelProto()
        snapshot.CopyFrom(model.model)
        memo = _memos[model] = _Memo(snapshot)
    memo.plans[variant] = plan


def _recall(key: bytes) -> Plan | None:
    with _lock:
        if key not in _plans:
            return None
        _plans.move_to_end(key)
        return _plans[key][0]


def _remember(key: bytes, plan: Plan, size: int) -> None:
    with _lock:
        _plans[key] = plan, size
        while len(_plans) > _CACHED_PLANS or (len(_plans) > 1 and sum(n for _, n in _plans.values()) > _CACHED_BYTES):
            _plans.popitem(last=False)


def _index(model: ModelWrapper, node: NodeProto, role: str) -> int:
    index = model.get_node_index(node)
    if index is None:
        raise ModelError(f"{role} '{node.name}' is not in the model")
    return index


def _digest(model: ModelWrapper, variant: str) -> bytes:
    """Identifies everything that the plan depends on, piecewise: a whole model may exceed protobuf's 2 GiB."""
    digest = hashlib.blake2b(variant.encode())
    graph, proto = model.graph, model.model
    for part in (
        graph.node, graph.input, graph.output, graph.value_info, graph.quantization_annotation,
        graph.initializer, graph.sparse_initializer, proto.opset_import, proto.functions,
    ):  # fmt: skip
        digest.update(b"%d|" % len(part))
        for message in part:
            data = _bytes(message)
            digest.update(b"%d:" % len(data))
            digest.update(data)
    return digest.digest()


def _bytes(message: Message) -> bytes:
    """The message, or what tells it apart if it is too large to be serialized: a tensor of more than 2 GiB."""
    try:
        return message.SerializeToString()
    except EncodeError:
        parts = [
            field.name.encode() + (v if isinstance(v, bytes) else str(v).encode()) for field, v in message.ListFields()
        ]
        return hashlib.blake2b(b"|".join(parts)).digest()
