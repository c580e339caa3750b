"""`CustomOp`: meaning, attributes, shapes and types of an operator that ONNX does not have."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

from finn.core.errors import AttributeTypeError, AttributeValueError, FinnError, UnknownAttributeError, nearest
from finn.core.tidy import describe

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper
    from finn.custom_op.expansion import Expansion

AttributeDef = tuple[str, bool, Any] | tuple[str, bool, Any, "set[Any] | None"]
_NO_DEFAULT: Any = object()


@dataclass(frozen=True)
class Attribute:
    """Declares one attribute.

    kind: the field of AttributeProto, "i", "f", "s", "t", "ints", "floats" or "strings"; default: the value if the
    node does not set it (without default the attribute is required); allowed: the legal values, None for any.
    """

    kind: str
    default: Any = _NO_DEFAULT
    allowed: frozenset[Any] | None = None
    doc: str = ""

    @property
    def required(self) -> bool:
        return self.default is _NO_DEFAULT

    def as_tuple(self) -> AttributeDef:
        """(kind, required, default[, allowed]), as `get_nodeattr_types` gives it."""
        if self.required:
            empty: dict[str, Any] = {"i": 0, "f": 0.0, "s": "", "t": np.zeros(0)}
            default: Any = empty.get(self.kind, [])
        else:
            default = self.default
        if self.allowed is None:
            return (self.kind, self.required, default)
        return (self.kind, self.required, default, set(self.allowed))


class CustomOp(ABC):
    """Wraps a NodeProto (by reference: setters edit the node).

    A subclass lists its attributes in `attributes`, or overrides `get_nodeattr_types`.
    """

    attributes: ClassVar[Mapping[str, Attribute]] = {}

    def __init__(self, onnx_node: NodeProto, onnx_opset_version: int = 1) -> None:
        self.onnx_node = onnx_node
        self.onnx_opset_version = onnx_opset_version

    # -------------------------------------------------------------------------------------------------- attributes

    def get_nodeattr_types(self) -> dict[str, AttributeDef]:
        """{name: (kind, required, default[, allowed values])}."""
        return {name: attribute.as_tuple() for name, attribute in self.attributes.items()}

    def get_nodeattr_def(self, name: str) -> tuple[str, bool, Any, set[Any] | None]:
        """(kind, required, default, allowed values or None) of one attribute. UnknownAttributeError."""
        types = self.get_nodeattr_types()
        if name not in types:
            raise UnknownAttributeError(
                f"there is no attribute '{name}'", where=self._where, remedy=nearest(name, sorted(types))
            )
        kind, required, default, *allowed = types[name]
        return kind, required, default, set(allowed[0]) if allowed and allowed[0] is not None else None

    def get_nodeattr_allowed_values(self, name: str) -> set[Any] | None:
        """The legal values of an attribute, None for any."""
        return self.get_nodeattr_def(name)[3]

    def get_nodeattr(self, name: str) -> Any:
        """The value of an attribute: int, float, str, ndarray or a list; the default if the node does not set it.

        AttributeValueError if it is required and missing, or if the value is not allowed; AttributeTypeError if the
        node holds another type.
        """
        kind, required, default, allowed = self.get_nodeattr_def(name)
        found = self._find(name)
        if found is None:
            if required:
                raise AttributeValueError(f"the required attribute '{name}' is missing", where=self._where)
            return copy.copy(default)  # the caller may edit a list
        if not _holds(found, kind):
            raise AttributeTypeError(
                f"attribute '{name}' is stored as {AttributeProto.AttributeType.Name(found.type)}, "
                f"wanted {_KIND_NAMES[kind]}",
                where=self._where,
                remedy=f"write it again, with set_nodeattr('{name}', ...)",
            )
        value = _read(found, kind)
        self._check_allowed(name, value, allowed)
        return value

    def set_nodeattr(self, name: str, value: Any) -> None:
        """Set an attribute. AttributeTypeError for another type, AttributeValueError for a value not allowed.

        NumPy's numbers, True and False count as Python's, tuples and arrays as lists. An int is no float.
        """
        kind, _, _, allowed = self.get_nodeattr_def(name)
        if not _FITS[kind](value):
            raise AttributeTypeError(
                f"attribute '{name}' is set to {value!r} of type {type(value).__name__}, wanted {_KIND_NAMES[kind]}",
                where=self._where,
            )
        self._check_allowed(name, value, allowed)
        try:
            new = _make_attribute(name, kind, value)
        except (ValueError, OverflowError) as error:
            raise AttributeValueError(
                f"attribute '{name}' cannot be {value!r}", where=self._where, why=str(error), remedy="use 64 bits"
            ) from error
        found = self._find(name)
        if found is None:
            self.onnx_node.attribute.append(new)
        else:
            found.CopyFrom(new)

    def _find(self, name: str) -> AttributeProto | None:
        return next((a for a in self.onnx_node.attribute if a.name == name), None)

    def _check_allowed(self, name: str, value: Any, allowed: set[Any] | None) -> None:
        if allowed is None:
            return
        if any(item not in allowed for item in (value if isinstance(value, list | tuple) else [value])):
            listed = ", ".join(sorted(map(repr, allowed)))
            raise AttributeValueError(
                f"attribute '{name}' is {value!r}", where=self._where, remedy=f"use one of: {listed}"
            )

    @property
    def _where(self) -> str:
        return f"node {describe(self.onnx_node)}"

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors that are raised within and do not say where name this node."""
        try:
            yield
        except FinnError as error:
            error.where = error.where or self._where
            raise

    # ----------------------------------------------------------------------------------------------------- meaning

    def make_const_shape_op(self, shape: list[int] | tuple[int, ...]) -> NodeProto:
        """A standard node that makes output 0 with this shape: a stand-in for shape inference."""
        return helper.make_node(
            "RandomNormal", [], [self.onnx_node.output[0]], dtype=TensorProto.FLOAT, shape=[int(d) for d in shape]
        )

    @abstractmethod
    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """A standard node with the same inputs and outputs whose output shapes are those of this node."""

    @abstractmethod
    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Annotate the outputs with their data types."""

    @abstractmethod
    def execute_node(self, context: MutableMapping[str, np.ndarray], graph: GraphProto) -> None:
        """Compute the outputs from the inputs, all in `context`."""

    def expand(self, e: Expansion) -> list[str] | None:
        """The operator in standard ONNX on float32 tensors: adds nodes to `e`, returns the names of the output values.

        None if there is no such form for this node; `execute_node` is called then. Both have to agree exactly.
        """
        return None

    def verify_node(self) -> list[str]:
        """Check the attributes. Returns what was found to be in order; raises at the first one that is not."""
        for name in self.get_nodeattr_types():
            self.get_nodeattr(name)
        return ["All attributes are present and legal"]


def _holds(attribute: AttributeProto, kind: str) -> bool:
    """Whether the value is of this kind. Files of old IR versions do not say; an int is a float; [] is any list."""
    if attribute.type in (AttributeProto.UNDEFINED, _PROTO_TYPES[kind]):
        return True
    if kind == "f":
        return bool(attribute.type == AttributeProto.INT)
    length = len(attribute.ints) + len(attribute.floats) + len(attribute.strings)
    is_list = attribute.type in (AttributeProto.INTS, AttributeProto.FLOATS, AttributeProto.STRINGS)
    return is_list and kind in ("ints", "floats", "strings") and not length


def _read(attribute: AttributeProto, kind: str) -> Any:
    if kind == "f" and attribute.type == AttributeProto.INT:
        return float(attribute.i)
    if kind == "s":
        return attribute.s.decode("utf-8")
    if kind == "strings":
        return [s.decode("utf-8") for s in attribute.strings]
    if kind == "t":
        return numpy_helper.to_array(attribute.t)
    value = getattr(attribute, kind)
    return list(value) if kind in ("ints", "floats") else value


def _make_attribute(name: str, kind: str, value: Any) -> AttributeProto:
    if kind == "t":
        value = numpy_helper.from_array(np.asarray(value))
    elif kind in _PYTHON:
        value = _PYTHON[kind](value)  # onnx takes neither NumPy's numbers nor bools in a list
    # The type is given, since an empty list has none.
    return helper.make_attribute(name, value, attr_type=_PROTO_TYPES[kind])


_PYTHON: dict[str, Callable[[Any], Any]] = {
    "i": int,
    "f": float,
    "ints": lambda values: [int(value) for value in values],
    "floats": lambda values: [float(value) for value in values],
    "strings": lambda values: [str(value) for value in values],
}


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer)


def _is_float(value: Any) -> bool:
    return isinstance(value, float | np.floating)


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


_FITS: dict[str, Callable[[Any], bool]] = {
    "i": _is_int,
    "f": _is_float,
    "s": _is_str,
    "t": lambda value: isinstance(value, np.ndarray),
    "ints": lambda value: _is_list(value) and all(map(_is_int, value)),
    "floats": lambda value: _is_list(value) and all(map(_is_float, value)),
    "strings": lambda value: _is_list(value) and all(map(_is_str, value)),
}
_KIND_NAMES = {
    "i": "an int",
    "f": "a float",
    "s": "a str",
    "t": "an ndarray",
    "ints": "a list of int",
    "floats": "a list of float",
    "strings": "a list of str",
}
_PROTO_TYPES = {
    "i": AttributeProto.INT,
    "f": AttributeProto.FLOAT,
    "s": AttributeProto.STRING,
    "t": AttributeProto.TENSOR,
    "ints": AttributeProto.INTS,
    "floats": AttributeProto.FLOATS,
    "strings": AttributeProto.STRINGS,
}
