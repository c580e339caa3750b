"""Inputs of the graph with the channels on the last axis."""

from __future__ import annotations

from onnx import helper

from finn.core.data_layout import is_channels_last
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._axes import layout_name
from finn.transformation._layout_regions import set_type, type_of
from finn.transformation._layout_rules import to_first, to_last
from finn.transformation.base import Transformation


class MakeInputChannelsLast(Transformation):
    """Every input of more than two axes is given with the channels last: NCHW becomes NHWC, with a Transpose behind it.

    Inputs that are annotated as channels-last already stay, and so do those whose rank is not known.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = False
        with model.trusted_index():
            for value in list(model.graph.input):
                rank = len(model.get_tensor_shape(value.name) or ())
                layout = model.get_tensor_layout(value.name) or []
                done = len(layout) == rank and is_channels_last(layout)
                if rank > 2 and not done and not model.has_initializer(value.name):
                    _transpose_input(model, value.name, rank)
                    changed = True
        return model, changed


def _transpose_input(model: ModelWrapper, name: str, rank: int) -> None:
    kind, new = type_of(model, name), model.unique_tensor_name(f"{name}_transposed")
    model.copy_annotations(name, new)
    model.replace_uses(name, new)
    if kind is not None:
        set_type(model, new, kind)
        dims = list(kind.tensor_type.shape.dim)
        del kind.tensor_type.shape.dim[:]
        kind.tensor_type.shape.dim.extend(dims[i] for i in to_last(rank))
        set_type(model, name, kind)
    model.set_tensor_layout(new, list(layout_name(rank, channels_last=False)))
    model.set_tensor_layout(name, list(layout_name(rank, channels_last=True)))
    model.insert_node(0, helper.make_node("Transpose", [name], [new], f"Transpose_{name}", perm=to_first(rank)))
