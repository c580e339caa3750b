"""Standard operators as the opset of a model spells them: what once were attributes are inputs now.

Each function gives the expression for a rule (`finn.transformation.rewrite`). Sources: the version tables at
https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from finn.core.modelwrapper import ModelWrapper
from finn.transformation.rewrite import Call, op


def opset_of(model: ModelWrapper) -> int:
    """The version of the standard operators."""
    return model.get_opset_imports().get("", 11)


def unsqueeze(model: ModelWrapper, x: Any, axes: Sequence[int]) -> Call:
    """`x` with new axes of one element, at these places of the result."""
    return _with_axes(model, "Unsqueeze", x, axes)


def squeeze(model: ModelWrapper, x: Any, axes: Sequence[int]) -> Call:
    """`x` without these axes, which have one element."""
    return _with_axes(model, "Squeeze", x, axes)


def _with_axes(model: ModelWrapper, name: str, x: Any, axes: Sequence[int]) -> Call:
    if opset_of(model) < 13:
        return Call(name, (x,), {"axes": list(axes)})
    return Call(name, (x, _ints(axes)))


def pad(model: ModelWrapper, x: Any, pads: Sequence[int]) -> Call:
    """`x` with zeros around it. pads: the starts of all axes, then their ends."""
    if opset_of(model) < 11:
        return op.Pad(x, pads=list(pads))
    return op.Pad(x, _ints(pads))


def crop(model: ModelWrapper, x: Any, axes: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> Call:
    """The elements starts[i] to ends[i] - 1 along axes[i]."""
    if opset_of(model) < 10:
        return op.Slice(x, axes=list(axes), starts=list(starts), ends=list(ends))
    return op.Slice(x, _ints(starts), _ints(ends), _ints(axes))


def reshape(x: Any, shape: Sequence[int]) -> Call:
    """`x` in another shape; 0 keeps the dimension of x at that place, -1 takes what is left."""
    return op.Reshape(x, _ints(shape))


def _ints(values: Sequence[int]) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)
