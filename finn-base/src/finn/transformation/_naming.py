"""Names of nodes and tensors."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import fresh_name
from finn.transformation.base import Transformation


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
    `global_in_1`, ..., outputs `global_out`, ...

    A graph input that is returned as it is becomes `global_out`; a constant has the name of its first reader, and keeps
    its own if only bodies of control flow read it. The nodes need unique names: ModelError.
    """

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
        used = dict.fromkeys(model.get_all_tensor_names())
        _rename(model, {old: new for old, new in mapping.items() if old in used}, used)
        return model, False


def _rename(model: ModelWrapper, mapping: dict[str, str], names: Iterable[str]) -> None:
    """Rename, and let tensors that keep their name make way for the new names."""
    kept = [name for name in names if name not in mapping]
    taken = {*kept, *mapping.values()}
    new = set(mapping.values())
    for name in kept:
        if name in new:
            mapping[name] = fresh_name(name, taken)
            taken.add(mapping[name])
    model.rename_tensors(mapping)


class GiveUniqueTensorNames(Transformation):
    """Name all tensors `tensor_<i>`: graph inputs, then inputs and outputs of the nodes in the order of the graph."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        model.rename_tensors({name: f"tensor_{i}" for i, name in enumerate(_in_graph_order(model))})
        return model, False


class GiveRandomTensorNames(Transformation):
    """Give all tensors random names, so that two models have none in common.

    seed: makes the names reproducible; None draws it from the operating system. NumPy's random state is not touched.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        mapping: dict[str, str] = {}
        taken: set[str] = set()
        for name in _in_graph_order(model):
            mapping[name] = fresh_name(f"t{self._random.getrandbits(64):016x}", taken)
            taken.add(mapping[name])
        model.rename_tensors(mapping)
        return model, False


def _in_graph_order(model: ModelWrapper) -> list[str]:
    """Every tensor name once, in the order in which a reader of the graph meets it."""
    names = [value.name for value in model.graph.input]
    for node in model.graph.node:
        names += [name for name in (*node.input, *node.output) if name]
    return list(dict.fromkeys(names + model.get_all_tensor_names()))
