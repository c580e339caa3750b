"""One proof for every rewrite rule: ONNX's own reference evaluator computes both sides, in float64, on many instances.

An instance is an example of the rule with everything drawn: values at the edges of usual guards, sizes, how constants
broadcast, the element type, the opset, and how much the graph says about shapes. Draws depend on nothing but the name
of the rule, so a proof gives the same verdict each time.
"""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._instances import (
    DRAWS,
    OPSETS,
    SIZES,
    Instance,
    ProofError,
    Values,
    calls,
    check,
    evaluate,
    example_model,
    instances,
)
from finn.transformation.rewrite import Rule, apply

__all__ = ["DRAWS", "ENTRY_POINTS", "OPSETS", "SIZES", "ProofError", "evaluate", "example_model", "find_rules", "prove"]

_LIMIT = 100  # rewrites of one small example

ENTRY_POINTS = "finn.rules"
"""The group of entry points in which distributions name their packages with rules."""


def prove(r: Rule, *, rounds: int = 3, opset: int | None = None, rtol: float = 1e-12, atol: float = 1e-12) -> int:
    """Check pattern == replacement on `rounds` * 9 instances of each example. Returns how many the rule rewrote.

    The left side becomes a model; it is computed, rewritten by the engine and computed again. opset: use this one only.

    ProofError with the instance if the results differ, if the rule fails, if the result is no valid ONNX model, if a
    shape or data type annotation is wrong afterwards, if an example cannot be computed, or if the rule declined every
    instance, also if only of one of the op types of an `op.any_of`.
    """
    proved = 0
    missing = {op_type for call in calls(r.pattern) if call.alternatives for op_type in call.ops}
    with np.errstate(all="ignore"):
        for number, example in enumerate(r.examples):
            for instance in instances(r, example, rounds, opset):
                if _holds(r, instance, f"rule {r}, example {number}", rtol, atol):
                    proved += 1
                    missing -= {node.op_type for node in instance.model.graph.node}
    if not proved:
        raise ProofError("the rule declined every example", where=f"rule {r}")
    if missing:
        raise ProofError(f"the rule declined every example with {', '.join(sorted(missing))}", where=f"rule {r}")
    return proved


def _holds(r: Rule, instance: Instance, where: str, rtol: float, atol: float) -> bool:
    """Whether the rule fires on the instance. ProofError if it should not have."""
    after = copy.deepcopy(instance.model)
    try:
        if not apply(after, [r], limit=_LIMIT):
            return False
    except FinnError as error:
        raise ProofError(str(error), where=where, why=f"on {instance}") from error
    try:
        check(after)
        result = evaluate(after, instance.inputs)
    except Exception as error:  # ONNX and NumPy raise what they like on what is no valid model
        reason = error.__cause__ or error
        what = f"the right side is no valid model: {type(reason).__name__}: {reason}"
        raise ProofError(what, where=where, why=f"on {instance}") from error
    _compare(instance, result["result"], where, rtol, atol)
    with after.trusted_index():
        _check_annotations(after, result, where)
    return True


def _compare(instance: Instance, right: np.ndarray, where: str, rtol: float, atol: float) -> None:
    left = instance.results["result"]
    if left.shape != right.shape:
        what = f"the sides differ in their shapes: {left.shape} != {right.shape}"
        raise ProofError(what, where=where, why=f"on {instance}")
    if not np.allclose(left, right, rtol=rtol, atol=atol, equal_nan=True):
        raise ProofError(f"the sides differ: {left} != {right}", where=where, why=f"on {instance}")


def _check_annotations(model: ModelWrapper, results: Values, where: str) -> None:
    for name in model.get_all_tensor_names():
        shape, datatype = model.get_tensor_shape(name), model.get_tensor_datatype(name)
        given = list(results[name].shape)
        if shape is not None and (
            len(shape) != len(given) or any(s not in (0, g) for s, g in zip(shape, given, strict=False))
        ):
            raise ProofError(f"tensor '{name}' has shape {given}, not {shape}", where=where)
        if not np.all(datatype.allowed(np.atleast_1d(results[name]))):
            raise ProofError(f"tensor '{name}' has values that are no {datatype}", where=where)


# -------------------------------------------------------------------------------------------------------- all the rules


def find_rules(*packages: str) -> dict[str, Rule]:
    """Every rule in these packages by "module.name": all that stand in a module, alone or in a table of the module.

    Without arguments: in finn.transformation, and in what other distributions name in the entry points "finn.rules".
    """
    if not packages:
        others = sorted(entry.module for entry in importlib.metadata.entry_points(group=ENTRY_POINTS))
        packages = ("finn.transformation", *others)
    found: dict[int, Rule] = {}
    for package in packages:
        for module in _modules(package):
            for value in list(vars(module).values()):
                table = value if isinstance(value, list | tuple) else (value,)
                found |= {id(item): item for item in table if isinstance(item, Rule)}
    names: dict[str, Rule] = {}
    for r in found.values():
        name, number = f"{r.body.__module__}.{r}", 0
        while (title := f"{name}_{number}" if number else name) in names:
            number += 1
        names[title] = r
    return names


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for info in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{package}."):
        yield importlib.import_module(info.name)
