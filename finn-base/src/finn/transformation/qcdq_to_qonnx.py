"""From QuantizeLinear, Clip and DequantizeLinear to Quant.

ONNX rounds before it adds the zero point, Quant after (`_qdq` has the formulas). That is why the zero point is absorbed
into the range wherever low - z .. high - z is a range that a quantizer without zero point has: uint8 with zero point
128 and int8 with -128 become signed and unsigned 8 bits.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.core.domains import GENERAL, is_custom_domain
from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general.quant import int_quant
from finn.transformation._qdq import (
    ELEM_TYPES,
    check_scale,
    constant_value,
    elem_type_of,
    quantize_dequantize,
    quantizer_range,
    range_of,
    zero_point_commutes,
)
from finn.transformation.base import Transformation
from finn.transformation.rewrite import NoMatch, require


def extract_elem_type(elem_type: int, clip_range: Sequence[Any] | None = None) -> tuple[int, bool, bool]:
    """(bit width, signed, narrow) of a quantizer to the integers of an ONNX element type.

    clip_range: the (least, greatest) integer that a Clip leaves; numbers or arrays of one element. UnsupportedError if
    the type is no integer type or if no quantizer has exactly that range.

    >>> extract_elem_type(TensorProto.INT8)
    (8, True, False)
    >>> extract_elem_type(TensorProto.INT8, (-7, 7))
    (4, True, True)
    """
    low, high = range_of(elem_type)
    if clip_range is not None:
        least, greatest = (int(np.asarray(bound).item()) for bound in clip_range)
        low, high = max(low, least), min(high, greatest)
    found = quantizer_range(low, high)
    if found is None:
        raise UnsupportedError(
            f"no quantizer has the integers {low}..{high}",
            why="the ranges are 0..2^b-1, -2^(b-1)..2^(b-1)-1, and narrow ones without 2^b-1 or -2^(b-1)",
            remedy="clip to such a range",
        )
    return found


# ------------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class _Linear:
    """A QuantizeLinear or DequantizeLinear: scale and zero point (int64) in a shape that broadcasts to the tensor."""

    scale: np.ndarray
    zeropt: np.ndarray

    @staticmethod
    def of(model: ModelWrapper, node: NodeProto, shape: Sequence[int] | None) -> _Linear:
        """shape: of the tensor that the node works on. NoMatch if the node does more than scale and shift."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        require(not attributes.get("block_size"), "it quantizes in blocks")
        for name in ("output_dtype", "precision") if node.op_type == "DequantizeLinear" else ("precision",):
            require(attributes.get(name, 0) in (0, TensorProto.FLOAT), f"its {name} is not float32")
        scale = constant_value(model, node.input[1])
        if scale is None:
            raise NoMatch(f"its scale '{node.input[1]}' is not a constant")
        check_scale(scale)
        zeropt = np.zeros(scale.shape, np.int64)
        if len(node.input) > 2 and node.input[2]:
            value = constant_value(model, node.input[2])
            if value is None:
                raise NoMatch(f"its zero point '{node.input[2]}' is not a constant")
            require(elem_type_of(model, node.input[2]) in ELEM_TYPES, "its zero point is no integer")
            zeropt = value.astype(np.int64)
        require(zeropt.shape == scale.shape or zeropt.size == scale.size == 1, "scale and zero point differ in shape")
        to = _broadcast_shape(scale, attributes.get("axis", 1), shape)
        return _Linear(scale.reshape(to), zeropt.reshape(to))

    def equals(self, other: _Linear) -> bool:
        return np.array_equal(self.scale, other.scale) and np.array_equal(self.zeropt, other.zeropt)


def _broadcast_shape(scale: np.ndarray, axis: int, shape: Sequence[int] | None) -> tuple[int, ...]:
    if scale.size == 1:
        return ()
    require(scale.ndim == 1, "its scale has more than one axis")
    if shape is None:
        raise NoMatch("the shape of its input is not known")
    require(-len(shape) <= axis < len(shape), f"its axis {axis} does not exist")
    require(shape[axis] in (0, scale.size), f"its scale has {scale.size} elements, the axis has {shape[axis]}")
    return tuple(scale.size if i == axis % len(shape) else 1 for i in range(len(shape)))


@dataclass(frozen=True)
class _Quantizer:
    """A Quant node to be.

    covered: the DequantizeLinear that it replaces, then the nodes before that; x: the tensor that it reads; value: what
    it reads instead, if that is a new constant.
    """

    covered: tuple[NodeProto, ...]
    x: str
    value: np.ndarray | None
    scale: np.ndarray
    zeropt: np.ndarray
    bits: int
    signed: bool
    narrow: bool
    exact: bool

    @property
    def root(self) -> NodeProto:
        return self.covered[0]

    def signature(self) -> tuple[Any, ...]:
        """Equal for nodes that compute the same from the same tensor."""
        arrays = (a for a in (self.scale, self.zeropt, self.value) if a is not None)
        return *((a.shape, a.tobytes()) for a in arrays), self.bits, self.signed, self.narrow


def _read(model: ModelWrapper, root: NodeProto) -> _Quantizer:
    """The quantizer that ends in the DequantizeLinear `root`. NoMatch says why there is none."""
    clip = model.find_producer(root.input[0])
    clip = clip if clip is not None and clip.op_type == "Clip" and not clip.domain else None
    integers = root.input[0] if clip is None else clip.input[0]
    source = model.find_producer(integers)
    shapes = [model.get_tensor_shape(name) for name in (root.input[0], root.output[0], integers)]
    shape = next((s for s in shapes if s is not None), None)
    constant = constant_value(model, integers)
    quantize = source if constant is None else None
    if constant is None and (source is None or source.op_type != "QuantizeLinear" or is_custom_domain(source.domain)):
        raise NoMatch("neither a QuantizeLinear nor a constant feeds it")
    if quantize is not None:
        shape = model.get_tensor_shape(quantize.input[0]) or shape
    linear = _Linear.of(model, root, shape)
    limits = _integer_range(model, integers, quantize, clip)
    covered = [node for node in (root, clip, source) if node is not None]
    covered += [n for node in covered for name in node.input if (n := _constant_node(model, name)) is not None]
    if quantize is not None:
        require(_Linear.of(model, quantize, shape).equals(linear), "the QuantizeLinear before it has other parameters")
        return _quantizer(model, tuple(covered), quantize.input[0], linear, limits)
    values = (np.clip(np.asarray(constant).astype(np.int64), *limits) - linear.zeropt).astype(np.float32) * linear.scale
    return _constant_quantizer(tuple(covered), integers, linear, limits, values)


def _integer_range(
    model: ModelWrapper, integers: str, quantize: NodeProto | None, clip: NodeProto | None
) -> tuple[int, int]:
    """The least and the greatest integer that reach the DequantizeLinear."""
    kind = elem_type_of(model, integers) if quantize is None else _quantized_type(model, quantize)
    try:
        low, high = range_of(kind)
    except UnsupportedError as error:
        raise NoMatch(error.what) from error
    if clip is None:
        return low, high
    attributes = {a.name: a.f for a in clip.attribute}  # before opset 11
    for position, name in ((1, "min"), (2, "max")):
        bound: Any = attributes.get(name)
        if len(clip.input) > position and clip.input[position]:
            bound = constant_value(model, clip.input[position])
            require(bound is not None and bound.size == 1, f"the {name} of the Clip before it is not one constant")
        if bound is not None:
            number = float(np.asarray(bound).item())
            low, high = (max(low, math.ceil(number)), high) if name == "min" else (low, min(high, math.floor(number)))
    return low, high


def _quantized_type(model: ModelWrapper, node: NodeProto) -> int:
    if len(node.input) > 2 and node.input[2]:
        return elem_type_of(model, node.input[2])
    return next((a.i for a in node.attribute if a.name == "output_dtype" and a.i), int(TensorProto.UINT8))


def _constant_node(model: ModelWrapper, name: str) -> NodeProto | None:
    node = model.find_producer(name)
    return node if node is not None and node.op_type == "Constant" else None


def _forms(linear: _Linear, low: int, high: int) -> Iterator[tuple[np.ndarray, tuple[int, bool, bool]]]:
    """(zero point, range) of the quantizers to low..high: with the zero point absorbed, if it can be, and with it."""
    first = int(linear.zeropt.reshape(-1)[0])
    if np.all(linear.zeropt == first) and (absorbed := quantizer_range(low - first, high - first)) is not None:
        yield np.zeros((), np.float32), absorbed
    if (found := quantizer_range(low, high)) is not None:
        yield linear.zeropt.astype(np.float32), found


def _gives(
    values: np.ndarray, x: np.ndarray, scale: np.ndarray, zeropt: np.ndarray, integers: tuple[int, bool, bool]
) -> bool:
    """Whether the quantizer with these parameters makes `values` of x."""
    with np.errstate(all="ignore"):
        return np.array_equal(int_quant(x, scale, zeropt, *integers, "ROUND"), values)


def _constant_quantizer(
    covered: tuple[NodeProto, ...], x: str, linear: _Linear, limits: tuple[int, int], values: np.ndarray
) -> _Quantizer:
    """The quantizer of a constant that gives `values`, which are also what it quantizes."""
    for zeropt, integers in _forms(linear, *limits):
        if _gives(values, values, linear.scale, zeropt, integers):
            return _Quantizer(covered, x, values, linear.scale, zeropt, *integers, exact=True)
    raise NoMatch(f"no quantizer to {limits[0]}..{limits[1]} gives its values in float32")


def _quantizer(
    model: ModelWrapper, covered: tuple[NodeProto, ...], x: str, linear: _Linear, limits: tuple[int, int]
) -> _Quantizer:
    require(elem_type_of(model, x) in (TensorProto.UNDEFINED, TensorProto.FLOAT), "what it quantizes is not float32")
    constant = constant_value(model, x)
    if constant is not None:
        values = quantize_dequantize(constant, linear.scale, linear.zeropt, *limits)
        for zeropt, integers in _forms(linear, *limits):
            if _gives(values, constant, linear.scale, zeropt, integers):
                return _Quantizer(covered, x, None, linear.scale, zeropt, *integers, exact=True)
        return _constant_quantizer(covered, x, linear, limits, values)
    for zeropt, integers in _forms(linear, *limits):
        exact = zero_point_commutes(model, x, linear.scale, zeropt)
        return _Quantizer(covered, x, None, linear.scale, zeropt, *integers, exact)
    raise NoMatch(f"it is clipped to {limits[0]}..{limits[1]}, which is the range of no quantizer")


# ------------------------------------------------------------------------------------------------------ transformation


class QCDQToQuant(Transformation):
    """QuantizeLinear, Clip or not, DequantizeLinear with equal constant parameters become one Quant; so does the
    DequantizeLinear of a constant, clipped or not, which becomes the Quant of a float constant with the same values.

    Others read what is between the nodes as before; DequantizeLinear nodes that compute the same become one Quant.
    `declined` says afterwards why others stayed: {node: reason}. `inexact` lists Quant outputs that can differ by one
    step where x / scale is a tie or next to one, because of their zero point (see the module); a warning counts them.
    """

    def __init__(self) -> None:
        self.declined: dict[str, str] = {}
        self.inexact: list[str] = []

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.declined, self.inexact = {}, []
        with model.trusted_index():
            found = []
            for node in model.graph.node:
                if node.op_type == "DequantizeLinear" and not is_custom_domain(node.domain):
                    try:
                        found.append(_read(model, node))
                    except NoMatch as reason:
                        self.declined[node.name or node.output[0]] = str(reason)
            self.inexact = [q.root.output[0] for q in found if not q.exact]
            _replace(model, found)
        if self.inexact:
            warnings.warn(
                f"{len(self.inexact)} of {len(found)} quantizers have a zero point that Quant adds before it rounds: "
                f"ties may come out one step apart, first in '{self.inexact[0]}'",
                stacklevel=2,
            )
        return model, False


def _replace(model: ModelWrapper, quantizers: Sequence[_Quantizer]) -> None:
    if quantizers and GENERAL not in model.get_opset_imports():
        model.set_opset_import(GENERAL, 1)
    made: dict[tuple[Any, ...], str] = {}
    merged: dict[str, str] = {}
    for q in quantizers:
        output, x = q.root.output[0], merged.get(q.x, q.x)
        twin = made.setdefault((x, *q.signature()), output)
        index = model.get_node_index(q.root) or 0
        model.remove_node(q.root)
        if twin != output and _may_vanish(model, output):
            merged[output] = twin
            model.replace_uses(output, twin)
            model.remove_tensors([output])
        else:
            model.insert_node(index, _quant_node(model, q, x))
    _remove_unread(model, [q.root for q in quantizers], [node for q in quantizers for node in q.covered[1:]])


def _may_vanish(model: ModelWrapper, output: str) -> bool:
    """Whether all that read the tensor are inputs of nodes: neither the graph nor a body of control flow."""
    return not model.is_graph_output(output) and all(output in n.input for n in model.find_consumers(output))


def _quant_node(model: ModelWrapper, q: _Quantizer, x: str) -> NodeProto:
    output = q.root.output[0]

    def constant(what: str, value: Any) -> str:
        name = model.unique_tensor_name(f"{output}_{what}")
        model.set_initializer(name, np.asarray(value, np.float32))
        return name

    inputs = [x if q.value is None else constant("values", q.value)]
    inputs += [constant("scale", q.scale), constant("zeropt", q.zeropt), constant("bits", q.bits)]
    return helper.make_node(
        "Quant",
        inputs,
        [output],
        f"Quant_{output}",
        domain=GENERAL,
        signed=int(q.signed),
        narrow=int(q.narrow),
        rounding_mode="ROUND",
    )


def _remove_unread(model: ModelWrapper, roots: Sequence[NodeProto], candidates: Sequence[NodeProto]) -> None:
    """Remove the candidates (readers before what they read) and constants that nothing reads now the roots are gone."""
    order = {"Clip": 0, "QuantizeLinear": 1, "Constant": 2}
    unread = [name for root in roots for name in root.input if model.has_initializer(name)]
    for node in sorted({id(n): n for n in candidates}.values(), key=lambda n: order.get(n.op_type, 0)):
        output = node.output[0]
        if not model.find_consumers(output) and not model.is_graph_output(output):
            unread += [output, *(name for name in node.input if model.has_initializer(name))]
            model.remove_node(node)
    model.remove_tensors([n for n in unread if not model.find_consumers(n) and not model.is_graph_output(n)])
