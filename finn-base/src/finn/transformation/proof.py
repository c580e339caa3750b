"""One proof for every rewrite rule: both sides are executed in float64 on the rule's own examples."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx.defs
from onnx import GraphProto, NodeProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.domains import GENERAL, is_custom_domain
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.rewrite import Call, Const, Rule, Var, apply

SIZES = {"n": 2, "c": 3, "h": 4, "k": 5, "m": 6, "t": 7}
"""What the letters in the shapes of an example stand for."""

DRAWS: tuple[tuple[int, ...], ...] = (
    tuple(range(-8, 8)),
    tuple(range(1, 8)),
    tuple(range(8)),
    tuple(range(-8, 1)),
    (0, 1),
    (-1, 1),
)
"""What constants are drawn from: either sign, both sides of usual guards, signs only."""


class ProofError(FinnError):
    """A rule whose sides differ, or that declines all its examples."""


def prove(r: Rule, *, rounds: int = 2, opset: int = 13, rtol: float = 1e-12, atol: float = 1e-12) -> int:
    """Check pattern == replacement on random values. Returns how many examples the rule rewrote.

    Each example becomes a model that ends in the pattern; it is executed in float64, rewritten by the engine and
    executed again. ProofError with the example if the results differ, if a shape or annotation is wrong afterwards, or
    if the rule declined every example.
    """
    proved = 0
    for number, shapes in enumerate(r.shapes):
        for seed in range(rounds * len(DRAWS)):
            rng = np.random.default_rng([zlib.crc32(str(r).encode()), number, seed])
            values = _draw(r, shapes, DRAWS[seed % len(DRAWS)], rng)
            proved += _prove_example(r, values, f"rule {r}, example {number}, seed {seed}", opset, rtol, atol)
    if not proved:
        raise ProofError("the rule declined every example", where=f"rule {r}")
    return proved


def example_model(r: Rule, values: Mapping[str, np.ndarray], opset: int = 13) -> ModelWrapper:
    """A model that computes the pattern of the rule: constants from `values`, other variables as graph inputs."""
    kinds = {variable.name: variable for variable in _variables(r.pattern)}
    graph = GraphProto(name="example")
    nodes: list[NodeProto] = []
    # The pattern is read by one more node: a replacement may be one of its own inputs.
    nodes.append(helper.make_node("Identity", [_nodes_of(r.pattern, r, nodes)], ["result"], "reader"))
    graph.node.extend(nodes)
    for name, value in values.items():
        if not isinstance(kinds[name], Const):
            graph.input.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, value.shape))
    graph.output.append(helper.make_tensor_value_info("result", TensorProto.DOUBLE, None))
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(GENERAL, 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=10))
    for name, value in values.items():
        if isinstance(kinds[name], Const):
            model.set_initializer(name, value)
    for name, datatype in r.datatypes.items():
        model.set_tensor_datatype(name, DataType[datatype])
    return model


def _prove_example(r: Rule, values: dict[str, np.ndarray], where: str, opset: int, rtol: float, atol: float) -> bool:
    model = example_model(r, values, opset)
    inputs = {name: value for name, value in values.items() if not model.has_initializer(name)}
    full = execute_onnx(model, inputs, return_full_exec_context=True, precision="float64")
    for name in model.get_all_tensor_names():
        model.set_tensor_shape(name, list(full[name].shape), TensorProto.DOUBLE)
    output = model.get_first_global_out()
    after = copy.deepcopy(model)
    if not apply(after, [r]):
        return False
    result = execute_onnx(after, inputs, return_full_exec_context=True, precision="float64")
    if not np.allclose(full[output], result[output], rtol=rtol, atol=atol):
        raise ProofError(f"the sides differ: {full[output]} != {result[output]}, on {values}", where=where)
    _check_annotations(after, result, where)
    return True


def _check_annotations(model: ModelWrapper, context: Mapping[str, np.ndarray], where: str) -> None:
    for name in model.get_all_tensor_names():
        shape, datatype = model.get_tensor_shape(name), model.get_tensor_datatype(name)
        if shape is not None and list(context[name].shape) != shape:
            raise ProofError(f"tensor '{name}' has shape {list(context[name].shape)}, not {shape}", where=where)
        if not np.all(datatype.allowed(np.atleast_1d(context[name]))):
            raise ProofError(f"tensor '{name}' has values that are no {datatype}", where=where)


def _draw(
    r: Rule, shapes: Mapping[str, tuple[str, ...]], draw: tuple[int, ...], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Random values for the variables of an example, within their data types; variances are positive."""
    kinds = {variable.name: variable for variable in _variables(r.pattern)}
    values = {}
    for name, dims in shapes.items():
        choices: Any = draw if isinstance(kinds[name], Const) else DRAWS[0]
        if name in r.datatypes:
            datatype = DataType[r.datatypes[name]]
            choices = [v for v in range(-64, 64) if datatype.allowed(v)]
        values[name] = rng.choice(np.asarray(choices), [SIZES.get(d) or int(d) for d in dims]).astype(np.float64)
        if name == "var":
            values[name] = np.abs(values[name])
    return values


def _variables(pattern: Any) -> Iterator[Var]:
    if isinstance(pattern, Var):
        yield pattern
    elif isinstance(pattern, Call):
        for item in pattern.inputs:
            yield from _variables(item)


def _nodes_of(pattern: Any, r: Rule, nodes: list[NodeProto]) -> str:
    if isinstance(pattern, Var):
        return pattern.name
    inputs = [_nodes_of(item, r, nodes) for item in pattern.inputs]
    attributes = dict(pattern.attributes) | dict(r.attributes.get(pattern.node.name, {}) if pattern.node else {})
    domain = pattern.domain or ("" if onnx.defs.has(pattern.op) else GENERAL)
    if pattern.op == "MultiThreshold" and is_custom_domain(domain):
        attributes.setdefault("out_dtype", "FLOAT32")
    output = f"value_{len(nodes)}"
    name = f"{pattern.op}_{len(nodes)}"
    nodes.append(helper.make_node(pattern.op, inputs, [output], name, domain=domain, **attributes))
    return output
