"""How two models differ: in their structure, and on random inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model
from finn.util.basic import gen_finn_dt_tensor


def structural_diff(a: ModelWrapper, b: ModelWrapper) -> dict[str, Any]:
    """What b has that a has not and the other way round; {} if both say the same.

    Nodes are matched by name (if all names are unique in both models, else by their outputs), tensors by name. Keys:
    "operators" {op type: (count in a, count in b)} where they differ, "only_in_a", "only_in_b": nodes, "changed":
    {node: what}, "constants", "shapes", "datatypes", "layouts": {tensor: (in a, in b)}, "opsets", "interface".
    """
    counts_a, counts_b = (Counter(node.op_type for node in model.graph.node) for model in (a, b))
    kinds = [op for op in dict.fromkeys([*counts_a, *counts_b]) if counts_a[op] != counts_b[op]]
    result: dict[str, Any] = {"operators": {op: (counts_a[op], counts_b[op]) for op in kinds}}
    nodes_a, nodes_b = _nodes(a, b)
    result["only_in_a"] = [name for name in nodes_a if name not in nodes_b]
    result["only_in_b"] = [name for name in nodes_b if name not in nodes_a]
    both = [name for name in nodes_a if name in nodes_b]
    result["changed"] = {n: what for n in both if (what := _node_diff(nodes_a[n], nodes_b[n]))}
    with a.trusted_index(), b.trusted_index():
        names_b = set(b.get_all_tensor_names())
        names = [name for name in a.get_all_tensor_names() if name in names_b]
        result["constants"] = {n: d for n in names if (d := _constant_diff(a, b, n)) is not None}
        result["shapes"] = _differing(names, a.get_tensor_shape, b.get_tensor_shape)
        result["datatypes"] = _differing(
            names, lambda n: str(a.get_tensor_datatype(n)), lambda n: str(b.get_tensor_datatype(n))
        )
        result["layouts"] = _differing(names, a.get_tensor_layout, b.get_tensor_layout)
    result["opsets"] = _pairs(a.get_opset_imports(), b.get_opset_imports())
    result["interface"] = _pairs(_interface(a), _interface(b))
    return {key: value for key, value in result.items() if value}


def numerical_diff(a: ModelWrapper, b: ModelWrapper, samples: int = 1, seed: int = 0) -> dict[str, Any]:
    """Run both models on random inputs. Inputs and outputs are matched by position.

    Returns {output of a: {"equal": bool, "max_abs_difference": float, "different_elements": int, "elements": int}}.
    ModelError if the numbers of inputs or outputs differ.
    """
    run_a, run_b = compile_model(a), compile_model(b)
    for kind, in_a, in_b in (
        ("inputs", run_a.input_names, run_b.input_names),
        ("outputs", run_a.output_names, run_b.output_names),
    ):
        if len(in_a) != len(in_b):
            raise ModelError(f"the models have {len(in_a)} and {len(in_b)} {kind}")
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, Any]] = {}
    for _ in range(samples):
        arrays = [_random(a, name, rng) for name in run_a.input_names]
        ours, theirs = (run.run(dict(zip(run.input_names, arrays, strict=True))) for run in (run_a, run_b))
        for name, other in zip(run_a.output_names, run_b.output_names, strict=True):
            _accumulate(found.setdefault(name, {}), ours[name], theirs[other])
    return found


def _accumulate(entry: dict[str, Any], x: np.ndarray, y: np.ndarray) -> None:
    if x.shape != y.shape:
        entry.update(equal=False, shapes=[list(x.shape), list(y.shape)])
        return
    different = _different(x, y)
    distance = float(np.max(np.abs(x.astype(np.float64) - y.astype(np.float64)), initial=0.0))
    entry["equal"] = entry.get("equal", True) and not different.any()
    entry["max_abs_difference"] = max(entry.get("max_abs_difference", 0.0), distance)
    entry["different_elements"] = entry.get("different_elements", 0) + int(different.sum())
    entry["elements"] = entry.get("elements", 0) + x.size


def _different(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Elementwise; NaN equals NaN here."""
    return np.asarray((x != y) & ~((x != x) & (y != y)))


def _random(model: ModelWrapper, name: str, rng: np.random.Generator) -> np.ndarray:
    """Values of the annotated data type; of FLOAT32 normally distributed ones. Symbolic dimensions become 1."""
    shape = [dim or 1 for dim in model.get_tensor_shape(name) or []]
    values = gen_finn_dt_tensor(model.get_tensor_datatype(name), shape, rng)
    kind = model.get_tensor_elem_type(name)
    return values.astype(helper.tensor_dtype_to_np_dtype(kind)) if kind else values


def _interface(model: ModelWrapper) -> dict[str, str]:
    """{input or output: its role}."""
    constants = {tensor.name for tensor in model.graph.initializer}
    roles = {value.name: "input" for value in model.graph.input if value.name not in constants}
    return roles | {value.name: "output" for value in model.graph.output}


def _nodes(a: ModelWrapper, b: ModelWrapper) -> tuple[dict[str, NodeProto], dict[str, NodeProto]]:
    by_name = [{node.name: node for node in model.graph.node} for model in (a, b)]
    if all("" not in n and len(n) == len(m.graph.node) for n, m in zip(by_name, (a, b), strict=True)):
        return by_name[0], by_name[1]
    by_outputs = [{", ".join(node.output): node for node in model.graph.node} for model in (a, b)]
    return by_outputs[0], by_outputs[1]


def _node_diff(x: NodeProto, y: NodeProto) -> list[str]:
    """What differs between two nodes, in words."""
    found = [
        f"{field}: {u} -> {v}"
        for field, u, v in (
            ("op_type", x.op_type, y.op_type),
            ("domain", x.domain, y.domain),
            ("inputs", list(x.input), list(y.input)),
            ("outputs", list(x.output), list(y.output)),
        )
        if u != v
    ]
    ours, theirs = ({a.name: a.SerializeToString(deterministic=True) for a in node.attribute} for node in (x, y))
    return found + [f"attribute {name}" for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]


def _constant_diff(a: ModelWrapper, b: ModelWrapper, name: str) -> str | None:
    x, y = a.get_initializer(name), b.get_initializer(name)
    if x is None or y is None:
        return None if x is y else "constant in one model alone"
    if x.shape != y.shape or x.dtype != y.dtype:
        return f"{x.dtype}{list(x.shape)} -> {y.dtype}{list(y.shape)}"
    different = int(np.count_nonzero(_different(x, y)))
    return f"{different} of {x.size} elements" if different else None


def _differing(names: list[str], in_a: Any, in_b: Any) -> dict[str, tuple[Any, Any]]:
    pairs = ((name, in_a(name), in_b(name)) for name in names)
    return {name: (x, y) for name, x, y in pairs if x != y}


def _pairs(x: Mapping[str, Any], y: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (x.get(key), y.get(key)) for key in dict.fromkeys([*x, *y]) if x.get(key) != y.get(key)}
