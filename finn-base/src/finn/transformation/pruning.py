"""Structured pruning: channels are taken out of the tensors of a network.

What is asked for is {tensor: {axis: {channels}}}. A channel rarely goes alone: with an output channel of a convolution
go its parameters in the operators behind it, and the input channels of the layers that read it; where branches are
added, the channels of the other branches; behind a Flatten, a block of rows of the weights. This closure is found for
every operator that treats channels one by one, in any layout; an operator that mixes them (Softmax over the channels, a
Reshape that cannot be told apart) is refused by name.

lossy=True removes the whole closure. The result is that of the original network whose consumers (convolutions, matrix
products) have zeros in their weights for every removed input channel, without the removed channels of its outputs.

lossy=False takes what is asked for to be zero, and removes it where that changes no result: a channel goes if all
activations of its closure are zero, or ignored by all that read them. Of an addition of branches a channel goes if it
is zero in each of them (lossy: in one of them); where a bias makes a constant of a zero channel it stays. Graph inputs
and outputs lose channels only if they are asked for by name. A warning names what stays. If the channels asked for are
zero, or nobody reads them, the result is that of the original network, exactly as far as zeros can be added exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.domains import CHANNELS_LAST
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._channel_masks import Closure, Masks, Spec, as_spec, checked_masks, lossless, require_some_left
from finn.transformation._channel_ties import RULES, View
from finn.transformation.base import Transformation

TensorMask = dict[int, set[int]]
"""{axis: channels} of one tensor."""


class PruneChannels(Transformation):
    """Remove channels, {tensor: {axis: {channels}}}, and all that goes with them; see the module for lossy.

    Needs shapes. Sparsity annotations with masks from before count as asked for, too. With nothing changed: ConfigError
    for tensors, axes or channels that do not exist, UnsupportedError that names the node that mixes channels to be
    removed, ModelError if no channel would be left.
    """

    def __init__(self, prune_spec: Spec, lossy: bool = True) -> None:
        self.prune_spec = prune_spec
        self.lossy = lossy

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            asked = checked_masks(model, merge_dicts_of_dicts(_annotated(model), self.prune_spec))
            remove_masked(model, _propagated(model, asked, self.lossy))
        return model, False


class ApplyMasks(Transformation):
    """Note {tensor: {axis: {channels}}} in the sparsity annotations of the tensors; nothing is removed yet.

    What is noted there already stays. ConfigError for tensors, axes or channels that do not exist.
    """

    def __init__(self, prune_spec: Spec) -> None:
        self.prune_spec = prune_spec

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            _annotate(model, as_spec(checked_masks(model, merge_dicts_of_dicts(_annotated(model), self.prune_spec))))
        return model, False


class PropagateMasks(Transformation):
    """Replace the masks in the sparsity annotations by all that has to go with them; see the module for lossy."""

    def __init__(self, lossy: bool = True) -> None:
        self.lossy = lossy

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            asked = checked_masks(model, _annotated(model))
            masks = _propagated(model, asked, self.lossy)
            _annotate(model, {name: {} for name in _annotated(model)} | as_spec(masks))
        return model, False


class RemoveMaskedChannels(Transformation):
    """Remove the channels in the sparsity annotations, as `PropagateMasks` leaves them, and clear these.

    lossy: as of `PropagateMasks`; complete masks can be removed either way. ModelError if the masks are not complete.
    """

    def __init__(self, lossy: bool = True) -> None:
        self.lossy = lossy

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            masks = checked_masks(model, _annotated(model))
            complete = Closure(model).spread(masks)
            missing = [slot for slot, mask in complete.items() if slot not in masks or np.any(mask > masks[slot])]
            if missing:
                raise ModelError(
                    "the masks would break the shapes",
                    where=f"axis {missing[0][1]} of tensor '{missing[0][0]}'",
                    remedy="apply PropagateMasks first",
                )
            remove_masked(model, masks)
        return model, False


def _propagated(model: ModelWrapper, asked: Masks, lossy: bool) -> Masks:
    closure = Closure(model)
    everything = closure.spread(asked)
    if not lossy:
        removable = lossless(model, closure, asked, everything)
        for (name, axis), mask in asked.items():
            stays = mask & ~removable.get((name, axis), np.zeros_like(mask))
            if stays.any():
                channels = ", ".join(map(str, np.flatnonzero(stays)))
                warnings.warn(
                    f"channels {channels} of axis {axis} of '{name}' stay: without them results would change",
                    stacklevel=4,
                )
        everything = removable
    require_some_left(everything)
    return everything


# --------------------------------------------------------------------------------------------------------- annotations


def _annotated(model: ModelWrapper) -> dict[str, TensorMask]:
    """The masks in the sparsity annotations; other things are there under names, not numbers."""
    found = {}
    for entry in model.graph.quantization_annotation:
        sparsity = model.get_tensor_sparsity(entry.tensor_name) or {}
        mask = {axis: set(channels) for axis, channels in sparsity.items() if isinstance(axis, int)}
        if mask:
            found[entry.tensor_name] = mask
    return found


def _annotate(model: ModelWrapper, spec: Mapping[str, TensorMask]) -> None:
    """Replace the masks of these tensors and keep what else their annotations say."""
    for name, mask in spec.items():
        sparsity = {key: v for key, v in (model.get_tensor_sparsity(name) or {}).items() if not isinstance(key, int)}
        sparsity |= {axis: set(sorted(mask[axis])) for axis in sorted(mask) if mask[axis]}
        if sparsity:
            model.set_tensor_sparsity(name, sparsity)
        else:
            model.set_annotation(name, "tensor_sparsity", None)


# ------------------------------------------------------------------------------------------------------------- removal


def remove_masked(model: ModelWrapper, masks: Masks) -> None:
    """Delete complete masks from constants and shapes, and adapt the nodes around."""
    nodes: dict[int, NodeProto] = {}
    for name, _ in masks:
        producer = model.find_producer(name)
        for node in [*([] if producer is None else [producer]), *model.find_consumers(name)]:
            nodes[id(node)] = node
    groups = {key: _groups_left(model, node, masks) for key, node in nodes.items()}
    spec = as_spec(masks)
    for name, axes in spec.items():
        value = model.get_initializer(name)
        for axis, channels in axes.items():
            if value is not None:
                value = remove_masked_tensor_channels(value, channels, axis)
            info = model.get_tensor_valueinfo(name)
            if info is not None:
                dim = info.type.tensor_type.shape.dim[axis]
                dim.dim_value -= len(channels)
        if value is not None:
            model.set_initializer(name, value)
    _annotate(model, {name: {} for name in {**spec, **_annotated(model)}})
    for key, node in nodes.items():
        _adapt(model, node, groups[key], spec)


def _groups_left(model: ModelWrapper, node: NodeProto, masks: Masks) -> int | None:
    """How many groups a convolution has afterwards, if it loses some: those of one input channel go one by one."""
    if node.op_type not in ("Conv", "ConvTranspose"):
        return None
    view = View(model, node)
    groups = int(view.attributes.get("group", 1))
    channel = len(view.shape(node.input[0])) - 1 if node.domain == CHANNELS_LAST else 1
    mask = masks.get((node.input[0], channel))
    if groups == 1 or mask is None or len(mask) != groups:
        return None
    return groups - int(mask.sum())


def _adapt(model: ModelWrapper, node: NodeProto, groups: int | None, spec: Mapping[str, TensorMask]) -> None:
    """Attributes and constant inputs that repeat a size."""
    if groups is not None:
        _set_attribute(node, "group", groups)
    out = model.get_tensor_shape(node.output[0]) or []
    if node.op_type == "Reshape" and node.output[0] in spec:
        old = model.get_initializer(node.input[1])
        if old is not None:
            _set_constant(model, node, 1, [new if size > 0 else size for size, new in zip(old, out, strict=True)])
    elif node.op_type == "Split" and node.input[0] in spec:
        axis = int(View(model, node).attributes.get("axis", 0))
        sizes = [(model.get_tensor_shape(name) or [])[axis] for name in node.output]
        _set_split(model, node, sizes)
    elif node.op_type == "Resize" and len(node.input) > 3 and node.output[0] in spec:
        _set_constant(model, node, 3, out)


def _set_split(model: ModelWrapper, node: NodeProto, sizes: list[int]) -> None:
    """The sizes of the parts: an attribute before version 13, an input since then."""
    if View(model, node).opset < 13:
        _set_attribute(node, "split", sizes)
        return
    kept = [a for a in node.attribute if a.name != "num_outputs"]
    del node.attribute[:]
    node.attribute.extend(kept)
    if len(node.input) < 2:
        node.input.append("")
        model.nodes_were_reordered()  # no edit that a trusted index would notice
    _set_constant(model, node, 1, sizes)


def _set_constant(model: ModelWrapper, node: NodeProto, position: int, values: Sequence[int]) -> None:
    """Let `node` read these numbers; the constant of before may have other readers."""
    name = model.make_new_valueinfo_name(f"{node.output[0]}_sizes")
    old = node.input[position]
    model.set_initializer(name, np.asarray(values, np.int64))
    model.set_node_input(node, position, name)
    if old and not model.find_consumers(old) and not model.is_graph_output(old):
        model.remove_tensors([old])


def _set_attribute(node: NodeProto, name: str, value: Any) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


# ------------------------------------------------------------------------------------------------------------- helpers


def ensure_masktype_is_dict(mask: TensorMask | None) -> TensorMask:
    """The mask; {} for None."""
    return {} if mask is None else mask


def merge_dicts_of_sets(dict1: Mapping[Any, set[Any]], dict2: Mapping[Any, set[Any]]) -> dict[Any, set[Any]]:
    """The union of both sets under each key; neither is changed."""
    return {key: set(dict1.get(key, ())) | set(dict2.get(key, ())) for key in {**dict1, **dict2}}


def merge_dicts_of_dicts(dict1: Spec, dict2: Spec) -> dict[str, TensorMask]:
    """`merge_dicts_of_sets` for each tensor."""
    return {name: merge_dicts_of_sets(dict1.get(name, {}), dict2.get(name, {})) for name in {**dict1, **dict2}}


def remove_masked_tensor_channels(tensor_or_shape: Any, mask: Iterable[int], axis: int) -> Any:
    """An array without these entries of `axis`, or a list of dimensions that is shorter there by as many."""
    channels = sorted(set(mask))
    if isinstance(tensor_or_shape, np.ndarray):
        return np.delete(tensor_or_shape, channels, axis=axis)
    shape = list(tensor_or_shape)
    shape[axis] -= len(channels)
    return type(tensor_or_shape)(shape)


def update_node_mask(
    node: NodeProto, masks_in: Sequence[TensorMask | None], masks_out: Sequence[TensorMask | None], lossy: bool = True
) -> tuple[list[TensorMask], list[TensorMask]]:
    """The masks of the inputs and outputs of one node after one step, without a look at shapes.

    Tensors are taken to have the rank that the operator needs, and not to broadcast; Conv with group > 1 is depthwise.
    lossy=False: the output of an elementwise node is masked where all of its inputs are, and its inputs stay as they
    are. Operators that are not known pass nothing on. The given masks are not changed.
    """
    given = [ensure_masktype_is_dict(mask) for mask in (*masks_in, *masks_out)]
    count = len(masks_in)
    known = _one_node(node, given, count)
    if known is None:
        return [dict(mask) for mask in given[:count]], [dict(mask) for mask in given[count:]]
    model, names = known
    alone = not lossy and node.op_type not in ("MatMul", "Gemm", "Conv", "ConvTranspose")
    if alone:
        common = _intersection(given[:count])
        return [dict(mask) for mask in given[:count]], [merge_dicts_of_sets(mask, common) for mask in given[count:]]
    spec = {name: mask for name, mask in zip(names, given, strict=True) if mask}
    masks = as_spec(Closure(model).spread(checked_masks(model, spec)))
    result = [merge_dicts_of_sets(mask, masks.get(name, {})) for name, mask in zip(names, given, strict=True)]
    return result[:count], result[count:]


def _intersection(masks: Sequence[TensorMask]) -> TensorMask:
    axes = [axis for axis in masks[0] if all(axis in mask for mask in masks)] if masks else []
    return {axis: set.intersection(*(set(mask[axis]) for mask in masks)) for axis in axes}


def _one_node(node: NodeProto, masks: Sequence[TensorMask], inputs: int) -> tuple[ModelWrapper, list[str]] | None:
    """A model of this node alone, with every axis just long enough for the masks; None for an unknown operator."""
    if node.op_type not in RULES:
        return None
    names = [f"in{i}" if i < inputs else f"out{i - inputs}" for i in range(len(masks))]
    size = 1 + max((channel for mask in masks for channels in mask.values() for channel in channels), default=0)
    rank = 1 + max((axis for mask in masks for axis in mask), default=0)
    rank = {"MatMul": 2, "Gemm": 2, "Conv": 4, "ConvTranspose": 4}.get(node.op_type, max(rank, 2))
    copy = helper.make_node(node.op_type, names[:inputs], names[inputs:], node.name, domain=node.domain)
    copy.attribute.extend(a for a in node.attribute if a.name != "group")
    shapes = {name: [size] * rank for name in names}
    if View(ModelWrapper(_model_of(node, {})), node).attributes.get("group", 1) > 1 and inputs > 1:
        copy.attribute.append(helper.make_attribute("group", size))
        shapes["in1"][1] = 1
    return ModelWrapper(_model_of(copy, shapes)), names


def _model_of(node: NodeProto, shapes: Mapping[str, list[int]]) -> Any:
    values = [helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items()]
    return helper.make_model(helper.make_graph([node], "one", [], [], value_info=values))
