"""What the tests do in either package, each in its own interpreter: `run(package, ...)` gives plain values.

`package` is "finn" or "qonnx". Needs nothing but numpy, onnx and that package, so that the worker can import it.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from .recipes import RECIPES  # noqa: TID252 - test helpers are no installed package

DOMAINS = ("general", "channels_last")


def find(package: str, dotted: str) -> Any:
    """`dotted` is a module below the package and a name in it, as in `util.basic.get_by_name` or `core.X.Class.f`."""
    parts = dotted.split(".")
    found: Any = import_module(f"{package}.{parts[0]}")
    for i, part in enumerate(parts[1:], 2):
        try:
            found = getattr(found, part)
        except AttributeError:
            found = import_module(f"{package}.{'.'.join(parts[:i])}")
    return found


def exists(package: str, dotted: str) -> bool:
    """Whether the package has that name."""
    try:
        find(package, dotted)
    except (ImportError, AttributeError):
        return False
    return True


def load(package: str, data: bytes) -> Any:
    """A ModelWrapper of the package, the domains of custom operators spelt as it spells them."""
    proto = onnx.load_model_from_string(data)
    mapped = {f"{other}.custom_op.{d}": f"{package}.custom_op.{d}" for other in ("finn", "qonnx") for d in DOMAINS}
    for imported in proto.opset_import:
        imported.domain = mapped.get(imported.domain, imported.domain)
    for node in proto.graph.node:
        node.domain = mapped.get(node.domain, node.domain)
    return find(package, "core.modelwrapper.ModelWrapper")(proto)


def execute(package: str, data: bytes, inputs: Mapping[str, np.ndarray], full: bool = False) -> dict[str, np.ndarray]:
    """{output: array}; all tensors if full."""
    run = find(package, "core.onnx_exec.execute_onnx")
    found = run(load(package, data), dict(inputs), return_full_exec_context=full)
    return {name: np.array(value) for name, value in found.items()}


def make(package: str, dotted: str) -> Any:
    """The transformation of this name with the arguments that `recipes` has for it."""
    return RECIPES.get(dotted, lambda kind, find: kind())(find(package, dotted), lambda name: find(package, name))


def transform(package: str, data: bytes, names: Sequence[str]) -> tuple[bytes, dict[str, Any]]:
    """Apply transformations in turn. The model, serialized and described."""
    model = load(package, data)
    for name in names:
        model = model.transform(make(package, name))
    return model.model.SerializeToString(), describe(model)


def cleanup(package: str, data: bytes, options: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """`cleanup_model`, serialized and described."""
    model = find(package, "util.cleanup.cleanup_model")(load(package, data), **options)
    return model.model.SerializeToString(), describe(model)


def describe(model: Any) -> dict[str, Any]:
    """Everything that a model says, in plain values: nodes, shapes, annotations, constants bit for bit."""
    graph: onnx.GraphProto = model.graph
    tensors = sorted({name for node in graph.node for name in (*node.input, *node.output) if name})
    return {
        "nodes": [node_of(node) for node in graph.node],
        "inputs": [(v.name, v.type.tensor_type.elem_type) for v in graph.input],
        "outputs": [(v.name, v.type.tensor_type.elem_type) for v in graph.output],
        "shapes": {name: _listed(model.get_tensor_shape(name)) for name in tensors},
        "datatypes": {name: str(model.get_tensor_datatype(name)) for name in tensors},
        "layouts": {name: _listed(model.get_tensor_layout(name)) for name in tensors},
        "sparsity": {name: model.get_tensor_sparsity(name) for name in tensors},
        "constants": {t.name: bits_of(numpy_helper.to_array(t)) for t in graph.initializer},
    }


def _listed(value: Any) -> Any:
    return None if value is None else list(value)


def bits_of(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return str(array.dtype), array.shape, np.ascontiguousarray(array).tobytes()


def node_of(node: NodeProto) -> tuple[Any, ...]:
    """Op type, domain in finn's spelling, name, inputs, outputs, attributes by name."""
    attributes = {a.name: _attribute(a) for a in sorted(node.attribute, key=lambda a: a.name)}
    domain = node.domain.replace("qonnx.custom_op", "finn.custom_op")
    return node.op_type, domain, node.name, list(node.input), list(node.output), attributes


def _attribute(a: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(a)
    if isinstance(value, onnx.TensorProto):
        return bits_of(numpy_helper.to_array(value))
    if isinstance(value, onnx.GraphProto):
        return [node_of(node) for node in value.node]
    return list(value) if a.type in (a.INTS, a.FLOATS, a.STRINGS) else value


def call(package: str, dotted: str, arguments: Sequence[Any], named: Mapping[str, Any] | None = None) -> Any:
    """Call a function. {"model": bytes}, {"datatype": name} and {"node": index} stand for objects of the package."""
    models = [load(package, a["model"]) for a in arguments if isinstance(a, dict) and a.keys() == {"model"}]
    return plain(find(package, dotted)(*(_object(package, a, models) for a in arguments), **(named or {})))


def method(package: str, data: bytes, name: str, arguments: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
    """Call a method of ModelWrapper: its result, and the model described after it."""
    model = load(package, data)
    found = getattr(model, name)(*(_object(package, a, [model]) for a in arguments))
    return plain(found), describe(model)


def datatype(package: str, name: str, methods: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    """Results of methods of a data type; `allowed` of every value."""
    found = find(package, "core.datatype.DataType")[name]
    results = {name: outcome(getattr(found, name)) for name in methods}
    results["allowed"] = [bool(found.allowed(value)) for value in values]
    return results | {"name": found.name, "str": str(found), "repr": repr(found)}


def attributes(package: str, name: str) -> dict[str, Any]:
    """{attribute: [kind, required, default, ...]} of an operator, "general.Trunc_v2" or "general.Quant"."""
    domain, _, op = name.rpartition(".")
    op, _, version = op.partition("_v")
    node = helper.make_node(op, [], [], domain=f"{package}.custom_op.{domain}")
    found = find(package, "custom_op.registry.getCustomOp")(node, int(version) if version else None)
    return dict(plain(found.get_nodeattr_types()))


def smallest(package: str, values: Sequence[float]) -> list[str]:
    """`get_smallest_possible` of each value."""
    return [str(find(package, "core.datatype.DataType").get_smallest_possible(value)) for value in values]


def outcome(run: Callable[[], Any]) -> Any:
    """A plain result, or the fact that there was an error."""
    try:
        return plain(run())
    except Exception:  # noqa: BLE001 - a black box may raise anything
        return "raised"


def evaluate(package: str, source: str, data: bytes = b"") -> Any:
    """The value of an expression over `find`, `np`, `model` (if data are given) and `DataType`: minimal examples."""
    names = {"find": lambda name: find(package, name), "np": np, "onnx": onnx, "helper": helper}
    names["DataType"] = find(package, "core.datatype.DataType")
    if data:
        names["model"] = load(package, data)
    return plain(eval(source, names))


def quietly(run: Callable[..., Any], *arguments: Any) -> Any:
    """Without warnings and output: black boxes talk."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return run(*arguments)


def _object(package: str, value: Any, models: Sequence[Any]) -> Any:
    if isinstance(value, dict) and value.keys() == {"model"}:
        return models[0]
    if isinstance(value, dict) and value.keys() == {"datatype"}:
        return find(package, "core.datatype.DataType")[value["datatype"]]
    if isinstance(value, dict) and value.keys() == {"node"}:
        return models[0].graph.node[value["node"]]
    if isinstance(value, list):
        return [_object(package, item, models) for item in value]
    return value


def plain(value: Any) -> Any:
    """Values that mean the same in both interpreters."""
    if value is None or isinstance(value, bool | int | float | str | bytes | np.ndarray):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return np.dtype(value).name
    if isinstance(value, Mapping):
        return {key if isinstance(key, int) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, NodeProto):
        return node_of(value)
    if isinstance(value, onnx.ValueInfoProto | ModelProto):
        return value.SerializeToString(deterministic=True)
    if isinstance(value, list | tuple) or type(value).__name__.startswith("Repeated"):
        return [plain(item) for item in value]
    return describe(value) if hasattr(value, "graph") else str(value)
