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
from typing import Any, Protocol

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.core.domains import GENERAL, is_custom_domain
from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general.quant import int_quant
from finn.transformation._qdq import (
    ADDS_FIRST,
    constant_value,
    elem_type_of,
    quantize_dequantize,
    quantizer_range,
    range_of,
    scale_and_zero_point,
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
class Linear:
    """A QuantizeLinear or DequantizeLinear: scale and zero point (int64) in a shape that broadcasts to the tensor."""

    scale: np.ndarray
    zeropt: np.ndarray
    adds_first: bool = False  # of a QuantizeLinear: the zero point is added before rounding

    @staticmethod
    def of(model: ModelWrapper, node: NodeProto, shape: Sequence[int] | None) -> Linear:
        """shape: of the tensor that the node works on. NoMatch if the node does more than scale and shift."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        require(not attributes.get("block_size"), "it quantizes in blocks")
        for name in ("output_dtype", "precision") if node.op_type == "DequantizeLinear" else ("precision",):
            require(attributes.get(name, 0) in (0, TensorProto.FLOAT), f"its {name} is not float32")
        zeropt = node.input[2] if len(node.input) > 2 else ""
        scale, zero = scale_and_zero_point(model, node.input[1], zeropt)
        to = _broadcast_shape(scale, attributes.get("axis", 1), shape)
        return Linear(scale.reshape(to), zero.reshape(to), bool(attributes.get(ADDS_FIRST, 0)))

    def equals(self, other: Linear) -> bool:
        """Whether both map integers to the same numbers."""
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
class Reading:
    """A DequantizeLinear with what it reads: integers low..high (`limits`) that are made of the float tensor `x`, or
    the integers `constant`, called `x`.

    covered: the DequantizeLinear, then the nodes before that.
    """

    covered: tuple[NodeProto, ...]
    x: str
    constant: np.ndarray | None
    linear: Linear
    limits: tuple[int, int]

    @property
    def values(self) -> np.ndarray:
        """What the DequantizeLinear makes of the constant, in float32."""
        integers = np.clip(np.asarray(self.constant).astype(np.int64), *self.limits)
        return np.asarray((integers - self.linear.zeropt).astype(np.float32) * self.linear.scale, np.float32)


@dataclass(frozen=True)
class QuantForm:
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

    def insert(self, model: ModelWrapper, index: int, x: str) -> None:
        """Put the Quant into the graph."""
        model.insert_node(index, _quant_node(model, self, x))


def read(model: ModelWrapper, root: NodeProto) -> Reading:
    """What the DequantizeLinear `root` and the nodes before it do. NoMatch if they make no quantizer."""
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
    linear = Linear.of(model, root, shape)
    limits = _integer_range(model, integers, quantize, clip)
    covered = [node for node in (root, clip, source) if node is not None]
    covered += [n for node in covered for name in node.input if (n := _constant_node(model, name)) is not None]
    if quantize is None:
        return Reading(tuple(covered), integers, constant, linear, limits)
    before = Linear.of(model, quantize, shape)
    require(before.equals(linear), "the QuantizeLinear before it has other parameters")
    kind = elem_type_of(model, quantize.input[0])
    require(kind in (TensorProto.UNDEFINED, TensorProto.FLOAT), "what it quantizes is not float32")
    return Reading(tuple(covered), quantize.input[0], None, before, limits)


def _integer_range(
    model: ModelWrapper, integers: str, quantize: NodeProto | None, clip: NodeProto | None
) -> tuple[int, int]:
    """The least and the greatest integer that reach the DequantizeLinear."""
    kind = elem_type_of(model, integers) if quantize is None else quantized_type(model, quantize)
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


def quantized_type(model: ModelWrapper, node: NodeProto) -> int:
    """The element type that a QuantizeLinear makes."""
    if len(node.input) > 2 and node.input[2]:
        return elem_type_of(model, node.input[2])
    return next((a.i for a in node.attribute if a.name == "output_dtype" and a.i), int(TensorProto.UINT8))


def _constant_node(model: ModelWrapper, name: str) -> NodeProto | None:
    node = model.find_producer(name)
    return node if node is not None and node.op_type == "Constant" else None


def _forms(linear: Linear, low: int, high: int) -> Iterator[tuple[np.ndarray, tuple[int, bool, bool]]]:
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


def quant_form(model: ModelWrapper, found: Reading) -> QuantForm:
    """The Quant that computes the same, but for ties where it is not `exact`. NoMatch if there is none."""
    linear, limits = found.linear, found.limits
    constant = constant_value(model, found.x) if found.constant is None else None
    if found.constant is None and constant is None:
        for zeropt, integers in _forms(linear, *limits):
            if linear.adds_first and np.any(linear.zeropt != zeropt):
                continue  # the zero point has to stay where it is
            exact = linear.adds_first or zero_point_commutes(model, found.x, linear.scale, zeropt)
            return QuantForm(found.covered, found.x, None, linear.scale, zeropt, *integers, exact)
        raise NoMatch(f"it is clipped to {limits[0]}..{limits[1]}, which is the range of no quantizer")
    values = found.values if constant is None else quantize_dequantize(constant, linear.scale, linear.zeropt, *limits)
    for x in [values] if constant is None else [constant, values]:  # the Quant of the values is one, too
        for zeropt, integers in _forms(linear, *limits):
            if _gives(values, x, linear.scale, zeropt, integers):
                value = None if x is constant else x
                return QuantForm(found.covered, found.x, value, linear.scale, zeropt, *integers, exact=True)
    raise NoMatch(f"no quantizer to {limits[0]}..{limits[1]} gives its values in float32")


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
                        found.append(quant_form(model, read(model, node)))
                    except NoMatch as reason:
                        self.declined[node.name or node.output[0]] = str(reason)
            self.inexact = [q.root.output[0] for q in found if not q.exact]
            replace_readings(model, found)
        if self.inexact:
            warnings.warn(
                f"{len(self.inexact)} of {len(found)} quantizers have a zero point that Quant adds before it rounds: "
                f"ties may come out one step apart, first in '{self.inexact[0]}'",
                stacklevel=2,
            )
        return model, False


class Replacement(Protocol):
    """What takes the place of a DequantizeLinear."""

    @property
    def covered(self) -> tuple[NodeProto, ...]:
        """The DequantizeLinear, then nodes that go if nothing else reads them."""

    @property
    def x(self) -> str:
        """The tensor that it reads."""

    def signature(self) -> tuple[Any, ...]:
        """Equal for those that compute the same from the same tensor."""

    def insert(self, model: ModelWrapper, index: int, x: str) -> None:
        """Put it into the graph, reading `x`."""


def replace_readings(model: ModelWrapper, quantizers: Sequence[Replacement]) -> None:
    """Put them into the graph, equal ones once, and remove what nothing reads any more."""
    if quantizers and GENERAL not in model.get_opset_imports():
        model.set_opset_import(GENERAL, 1)
    made: dict[tuple[Any, ...], str] = {}
    merged: dict[str, str] = {}
    for q in quantizers:
        output, x = q.covered[0].output[0], merged.get(q.x, q.x)
        twin = made.setdefault((x, *q.signature()), output)
        index = model.get_node_index(q.covered[0]) or 0
        model.remove_node(q.covered[0])
        if twin != output and _may_vanish(model, output):
            merged[output] = twin
            model.replace_uses(output, twin)
            model.remove_tensors([output])
        else:
            q.insert(model, index, x)
    _remove_unread(model, [q.covered[0] for q in quantizers], [node for q in quantizers for node in q.covered[1:]])


def _may_vanish(model: ModelWrapper, output: str) -> bool:
    """Whether all that read the tensor are inputs of nodes: neither the graph nor a body of control flow."""
    return not model.is_graph_output(output) and all(output in n.input for n in model.find_consumers(output))


def _quant_node(model: ModelWrapper, q: QuantForm, x: str) -> NodeProto:
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
