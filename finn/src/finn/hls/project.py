# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A layer as a project for Vitis HLS: a top function, its tables, a self-checking test bench, and a script."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.layer import CppObject, IntArray, Layer, Stream
from finn.hls import cpp
from finn.hls.errors import HlsError
from finn_hlslib import include_dir

FRAMES = 3
"""Frames that the test bench sends: the first fills buffers, the others follow it at once."""

NARROW_WORDS = 1024
"""Bits up to which ap_int.h goes without being told (AMD UG1399, "Arbitrary Precision Integer Types")."""

WIDEST_WORD = 8191
"""Bits of the widest ap_uint (finn 1.0 asserts the same)."""


@dataclass(frozen=True)
class Port:
    """A stream of the top function; `constant` if it carries no tensor but the same values again and again."""

    name: str
    stream: Stream
    constant: bool = False

    @property
    def element(self) -> str:
        return cpp.type_of(self.stream.dtype)

    @property
    def lanes(self) -> int:
        return self.stream.lanes

    @property
    def word(self) -> str:
        return f"finn::Word<{self.element}, {self.lanes}>"


@dataclass(frozen=True)
class Project:
    """The files of a layer's project by name, and the name of its top function."""

    name: str
    files: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write the files, and the library's headers beside them, into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (folder / name).write_text(text)
        shutil.copytree(include_dir() / "finn", folder / "include" / "finn", ignore=shutil.ignore_patterns("sim"))


def project_of(name: str, layer: Layer, part: str, clk_ns: float, frames: int = FRAMES) -> Project:
    """The project of a layer; `name` becomes its top function. Raises HlsError for words that HLS does not have."""
    if not re.fullmatch(r"[A-Za-z]\w*", name):
        raise HlsError(f"{name!r} is no name for a C++ function", remedy="give the node a name of letters and digits")
    inputs, outputs = _ports(layer)
    widest = max((p.stream.padded_width, p.name) for p in (*inputs, *outputs))
    if widest[0] > WIDEST_WORD:
        raise HlsError(
            f"words of {widest[0]} bits",
            where=f"node {name}, port {widest[1]}",
            why=f"Vitis HLS has at most {WIDEST_WORD} bits",
            remedy="use a smaller folding, or preferred_impl_style rtl",
        )
    kernel = layer.hls()
    tables = [o for o in kernel.objects if o.values is not None]
    names = dict(zip(map(id, tables), _names(tables), strict=True))
    context = {
        "name": name,
        "layer": type(layer).__name__,
        "config": cpp.config_struct(f"{name}_config", kernel).rstrip(),
        "header": kernel.header,
        "kernel": kernel.kernel,
        "inputs": inputs,
        "outputs": outputs,
        "tables": [_Table(names[id(o)], cpp.object_type(o), o) for o in tables],
        "objects": [_expression(o, inputs, names) for o in kernel.objects],
        "streams": [p for k, p in enumerate(inputs) if k not in {o.stream for o in kernel.objects}],
        "part": part,
        "clk_ns": f"{clk_ns:g}",
        "max_width": widest[0] if widest[0] > NARROW_WORDS else 0,
        "frames": frames,
        "data": _data(layer, inputs, outputs, frames),
        "calls": 8 * frames * (layer.cycles + max(p.stream.beats for p in (*inputs, *outputs))) + 1000,
    }
    texts = {f"{name}{suffix}": _render(template, context) for template, suffix in TEMPLATES.items()}
    return Project(name, texts | {"hls.tcl": _render("hls.tcl", context)})


TEMPLATES = {
    "layer.hpp": ".hpp",
    "tables.hpp": "_tables.hpp",
    "layer.cpp": ".cpp",
    "layer_tb.cpp": "_tb.cpp",
    "data.hpp": "_data.hpp",
}
"""Template -> how the name of the file goes on behind that of the layer."""


@dataclass(frozen=True, eq=False)
class _Table:
    """A table of the top function. If it can be written at run time, it is an argument."""

    name: str
    type: str
    object: CppObject

    @property
    def writable(self) -> bool:
        return self.object.writable

    @property
    def values(self) -> str:
        return cpp.initializer(self.object)


@dataclass(frozen=True)
class _Beats:
    """What a port carries, as a list of beats of lanes."""

    port: Port
    beats: int
    values: str


def _ports(layer: Layer) -> tuple[list[Port], list[Port]]:
    """Of the inputs, then of constant inputs; of the outputs."""
    inputs = [Port(f"in{k}_V", s) for k, s in enumerate(layer.inputs)]
    inputs += [Port("weights_V", c.stream, constant=True) for c in layer.constant_inputs]
    return inputs, [Port(f"out{k}_V", s) for k, s in enumerate(layer.outputs)]


def _names(tables: Sequence[CppObject]) -> list[str]:
    """Of the tables: their type, with a number from the second of a type on."""
    names: list[str] = []
    for table in tables:
        plain = re.sub(r"(?<!^)(?=[A-Z])", "_", table.type).lower()
        count = sum(name.rstrip("_0123456789") == plain for name in names)
        names.append(f"{plain}_{count}" if count else plain)
    return names


def _expression(given: CppObject, inputs: Sequence[Port], names: dict[int, str]) -> str:
    """What `step` gets for an object; streams go by the names of the adapters."""
    if given.stream is not None:
        return f"{cpp.object_type(given)}({inputs[given.stream].name[:-2]})"
    return names.get(id(given)) or f"{cpp.object_type(given)}()"


def _data(layer: Layer, inputs: Sequence[Port], outputs: Sequence[Port], frames: int) -> list[_Beats]:
    """Random frames, and what NumPy says that comes out."""
    rng = np.random.default_rng(0)
    sent = [_random(s, frames, rng) for s in layer.inputs]
    expected = layer.results(*sent)
    constants = [np.concatenate([c.stream.to_beats(c.values)] * c.passes * frames) for c in layer.constant_inputs]
    tensors = zip((*sent, *expected), (*layer.inputs, *layer.outputs), strict=True)
    beats = [stream.to_beats(values) for values, stream in tensors]
    ordered = [*beats[: len(sent)], *constants, *beats[len(sent) :]]
    ports = [*inputs, *outputs]
    return [_Beats(p, len(b), cpp.braces(b)) for p, b in zip(ports, ordered, strict=True)]


def _random(stream: Stream, frames: int, rng: np.random.Generator) -> IntArray:
    shape, dtype = (frames, *stream.shape[1:]), stream.dtype
    values = rng.integers(int(dtype.min()), int(dtype.max()) + 1, shape)
    return np.where(values > 0, 1, -1) if dtype == DataType["BIPOLAR"] else values


def _literal_type(dtype: BaseDataType) -> str:
    return "int" if dtype.bitwidth() <= 31 else "long long"


def _render(template: str, context: dict[str, object]) -> str:
    environment = Environment(
        loader=PackageLoader("finn.hls", "templates"),
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["literal_type"] = _literal_type
    return environment.get_template(f"{template}.j2").render(**context)
