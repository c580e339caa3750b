# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Layers in C++: types, configurations and tables as text, and values as they are stored."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.layer import CppObject, Hls, IntArray, Layer, Stream

Bytes = npt.NDArray[np.generic]


def type_of(dtype: BaseDataType) -> str:
    """The element type in C++."""
    if dtype == DataType["BIPOLAR"]:
        return "finn::Bipolar"
    return f"ap_{'' if dtype.signed() else 'u'}int<{dtype.bitwidth()}>"


def beat_of(stream: Stream) -> str:
    """The type of a beat."""
    return f"finn::Beat<{type_of(stream.dtype)}, {stream.lanes}>"


def object_type(given: CppObject) -> str:
    """The class of an object; if it is made of a stream, the function that makes it."""
    arguments = ", ".join(type_of(a) if isinstance(a, BaseDataType) else str(a) for a in given.arguments)
    return f"finn::{given.type}<{arguments}>" if arguments else f"finn::{given.type}"


def stored(values: IntArray, dtype: BaseDataType) -> Bytes:
    """Values as the simulation's elements stand in memory: native integers; of a bipolar value its bit."""
    if dtype == DataType["BIPOLAR"]:
        return (values > 0).astype(np.uint8)
    return values.astype(storage(dtype))


def storage(dtype: BaseDataType) -> np.dtype[np.generic]:
    """The native integer that holds an element."""
    if dtype == DataType["BIPOLAR"]:
        return np.dtype(np.uint8)
    size = next(n for n in (1, 2, 4, 8) if dtype.bitwidth() <= 8 * n)
    return np.dtype(f"<{'i' if dtype.signed() else 'u'}{size}")


def meant(elements: Bytes, dtype: BaseDataType) -> IntArray:
    """The inverse of `stored`."""
    values = elements.astype(np.int64)
    return 2 * values - 1 if dtype == DataType["BIPOLAR"] else values


def config_struct(name: str, kernel: Hls) -> str:
    """The struct `name` that a kernel takes as its argument."""
    members = [*map(_number, kernel.config, kernel.config.values())]
    members += [f"using {key} = {type_of(dtype)};" for key, dtype in kernel.types.items()]
    return f"struct {name} {{\n" + "".join(f"  {member}\n" for member in members) + "};\n"


def _number(name: str, value: int | tuple[int, ...]) -> str:
    if isinstance(value, tuple):
        return f"using {name} = finn::List<{', '.join(map(str, value))}>;"
    kind = "int" if -(2**31) < value < 2**31 else "long long"
    return f"static constexpr {kind} {name} = {value};"


def initializer(given: CppObject) -> str:
    """The array of an object as a list of integers: braces for each dimension, and for each struct around one."""
    assert given.values is not None
    return f"{{{braces(given.values, given.structs)}}}"


def braces(values: IntArray, structs: int = 0) -> str:
    """An array as a list of integers; behind `structs` dimensions, a struct is around those that follow."""
    if values.ndim == 1:
        return "{" + ", ".join(map(str, values.tolist())) + "}"
    around = ("{", "}") if structs == 1 else ("", "")
    return "{" + ",\n".join(around[0] + braces(v, structs - 1) + around[1] for v in values) + "}"


def headers(layers: Iterable[Layer]) -> list[str]:
    """The headers of the library that these layers need."""
    return sorted({f"finn/{layer.hls().header}.hpp" for layer in layers})
