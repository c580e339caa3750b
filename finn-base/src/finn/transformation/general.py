"""General clean-up, naming and normal forms."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onnx import NodeProto

from finn.core import tidy
from finn.core.domains import is_custom_domain
from finn.core.errors import ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.registry import getCustomOp
from finn.transformation.base import Transformation
from finn.transformation.normal_forms import div_to_mul, sub_to_add
from finn.transformation.rewrite import apply


class RemoveUnusedTensors(Transformation):
    """Remove constants, shapes and annotations of tensors that nothing uses."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, tidy.remove_unused_tensors(model)


class RemoveStaticGraphInputs(Transformation):
    """Graph inputs that are constants become inner values."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, tidy.remove_static_graph_inputs(model)


class SortGraph(Transformation):
    """Sort the nodes by their longest distance from a source, then by their old order."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        tidy.sort_graph(model)
        return model, False


class SortCommutativeInputsInitializerLast(Transformation):
    """Constants become the last inputs of commutative nodes."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, tidy.sort_commutative_inputs(model)


class GiveUniqueParameterTensors(Transformation):
    """Every use of a constant gets its own copy, annotations included."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, tidy.give_unique_parameter_tensors(model)


class GiveUniqueNodeNames(Transformation):
    """Name the nodes `<prefix><op_type>_<number>`, numbered per op type in the order of the graph."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        count: Counter[str] = Counter()
        for node in model.graph.node:
            node.name = f"{self.prefix}{node.op_type}_{count[node.op_type]}"
            count[node.op_type] += 1
        return model, False


class GiveReadableTensorNames(Transformation):
    """Outputs of a node become `<node>_out<i>`, its constants `<node>_param<j>`, graph inputs `global_in`,
    `global_in_1`, ..., outputs `global_out`, ... The nodes need unique names: ModelError."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        names = [node.name for node in model.graph.node]
        if len(set(names)) != len(names) or "" in names:
            raise ModelError("the nodes have no unique names", remedy="apply GiveUniqueNodeNames first")
        mapping: dict[str, str] = {}
        with model.trusted_index():
            for node in model.graph.node:
                params = [name for name in node.input if name and model.has_initializer(name)]
                for j, name in enumerate(params):
                    mapping.setdefault(name, f"{node.name}_param{j}")
                mapping.update({name: f"{node.name}_out{i}" for i, name in enumerate(node.output) if name})
        for values, stem in ((model.graph.input, "global_in"), (model.graph.output, "global_out")):
            mapping.update({v.name: stem if i == 0 else f"{stem}_{i}" for i, v in enumerate(values)})
        used = set(model.get_all_tensor_names())
        model.rename_tensors({old: new for old, new in mapping.items() if old in used})
        return model, False


class ConvertSubToAdd(Transformation):
    """x - b == x + (-b) for constant b."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, [sub_to_add]))


class ConvertDivToMul(Transformation):
    """x / b == x * (1/b) for constant b."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, [div_to_mul]))


class ApplyConfig(Transformation):
    """Set attributes of custom nodes.

    config: a dict or a JSON file {"Defaults": {attribute: [value, "all" | [op types]]}, node name: {attribute: value}}.
    The defaults come first; nodes that lack an attribute of the defaults are passed over. node_filter: nodes that may
    be changed. Warns about names in the file that no node has.
    """

    def __init__(
        self,
        config: Mapping[str, Mapping[str, Any]] | str | os.PathLike[str],
        node_filter: Callable[[NodeProto], bool] = lambda node: True,
    ) -> None:
        self.config = _read_config(config)
        self.node_filter = node_filter

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        missing = set(self.config) - {"Defaults"} - {node.name for node in model.graph.node}
        for name in sorted(missing):
            warnings.warn(f"the configuration has an entry for '{name}', which is no node of the model", stacklevel=2)
        for node in model.graph.node:
            if is_custom_domain(node.domain) and self.node_filter(node):
                self._configure(node)
        return model, False

    def _configure(self, node: NodeProto) -> None:
        custom_op = getCustomOp(node)
        for attribute, (value, op_types) in self.config.get("Defaults", {}).items():
            wanted = op_types == "all" or node.op_type in op_types
            if wanted and attribute in custom_op.get_nodeattr_types():
                custom_op.set_nodeattr(attribute, value)
        for attribute, value in self.config.get(node.name, {}).items():
            custom_op.set_nodeattr(attribute, value)


def _read_config(config: Mapping[str, Mapping[str, Any]] | str | os.PathLike[str]) -> Mapping[str, Mapping[str, Any]]:
    if isinstance(config, Mapping):
        return config
    try:
        loaded = json.loads(Path(config).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError("cannot read the configuration", where=os.fspath(config), why=str(error)) from error
    if not isinstance(loaded, dict):
        raise ConfigError("the configuration is no JSON object", where=os.fspath(config))
    return loaded
