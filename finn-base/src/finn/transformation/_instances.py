"""Draws instances of the left side of a rule, and computes models by ONNX's reference evaluator."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import numpy as np
import onnx
import onnx.checker
import onnx.shape_inference
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from finn.core.datatype import DataType
from finn.core.domains import GENERAL, is_custom_domain
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.custom_op.registry import getCustomOp
from finn.transformation.rewrite import Call, Example, Rule, Var

Values = dict[str, np.ndarray]

SIZES = {"n": 2, "c": 3, "h": 4, "k": 5, "m": 6, "t": 7}
"""What the letters in the shapes of an example stand for in its first instances; other letters stand for 3."""

DRAWS: tuple[tuple[float, ...], ...] = (
    tuple(range(-8, 8)),
    tuple(range(1, 8)),
    tuple(range(8)),
    tuple(range(-8, 1)),
    (0, 1),
    (-1, 1),
    (0.25, 0.5, 1, 2),
    (0,),
    (1,),
)
"""What constants are drawn from: either sign, both sides of usual guards, signs, powers of two, neutral elements."""
_SEVERAL = tuple(draw for draw in DRAWS if len(draw) > 1)
_FRACTIONS = tuple(float(x) for x in np.arange(-32, 32) / 4)

OPSETS = (13, 9, 11, 16, 18, onnx.defs.onnx_opset_version())
"""The first in which an example is valid is the usual one; later instances have any of them."""

_BROADCASTING = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mod"})


class ProofError(FinnError):
    """A rule whose sides differ, or that declines all its examples."""


class Known(Enum):
    """What the graph says about the shapes of an instance."""

    ALL = "all shapes known"
    SYMBOLIC = "the first axes symbolic"
    NONE = "no shapes known"


@dataclass(frozen=True)
class Instance:
    """A model that computes the left side of a rule, its inputs, and what it computes from them."""

    model: ModelWrapper
    inputs: Values
    results: Values
    conditions: str

    def __str__(self) -> str:
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.model.graph.initializer}
        return f"{self.inputs | constants}, {self.conditions}"


class Invalid(Exception):
    """What was drawn is no valid model."""


def instances(r: Rule, example: Example, rounds: int, opset: int | None) -> Iterator[Instance]:
    """`rounds` * 9 instances (or one for each op type of an `op.any_of`), less those that are no valid models.

    Each round draws constants from every set of DRAWS. The first has the usual sizes, the shapes as stated and all of
    them known; later rounds vary everything. ProofError if none of the first round can be computed.
    """
    reasons: list[Invalid] = []
    first = max(len(DRAWS), *(len(call.ops) for call in calls(r.pattern)))
    for seed in range(rounds * first):
        rng = np.random.default_rng([zlib.crc32(f"{r} {r.examples.index(example)}".encode()), seed])
        draw = _usual if seed < first else _varied
        try:
            yield draw(r, example, seed, rng, opset)
        except Invalid as error:
            reasons.append(error)
            if len(reasons) == first == seed + 1:
                what = f"the example cannot be computed: {reasons[0]}"
                raise ProofError(what, where=f"rule {r}", why=f"on {example}") from error


def _usual(r: Rule, example: Example, seed: int, rng: np.random.Generator, opset: int | None) -> Instance:
    values = _values(r, example, seed, rng, SIZES)
    reasons = []
    for version in OPSETS if opset is None else (opset,):
        try:
            return _instance(r, example, values, version, seed, Known.ALL)
        except Invalid as error:
            reasons.append(error)
    raise reasons[0]


def _varied(r: Rule, example: Example, seed: int, rng: np.random.Generator, opset: int | None) -> Instance:
    letters = {d for dims in example.shapes.values() for d in dims if not d.isdigit()}
    sizes = {d: int(rng.integers(1 + (d == "n"), 6)) for d in sorted(letters)}
    values = _values(r, example, seed, rng, sizes)
    version = int(rng.choice(OPSETS)) if opset is None else opset
    known = (Known.ALL, Known.ALL, Known.SYMBOLIC, Known.NONE)[int(rng.integers(4))]
    if rng.integers(4) == 0 and all(np.array_equal(v, np.rint(v)) for v in values.values()):
        values |= {name: v.astype(np.int64) for name, v in values.items() if name in example.shapes}
    instance = _instance(r, example, values, version, seed, known)
    other = _other_form(instance, example, seed, rng) if rng.integers(4) else None
    return instance if other is None else _instance(r, example, values | other, version, seed, known)


def _values(
    r: Rule, example: Example, seed: int, rng: np.random.Generator, sizes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Random values for the variables of an example, within their data types."""
    constants = _constants(r.pattern)
    values: Values = {}
    for name, dims in example.shapes.items():
        draw = _draw(seed) if name in constants else _FRACTIONS if rng.integers(4) else DRAWS[0]
        choices = _choices(example, name, draw)
        shape = [int(d) if d.isdigit() else sizes.get(d, 3) for d in dims]
        values[name] = rng.choice(choices, shape).astype(np.float64)
    for name in _indices(r.pattern) & values.keys():
        values[name] = values[name].astype(np.int64)
    return values | {name: np.asarray(value) for name, value in example.values.items()}


def _draw(seed: int) -> tuple[float, ...]:
    """What the constants of an instance are drawn from. All the same in the first round only."""
    return DRAWS[seed] if seed < len(DRAWS) else _SEVERAL[seed % len(_SEVERAL)]


def _choices(example: Example, name: str, draw: tuple[float, ...]) -> np.ndarray:
    """The numbers of `draw`, or all small integers of the data type that the example gives the variable."""
    if name not in example.datatypes:
        return np.asarray(draw)
    datatype = DataType[example.datatypes[name]]
    return np.asarray([v for v in range(-64, 64) if datatype.allowed(v)])


def _indices(pattern: Call) -> set[str]:
    """Variables at inputs that are integers by ONNX's definition, such as shapes and axes."""
    found = set()
    for call in calls(pattern):
        if not call.domain and onnx.defs.has(call.op):
            formals = onnx.defs.get_schema(call.op).inputs
            pairs = zip(call.inputs, formals, strict=False)
            found |= {item.name for item, f in pairs if isinstance(item, Var) and f.type_str == "tensor(int64)"}
    return found


def _other_form(instance: Instance, example: Example, seed: int, rng: np.random.Generator) -> Values | None:
    """One constant of an elementwise operator in another shape that broadcasts; None if there is none."""
    model = instance.model
    places = [
        (name, node.output[0])
        for node in model.graph.node
        for name in node.input
        if node.op_type in _BROADCASTING and not node.domain and model.has_initializer(name) and name in example.shapes
    ]
    if not places:
        return None
    name, output = places[int(rng.integers(len(places)))]
    full, kind = instance.results[output].shape, instance.results[name].dtype
    forms = [
        (),
        full[-1:],
        full,
        (1, *full),
        *((size, *[1] * (len(full) - axis - 1)) for axis, size in enumerate(full)),
    ]
    numbers = rng.choice(_choices(example, name, _draw(seed)), forms[int(rng.integers(len(forms)))])
    return None if kind.kind == "i" and np.any(numbers != np.rint(numbers)) else {name: numbers.astype(kind)}


def _constants(pattern: Call) -> set[str]:
    inputs = (item for call in calls(pattern) for item in call.inputs)
    return {item.name for item in inputs if isinstance(item, Var) and item.constant}


def calls(expression: Any) -> Iterator[Call]:
    """Every call of an expression, inputs before those that read them."""
    if isinstance(expression, Call):
        for item in expression.inputs:
            yield from calls(item)
        yield expression


# -------------------------------------------------------------------------------------------------------------- models


def _instance(r: Rule, example: Example, values: Values, opset: int, turn: int, known: Known) -> Instance:
    """The instance with these values. Invalid if it is no valid model."""
    model = example_model(r, values, opset, example, turn)
    inputs = {name: value for name, value in values.items() if not model.has_initializer(name)}
    try:
        check(model)
        results = evaluate(model, inputs)
        if any(result.size == 0 for result in results.values() if isinstance(result, np.ndarray)):
            raise Invalid("a tensor is empty")
    except Exception as error:  # the evaluator raises whatever NumPy raises
        raise Invalid(f"{type(error).__name__}: {error}") from error
    _note_shapes(model, results, known)
    attributes = {name: dict(given) for name, given in example.attributes.items()}
    return Instance(model, inputs, results, f"attributes {attributes}, opset {opset}, {known.value}")


def example_model(
    r: Rule, values: Mapping[str, np.ndarray], opset: int = 13, example: Example | None = None, turn: int = 0
) -> ModelWrapper:
    """A model that computes the pattern of the rule: constants from `values`, other variables as graph inputs.

    example: whose attributes and data types it has, the first by default. turn: chooses among alternative op types.
    """
    example = r.examples[0] if example is None else example
    constants = _constants(r.pattern)
    graph = GraphProto(name="example")
    nodes: list[NodeProto] = []
    # The pattern is read by one more node: a replacement may be one of its own inputs.
    value = _add_nodes(r.pattern, example, values, nodes, opset, turn)
    nodes.append(helper.make_node("Identity", [value], ["result"], "reader"))
    graph.node.extend(nodes)
    for name, array in values.items():
        if name not in constants:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, array.shape))
    graph.output.append(helper.make_tensor_value_info("result", TensorProto.UNDEFINED, None))
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(d, 1) for d in sorted({GENERAL} | {n.domain for n in nodes} - {""})]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=10))
    for name in values:
        if name in constants:
            model.set_initializer(name, values[name])
    for name, datatype in example.datatypes.items():
        model.set_tensor_datatype(name, DataType[datatype])
    return model


def _add_nodes(
    pattern: Any, example: Example, values: Mapping[str, np.ndarray], nodes: list[NodeProto], opset: int, turn: int
) -> str:
    """Add the nodes of a pattern; returns the name of its value."""
    if isinstance(pattern, Var):
        return str(pattern.name) if pattern.name in values else ""
    inputs = [_add_nodes(item, example, values, nodes, opset, turn) for item in pattern.inputs]
    attributes = dict(pattern.attributes)
    attributes |= example.attributes.get(pattern.node.name, {}) if pattern.node else {}
    op_type = pattern.ops[turn % len(pattern.ops)]
    domain = pattern.domain or ("" if onnx.defs.has(op_type) else GENERAL)
    if op_type == "MultiThreshold" and is_custom_domain(domain):
        attributes.setdefault("out_dtype", "FLOAT32")
    count = pattern.index + 1
    if not domain and onnx.defs.has(op_type, opset):
        count = max(count, onnx.defs.get_schema(op_type, opset).min_output)
    outputs: list[str] = [
        f"value_{len(nodes)}" if i == pattern.index else f"other_{len(nodes)}_{i}" for i in range(count)
    ]
    nodes.append(helper.make_node(op_type, inputs, outputs, f"{op_type}_{len(nodes)}", domain=domain, **attributes))
    return outputs[int(pattern.index)]


def _note_shapes(model: ModelWrapper, results: Values, known: Known) -> None:
    """Write what is known of the shapes, and the element types, into the graph."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = {value.name for value in graph.input}
    del graph.value_info[:], graph.input[:], graph.output[:]
    for name in (*inputs, *(name for node in graph.node for name in node.output)):
        shape: list[int | str] | None = list(results[name].shape)
        if known is Known.SYMBOLIC and shape:
            shape[0] = "batch"
        kind = helper.np_dtype_to_tensor_dtype(results[name].dtype)
        info = helper.make_tensor_value_info(name, kind, None if known is Known.NONE else shape)
        where = graph.input if name in inputs else graph.output if name == "result" else graph.value_info
        where.append(info)
    for name in sorted(constants):
        model.set_tensor_shape(name, list(results[name].shape), model.get_tensor_elem_type(name))


def check(model: ModelWrapper) -> None:
    """Raise what ONNX raises on nodes that are not valid, types included if all are standard."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version, context.opset_imports = model.model.ir_version, model.get_opset_imports()
    standard = [node for node in model.graph.node if not is_custom_domain(node.domain)]
    for node in standard:
        onnx.checker.check_node(node, context)
    if len(standard) == len(model.graph.node):
        onnx.shape_inference.infer_shapes(model.model, check_type=True, strict_mode=True)


def evaluate(model: ModelWrapper, inputs: Mapping[str, np.ndarray]) -> Values:
    """Every tensor of the model by ONNX's reference evaluator; custom operators by their own `execute_node`.

    Where the evaluator lacks an operator in this opset (QuantizeLinear before 19), onnxruntime computes all.
    """
    custom = {(node.domain, node.op_type) for node in model.graph.node if is_custom_domain(node.domain)}
    ops = [_adapter(*key, model.graph) for key in sorted(custom)] + [BatchNormalization]
    try:
        evaluator = ReferenceEvaluator(model.model, new_ops=ops)
    except (NotImplementedError, RuntimeError, ValueError):
        return execute_onnx(model, inputs, return_full_exec_context=True)
    return cast(Values, evaluator.run(None, dict(inputs), intermediate=True))


def _adapter(domain: str, op_type: str, graph: GraphProto) -> type[OpRun]:
    """A custom operator of this graph as the reference evaluator wants it."""

    def run(self: OpRun, *inputs: np.ndarray, **attributes: Any) -> tuple[np.ndarray, ...]:
        node: NodeProto = self.onnx_node
        context = {name: value for name, value in zip(node.input, inputs, strict=True) if name}
        getCustomOp(node).execute_node(context, graph)
        return tuple(context[name] for name in node.output)

    return type(op_type, (OpRun,), {"op_domain": domain, "_run": run})


class BatchNormalization(OpRun):
    """As ONNX defines it. The evaluator of onnx 1.22 takes the statistics of the batch in opsets before 14."""

    op_domain = ""

    def _run(
        self, x: np.ndarray, scale: np.ndarray, b: np.ndarray, mean: np.ndarray, var: np.ndarray, **attributes: Any
    ) -> tuple[np.ndarray, ...]:
        if attributes.get("training_mode"):
            raise NotImplementedError("training mode of BatchNormalization")
        scale, b, mean, var = (c.reshape(-1, *[1] * (x.ndim - 2)) for c in (scale, b, mean, var))
        return ((x - mean) / np.sqrt(var + attributes["epsilon"]) * scale + b,)
