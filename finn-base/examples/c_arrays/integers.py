# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Networks of integers alone.

The analysis describes each tensor of a quantized network as x == scale * q + bias with integers q. `ToIntegers` lets
the network compute q: weights become integers, and everything between a product and the next quantizer becomes integer
thresholds. They are found by executing that piece of the network, so that its rounding is kept to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx.utils
from onnx import ModelProto, NodeProto, helper

from finn.analysis.ranges import Range
from finn.analysis.scaled_integers import scaled_integers
from finn.core.datatype import DataType
from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import compile_model
from finn.custom_op.general import QONNX_QUANTIZERS
from finn.transformation.base import Transformation
from finn.transformation.rewrite import Call, Parameter, Rule, TensorRef, Var, op, require, rule

ELEMENTWISE = frozenset({"Add", "BatchNormalization", "Clip", "Div", "Identity", "Mul", "Relu", "Sub"})
"""With constants on all inputs but the first they never rise here and fall there, not even by their rounding."""
RESHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
ON_INTEGERS = frozenset({"ArgMax", "Im2Col", "MaxPool", "TopK"})
"""They do with q what they do with x, if all of x has the same scale (which is above 0) and bias."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """x == scale * q + bias, where scale and bias broadcast to x."""

    scale: np.ndarray
    bias: np.ndarray
    integers: Range

    @property
    def is_uniform(self) -> bool:
        """Whether all elements have the same scale and bias."""
        return len(np.unique(self.scale)) == len(np.unique(self.bias)) == 1


def refusal(node: NodeProto, what: str, remedy: str) -> UnsupportedError:
    return UnsupportedError(what, where=f"node {node.name} ({node.op_type})", remedy=remedy)


class ToIntegers(Transformation):
    """Every tensor x == scale * q + bias becomes q, from the inputs of the graph on.

    Outputs of the graph keep their values: what is float stands behind the last integers. UnsupportedError names the
    node that cannot compute in integers; the model is as it was then.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        converted = ModelWrapper(model.model, make_deepcopy=True)
        with converted.trusted_index():
            _Conversion(model, converted).run()
        return converted, False


class _Conversion:
    """original: to look at, with the `scaled` of its tensors; model: to change; origins: its tensors that are integers
    now, but for those that are reshaped ones."""

    def __init__(self, original: ModelWrapper, model: ModelWrapper) -> None:
        self.original, self.model = original, model
        self.pieces = onnx.utils.Extractor(_without_annotations(original))
        self.scaled = {
            name: Scaled(x.scale, x.bias, x.integers)
            for name, x in scaled_integers(original).tensors.items()
            if x.scale is not None and x.bias is not None and x.integers is not None
        }
        self.origins = {value.name for value in model.graph.input} & set(self.scaled)

    def run(self) -> None:
        for node in list(self.model.graph.node):
            if not all(map(self.is_constant, node.input)):
                self.convert(node)
        for value in self.model.graph.output:
            self.finish(value.name)

    def is_constant(self, name: str) -> bool:
        """Whether the tensor is a constant, or a quantized constant."""
        maker = self.original.find_producer(name)
        return self.model.has_initializer(name) or (maker is not None and all(map(self.is_constant, maker.input)))

    def convert(self, node: NodeProto) -> None:
        one_input = all(map(self.is_constant, node.input[1:]))
        if node.op_type in QONNX_QUANTIZERS and one_input:
            self.quantizer(node)
        elif node.op_type == "MatMul" and one_input:
            self.product(node)
        elif node.op_type in ON_INTEGERS and one_input:
            self.on_integers(node)
        elif node.op_type not in ELEMENTWISE | RESHAPING or not one_input:
            raise refusal(node, "it does not compute on scaled integers here", "leave it out, or compute it elsewhere")

    def product(self, node: NodeProto) -> None:
        """x @ weights == scale * (q @ integers) + bias."""
        weights = self.scaled.get(node.input[1])
        if not self.is_integer(node.input[0]) or weights is None or node.output[0] not in self.scaled:
            raise refusal(node, "its inputs are not both integers of one scale in each sum", "quantize in front of it")
        self.model.set_node_input(node, 1, self.constant(node.output[0] + "_weights", weights.integers.low))
        self.becomes_integer(node.output[0])

    def on_integers(self, node: NodeProto) -> None:
        if not self.is_integer(node.input[0]) or not self.scaled[node.input[0]].is_uniform:
            raise refusal(node, "its input is not integers of one scale", "quantize in front of it")
        for name in filter(None, node.output):
            self.becomes_integer(name)

    def quantizer(self, node: NodeProto) -> None:
        """Thresholds on the integers that its input is made of, and behind them what only moves elements."""
        origin, between = self.path(node.input[0])
        moves = [move for move in between if move.op_type in RESHAPING]
        if any(move.op_type == "Transpose" for move in moves):
            raise refusal(node, "between its integers and itself are sums, then a Transpose", "swap them")
        if node.output[0] not in self.scaled:
            raise refusal(node, "its scale or its bit width is not constant", "export it with constants")
        thresholds, falls, layout = self.measured(origin, node)
        if falls.any():
            self.negate(origin, falls, node)
        low, high = self.scaled[node.output[0]].integers.span
        step = 2 if (low, high) == (-1, 1) and (thresholds[:, 0] == thresholds[:, 1]).all() else 1  # 0 never occurs
        datatype = DataType["BIPOLAR"] if step == 2 else DataType.spanning(low, high)
        table = self.constant(node.output[0] + "_thresholds", thresholds[:, ::step])
        names = [self.model.make_new_valueinfo_name(node.output[0]) for _ in moves] + [node.output[0]]
        index = self.model.get_node_index(node) or 0
        self.model.remove_node(node)
        counted = helper.make_node(
            "MultiThreshold", [origin, table], names[:1], domain="finn.custom_op.general", out_dtype=datatype.name,
            out_scale=float(step), out_bias=float(low), data_layout=layout,
        )  # fmt: skip
        self.model.insert_node(index, counted)
        for place, move in enumerate(moves):
            copy = NodeProto()
            copy.CopyFrom(move)
            copy.input[0], copy.output[0] = names[place : place + 2]
            self.model.insert_node(index + 1 + place, copy)
        self.origins.add(node.output[0])
        for name in names:
            self.model.set_tensor_datatype(name, datatype)

    def path(self, name: str) -> tuple[str, list[NodeProto]]:
        """The integers that a tensor is made of, each element of one, and the nodes that make it of them."""
        nodes: list[NodeProto] = []
        start = name
        while name not in self.origins:
            maker = self.model.find_producer(name)
            if maker is None or maker.op_type not in ELEMENTWISE | RESHAPING:
                raise UnsupportedError(
                    "it is not made of integers",
                    where=f"tensor '{start}'",
                    remedy="annotate the inputs of the graph with integer data types",
                )
            nodes.insert(0, maker)
            name = maker.input[0]
        while nodes and nodes[0].op_type in RESHAPING:  # reshaped integers are integers
            name = nodes.pop(0).output[0]
        return name, nodes

    def is_integer(self, name: str) -> bool:
        try:
            return not self.path(name)[1]
        except UnsupportedError:
            return False

    def measured(self, origin: str, node: NodeProto) -> tuple[np.ndarray, np.ndarray, str]:
        """(thresholds, falls, layout): (C or 1, T) integers, and (C or 1) which channels have to be negated.

        Threshold l of a channel is the least q at which the quantizer gives its level l or more.
        """
        x, y = self.scaled[origin], self.scaled[node.output[0]]
        piece = compile_model(ModelWrapper(self.pieces.extract_model([origin], [node.output[0]])))

        def level(q: np.ndarray) -> np.ndarray:
            (result,) = piece.run({origin: (x.scale * q + x.bias).astype(np.float32)}).values()
            return np.asarray(np.rint((result - y.bias) / y.scale).reshape(q.shape))

        shape = self.original.get_tensor_shape(origin) or []
        low, high = (np.full(shape, bound) for bound in x.integers.span)
        falls = level(low) > level(high)
        sign, least, most = np.where(falls, -1, 1), np.where(falls, -high, low), np.where(falls, -low, high)
        first, last = y.integers.span
        wanted = range(first + 1, max(first + 1, last) + 1)  # one at least, which a constant never reaches
        thresholds = [_least(lambda q: level(sign * q), number, least, most) for number in wanted]
        return _per_channel(np.stack(thresholds, -1), falls, node)

    def negate(self, origin: str, falls: np.ndarray, node: NodeProto) -> None:
        """Let these channels of a product be its negative: there the quantizer falls, and thresholds only rise."""
        above = self.model.find_upstream(origin, lambda maker: maker.op_type not in RESHAPING)
        others = any(self.model.is_fork_node(maker) for maker in above)
        if not above or above[-1].op_type != "MatMul" or others:
            raise refusal(node, "it falls where its integers rise", "use positive scales")
        product = above[-1]
        weights = np.asarray(self.model.get_initializer(product.input[1]))
        if falls.size not in (1, weights.shape[1]):
            raise refusal(node, "it falls in some channels, which a Reshape has mixed", "use positive scales")
        name = self.constant(product.output[0] + "_negated", weights * np.where(falls, -1, 1))
        self.model.set_node_input(product, 1, name)
        low, high = self.scaled[origin].integers.span
        for maker in above:
            self.model.set_tensor_datatype(maker.output[0], DataType.spanning(min(low, -high), max(high, -low)))

    def finish(self, output: str) -> None:
        """An output of the graph: integers that mean themselves, or scale * q + bias and what follows."""
        origin, after = self.path(output)
        x = self.scaled[origin]
        if not after and np.all(x.scale == 1) and np.all(x.bias == 0):
            return
        real, integers = self.model.make_new_valueinfo_name(f"{origin}_real"), origin
        if after:
            self.model.set_node_input(after[0], 0, real)
        else:
            real, integers = output, self.model.make_new_valueinfo_name(f"{origin}_integers")
            self.model.replace_uses(origin, integers)
            for maker in filter(None, [self.model.find_producer(origin)]):
                self.model.set_node_output(maker, 0, integers)
            self.model.set_tensor_datatype(integers, x.integers.datatype)
            self.model.set_tensor_datatype(output, DataType["FLOAT32"])
        scaled = self.model.make_new_valueinfo_name(f"{origin}_scaled")
        for op_type, names, value in (("Mul", (integers, scaled), x.scale), ("Add", (scaled, real), x.bias)):
            constant = self.model.unique_tensor_name(f"{origin}_{op_type}")
            self.model.set_initializer(constant, value.astype(np.float32))
            self.model.graph.node.append(helper.make_node(op_type, [names[0], constant], [names[1]]))

    def constant(self, wish: str, integers: np.ndarray) -> str:
        """A new constant with the narrowest data type."""
        name = self.model.unique_tensor_name(wish)
        self.model.set_initializer(name, integers.astype(np.float32))
        self.model.set_tensor_datatype(name, DataType.spanning(int(integers.min()), int(integers.max())))
        return name

    def becomes_integer(self, name: str) -> None:
        self.origins.add(name)
        self.model.set_tensor_datatype(name, self.scaled[name].integers.datatype)


def _without_annotations(model: ModelWrapper) -> ModelProto:
    """The network as floats, which is what the extractor of onnx takes."""
    copy = ModelProto()
    copy.CopyFrom(model.model)
    del copy.graph.quantization_annotation[:]
    return copy


def _least(level: Callable[[np.ndarray], np.ndarray], wanted: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """For each element the least q of low ... high with level(q) >= wanted, which rises; high + 1 if there is none."""
    low, high = low.astype(np.int64), high.astype(np.int64) + 1
    while (low < high).any():
        middle = (low + high) // 2
        there = (level(middle) >= wanted) | (low >= high)
        low, high = np.where(there, low, middle + 1), np.where(there, np.minimum(middle, high), high)
    return high


def _per_channel(thresholds: np.ndarray, falls: np.ndarray, node: NodeProto) -> tuple[np.ndarray, np.ndarray, str]:
    """What is measured at each element, once per channel: the last axis, or axis 1. thresholds: (*shape, T)."""
    together = np.concatenate([thresholds, falls[..., None]], -1)
    rank = falls.ndim
    for axis, layout in ((rank - 1, "NHWC"), (1, "NCHW")):
        rows = np.moveaxis(together, axis, -2).reshape(-1, falls.shape[axis], together.shape[-1])
        if (rows == rows[:1]).all():
            rows = rows[0, :1] if (rows == rows[:, :1]).all() else rows[0]
            return rows[:, :-1], rows[:, -1] != 0, layout
    raise refusal(node, "what it computes varies over the pixels of a channel", "have parameters vary over channels")


# -------------------------------------------------------------------------------------------------------------- rules

x, w, t = Var("x"), Parameter("w"), Parameter("t")
ACT: dict[str, object] = {"out_dtype": "INT4", "out_scale": 2.0, "out_bias": -3.0}


@rule(
    op.MultiThreshold(op.Transpose(x, perm=[0, 3, 1, 2]), t).named("act"),
    shapes="x:n,h,w,c t:c,3 | x:n,h,w,c t:1,2",
    attributes={"act": ACT | {"data_layout": "NCHW"}},
)
def threshold_before_transpose(x: TensorRef, t: TensorRef, act: Call) -> Call:
    """multithreshold(nchw(x), t) == nchw(multithreshold(x, t)), with the channels last"""
    require(act.attributes.get("data_layout", "NCHW") == "NCHW", "the channels are not in second place")
    return op.Transpose(op.MultiThreshold(x, t, like=act, data_layout="NHWC"), perm=[0, 3, 1, 2])


@rule(
    op.MultiThreshold(op.MatMul(x, w), t).named("act"),
    shapes="x:n,k w:k,m t:m,3 | x:n,h,k w:k,m t:1,2",
    attributes={"act": ACT | {"data_layout": "NHWC"}},
)
def fuse_layer(x: TensorRef, w: TensorRef, t: TensorRef, act: Call) -> Call:
    """multithreshold(x @ w, t) == layer(x, w, t), with the channels last"""
    require(act.attributes.get("data_layout", "NCHW").endswith("C"), "the channels are not last")
    kept = {name: value for name, value in act.attributes.items() if name != "data_layout"}
    return Call("Layer", (x, w, t), kept, domain="c_arrays")


FUSE: tuple[Rule, ...] = (threshold_before_transpose, fuse_layer)
