"""Average pooling and truncation as one integer operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.analysis.scaled_integers import ScaledIntegers, scaled_integers
from finn.core.datatype import DataType
from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.custom_op.general.quant import max_int, min_int
from finn.transformation._qdq import constant_value
from finn.transformation.base import Transformation
from finn.transformation.constants import remove_idle
from finn.transformation.qonnx._chains import Step, affine, insert_chain
from finn.transformation.rewrite import NoMatch, require

_SLACK = 0.25
"""Trunc rounds: the sum of integers that it reads in float32 is right as long as it is off by less than this."""


class AvgPoolAndTruncToQuantAvgPool(Transformation):
    """AveragePool, (Mul(size of the window),) Trunc of scaled integers become QuantAvgPool2d of the integers, Mul.

    Read are both versions of Trunc, and GlobalAveragePool. The result is the same bit by bit. Left alone are windows
    that are not square or padded, other rounding modes than FLOOR, zero points, inputs that are not known to be scaled
    integers, and bit widths that QuantAvgPool2d cannot have; `declined` says why: {node: reason}.
    """

    def __init__(self) -> None:
        super().__init__()
        self.declined: dict[str, str] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        self.declined = {}
        truncs = [n for n in model.graph.node if n.op_type == "Trunc" and is_custom_domain(n.domain)]
        known: list[ScaledIntegers] = []

        def analysis() -> ScaledIntegers:
            """Looked for when a pool needs it; what is converted before changes no tensor that another pool reads."""
            known.extend([scaled_integers(model)] if not known else [])
            return known[0]

        with model.trusted_index():
            for node in truncs:
                try:
                    _convert(model, node, analysis)
                except NoMatch as reason:
                    self.declined[describe(node)] = str(reason)
        return model, False


@dataclass(frozen=True, eq=False)
class _Integers:
    """q in low..high with x == scale * q, in the tensor `name`, or in x / scale where that is exact (`divide`)."""

    name: str
    scale: float
    low: int
    high: int
    divide: bool = False


def _convert(model: ModelWrapper, node: NodeProto, analysis: Callable[[], ScaledIntegers]) -> None:
    """NoMatch, with the graph as it was, if it cannot be done."""
    pool, size_is_in = _pool_before(model, node)
    kernel, stride = _window(model, pool)
    q = _integers(model, pool.input[0], analysis)
    sums = q.low * kernel**2, q.high * kernel**2
    shift, scale = _truncation(model, node, q.scale if size_is_in else q.scale / kernel**2, sums)
    ibits, obits = _bits(q, kernel, sums, shift)
    signed = q.low < 0
    attributes = {"stride": stride, "kernel": kernel, "ibits": ibits, "obits": obits, "signed": int(signed)}
    datatype = DataType[f"{'' if signed else 'U'}INT{obits}"]
    steps = [Step("QuantAvgPool2d", (), {**attributes, "data_layout": "NCHW"}, datatype), *affine(scale)]
    source, x = model.get_node_index(pool) or 0, q.name
    if q.divide:
        x = model.unique_tensor_name(f"{q.name}_integers")
        insert_chain(model, source, q.name, [Step("Div", (np.asarray(q.scale),))], x)
    if len(steps) > 1:
        model.set_tensor_datatype(node.output[0], None)
    index = model.get_node_index(node) or 0
    model.remove_node(node)
    insert_chain(model, index, x, steps, node.output[0])
    others = {n.output[0] for n in model.graph.node if len(n.output) and not model.find_consumers(n.output[0])}
    remove_idle(model, others - {pool.output[0], *node.input})
    model.remove_tensors([n for n in node.input if model.has_initializer(n) and not model.find_consumers(n)])


def _pool_before(model: ModelWrapper, node: NodeProto) -> tuple[NodeProto, bool]:
    """(the pool, whether its result is multiplied by the size of the window)."""
    before = model.find_producer(node.input[0])
    size = None
    if before is not None and before.op_type == "Mul":
        factors = [(constant_value(model, a), b) for a, b in (before.input, reversed(before.input))]
        size, name = next(((c, other) for c, other in factors if c is not None), (None, ""))
        before = model.find_producer(name) if size is not None else None
    if before is None or before.op_type not in ("AveragePool", "GlobalAveragePool") or before.domain:
        raise NoMatch("no average pool is in front of it")
    if size is not None:
        kernel, _ = _window(model, before)
        require(bool((size == kernel**2).all()), "the factor behind the pool is not the size of its window")
    return before, size is not None


def _window(model: ModelWrapper, pool: NodeProto) -> tuple[int, int]:
    """(kernel, stride) of a square window."""
    shape = model.get_tensor_shape(pool.input[0])
    if shape is None or len(shape) != 4:
        raise NoMatch("its input is not known to be a batch of images")
    attributes = {a.name: helper.get_attribute_value(a) for a in pool.attribute}
    if pool.op_type == "GlobalAveragePool":
        require(shape[2] == shape[3] > 0, f"its images have {shape[2]} by {shape[3]} pixels")
        return int(shape[2]), 1
    kernel = attributes["kernel_shape"]
    strides = attributes.get("strides", [1, 1])
    require(len(set(kernel)) == len(set(strides)) == 1, "its window or its stride is not square")
    require(not any(attributes.get("pads", ())), "its images are padded")
    require(attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID"), "its images are padded")
    require(set(attributes.get("dilations", [1])) == {1}, "its window has gaps")
    require(not attributes.get("ceil_mode"), "its windows reach beyond the image")
    return int(kernel[0]), int(strides[0])


def _integers(model: ModelWrapper, name: str, analysis: Callable[[], ScaledIntegers]) -> _Integers:
    """The integers that the tensor consists of."""
    producer = model.find_producer(name)
    if producer is not None and producer.op_type == "Mul":
        scale, q = constant_value(model, producer.input[1]), producer.input[0]
        datatype = model.get_tensor_datatype(q)
        if scale is not None and scale.size == 1 and scale.reshape(-1)[0] > 0 and datatype.is_integer():
            return _Integers(q, float(scale.reshape(-1)[0]), int(datatype.min()), int(datatype.max()))
    datatype = model.get_tensor_datatype(name)
    if datatype.is_integer():
        return _Integers(name, 1.0, int(datatype.min()), int(datatype.max()))
    known = analysis().tensors.get(name)
    if known is None or known.integers is None or known.scale is None or known.bias is None:
        raise NoMatch("its input is not known to consist of scaled integers")
    scale = np.unique(known.scale)
    require(scale.size == 1 and not np.any(known.bias), "its input has a bias, or several scales")
    require(np.frexp(scale[0])[0] == 0.5, "its input is not computed from integers, and its scale is no power of two")
    low, high = int(known.integers.low.min()), int(known.integers.high.max())
    return _Integers(name, float(scale[0]), low, high, divide=True)


def _truncation(model: ModelWrapper, node: NodeProto, scale: float, sums: tuple[int, int]) -> tuple[int, np.ndarray]:
    """(bits that are dropped, scale of the result) of a Trunc of scale * sum."""
    names = ["scale", "zero point", "input bits", *(["output scale"] if len(node.input) == 6 else []), "output bits"]
    parameters: dict[str, Any] = {}
    for name, tensor in zip(names, node.input[1:], strict=True):
        value = constant_value(model, tensor)
        if value is None or value.size != 1:
            raise NoMatch(f"its {name} is not one constant")
        parameters[name] = value.reshape(-1)[0]
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    require(attributes.get("rounding_mode", b"FLOOR").upper() == b"FLOOR", "its rounding mode is not FLOOR")
    require(parameters["zero point"] == 0, "it has a zero point")
    largest = max(map(abs, sums))
    error = largest * abs(scale / float(parameters["scale"]) - 1) + largest * 2.0**-20
    require(error < _SLACK, "its scale is not that of the sum")
    if "output scale" not in parameters:
        shift = int(parameters["input bits"]) - int(parameters["output bits"])
        require(shift >= 0, "it adds bits")
        return shift, parameters["scale"]
    shift = int(np.round(np.log2(float(parameters["output scale"]) / float(parameters["scale"]))))
    signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
    low, high = (int(f(signed, narrow, int(parameters["output bits"]))) for f in (min_int, max_int))
    require(shift >= 0 and sums[0] >= low << shift and sums[1] >> shift <= high, "it clips")
    return shift, parameters["output scale"]


def _bits(q: _Integers, kernel: int, sums: tuple[int, int], shift: int) -> tuple[int, int]:
    """(ibits, obits) with which QuantAvgPool2d drops `shift` bits and holds all values."""
    spanning = DataType.spanning(q.low, q.high)
    for ibits in range(spanning.bitwidth(), 33):
        obits = (((1 << ibits) - 1) * kernel**2).bit_length() - shift
        result = DataType.spanning(sums[0] >> shift, sums[1] >> shift)
        if 2 <= obits <= 32 and result.bitwidth() <= obits:
            return ibits, obits
    raise NoMatch("QuantAvgPool2d has no bit widths that drop as many bits")
