"""Quantizers at chosen inputs and outputs of nodes.

    QuantizeGraph({
        "name": {"Conv_0": [(("input", 0), (0.5, 0, 8, 0, 1, "ROUND")), (("output", 0), (1, 0, 4, 0, 1, "ROUND"))]},
        "op_type": {"Gemm": [(("input", 1), (1, 0, 4, 1, 1, "ROUND"))]},
    })

The six parameters are scale, zero point, bit width, narrow, signed and rounding mode of Quant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from finn.core.domains import GENERAL
from finn.core.errors import AttributeValueError, ConfigError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general.quant import resolve_rounding_mode
from finn.transformation.base import Transformation
from finn.util.cleanup import cleanup_model

Position = tuple[str, int]
Parameters = tuple[Any, Any, Any, int, int, str]
Entry = tuple[Position, Parameters]
_SELECTORS = ("name", "op_type")


def create_quantnode(
    model: ModelWrapper,
    quantnode_input: str,
    quantnode_output_shape: Sequence[int] | None,
    scale_value: Any,
    zeropoint_value: Any,
    bitwidth_value: Any,
    narrow: int,
    signed: int,
    rounding_mode: str,
) -> tuple[NodeProto, ValueInfoProto]:
    """A Quant node that reads `quantnode_input`, and the ValueInfo of its new output; neither is in the graph yet.

    Scale, zero point and bit width (numbers or arrays) become constants of the model.
    """

    def constant(what: str, value: Any) -> str:
        name = model.unique_tensor_name(f"{quantnode_input}_quant_{what}")
        model.set_initializer(name, np.asarray(value, dtype=np.float32))
        return name

    constants = [constant("scale", scale_value), constant("zeropt", zeropoint_value), constant("bits", bitwidth_value)]
    output = model.make_new_valueinfo_name(f"{quantnode_input}_quant")
    node = helper.make_node(
        "Quant",
        [quantnode_input, *constants],
        [output],
        f"Quant_{output}",
        domain=GENERAL,
        narrow=int(narrow),
        signed=int(signed),
        rounding_mode=rounding_mode,
    )
    return node, helper.make_tensor_value_info(output, TensorProto.FLOAT, quantnode_output_shape)


def adjust_graph(
    model: ModelWrapper,
    input_positions: Sequence[Entry],
    node_name: str,
    quantized_nodes: list[tuple[str, Position]],
) -> ModelWrapper:
    """Insert a quantizer at each of the positions of the node, in place. Returns the model.

    quantized_nodes: (node, position) of those that have one already; these are passed over, new ones are added. At an
    input only this node reads the quantized tensor; at an output all readers do, and the graph if it returns it.

    ConfigError, with the model as it was, for unknown nodes, positions and parameters.
    """
    node = model.get_node_from_name(node_name)
    where = f"quantnode_map entry of '{node_name}'"
    if node is None:
        names = [node.name for node in model.graph.node]
        raise ConfigError(f"the model has no node '{node_name}'", where=where, remedy=nearest(node_name, names))
    for entry in input_positions:
        _check_entry(entry, where)
        _check_position(model, node, entry[0], where)
    with model.trusted_index():
        done = [position for name, position in quantized_nodes if name == node_name]
        quantized_nodes += [(node_name, position) for position in _adjust(model, node, input_positions, done)]
    return model


def _adjust(
    model: ModelWrapper, node: NodeProto, entries: Sequence[Entry], done: Sequence[Position] = ()
) -> list[Position]:
    """Insert the quantizers of one node, one at each position. Returns the new positions."""
    if GENERAL not in model.get_opset_imports():
        model.set_opset_import(GENERAL, 1)
    first = {position: parameters for position, parameters in reversed(entries) if position not in done}
    for position, parameters in first.items():
        _insert(model, node, position, parameters)
    return list(first)


def _insert(model: ModelWrapper, node: NodeProto, position: Position, parameters: Parameters) -> None:
    kind, number = position
    tensor = node.input[number] if kind == "input" else node.output[number]
    quant, info = create_quantnode(model, tensor, model.get_tensor_shape(tensor), *parameters)
    place = model.get_node_index(node) or 0
    model.graph.value_info.append(info)
    if kind == "input":
        model.set_node_input(node, number, quant.output[0])
        model.insert_node(place, quant)
    else:
        # The quantizer takes over the name: for all readers, in bodies of control flow too, and for the graph.
        plain, quant.input[0], quant.output[0] = quant.output[0], quant.output[0], tensor
        model.set_node_output(node, number, plain)
        model.copy_annotations(tensor, plain)
        model.set_tensor_datatype(tensor, None)
        model.insert_node(place + 1, quant)


class QuantizeGraph(Transformation):
    """Quantizers at the positions that `quantnode_map` lists, then `cleanup_model`.

    quantnode_map: {"name" or "op_type": {name or op type: [(("input" or "output", index), parameters)]}}, see the
    module. Where both speak of the same position of a node, the entry by name counts. ConfigError names the entry that
    does not fit; the model then stays as it is.
    """

    def __init__(self, quantnode_map: Mapping[str, Mapping[str, Sequence[Entry]]]) -> None:
        super().__init__()
        for selector, entries in quantnode_map.items():
            if selector not in _SELECTORS:
                what = f"'{selector}' selects no nodes"
                raise ConfigError(what, where="quantnode_map", remedy=nearest(selector, list(_SELECTORS)))
            for key, positions in entries.items():
                for entry in positions:
                    _check_entry(entry, f"quantnode_map['{selector}']['{key}']")
        self.quantnode_map = quantnode_map

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            for node, entries in self._wanted(model):
                _adjust(model, node, entries)
        return cleanup_model(model), False

    def _wanted(self, model: ModelWrapper) -> list[tuple[NodeProto, list[Entry]]]:
        """Nodes and their entries, those by name first. All of them fit."""
        known = {
            "name": Counter(node.name for node in model.graph.node),
            "op_type": Counter(node.op_type for node in model.graph.node),
        }
        for selector, chosen in self.quantnode_map.items():
            for key in chosen:
                if key not in known[selector]:
                    what, where = f"the model has no node of this {selector}", f"quantnode_map['{selector}']['{key}']"
                    raise ConfigError(what, where=where, remedy=nearest(key, list(known[selector])))
                if selector == "name" and known[selector][key] > 1:
                    what = f"{known[selector][key]} nodes are called '{key}'"
                    raise ConfigError(what, where="quantnode_map", remedy="run cleanup_model first, it gives names")
        found = []
        for node in model.graph.node:
            entries: list[Entry] = []
            for selector, key in (("name", node.name), ("op_type", node.op_type)):
                for entry in self.quantnode_map.get(selector, {}).get(key, ()):
                    _check_position(model, node, entry[0], f"quantnode_map['{selector}']['{key}']")
                    entries.append(entry)
            if entries:
                found.append((node, entries))
        return found


def _check_entry(entry: Any, where: str) -> None:
    """An entry has the form of one, and its parameters make a quantizer."""
    try:
        (kind, number), (scale, zeropt, bits, narrow, signed, mode) = entry
        values = {"scale": scale, "zero point": zeropt, "bit width": bits}
        arrays = {what: np.asarray(value, dtype=np.float64) for what, value in values.items()}
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{entry!r} is no entry", where=where, remedy=f"write {(('input', 0), (1, 0, 8, 0, 1, 'ROUND'))}"
        ) from error
    bad = [what for what, array in arrays.items() if not np.all(np.isfinite(array))]
    bad += ["scale"] * bool(np.any(arrays["scale"] == 0))
    bad += ["bit width"] * bool(np.any((arrays["bit width"] < 1) | (arrays["bit width"] % 1 != 0)))
    bad += [what for what, flag in (("narrow", narrow), ("signed", signed)) if flag not in (0, 1)]
    bad += ["kind"] * (kind not in ("input", "output")) + ["index"] * (not isinstance(number, int) or number < 0)
    if bad:
        remedy = "scale not 0, whole bits of at least 1, narrow and signed 0 or 1, at an ('input' or 'output', index)"
        raise ConfigError(f"{entry!r} has an illegal {bad[0]}", where=where, remedy=remedy)
    try:
        resolve_rounding_mode(mode)
    except (AttributeValueError, AttributeError) as error:
        raise ConfigError(f"{mode!r} is no rounding mode", where=where, why=str(error)) from error


def _check_position(model: ModelWrapper, node: NodeProto, position: Position, where: str) -> None:
    kind, number = position
    tensors = list(node.input if kind == "input" else node.output)
    if number >= len(tensors) or not tensors[number]:
        what = f"node '{node.name}' has no {kind} {number}"
        raise ConfigError(what, where=where, remedy=f"use an index of one of {tensors}")
    element = model.get_tensor_elem_type(tensors[number])
    if element not in (TensorProto.UNDEFINED, TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
        name = TensorProto.DataType.Name(element)
        raise ConfigError(f"{kind} {number} of node '{node.name}' is {name}, no float", where=where)
