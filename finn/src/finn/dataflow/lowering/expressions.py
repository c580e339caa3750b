"""What the rules of lowering are written with: streams and integer constants in patterns, layers in results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.graph import DOMAIN, arrays, attributes
from finn.dataflow.layer import IntArray, Layer, LayerError
from finn.transformation.rewrite import Call, Const, NoMatch, TensorRef, Var, require

LARGEST = 2**53
"""Below it float64 holds every integer; NaN and infinity are not below it."""


@dataclass(frozen=True)
class Matrix:
    """A constant integer tensor and its annotated type."""

    values: IntArray
    dtype: BaseDataType


class Integers(Var):
    """Binds a stream: a tensor that is no constant, of known shape, one frame, annotated with an integer type."""

    def bind(self, tensor: TensorRef) -> Any:
        require(not tensor.model.has_initializer(tensor.name), f"{self.name} = '{tensor.name}' is a constant")
        require(tensor.datatype.is_integer(), f"{self.name} = '{tensor.name}' is {tensor.datatype.name}, no integer")
        require(tensor.shape and all(d > 0 for d in tensor.shape), f"the shape of '{tensor.name}' is not known")
        require(tensor.sizes[0] == 1, f"'{tensor.name}' has a batch of {tensor.sizes[0]}; frames come one by one")
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


@dataclass(frozen=True)
class Flow:
    """A stream while layers are put on it: what carries it so far, its shape (1, …, C) and type."""

    value: TensorRef | Call
    shape: tuple[int, ...]
    dtype: BaseDataType

    @classmethod
    def of(cls, x: TensorRef) -> Flow:
        return cls(x, x.sizes, x.datatype)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of the axes between the batch and the channels."""
        return self.shape[1:-1]

    @property
    def call(self) -> Call:
        """The last layer, as what a rule returns."""
        require(isinstance(self.value, Call), "nothing is left to do")
        assert isinstance(self.value, Call)
        return self.value

    def through(self, make: Callable[..., Layer], *others: Flow) -> Flow:
        """Behind `make(shape, dtype)` (of each further stream, too). Declines what no layer can be made of."""
        streams = (self, *others)
        try:
            layer = make(*(part for s in streams for part in (s.shape, s.dtype)))
            out = layer.outputs[0]
        except LayerError as error:
            raise NoMatch(str(error)) from error
        held = [a.astype(np.int32 if np.abs(a).max(initial=0) < 2**31 else np.int64) for a in arrays(layer).values()]
        call = Call(type(layer).__name__, (*(s.value for s in streams), *held), attributes(layer), DOMAIN)
        return Flow(call.typed(out.dtype), out.shape, out.dtype)


@dataclass(frozen=True)
class Activation:
    """What a MultiThreshold means for a layer: count + bias, or a bipolar bit. None of the three: no activation."""

    thresholds: IntArray | None = None
    bias: int = 0
    dtype: BaseDataType | None = None

    @classmethod
    def of(cls, thresholds: Matrix, node: Call, rank: int) -> Activation:
        """Declines a scale, a fractional bias, or channels that are not the last of `rank` axes."""
        at = node.attributes
        dtype = DataType[at.get("out_dtype", "FLOAT32")]
        scale, bias = float(at.get("out_scale", 1.0)), float(at.get("out_bias", 0.0))
        layout = at.get("data_layout", "NCHW")
        per_tensor = thresholds.values.shape[0] == 1
        require(thresholds.values.ndim == 2, f"the thresholds have {thresholds.values.ndim} axes, want 2")
        require(per_tensor or rank == 2 or layout.endswith("C"), f"channels are not last in layout {layout}")
        if dtype == DataType["BIPOLAR"]:
            require(scale == 2 and bias == -1, f"a bipolar output with scale {scale} and bias {bias}")
            return cls(thresholds.values, 0, dtype)
        require(scale == 1 and bias == int(bias), f"an output with scale {scale} and bias {bias} is no count")
        low, high = int(bias), int(bias) + thresholds.values.shape[1]
        fits = dtype.is_integer() and dtype.min() <= low and high <= dtype.max()
        return cls(thresholds.values, int(bias), dtype if fits else DataType.spanning(low, high))


x, y = Integers("x"), Integers("y")
w, c, T = Constants("w"), Constants("c"), Constants("T")
