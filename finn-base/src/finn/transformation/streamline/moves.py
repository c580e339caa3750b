"""Moved tensors: what is computed of a tensor that is only transposed is computed of the tensor itself.

Images have their channels last. A network that flattens them, or reshapes them into tokens, speaks of channels-first
tensors: these are Transposes of what the integer graph has. Reshapes are done on the channels-last tensor, and what is
left is an order of columns, which goes into the weights of the layers that read them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from finn.transformation._layout_rules import to_first
from finn.transformation.streamline.values import Scaled, Shape, compact, with_rank

if TYPE_CHECKING:
    from finn.transformation.streamline.propagation import Propagation

Array = npt.NDArray[Any]


def reshaped_origin(p: Propagation, x: Scaled, shape: Shape) -> Scaled | None:
    """x reshaped, where x is a channels-first Transpose of a channels-last tensor; None if that is of no use.

    Reshapes that flatten all of a sample, and those that keep batch and channels and reshape the image.
    """
    if x.source.name not in p.graph.transposed:
        return None
    origin, perm = p.graph.transposed[x.source.name]
    rank, dims = len(perm), x.source.dims
    if list(perm) != to_first(rank) or not shape or shape[0] != dims[0]:
        return None
    back = [int(a) for a in np.argsort(perm)]
    inner = x.moved(origin, lambda c: compact(with_rank(c, rank).transpose(back)))
    if len(shape) == 2 and shape[1] == int(np.prod(dims[1:])):
        index = np.arange(shape[1]).reshape(origin.dims[1:]).transpose([a - 1 for a in perm[1:]]).reshape(-1)
        return permuted(p, p.reshape(inner, shape), index)
    if len(shape) > 2 and shape[1] == dims[1]:
        y = p.reshape(inner, (shape[0], *shape[2:], shape[1]))
        first = to_first(len(shape))
        source = p.graph.transpose(y.source, first)
        return y.moved(source, lambda c: compact(with_rank(c, len(shape)).transpose(first)))
    return None


def permuted(p: Propagation, x: Scaled, index: Array) -> Scaled:
    """x[..., index]"""

    def take(c: Array) -> Array:
        return c if c.size == 1 or c.shape[-1] == 1 else c[..., index]

    if (index == np.arange(len(index))).all():
        return x
    return x.moved(p.graph.permuted_columns(x.source, index, take), take)


def unpermuted(p: Propagation, x: Scaled) -> Scaled:
    """The value whose columns x has in another order: x == unpermuted(x)[..., index]."""
    origin, index = p.graph.permuted[x.source.name]
    order = np.argsort(index)
    return replace(x.moved(origin, lambda c: c if c.size == 1 or c.shape[-1] == 1 else c[..., order]))
