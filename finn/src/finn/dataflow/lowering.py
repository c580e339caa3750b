"""From the integer graph to layers: each rule is an equation between an ONNX expression and a hardware layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.datatype import BaseDataType, DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DOMAIN, DataflowError, arrays, attributes
from finn.dataflow.layer import IntArray, Layer, LayerError
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.transformation.general import GiveUniqueNodeNames
from finn.transformation.rewrite import Call, Const, NoMatch, Rule, TensorRef, Var, apply, match, op, require, rule


@dataclass(frozen=True)
class Matrix:
    """A constant integer tensor and its annotated type."""

    values: IntArray
    dtype: BaseDataType


class Integers(Var):
    """Binds a stream: a tensor that is no constant, of known shape, annotated with an integer type."""

    def bind(self, tensor: TensorRef) -> Any:
        require(not tensor.model.has_initializer(tensor.name), f"{self.name} = '{tensor.name}' is a constant")
        require(tensor.datatype.is_integer(), f"{self.name} = '{tensor.name}' is {tensor.datatype.name}, no integer")
        require(tensor.shape and all(d > 0 for d in tensor.shape), f"the shape of '{tensor.name}' is not known")
        return tensor


class Constants(Const):
    """Binds an integer constant with its type as a `Matrix`."""

    def bind(self, tensor: TensorRef) -> Any:
        values = super().bind(tensor)
        require(values.size, f"{self.name} = '{tensor.name}' is empty")
        require(np.abs(values).max() < LARGEST, f"{self.name} = '{tensor.name}' has values beyond 2^53")
        require(np.array_equal(values, np.rint(values)), f"{self.name} = '{tensor.name}' has fractions")
        integers = values.astype(np.int64)
        dtype = tensor.datatype
        if not dtype.is_integer():
            dtype = DataType.spanning(int(integers.min()), int(integers.max()))
        return Matrix(integers, dtype)


LARGEST = 2**53
"""Below it float64 holds every integer; NaN and infinity are not below it."""

x, w, T = Integers("x"), Constants("w"), Constants("T")


def layer_call(make: Callable[[], Layer], stream: TensorRef) -> Call:
    """The node of the layer that `make` makes on `stream`, as a replacement; declines what cannot be made."""
    try:
        layer = make()
    except LayerError as error:
        raise NoMatch(str(error)) from error
    constants = [a.astype(np.int32 if np.abs(a).max(initial=0) < 2**31 else np.int64) for a in arrays(layer).values()]
    call = Call(type(layer).__name__, (stream, *constants), attributes(layer), DOMAIN)
    return call.typed(layer.outputs[0].dtype)


@dataclass(frozen=True)
class Activation:
    """What a MultiThreshold means for a layer: count + bias, or a bipolar bit."""

    thresholds: IntArray
    bias: int
    dtype: BaseDataType

    @classmethod
    def of(cls, thresholds: Matrix, node: Call, shape: tuple[int, ...]) -> Activation:
        """Declines a scale, a fractional bias, or channels that are not the last axis."""
        at = node.attributes
        dtype = DataType[at.get("out_dtype", "FLOAT32")]
        scale, bias = float(at.get("out_scale", 1.0)), float(at.get("out_bias", 0.0))
        layout = at.get("data_layout", "NCHW")
        per_tensor = thresholds.values.shape[0] == 1
        require(thresholds.values.ndim == 2, f"the thresholds have {thresholds.values.ndim} axes, want 2")
        require(per_tensor or len(shape) == 2 or layout.endswith("C"), f"channels are not last in layout {layout}")
        if dtype == DataType["BIPOLAR"]:
            require(scale == 2 and bias == -1, f"a bipolar output with scale {scale} and bias {bias}")
            return cls(thresholds.values, 0, dtype)
        require(scale == 1 and bias == int(bias), f"an output with scale {scale} and bias {bias} is no count")
        low, high = int(bias), int(bias) + thresholds.values.shape[1]
        fits = dtype.is_integer() and dtype.min() <= low and high <= dtype.max()
        return cls(thresholds.values, int(bias), dtype if fits else DataType.spanning(low, high))


@rule(
    op.MultiThreshold(op.MatMul(x, w), T).named("mt"),
    shapes="x:1,k w:k,m T:m,1 | x:1,k w:k,m T:1,3",
    datatypes={"x": "INT4"},
)
def matmul_thresholds_to_mvau(x: TensorRef, w: Matrix, T: Matrix, mt: Call) -> Call:
    """multithreshold(x @ w, T) == MVAU(x, w, T)"""
    require(w.values.ndim == 2, f"the weights have {w.values.ndim} axes, want 2")
    a = Activation.of(T, mt, (*_shape(x)[:-1], w.values.shape[1]))
    return layer_call(lambda: MVAU(_shape(x), x.datatype, w.values, w.dtype, a.dtype, a.thresholds, a.bias), x)


@rule(op.MatMul(x, w), shapes="x:1,k w:k,m", datatypes={"x": "INT4"})
def matmul_to_mvau(x: TensorRef, w: Matrix) -> Call:
    """x @ w == MVAU(x, w)"""
    require(w.values.ndim == 2, f"the weights have {w.values.ndim} axes, want 2")

    def make() -> Layer:
        free = MVAU(_shape(x), x.datatype, w.values, w.dtype, DataType["INT64"])
        return MVAU(_shape(x), x.datatype, w.values, w.dtype, free.accumulator)

    return layer_call(make, x)


@rule(op.MultiThreshold(x, T).named("mt"), shapes="x:1,k T:k,1 | x:1,k T:1,3", datatypes={"x": "INT4"})
def thresholds_to_layer(x: TensorRef, T: Matrix, mt: Call) -> Call:
    """multithreshold(x, T) == Thresholding(x, T)"""
    a = Activation.of(T, mt, _shape(x))
    return layer_call(lambda: Thresholding(_shape(x), x.datatype, a.thresholds, a.dtype, a.bias), x)


@rule(op.ArgMax(x).named("node"), shapes="x:1,k", attributes={"node": {"axis": 1}}, datatypes={"x": "INT4"})
def argmax_to_label_select(x: TensorRef, node: Call) -> Call:
    """argmax(x) == LabelSelect(x, K=1)"""
    axis, rank = int(node.attributes.get("axis", 0)), len(_shape(x))
    require(axis in (-1, rank - 1), f"axis {axis} is not the last")
    require(not node.attributes.get("select_last_index", 0), "of equal values the last is wanted")
    require(node.attributes.get("keepdims", 1), "keepdims is 0: the axis would have to be removed on the host")
    return layer_call(lambda: LabelSelect(_shape(x), x.datatype), x)


def _shape(x: TensorRef) -> tuple[int, ...]:
    require(x.shape, f"the shape of '{x.name}' is not known")
    return tuple(x.shape or ())


FUSED = (matmul_thresholds_to_mvau,)
SINGLE = (matmul_to_mvau, thresholds_to_layer, argmax_to_label_select)


@dataclass(frozen=True)
class LoweringReport:
    """How often each rule fired, and why each node that is left is not a layer."""

    fired: Counter[str]
    host: dict[str, str]


def lower(model: ModelWrapper, standalone_thresholds: bool = False) -> LoweringReport:
    """Turn what can be hardware into layers, in place; nodes are then named <layer>_<number>.

    standalone_thresholds: thresholds become layers of their own instead of the activation of an MVAU.
    Raises DataflowError if nothing became a layer, naming the first node with integer inputs and the reason.
    """
    phases = (SINGLE,) if standalone_thresholds else (FUSED, SINGLE)
    fired: Counter[str] = Counter()
    for phase in phases:
        fired += apply(model, phase)
    for node in list(model.graph.node):
        if node.op_type == "TopK" and not node.domain:
            fired["topk_to_label_select"] += _lower_topk(model, node)
    model.set_opset_import(DOMAIN, 1)
    model.transform(GiveUniqueNodeNames(), make_deepcopy=False)
    host = staying(model)
    if not fired.total():
        reasons = "; ".join(f"{name}: {why}" for name, why in host.items()) or "the graph is empty"
        raise DataflowError(
            "no part of the network became hardware", why=reasons,
            remedy="quantize weights and activations, and annotate integer inputs with their data type",
        )  # fmt: skip
    return LoweringReport(fired, host)


def staying(model: ModelWrapper) -> dict[str, str]:
    """Why each node that is no layer is none, by its name."""
    return {n.name: _reason(model, n) for n in model.graph.node if n.domain != DOMAIN}


def _lower_topk(model: ModelWrapper, node: NodeProto) -> bool:
    """topk(x, k).indices == LabelSelect(x, K=k), if the values are not used. (A rule's root has one output.)"""
    k, shape = model.get_initializer(node.input[1]), model.get_tensor_shape(node.input[0])
    dtype = model.get_tensor_datatype(node.input[0])
    options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    values = node.output[0]
    fits = k is not None and shape and dtype.is_integer() and options.get("largest", 1) and options.get("sorted", 1)
    if not fits or options.get("axis", -1) not in (-1, len(shape or ()) - 1):
        return False
    if values and (model.find_consumers(values) or model.is_graph_output(values)):
        return False
    try:
        layer = LabelSelect(tuple(shape or ()), dtype, int(np.asarray(k).reshape(-1)[0]))
    except LayerError:
        return False
    new = helper.make_node("LabelSelect", [node.input[0]], [node.output[1]], domain=DOMAIN, **attributes(layer))
    index = model.get_node_index(node)
    model.remove_node(node)
    model.insert_node(index or 0, new)
    model.set_tensor_datatype(new.output[0], layer.outputs[0].dtype)
    return True


def _reason(model: ModelWrapper, node: NodeProto) -> str:
    """Why a node stays on the host."""
    inputs = [i for i in node.input if i and not model.has_initializer(i)]
    kinds = {i: model.get_tensor_datatype(i) for i in inputs}
    floats = [f"{i} is {t.name}" for i, t in kinds.items() if not t.is_integer()]
    if floats:
        return f"{node.op_type} on numbers that are no integers ({', '.join(floats)})"
    for r in SINGLE:
        if r.pattern.op == node.op_type:
            return f"{r} declines: {_declined(model, node, r)}"
    return f"there is no hardware layer for {node.op_type}"


def _declined(model: ModelWrapper, node: NodeProto, r: Rule) -> str:
    """What the rule says about the node."""
    try:
        match(model, node, r)
    except NoMatch as reason:
        return str(reason)
    return "the graph needs its output as it is"
