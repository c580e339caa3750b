"""A network under construction, by decisions that Hypothesis or a seed makes. Parameters are dyadic with few digits.

Every node is computed while it is added, so that shapes are known and scales fit the values that occur.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper

from .reference_nd import QUANTIZERS, ROUND, Tie, run_node  # noqa: TID252 - test helpers are no installed package

CUSTOM = {"Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Trunc"}
GENERAL = "qonnx.custom_op.general"
ODD = 1449 / 1024
"""Close to the square root of 2: its multiples and those of 1 meet far away."""
T = TypeVar("T")


class Choices:
    """Where decisions come from: Hypothesis, which can make a failing network smaller, or a seed."""

    def __init__(self, draw: Any = None, seed: int = 0) -> None:
        self._draw, self._random = draw, random.Random(seed)
        self.rng = np.random.default_rng(draw(st.integers(0, 2**16)) if draw else seed)

    def of(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options)) if self._draw else self._random.choice(options)

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high)) if self._draw else self._random.randint(low, high)

    def flag(self) -> bool:
        return bool(self.of([False, True]))


@dataclass(eq=False)
class Tensor:
    """kind : "q" behind a quantizer, "sum" of quantized ones, "float" behind any other operator, "w" weights.

    values : for one random input. inexact : not exact in float64. readers : how many nodes.
    doubt : why it may be no scaled integer, "" if it has to be one or the tail of one.
    offset : 0 may be no multiple of the scale away. varied : the scale may differ between channels.
    last : its channels are on the last axis, as behind a MatMul, not on axis 1.
    odd : its scale has no common measure with most others.
    """

    name: str
    values: Any
    kind: str
    inexact: bool = False
    readers: int = 0
    doubt: str = ""
    offset: bool = False
    varied: bool = False
    last: bool = False
    odd: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    @property
    def rank(self) -> int:
        return int(self.values.ndim)

    @property
    def channels(self) -> int:
        return self.shape[-1 if self.last else 1]


@dataclass
class Input:
    """datatype : "" for multiples of 1/8, else what is annotated. high : for indices, how many there are."""

    name: str
    shape: tuple[int, ...]
    datatype: str = ""
    indices: int = 0

    def values(self, rng: np.random.Generator) -> Any:
        if self.indices:
            return rng.integers(0, self.indices, self.shape)
        if not self.datatype:
            return rng.integers(-32, 33, self.shape) / 8.0
        datatype = DataType[self.datatype]
        if self.datatype == "BIPOLAR":
            return rng.choice([-1.0, 1.0], self.shape)
        return rng.integers(int(datatype.min()), int(datatype.max()) + 1, self.shape).astype(np.float64)


class Rejected(Exception):
    """The step does not fit here."""


LINEAR = {"Conv", "ConvTranspose", "MatMul", "Gemm"}


@dataclass
class Builder:
    """The network so far.

    tensors : what steps may read. must : names of linear layers and quantizers that have to become integer.
    doubts : why other nodes need not, by name.
    """

    c: Choices
    opset: int = 13
    nodes: list[Any] = field(default_factory=list)
    initializers: dict[str, Any] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    must: set[str] = field(default_factory=set)
    doubts: dict[str, str] = field(default_factory=dict)
    trunc_version: int = 1

    # --- nodes ---

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers[name] = np.asarray(array, dtype)
        return name

    def ints(self, values: Any) -> str:
        return self.constant(values, np.int64)

    def add(self, op_type: str, *inputs: Any, **settings: Any) -> Tensor:
        """A node. An input is a tensor, the name of a constant, an array, or None. Returns its first output.

        settings : kind and doubt of the outputs, how many outputs, and the attributes.
        """
        return self.add_all(op_type, *inputs, **settings)[0]

    def add_all(
        self, op_type: str, *inputs: Any, kind: str = "", outputs: int = 1, doubt: str = "", **attributes: Any
    ) -> list[Tensor]:
        names = [self._name(i) for i in inputs]
        read = [i for i in inputs if isinstance(i, Tensor)]
        values = [
            i.values if isinstance(i, Tensor) else self.initializers.get(n) for i, n in zip(inputs, names, strict=True)
        ]
        values = [None if v is None else np.asarray(v, np.float64) for v in values]
        number = len(self.nodes)
        outs = [f"t{number}_{i}" if i else f"t{number}" for i in range(outputs)]
        domain = GENERAL if op_type in CUSTOM else ""
        node = helper.make_node(op_type, names, outs, name=f"n{number}", domain=domain, **attributes)
        try:
            with np.errstate(all="ignore"):
                results, inexact = run_node(node, self.opset, values, any(t.inexact for t in read))
        except Tie as tie:
            raise Rejected from tie
        if not all(np.isfinite(r).all() and 0 < r.size <= 1000 and np.abs(r).max() < 2.0**20 for r in results):
            raise Rejected
        for tensor in read:
            tensor.readers += 1
        self.nodes.append(node)
        quantizer = op_type in QUANTIZERS
        doubt = doubt or next((t.doubt for t in read if t.doubt), "")
        data = [t for t in read if t.kind != "w"]
        made = [
            Tensor(
                name, r, kind or (data[0].kind if data else "w"), inexact, doubt="" if quantizer else doubt,
                offset=not quantizer and any(t.offset for t in data),
                varied=not quantizer and any(t.varied for t in data),
                last=not quantizer and any(t.last for t in data),
                odd=not quantizer and any(t.odd for t in data),
            ) for name, r in zip(outs, results, strict=True)
        ]  # fmt: skip
        if doubt:
            self.doubts[node.name] = doubt
        elif data and op_type in LINEAR | QUANTIZERS:
            self.must.add(node.name)
        self.shapes |= {t.name: t.shape for t in made}
        if data:
            self.tensors += made
        return made

    def _name(self, i: Any) -> str:
        if i is None:
            return ""
        if isinstance(i, Tensor):
            return i.name
        return i if isinstance(i, str) else self.constant(i)

    def attempt(self, step: Callable[[Builder], object]) -> bool:
        """Whether the step fits; what it added is taken back if not."""
        nodes, tensors, readers = len(self.nodes), len(self.tensors), [t.readers for t in self.tensors]
        inputs = len(self.inputs)
        try:
            step(self)
        except Rejected:
            for node in self.nodes[nodes:]:
                self.must.discard(node.name)
                self.doubts.pop(node.name, None)
                for name in node.output:
                    del self.shapes[name]
            del self.nodes[nodes:], self.tensors[tensors:], self.inputs[inputs:]
            for t, count in zip(self.tensors, readers, strict=True):
                t.readers = count
            return False
        return True

    def new_input(self, shape: tuple[int, ...], datatype: str = "", indices: int = 0) -> Tensor:
        given = Input("x" if not self.inputs else f"x{len(self.inputs)}", shape, datatype, indices)
        self.inputs.append(given)
        tensor = Tensor(given.name, given.values(self.c.rng), "q" if datatype else "float")
        if not indices:
            self.tensors.append(tensor)
        return tensor

    # --- choices ---

    def pick(self, *kinds: str, ranks: Sequence[int] = (), where: Callable[[Tensor], bool] = lambda t: True) -> Tensor:
        """A live tensor; the last ones come first."""
        fitting = [
            t
            for t in self.tensors
            if t.kind in (kinds or ("q", "sum")) and t.rank in (ranks or range(1, 9)) and where(t)
        ]
        if not fitting:
            raise Rejected
        return self.c.of(fitting[::-1][:4])

    def dyadic(self, *shape: int, low: int = -16, high: int = 17, bits: int = 3) -> Any:
        return self.c.rng.integers(low, high, shape) / 2.0**bits

    def per_channel(self, t: Tensor) -> tuple[int, ...]:
        """The shape of one parameter per channel."""
        return (t.channels,) if t.last else (t.channels, *[1] * (t.rank - 2)) if t.rank > 1 else ()

    # --- quantizers ---

    def quantize(self, t: Tensor, per_channel: bool | None = None, scale: float | None = None) -> Tensor:
        kinds = ["Quant", "Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Sign"]
        kind = "Quant" if scale is not None else self.c.of(kinds)
        if kind == "Sign":
            return self.add("Sign", t, kind="q")
        if kind == "BipolarQuant":
            return self.add(kind, t, 2.0 ** self.c.integer(-2, 1), kind="q")
        if kind == "MultiThreshold" and t.rank != 1:
            return self.thresholds(t)
        bits = self.c.integer(1, 8 if t.channels <= 4 else 5)
        reach = max(float(np.abs(t.values).max()), 0.25)
        exponent = int(np.ceil(np.log2(reach / 2.0 ** max(bits - 1, 1)))) + self.c.integer(-1, 1)
        shape = self.per_channel(t) if per_channel or (per_channel is None and self.c.integer(0, 3) == 3) else ()
        scales: Any = 2.0 ** (exponent + self.c.rng.integers(-1, 2, shape)) if scale is None else scale
        odd = scale is None and self.c.integer(0, 9) == 9
        scales = scales * ODD if odd else scales
        modes = sorted(ROUND)
        if t.inexact:  # 0, 0.5 and 1 are no ties
            scales, modes = np.minimum(scales, 0.5), ["ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN"]
        zero_point = self.c.of([0.0, 0.0, 0.0, 1.0, -2.0, 2.0 ** (bits - 1)])
        y = self.add(
            kind, t, scales, zero_point, float(bits), kind="q", signed=self.c.integer(0, 1),
            narrow=self.c.integer(0, 1) if bits > 1 else 0, rounding_mode=self.c.of(["ROUND", *modes]),
        )  # fmt: skip
        y.varied = np.unique(scales).size > 1
        y.last, y.odd = t.last and y.varied, odd
        return y

    def thresholds(self, t: Tensor) -> Tensor:
        rows, steps = self.c.of([1, t.channels]), self.c.of([1, 3, 7])
        values = t.values.ravel() if not t.inexact else self.dyadic(64, bits=7)
        table = np.sort(self.c.rng.choice(values, (rows, steps)) + self.c.of([0.0, 0.125]), axis=1)
        scale, bias = self.c.of([(1.0, 0.0), (2.0, -1.0), (0.5, -1.0), (-1.0, 3.0), (0.5, 0.25)])
        layout = {2: "NC", 3: "NWC" if t.last else "NCW", 4: "NHWC" if t.last else "NCHW"}.get(t.rank, "")
        y = self.add(
            "MultiThreshold", t, table, kind="q", out_scale=scale, out_bias=bias, out_dtype="INT8", data_layout=layout
        )
        y.offset, y.last = (bias / scale) % 1 != 0, t.last
        return y

    def weights(self, shape: tuple[int, ...], axis: int | None = 0) -> Tensor:
        """Quantized weights, the scale of which may vary along `axis`."""
        bits, c = self.c.integer(1, 8), self.c
        limit = 2 ** (bits - 1)
        integers = c.rng.integers(-limit - 1, limit + 2, shape)
        if axis is not None and shape[axis] > 1 and c.integer(0, 4) == 4:  # constant and duplicate channels
            np.moveaxis(integers, axis, 0)[0] = np.moveaxis(integers, axis, 0)[-1] * c.integer(0, 1)
        wide = [1] * len(shape)
        if axis is not None:
            wide[axis] = shape[axis]
        scale: Any = 2.0 ** -c.integer(0, 3)
        if axis is not None and bits > 1 and c.integer(0, 2) == 2:
            scale = 2.0 ** c.rng.integers(-3, 1, wide)
        raw = self.constant(integers * np.asarray(scale))
        if bits == 1:
            return self.add("BipolarQuant", raw, scale)
        zero_point = c.of([0.0, 0.0, 0.0, 1.0])
        return self.add(
            "Quant", raw, scale, zero_point, float(bits), signed=1, narrow=c.integer(0, 1), rounding_mode="ROUND"
        )

    # --- the model ---

    def model(self) -> ModelWrapper:
        ends = [t for t in self.tensors if not t.readers and t.name not in {i.name for i in self.inputs}]
        ends = ends or self.tensors[-1:]
        infos = [_info(i.name, TensorProto.INT64 if i.indices else TensorProto.FLOAT, i.shape) for i in self.inputs]
        producers = {o: (n.op_type, k) for n in self.nodes for k, o in enumerate(n.output)}
        index = {("ArgMax", 0), ("TopK", 1)}
        outputs = [
            _info(t.name, TensorProto.INT64 if producers.get(t.name) in index else TensorProto.FLOAT, t.shape)
            for t in ends
        ]
        constants = [numpy_helper.from_array(a, n) for n, a in self.initializers.items()]
        graph = helper.make_graph(self.nodes, "generated", infos, outputs, constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, self.trunc_version)]
        model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
        for name in sorted(self.shapes.keys() - {t.name for t in ends}):
            model.set_tensor_shape(name, list(self.shapes[name]))
        for given in self.inputs:
            if given.datatype:
                model.set_tensor_datatype(given.name, DataType[given.datatype])
        return model


def _info(name: str, dtype: int, shape: tuple[int, ...]) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)
