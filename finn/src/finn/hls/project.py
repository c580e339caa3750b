# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""A layer as a project for Vitis HLS: a top function, its tables, a self-checking test bench, a script.

The Verilog that comes out has the ports of the top function; an adapter gives it those of the library's modules.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

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

LINE = 118
"""Characters of a signature, with what follows at most 120."""

WIDEST_WORD = 8191
"""Bits of the widest ap_uint (finn 1.0 asserts the same)."""


@dataclass(frozen=True)
class Port:
    """A stream of the top function. number, low : its bit in valid and ready of a side, its lowest in data."""

    name: str
    stream: Stream
    number: int
    low: int

    @property
    def width(self) -> int:
        return self.stream.width

    @property
    def padded_width(self) -> int:
        return self.stream.padded_width

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
    inputs, outputs = _ports(layer)
    bench = {
        "frames": frames,
        "data": _data(layer, inputs, outputs, frames),
        "calls": 8 * frames * (layer.cycles + max(p.stream.beats for p in (*inputs, *outputs))) + 1000,
    }
    context = _context(name, layer, part, clk_ns)
    return Project(name, _design(context) | _texts(name, BENCH, context | bench))


def is_project_of(folder: Path, name: str, layer: Layer, part: str, clk_ns: float) -> bool:
    """Whether `folder` holds the project of just this layer, test bench apart. Raises HlsError as `project_of`."""
    texts = _design(_context(name, layer, part, clk_ns))
    return all((folder / file).is_file() and (folder / file).read_text() == text for file, text in texts.items())


DESIGN = {
    "layer.hpp": "{}.hpp",
    "tables.hpp": "{}_tables.hpp",
    "layer.cpp": "{}.cpp",
    "hls.tcl": "hls.tcl",
}
BENCH = {"layer_tb.cpp": "{}_tb.cpp", "data.hpp": "{}_data.hpp"}
ADAPTER = {"adapter.sv": "{}_hls.sv"}
"""Template -> name of the file."""


def has_adapter(layer: Layer) -> bool:
    """Whether the Verilog can take the place of the library's module: not if it has registers, they are others."""
    return not layer.rtl().axilite


def _design(context: dict[str, Any]) -> dict[str, str]:
    """The files that the hardware depends on."""
    return _texts(context["name"], DESIGN | (ADAPTER if context["adapter"] else {}), context)


def _texts(name: str, templates: dict[str, str], context: dict[str, Any]) -> dict[str, str]:
    return {file.format(name): _render(template, context) for template, file in templates.items()}


def _context(name: str, layer: Layer, part: str, clk_ns: float) -> dict[str, Any]:
    """What the templates of the hardware know."""
    _check_name(name)
    inputs, outputs = _ports(layer)
    widest = _widest(name, (*inputs, *outputs))
    kernel = layer.hls()
    tables = [o for o in kernel.objects if o.values is not None]
    names = dict(zip(map(id, tables), _names(tables), strict=True))
    written = [f"{name}_{names[id(o)]} &{names[id(o)]}" for o in tables if o.writable]
    return {
        "name": name,
        "signature": _signature(name, [*(f"hls::stream<{p.word}> &{p.name}" for p in (*inputs, *outputs)), *written]),
        "layer": type(layer).__name__,
        "config": cpp.config_struct(f"{name}_config", kernel).rstrip(),
        "header": kernel.header,
        "kernel": kernel.kernel,
        "inputs": inputs,
        "outputs": outputs,
        "tables": [_Table(names[id(o)], cpp.object_type(o), o) for o in tables],
        "objects": [_expression(o, inputs, names) for o in kernel.objects],
        "streams": [p for k, p in enumerate(inputs) if k not in {o.stream for o in kernel.objects}],
        "adapter": has_adapter(layer),
        "part": part,
        "clk_ns": f"{clk_ns:g}",
        "max_width": widest if widest > NARROW_WORDS else 0,
    }


def _signature(name: str, parameters: Sequence[str]) -> str:
    """The top function without body, in one line if the page is wide enough."""
    line = f"void {name}({', '.join(parameters)})"
    return line if len(line) <= LINE else f"void {name}(\n    " + ",\n    ".join(parameters) + ")"


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z]\w*", name):
        raise HlsError(f"{name!r} is no name for a C++ function", remedy="give the node a name of letters and digits")


def _widest(name: str, ports: Sequence[Port]) -> int:
    """Bits of the widest word. Raises HlsError if HLS does not have it."""
    width, port = max((p.stream.padded_width, p.name) for p in ports)
    if width > WIDEST_WORD:
        raise HlsError(
            f"words of {width} bits",
            where=f"node {name}, port {port}",
            why=f"Vitis HLS has at most {WIDEST_WORD} bits",
            remedy="use a smaller folding, or preferred_impl_style rtl",
        )
    return width


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
    inputs = [(f"in{k}_V", s) for k, s in enumerate(layer.inputs)]
    inputs += [("weights_V", c.stream) for c in layer.constant_inputs]
    return _numbered(inputs), _numbered([(f"out{k}_V", s) for k, s in enumerate(layer.outputs)])


def _numbered(streams: Sequence[tuple[str, Stream]]) -> list[Port]:
    starts = accumulate((s.width for _, s in streams), initial=0)
    return [Port(name, s, k, low) for k, ((name, s), low) in enumerate(zip(streams, starts, strict=False))]


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


def _render(template: str, context: dict[str, Any]) -> str:
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
