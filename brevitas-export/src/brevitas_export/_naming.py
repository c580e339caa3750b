# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Names of nodes and tensors, after the modules of PyTorch that they come from.

output of module features.0               features.0_out; of its second call, features.0_out_1
node of it                                features.0.Conv
its quantized weights                     features.0.weight_quant_out, by node features.0.weight_quant.Quant
its parameters                            features.0.weight, features.0.weight_quant.scale
what it computes on the way               features.2.act_quant.Relu_out
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from onnx import NodeProto, defs

from brevitas_export._observe import Call, Observation, quantizer_name
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import fresh_name

INPUT, OUTPUT = "global_in", "global_out"
_BATCH_NORM = ("x", "weight", "bias", "running_mean", "running_var")
_QUANTIZE = ("x", "scale", "zero_point")
# Inputs by position, as PyTorch and QONNX call them; other operators have the names of ONNX.
PARAMETERS = {
    "Quant": (*_QUANTIZE, "bit_width"),
    "BipolarQuant": _QUANTIZE[:2],
    "Trunc": (*_QUANTIZE, "input_bit_width", "output_scale", "output_bit_width"),
    "QuantizeLinear": _QUANTIZE,
    "DequantizeLinear": _QUANTIZE,
    "BatchNormalization": _BATCH_NORM,
    "MultiThreshold": ("x", "thresholds"),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), ("x", "weight", "bias")),
}


@dataclass(frozen=True)
class Scope:
    """Where a node comes from. layer : qualified name of a module; quantizer : of it, "weight_quant" or "".

    call : tells the calls of the layer apart; that of a caller is a prefix of it, up to a slash.
    """

    layer: str = ""
    quantizer: str = ""
    call: str = ""

    @property
    def owner(self) -> str:
        return ".".join(filter(None, (self.layer, self.quantizer)))

    def within(self, other: Scope) -> bool:
        return self.call == other.call or not other.call or self.call.startswith(f"{other.call}/")


class Scopes:
    """Reads what the exporters tell about the origin of a node."""

    def __init__(self, seen: Observation) -> None:
        self.seen, self.proxies, self.names = seen, seen.proxies, seen.names
        self.calls: dict[tuple[str, ...], list[tuple[Call, Scope]]] = {}
        self._gather(seen.root, (), Scope())

    def _gather(self, call: Call, path: tuple[str, ...], scope: Scope) -> None:
        """List the calls by the path that the exporter for TorchScript gives them; several may have the same."""
        self.calls.setdefault(path, []).append((call, scope))
        for position, child in enumerate(call.children):
            inner = Scope(child.name, call=f"{scope.call}/{position}")
            if child.proxy:
                name = quantizer_name(scope.layer, child.name)
                inner = replace(scope, quantizer=name[len(scope.layer) :].lstrip("."))
            self._gather(child, (*path, _unqualified(child.name)), inner)

    def of_path(self, node_name: str) -> Scope | None:
        """Of "/features/features.0/weight_quant/export_handler/Quant", as the exporter for TorchScript has it.

        Of calls with the same path, the last part of it tells which one is meant: "/fc_1/MatMul" is of the second.
        """
        if not node_name.startswith("/"):
            return None
        path = tuple(node_name.split("/")[1:-1])
        count = 0
        if path not in self.calls and path and (numbered := re.fullmatch(r"(.+)_(\d+)", path[-1])):
            path, count = (*path[:-1], numbered[1]), int(numbered[2])
        while path not in self.calls:  # inside of a quantizer
            path = path[:-1]
        found = self.calls[path]
        return found[min(count, len(found) - 1)][1]

    def of_names(self, names: Sequence[str]) -> Scope:
        """Of ["", "features", "features.0", "features.0.weight_quant", ...], as the newer exporter has it."""
        known = [name for name in names if name in self.names]
        outside = [name for name in known if not any(self.names[part] in self.proxies for part in _parts(name))]
        layer = self.names[outside[-1]] if outside else ""
        proxy = next((self.names[name] for name in known if self.names[name] in self.proxies), "")
        quantizer = quantizer_name(layer, proxy)[len(layer) :].lstrip(".") if proxy else ""
        return Scope(layer, quantizer, "/".join(outside))


def _parts(name: str) -> list[str]:
    """The modules that a module is inside of, and itself: "a", "a.b" for "a.b"."""
    atoms = name.split(".")
    return [".".join(atoms[: i + 1]) for i in range(len(atoms))]


def _unqualified(name: str) -> str:
    """The last part that is no number, and the numbers behind it: "1.body.0" gives "body.0"."""
    parts = name.split(".")
    return next((".".join(parts[i:]) for i in reversed(range(len(parts))) if not parts[i].isnumeric()), name)


def name_nodes(model: ModelWrapper, scopes: Sequence[Scope]) -> dict[str, Scope]:
    """Name the nodes after their modules and operators. Returns the scopes by these names."""
    named: dict[str, Scope] = {}
    for node, scope in zip(model.graph.node, scopes, strict=True):
        node.name = fresh_name(".".join(filter(None, (scope.owner, node.op_type))), named.keys())
        named[node.name] = scope
    return named


def name_tensors(model: ModelWrapper, scopes: dict[str, Scope], seen: Observation) -> None:
    """Name everything but the inputs and outputs of the graph; `scopes` are in the order of execution in PyTorch."""
    ports = {value.name for value in (*model.graph.input, *model.graph.output)}
    mapping: dict[str, str] = {}
    taken = set(ports)

    def claim(old: str, wish: str) -> None:
        if old and old not in mapping and old not in ports:
            mapping[old] = fresh_name(wish, taken)
            taken.add(mapping[old])

    parameters = seen.parameters
    dynamic = {value.name for value in model.graph.input}
    executed = {name: position for position, name in enumerate(scopes)}
    for node in sorted(model.graph.node, key=lambda node: executed[node.name]):
        scope = scopes[node.name]
        dynamic.update(node.output if dynamic.intersection(node.input) else ())
        for position, name in enumerate(node.input):
            if model.has_initializer(name):
                claim(name, _parameter(model, node, position, scope, parameters))
        for name in node.output:
            claim(name, _result(model, node, name, scopes, name in dynamic))
    model.rename_tensors(mapping)


def _result(model: ModelWrapper, node: NodeProto, name: str, scopes: dict[str, Scope], dynamic: bool) -> str:
    """The name of a tensor; one that does not depend on an input of the network is no result of a layer."""
    scope = scopes[node.name]
    readers = [scopes[reader.name] for reader in model.find_consumers(name)]
    if dynamic and scope.layer and not all(reader.within(scope) for reader in readers):
        return f"{scope.layer}_out"
    if scope.quantizer and not all(reader.quantizer == scope.quantizer for reader in readers):
        return f"{scope.owner}_out"
    return f"{node.name}_out"


def _parameter(model: ModelWrapper, node: NodeProto, position: int, scope: Scope, parameters: set[str]) -> str:
    if position == 0 and scope.quantizer.endswith("_quant"):
        return f"{scope.layer}.{scope.quantizer.removesuffix('_quant')}"
    known = PARAMETERS.get(node.op_type, ())
    if position < len(known):
        return ".".join(filter(None, (scope.owner, known[position])))
    if node.input[position] in parameters:
        return node.input[position]
    if node.op_type == "MatMul" and scope.layer:
        return f"{scope.layer}.weight"
    if node.domain or not defs.has(node.op_type):
        return f"{node.name}.{position}"
    formal = defs.get_schema(node.op_type).inputs
    return f"{node.name}.{formal[min(position, len(formal) - 1)].name}"


def name_converted(model: ModelWrapper, before: Container[str], seen: Observation) -> None:
    """Name the nodes that are not in `before`, and the parameters of all, after the module of the nearest name."""
    taken = {node.name for node in model.graph.node if node.name in before}
    parameters: dict[str, str] = {}
    used = set(model.get_all_tensor_names())
    for node in model.graph.node:
        layer = _nearest(node.output[0], seen)
        if node.name not in before:
            node.name = fresh_name(".".join(filter(None, (layer, node.op_type))), taken)
            taken.add(node.name)
        for position, name in enumerate(node.input):
            computed = node.name not in before or name.endswith("_out")  # once, and a constant now
            if model.has_initializer(name) and computed and name not in seen.parameters:
                wish = _parameter(model, node, position, Scope(layer), seen.parameters)
                parameters[name] = fresh_name(wish, used)
                used.add(parameters[name])
    model.rename_tensors(parameters)


def _nearest(tensor: str, seen: Observation) -> str:
    """The module whose result `tensor` is, or from whose result it has its name."""
    if tensor.startswith(OUTPUT):
        return min(seen.last, key=len, default="")
    return max((name for name in seen.outputs if tensor.startswith(f"{name}_out")), key=len, default="")
