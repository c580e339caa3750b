"""Products of bipolar matrices become counts of equal bits.

With bits a = (x + 1) / 2, b = (w + 1) / 2 and P = the number of equal bits in each dot product of K elements,

    x @ w == 2 P - K

See section 4.2.1 of Umuroglu et al., "FINN: A Framework for Fast, Scalable Binarized Neural Network Inference",
arXiv:1612.07119.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto, helper

from finn.core.datatype import DataType
from finn.core.domains import GENERAL, is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.custom_op.base import CustomOp
from finn.custom_op.registry import getCustomOp
from finn.transformation.base import Transformation
from finn.transformation.rewrite import NoMatch, require

_MOVING = frozenset(
    {"DepthToSpace", "Flatten", "Gather", "Identity", "Im2Col", "MaxPool", "MaxPoolNHWC", "Reshape", "Slice"}
    | {"SpaceToDepth", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators on input 0 that keep the order of values, so that they do the same to bits as to signs."""


class ConvertBipolarMatMulToXnorPopcount(Transformation):
    """MatMul of BIPOLAR inputs and constant BIPOLAR weights as XnorPopcountMatMul, Mul by 2, Add of -K.

    The MultiThreshold that makes the input then makes bits. Where a graph input is BIPOLAR itself, the model wants bits
    from now on, and a warning says so. All readers of these values have to be such products, with only operators
    between that move values. Warns about each product that stays, with the reason.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = False
        stay: list[str] = []
        with model.trusted_index():
            for source, products in _products_by_source(model).items():
                try:
                    region = _region(model, source, products)
                except NoMatch as reason:
                    stay += [f"{describe(p)} does not become XnorPopcountMatMul: {reason}" for p in products]
                    continue
                _make_binary(model, region)
                for product in products:
                    _replace(model, product)
                changed = True
        for message in () if changed else stay:
            warnings.warn(message, stacklevel=2)
        return model, changed


@dataclass
class _Region:
    """What has to change from bipolar to binary: the tensors between one source and the products."""

    source: str
    tensors: list[str] = field(default_factory=list)
    threshold: CustomOp | None = None
    im2cols: list[CustomOp] = field(default_factory=list)


def _products_by_source(model: ModelWrapper) -> dict[str, list[NodeProto]]:
    """The bipolar products, by the tensor that their values come from."""
    products: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and not node.domain and _is_bipolar(model, *node.input):
            source = node.input[0]
            while (maker := model.find_producer(source)) is not None and maker.op_type in _MOVING:
                source = maker.input[0]
            products.setdefault(source, []).append(node)
    return products


def _is_bipolar(model: ModelWrapper, *names: str) -> bool:
    return all(model.get_tensor_datatype(name) == "BIPOLAR" for name in names)


def _region(model: ModelWrapper, source: str, products: list[NodeProto]) -> _Region:
    """Everything that is bipolar because of `source`. NoMatch if something else than `products` reads it."""
    region = _Region(source, threshold=_threshold(model, source))
    for product in products:
        _check_weights(model, product)
    ends = {id(product) for product in products}
    waiting = [source]
    while waiting:
        tensor = waiting.pop()
        region.tensors.append(tensor)
        require(not model.is_graph_output(tensor), f"'{tensor}' is an output of the model")
        for reader in model.find_consumers(tensor):
            reads_once = reader.input[0] == tensor and list(reader.input).count(tensor) == 1
            moves = reader.op_type in _MOVING
            require(reads_once and (id(reader) in ends or moves), f"{describe(reader)} reads '{tensor}', too")
            if id(reader) not in ends:
                region.im2cols += _checked_im2col(reader)
                waiting += [name for name in reader.output[:1] if name not in region.tensors]
    return region


def _threshold(model: ModelWrapper, source: str) -> CustomOp | None:
    """The MultiThreshold with one level that makes `source`; None if it is a graph input."""
    node = model.find_producer(source)
    if node is None:
        require(model.is_graph_input(source), f"'{source}' is a constant")
        return None
    require(node.op_type == "MultiThreshold" and is_custom_domain(node.domain), f"{describe(node)} makes its input")
    threshold = getCustomOp(node)
    scale, bias = (threshold.get_nodeattr(name) for name in ("out_scale", "out_bias"))
    require((scale, bias) == (2, -1), f"{describe(node)} has scale {scale} and bias {bias}, wanted 2 and -1")
    levels = (model.get_tensor_shape(node.input[1]) or [0])[-1]
    require(levels == 1, f"{describe(node)} has {levels} levels")
    return threshold


def _checked_im2col(node: NodeProto) -> list[CustomOp]:
    if node.op_type != "Im2Col":
        return []
    im2col = getCustomOp(node)
    pads = any(im2col.get_nodeattr("pad_amount"))
    value = im2col.get_nodeattr("pad_value")
    require(not pads or value in (-1, 1), f"{describe(node)} pads by {value}, which is no bit")
    return [im2col] if pads else []


def _check_weights(model: ModelWrapper, product: NodeProto) -> None:
    weights = model.get_initializer(product.input[1])
    if weights is None:
        raise NoMatch(f"its weights '{product.input[1]}' are no initializer")
    require(weights.ndim == 2, f"its weights have shape {list(weights.shape)}, wanted (K, N)")
    require(bool(np.all(np.abs(weights) == 1)), "its weights are not all -1 or +1")


# ------------------------------------------------------------------------------------------------------------- editing


def _make_binary(model: ModelWrapper, region: _Region) -> None:
    if region.threshold is None:
        warnings.warn(
            f"the graph input '{region.source}' is BINARY now: give it bits, 0 for -1 and 1 for +1", stacklevel=3
        )
    else:
        for name, value in (("out_scale", 1.0), ("out_bias", 0.0), ("out_dtype", "BINARY")):
            region.threshold.set_nodeattr(name, value)
    for im2col in region.im2cols:
        im2col.set_nodeattr("pad_value", (im2col.get_nodeattr("pad_value") + 1) // 2)
    for tensor in region.tensors:
        model.set_tensor_datatype(tensor, DataType["BINARY"])


def _replace(model: ModelWrapper, product: NodeProto) -> None:
    """2 P - K in place of the product."""
    x, w, y = product.input[0], product.input[1], product.output[0]
    weights = np.asarray(model.get_initializer(w))
    bits = w if len(model.find_consumers(w)) == 1 else model.unique_tensor_name(f"{w}_bits")
    model.set_initializer(bits, (weights + 1) / weights.dtype.type(2))
    model.set_tensor_datatype(bits, DataType["BINARY"])
    k = weights.shape[0]
    count, doubled = (model.make_new_valueinfo_name(f"{y}_{role}") for role in ("count", "doubled"))
    constants = {}
    for role, value in (("two", 2), ("minus_k", -k)):
        constants[role] = model.make_new_valueinfo_name(f"{y}_{role}")
        model.set_initializer(constants[role], np.asarray([value], weights.dtype))
        model.set_tensor_datatype(constants[role], DataType.spanning(value, value))
    index = model.get_node_index(product) or 0
    model.remove_node(product)
    name = product.name
    nodes = (
        helper.make_node("XnorPopcountMatMul", [x, bits], [count], name, domain=GENERAL),
        helper.make_node("Mul", [count, constants["two"]], [doubled], name and f"{name}_mul"),
        helper.make_node("Add", [doubled, constants["minus_k"]], [y], name and f"{name}_add"),
    )
    for offset, node in enumerate(nodes):
        model.insert_node(index + offset, node)
    shape = model.get_tensor_shape(y)
    for tensor, datatype in ((count, DataType.spanning(0, k)), (doubled, DataType.spanning(0, 2 * k))):
        model.set_tensor_datatype(tensor, datatype)
        if shape is not None:
            model.set_tensor_shape(tensor, shape, model.get_tensor_elem_type(y))
    if GENERAL not in model.get_opset_imports():
        model.set_opset_import(GENERAL, 1)
