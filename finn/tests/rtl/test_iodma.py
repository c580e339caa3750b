"""DMA engines copy memory to memory: every byte, no other byte, by the rules of AXI4, at full rate."""

from __future__ import annotations

import atexit
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from finn.core.datatype import DataType
from finn.dataflow.layer import Stream
from finn.rtl import RtlError, verilator
from finn.rtl.dma import IODMA, Direction, Register
from finn.rtl.library import library, sources_of
from finn.rtl.lint import lint
from finn.rtl.verilator import compiler

HERE = Path(__file__).parent
SIZE = 65536  # bytes of axi_memory
START = 100  # cycles: 34 to multiply, latencies of bus and buffers, polling; the last burst is sent when it is whole

FLAGS = ["-std=gnu++17", "-O0", "-w", "-pthread"]
FLAGS += ["-DVM_TRACE=0", "-DVM_COVERAGE=0", "-DVM_TIMING=0", "-DVM_SC=0"]
UINT8 = DataType["UINT8"]


@dataclass(frozen=True)
class Run:
    """One copy: byte addresses, repetitions, how often of 256 cycles everything rests."""

    source: int
    destination: int
    repetitions: int
    stalls: int = 0
    seed: int = 1


@dataclass(frozen=True)
class Outcome:
    """What iodma_driver.cpp prints about a run."""

    cycles: int
    broken_rules: int
    read_status: int
    write_status: int
    wrong_bytes: int


def folder() -> Path:
    """A folder for as long as the process runs."""
    name = mkdtemp(prefix="iodma_")
    atexit.register(shutil.rmtree, name)
    return Path(name)


@cache
def runtime() -> Path:
    """Verilator's run-time library, compiled."""
    product = folder() / "runtime.o"
    root = verilator().root / "include"
    text = "".join(f'#include "{root / name}"\n' for name in ("verilated.cpp", "verilated_threads.cpp"))
    command = [compiler(), *FLAGS, f"-I{root}", f"-I{root / 'vltstd'}", "-x", "c++", "-", "-c", "-o", str(product)]
    subprocess.run(command, input=text, text=True, check=True)
    return product


@cache
def copier(parameters: tuple[tuple[str, int], ...]) -> Path:
    """The compiled loop of a reading and a writing engine with these parameters."""
    work = folder()
    sources = [*sources_of("iodma"), HERE / "axi_memory.sv", HERE / "iodma_loop.sv"]
    flags = ["--cc", "--assert", "-Wno-fatal", "-Wno-lint", "--x-initial", "unique", "--top-module", "iodma_loop"]
    values = [f"-G{name}={value}" for name, value in parameters if name != "Write"]
    tool = verilator()
    made = tool.run([*flags, "--Mdir", "obj", *values, *map(str, sources)], work)
    assert made.returncode == 0, made.stderr
    units = [HERE / "iodma_driver.cpp", *sorted((work / "obj").glob("*.cpp")), runtime()]
    include = [f"-I{work / 'obj'}", f"-I{tool.root}/include", f"-I{tool.root}/include/vltstd"]
    program = work / "copy"
    subprocess.run([compiler(), *FLAGS, *include, *map(str, units), "-o", str(program)], check=True)
    return program


def copied(engine: IODMA, runs: list[Run], **changes: int) -> list[Outcome]:
    """Run after run on the same engines."""
    program = copier(tuple((engine.parameters() | changes).items()))
    lines = [f"{r.source} {r.destination} {r.repetitions} {r.stalls} {r.seed}\n" for r in runs]
    command = [str(program), str(engine.frame_bytes)]
    played = subprocess.run(command, input="".join(lines), capture_output=True, text=True, check=False)
    assert played.returncode == 0, f"{played.stderr}{played.returncode} after {played.stdout}"
    printed = played.stdout.splitlines()
    assert not [line for line in printed if "axi_memory" in line]
    return [Outcome(*map(int, line.split())) for line in printed]


def engine(lanes: int, beats: int, port_width: int) -> IODMA:
    return IODMA(Stream((1, beats, lanes), UINT8, lanes), Direction.READ, port_width)


def runs(e: IODMA) -> list[Run]:
    """One frame, many, none; with the bus and the stream at rest now and then, or nearly always; from and to places at
    the borders of 4 KiB and one word beside them."""
    word, many = e.data_width // 8, max(2, 6000 // e.frame_bytes)
    high = SIZE // 2
    places = [(0, high), (4096 - word, high + 4096), (4096, high + 4096 - word), (8192 - 3 * word, high + 5 * word)]
    found = [Run(0, high, 1), Run(0, high, many), Run(0, high, 0)]
    return found + [Run(s, d, many, stalls, n) for n, (s, d) in enumerate(places) for stalls in (0, 100, 230)]


# The bus as wide as the stream, and a run that ends with a whole burst; a stream of a byte per beat on a narrow bus,
# with a frame that fills no word; a stream of 3 bytes on a wide bus; a wide stream on a narrow bus.
FEW = [engine(8, 64, 64), engine(1, 5, 64), engine(24, 7, 128), engine(98, 3, 64)]
MORE = [engine(4, 33, 64), engine(16, 40, 128), engine(64, 10, 512), engine(128, 3, 512), engine(49, 9, 64)]
MORE += [engine(1, 1, 64), engine(2, 7, 512), engine(6, 100, 64)]


def name(e: IODMA) -> str:
    return f"{e.stream.width} bits on {e.data_width}, {e.frame_bytes} bytes"


def check(e: IODMA, **changes: int) -> None:
    for run, found in zip(runs(e), copied(e, runs(e), **changes), strict=True):
        assert found == Outcome(found.cycles, 0, 0, 0, 0), (e, run)
        if not run.stalls:
            assert found.cycles <= START + 1.05 * e.cycles * run.repetitions + e.burst, (e, run)


@pytest.mark.parametrize("e", FEW, ids=name)
def test_copies(e: IODMA) -> None:
    check(e)


@pytest.mark.slow
@pytest.mark.parametrize("e", MORE, ids=name)
def test_copies_more(e: IODMA) -> None:
    check(e)


@pytest.mark.slow
@pytest.mark.parametrize("burst", [2, 16, 256])
def test_bursts_of_any_length(burst: int) -> None:
    """Full rate takes bursts that outlast the time to ask for them: this is about the bytes."""
    e = engine(4, 100, 64)
    for run, found in zip(runs(e), copied(e, runs(e), Burst=burst), strict=True):
        assert found == Outcome(found.cycles, 0, 0, 0, 0), run


def test_errors_of_the_memory_are_reported() -> None:
    """Behind the end of the memory; the next run starts anew."""
    outside, inside = Run(SIZE, 0, 3), Run(0, SIZE // 2, 3)
    found = copied(FEW[0], [outside, inside, Run(0, SIZE, 3), inside])
    assert [(f.read_status, f.write_status) for f in found] == [(1, 0), (0, 0), (0, 1), (0, 0)]
    assert not any(f.broken_rules or f.wrong_bytes for f in found)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("e", FEW, ids=name)
def test_lint_with_real_parameters(e: IODMA, direction: Direction, tmp_path: Path) -> None:
    values = IODMA(e.stream, direction, e.port_width).parameters().items()
    rendered = ", ".join(f".{name}({value})" for name, value in values)
    ports = (library()["iodma"].read_text().split(") (")[1].split(");")[0]).replace("DataWidth", str(e.data_width))
    ports = ports.replace("StreamWidth", str(e.stream.padded_width)).replace("AddrWidth", "64")
    top = tmp_path / "top.sv"
    top.write_text(f"module top ({ports});\n  iodma #({rendered}) u_dma (.*);\nendmodule\n")
    lint("top", [*sources_of("iodma"), top], tmp_path)


# Bits of a beat, bits of the port -> bits of the bus. FINN's rule is the greatest common divisor.
@pytest.mark.parametrize(
    ("bits", "port", "bus"), [(64, 64, 64), (64, 128, 64), (768, 512, 256), (784, 64, 32), (8, 64, 32), (512, 512, 512)]
)
def test_width_of_the_bus(bits: int, port: int, bus: int) -> None:
    assert engine(bits // 8, 1, port).data_width == bus


def test_frames_in_memory() -> None:
    """Beats of 3 x 3 bits are padded to 2 bytes; bursts stay within 4 KiB."""
    e = IODMA(Stream((1, 4, 6), DataType["INT3"], 3), Direction.WRITE, 64)
    assert e.parameters() == {"Write": 1, "DataWidth": 32, "StreamWidth": 16, "Bytes": 16, "Burst": 64, "Bursts": 2}
    assert (e.frame_bytes, e.cycles) == (16, 8)
    assert engine(128, 1, 1024).burst == 32


def test_registers_are_where_finns_drivers_look() -> None:
    assert [(r.name, r.value) for r in Register] == [
        ("CONTROL", 0x00), ("ADDRESS_LOW", 0x10), ("ADDRESS_HIGH", 0x14), ("REPETITIONS", 0x1C), ("STATUS", 0x20)
    ]  # fmt: skip


def test_port_of_no_power_of_two() -> None:
    with pytest.raises(RtlError) as refused:
        engine(8, 1, 96)
    assert str(refused.value) == (
        "a memory port of 96 bits (AXI4 has ports of a power of two). Remedy: use one of 32, 64, 128, 256, 512, 1024"
    )
