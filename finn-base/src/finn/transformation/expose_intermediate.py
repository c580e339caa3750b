"""Inner tensors as outputs of the graph, to look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onnx import ValueInfoProto

from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._layout_regions import type_of
from finn.transformation.base import Transformation


class ExposeIntermediateTensorsLambda(Transformation):
    """Tensors for which `tensor_filter(name, model)` is true become outputs of the graph, after those it has.

    Inputs and outputs of the graph are not asked about. ModelError if the rank of one is not known.
    """

    def __init__(self, tensor_filter: Callable[[str, ModelWrapper], bool] = lambda tname, model: True) -> None:
        self.tensor_filter = tensor_filter

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        outer = {value.name for value in (*model.graph.input, *model.graph.output)}
        with model.trusted_index():
            names = [name for name in model.get_all_tensor_names() if name not in outer]
            wanted = [name for name in names if self.tensor_filter(name, model)]
            infos = [_info(model, name) for name in wanted]
        kept = [info for info in model.graph.value_info if info.name not in set(wanted)]
        del model.graph.value_info[:]
        model.graph.value_info.extend(kept)
        model.graph.output.extend(infos)
        return model, False


class ExposeIntermediateTensorsPatternList(ExposeIntermediateTensorsLambda):
    """Tensors whose name contains one of the patterns become outputs of the graph.

    dynamic_only: no constants.
    """

    def __init__(self, pattern_list: Iterable[str], dynamic_only: bool = True) -> None:
        self.pattern_list = list(pattern_list)
        self.dynamic_only = dynamic_only
        super().__init__(self._matches)

    def _matches(self, name: str, model: ModelWrapper) -> bool:
        fits = any(pattern in name for pattern in self.pattern_list)
        return fits and not (self.dynamic_only and model.has_initializer(name))


def _info(model: ModelWrapper, name: str) -> ValueInfoProto:
    kind = type_of(model, name)
    if kind is None:
        raise ModelError("its shape is not known", where=f"tensor '{name}'", remedy="apply InferShapes first")
    return ValueInfoProto(name=name, type=kind)
