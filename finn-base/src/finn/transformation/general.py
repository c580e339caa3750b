"""General clean-up, normal forms and configuration."""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.core import tidy
from finn.core.domains import is_custom_domain
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.registry import op_for
from finn.transformation._naming import (
    GiveRandomTensorNames,
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    GiveUniqueTensorNames,
)
from finn.transformation.base import Transformation
from finn.transformation.normal_forms import div_to_mul, sub_to_add
from finn.transformation.raise_opset import raise_opset
from finn.transformation.rewrite import RuleTransformation


class RemoveUnusedTensors(Transformation):
    """Remove constants, shapes and annotations of tensors that nothing uses."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            return model, tidy.remove_unused_tensors(model)


class RemoveStaticGraphInputs(Transformation):
    """Graph inputs that are constants become inner values."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            return model, tidy.remove_static_graph_inputs(model)


class SortGraph(Transformation):
    """Sort the nodes by their longest distance from a source, then by their old order."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            tidy.sort_graph(model)
        return model, False


class SortCommutativeInputsInitializerLast(Transformation):
    """Constants become the last inputs of commutative nodes."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            return model, tidy.sort_commutative_inputs(model)


class GiveUniqueParameterTensors(Transformation):
    """Every use of a constant gets its own copy, annotations included."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            return model, tidy.give_unique_parameter_tensors(model)


class ConvertSubToAdd(RuleTransformation):
    """x - b == x + (-b) for constant b."""

    rules = (sub_to_add,)


class ConvertDivToMul(RuleTransformation):
    """x / b == x * (1/b) for constant b."""

    rules = (div_to_mul,)


class MovePadAttributeToTensor(Transformation):
    """The attributes `pads` and `value` of Pad become constant inputs, as from version 11 of the operators on.

    A model with such a Pad that imports an older version is raised to 11, all of its nodes are; UnsupportedError as of
    `finn.transformation.raise_opset`, with nothing changed.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        old_style = [node for node in model.graph.node if node.op_type == "Pad" and not node.domain and _pads(node)]
        if old_style and raise_opset(model, 11):
            return model, False
        with model.trusted_index():
            for node, names in [(node, _pad_constants(model, node)) for node in old_style]:
                kept = [a for a in node.attribute if a.name not in ("pads", "value")]
                del node.attribute[:], node.input[1:]
                node.attribute.extend(kept)
                node.input.extend(names)
            if old_style:
                model.nodes_were_reordered()  # no edit that a trusted index would notice
        return model, False


def _pads(node: NodeProto) -> list[int]:
    return [pad for a in node.attribute if a.name == "pads" for pad in a.ints]


def _pad_constants(model: ModelWrapper, node: NodeProto) -> list[str]:
    """The names of new constants for the amounts and, if it is not 0, the value."""
    value = next((a.f for a in node.attribute if a.name == "value"), 0.0)
    kind = model.get_tensor_elem_type(node.input[0]) or TensorProto.FLOAT
    arrays = {"pads": np.asarray(_pads(node), np.int64)}
    if value:
        arrays["value"] = np.asarray(value, helper.tensor_dtype_to_np_dtype(kind))
    names = [model.unique_tensor_name(f"{node.output[0]}_{what}") for what in arrays]
    for name, array in zip(names, arrays.values(), strict=True):
        model.set_initializer(name, array)
    return names


def group_inputs_by_category(node: NodeProto, model: ModelWrapper) -> tuple[list[str], list[str]]:
    """The inputs of `node` that are computed, and those that are constants; omitted inputs are in neither."""
    inputs = [name for name in node.input if name]
    constants = [name for name in inputs if model.has_initializer(name)]
    return [name for name in inputs if not model.has_initializer(name)], constants


class ApplyConfig(Transformation):
    """Set attributes of custom nodes.

    config: a dict or a JSON file {"Defaults": {attribute: [value, "all" | [op types]]}, node name: {attribute: value}},
    as `finn.util.config.extract_model_config_to_json` writes it. The defaults come first; nodes that lack an attribute
    of the defaults are passed over. node_filter: nodes that may be changed. All values are checked before anything is
    set. Warns about names that no custom node has.
    """

    def __init__(
        self,
        config: Mapping[str, Mapping[str, Any]] | str | os.PathLike[str],
        node_filter: Callable[[NodeProto], bool] = lambda node: True,
    ) -> None:
        self.config = _read_config(config)
        self.node_filter = node_filter

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        nodes = [node for node in model.graph.node if is_custom_domain(node.domain)]
        standard = {node.name for node in model.graph.node}
        for name in sorted(set(self.config) - {"Defaults"} - {node.name for node in nodes}):
            what = "a standard node" if name in standard else "no node of the model"
            warnings.warn(f"the configuration has an entry for '{name}', which is {what}", stacklevel=2)
        nodes = [node for node in nodes if self.node_filter(node)]
        for node, new in [(node, self._configured(model, node)) for node in nodes]:
            node.CopyFrom(new)
        return model, False

    def _configured(self, model: ModelWrapper, node: NodeProto) -> NodeProto:
        custom_op = op_for(model, copy.deepcopy(node))
        for attribute, (value, op_types) in self.config.get("Defaults", {}).items():
            wanted = op_types == "all" or node.op_type in op_types
            if wanted and attribute in custom_op.get_nodeattr_types():
                custom_op.set_nodeattr(attribute, value)
        for attribute, value in self.config.get(node.name, {}).items():
            custom_op.set_nodeattr(attribute, value)
        return custom_op.onnx_node


def _read_config(config: Mapping[str, Mapping[str, Any]] | str | os.PathLike[str]) -> Mapping[str, Mapping[str, Any]]:
    where = "" if isinstance(config, Mapping) else os.fspath(config)
    loaded: Any = config
    if not isinstance(config, Mapping):
        try:
            loaded = json.loads(Path(config).read_text())
        except (OSError, ValueError) as error:
            raise ConfigError("cannot read the configuration", where=where, why=str(error)) from error
    if not isinstance(loaded, Mapping):
        raise ConfigError("the configuration is no JSON object", where=where)
    for name, entry in loaded.items():
        if not isinstance(entry, Mapping):
            raise ConfigError(f"the entry '{name}' is {entry!r}", where=where, remedy="use {attribute: value}")
    for attribute, entry in loaded.get("Defaults", {}).items():
        if not _is_default(entry):
            raise ConfigError(
                f"the default of '{attribute}' is {entry!r}", where=where, remedy='use [value, "all" | [op types]]'
            )
    return loaded


def _is_default(entry: Any) -> bool:
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        return False
    return entry[1] == "all" or isinstance(entry[1], list | tuple | set | frozenset)


__all__ = [
    "ApplyConfig",
    "ConvertDivToMul",
    "ConvertSubToAdd",
    "GiveRandomTensorNames",
    "GiveReadableTensorNames",
    "GiveUniqueNodeNames",
    "GiveUniqueParameterTensors",
    "GiveUniqueTensorNames",
    "MovePadAttributeToTensor",
    "RemoveStaticGraphInputs",
    "RemoveUnusedTensors",
    "SortCommutativeInputsInitializerLast",
    "SortGraph",
    "group_inputs_by_category",
]
