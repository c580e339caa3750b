"""Conversations with small circuits that are modelled in Python, edge by edge."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finn.core import hooks
from finn.util import pyverilator as pv
from finn.util.errors import SimulationError


class Circuit:
    """Ports by name; `edge` is called at a rising clock edge, `settle` at every eval."""

    def __init__(self, *ports: str) -> None:
        self.io = SimpleNamespace(ap_clk=0, ap_rst_n=1, **dict.fromkeys(ports, 0))
        self.cycles, self.before, self.log = 0, 0, []

    def settle(self) -> None: ...

    def edge(self) -> None: ...

    def eval(self) -> None:
        if self.io.ap_clk and not self.before:
            self.cycles += 1
            self.log.append(self.io.ap_rst_n)
            self.edge()
        self.before = self.io.ap_clk
        self.settle()

    def start_vcd_trace(self, path: str) -> None:
        self.log.append(f"start {path}")

    def flush_vcd_trace(self) -> None:
        self.log.append("flush")

    def stop_vcd_trace(self) -> None:
        self.log.append("stop")


class Fifo(Circuit):
    """A FIFO that adds 1, with `depth` places and `gap` idle cycles after each word that it gives.

    READY is a register if the FIFO is registered, else it depends on the READY of its output in the same cycle.
    """

    def __init__(self, depth: int, gap: int = 0, registered: bool = True, sname: str = "_V_") -> None:
        names = [f"{stream}{sname}{signal}" for stream in ("in0", "out") for signal in ("TDATA", "TVALID", "TREADY")]
        super().__init__(*names)
        self.depth, self.gap, self.registered, self.sname = depth, gap, registered, sname
        self.words: deque[int] = deque()
        self.wait = 0

    def get(self, port: str) -> int:
        return int(getattr(self.io, port.replace("_", self.sname, 1)))

    def put(self, port: str, value: int) -> None:
        setattr(self.io, port.replace("_", self.sname, 1), value)

    def settle(self) -> None:
        self.put("out_TVALID", int(bool(self.words) and not self.wait))
        self.put("out_TDATA", self.words[0] if self.words else 0)
        leaving = self.get("out_TVALID") and self.get("out_TREADY") and not self.registered
        self.put("in0_TREADY", int(len(self.words) - bool(leaving) < self.depth))

    def edge(self) -> None:
        self.settle()
        given, taken = (
            self.get("in0_TVALID") and self.get("in0_TREADY"),
            self.get("out_TVALID") and self.get("out_TREADY"),
        )
        self.wait = self.gap if taken else max(self.wait - 1, 0)
        if taken:
            self.words.popleft()
        if given:
            self.words.append(self.get("in0_TDATA") + 1)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 2**100), min_size=1, max_size=12),
    st.integers(1, 3),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from(["_V_", "_V_V_", "_"]),
)
def test_streams(words: list[int], depth: int, gap: int, registered: bool, sname: str) -> None:
    sim = Fifo(depth, gap, registered, sname)
    io = {"inputs": {"in0": list(words)}, "outputs": {"out": [7]}}
    cycles = pv.rtlsim_multi_io(sim, io, len(words), sname=sname)
    assert io == {"inputs": {"in0": []}, "outputs": {"out": [7, *(word + 1 for word in words)]}}
    assert cycles == sim.cycles
    if not registered or depth > 1:
        assert cycles == 1 + len(words) + gap * (len(words) - 1)


def test_part_of_a_stream() -> None:
    """What was not sent stays, so that a second call goes on."""
    sim = Fifo(2)
    io: dict[str, Any] = {"inputs": {"in0": [1, 2, 3, 4, 5]}, "outputs": {"out": []}}
    pv.rtlsim_multi_io(sim, io, 2, sname="_V_")
    assert io == {"inputs": {"in0": [4, 5]}, "outputs": {"out": [2, 3]}}
    pv.rtlsim_multi_io(sim, io, 3, sname="_V_")
    assert io == {"inputs": {"in0": []}, "outputs": {"out": [2, 3, 4, 5, 6]}}
    assert pv.rtlsim_multi_io(sim, io, 0, sname="_V_") == 0


def test_traces() -> None:
    sim = Fifo(2)
    pv.rtlsim_multi_io(sim, {"inputs": {"in0": [1]}, "outputs": {"out": []}}, 1, trace_file="w.vcd", sname="_V_")
    assert [sim.log[0], *sim.log[-2:]] == ["start w.vcd", "flush", "stop"]


def test_silent_circuits_are_given_up(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("LIVENESS_THRESHOLD", "25")
    assert pv.pyverilate_get_liveness_threshold_cycles() == 25
    sim = Fifo(2)
    io: dict[str, Any] = {"inputs": {"in0": [1, 2]}, "outputs": {"out": []}}
    with pytest.raises(SimulationError, match=r"2 of 3 words came out \(nothing happened for 25 cycles\)") as caught:
        pv.rtlsim_multi_io(sim, io, 3, trace_file="w.vcd", sname="_V_")
    assert "LIVENESS_THRESHOLD" in caught.value.remedy
    assert sim.cycles == 3 + 25
    assert sim.log[-2:] == ["flush", "stop"]
    assert io == {"inputs": {"in0": []}, "outputs": {"out": [2, 3]}}
    monkeypatch.delenv("LIVENESS_THRESHOLD")
    assert pv.pyverilate_get_liveness_threshold_cycles() == 10000


def test_missing_ports() -> None:
    with pytest.raises(SimulationError, match="the circuit has no port 'out_V_V_TREADY'"):
        pv.rtlsim_multi_io(Fifo(2), {"inputs": {}, "outputs": {"out": []}}, 1)


def test_clock_and_reset() -> None:
    sim = Circuit()
    pv.toggle_clk(sim)
    assert (sim.cycles, sim.io.ap_clk) == (1, 1)
    pv.reset_rtlsim(sim)
    assert sim.log == [1, 0, 0, 1, 1]
    pv.reset_rtlsim(sim, active_low=False)
    assert sim.log[5:] == [1, 1, 0, 0]
    sim.io.clk = sim.io.reset = 0
    pv.toggle_clk(sim, "clk")
    assert (sim.cycles, sim.io.clk) == (9, 1)
    pv.reset_rtlsim(sim, rst_name="RESET")  # ports may be in lower case
    assert sim.io.reset == 1


# ------------------------------------------------------------------------------------------------------------- AXI-Lite

SIGNALS = {
    "AW": ("AWADDR", "AWVALID", "AWREADY"),
    "W": ("WDATA", "WSTRB", "WVALID", "WREADY"),
    "B": ("BRESP", "BVALID", "BREADY"),
    "AR": ("ARADDR", "ARVALID", "ARREADY"),
    "R": ("RDATA", "RRESP", "RVALID", "RREADY"),
}


class Registers(Circuit):
    """Four 32-bit registers; each channel takes its handshake after some cycles."""

    def __init__(self, base: str, delays: dict[str, int], lower: bool = False) -> None:
        self.base, self.lower, self.delays = base, lower, delays
        super().__init__(*(self.port(signal) for signals in SIGNALS.values() for signal in signals))
        self.values = [0, 0, 0, 0]
        self.address: int | None = None
        self.data: tuple[int, int] | None = None
        self.answer: int | None = None
        self.done = False
        self.age = dict.fromkeys(delays, 0)

    def port(self, signal: str) -> str:
        return (self.base + signal).lower() if self.lower else self.base + signal

    def get(self, signal: str) -> int:
        return int(getattr(self.io, self.port(signal)))

    def put(self, signal: str, value: int) -> None:
        setattr(self.io, self.port(signal), value)

    def settle(self) -> None:
        free = {"AW": self.address is None, "W": self.data is None, "AR": self.answer is None}
        for channel, idle in free.items():
            self.put(f"{channel}READY", int(idle and self.age[channel] >= self.delays[channel]))
        self.put("BVALID", int(self.done))
        self.put("RVALID", int(self.answer is not None))
        self.put("RDATA", 0 if self.answer is None else self.answer)

    def edge(self) -> None:
        self.settle()
        shaken = {channel for channel in SIGNALS if self.get(f"{channel}VALID") and self.get(f"{channel}READY")}
        for channel in self.age:
            self.age[channel] = 0 if channel in shaken else self.age[channel] + self.get(f"{channel}VALID")
        if "B" in shaken:
            self.done = False
        if "R" in shaken:
            self.answer = None
        if "AW" in shaken:
            self.address = self.get("AWADDR")
        if "W" in shaken:
            self.data = (self.get("WDATA"), self.get("WSTRB"))
        if "AR" in shaken:
            self.answer = self.values[self.get("ARADDR") // 4]
        if self.address is not None and self.data is not None:
            value, strobe = self.data
            mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
            index = self.address // 4
            self.values[index] = self.values[index] & ~mask | value & mask
            self.address = self.data = None
            self.done = True


transfer = st.tuples(st.integers(0, 3), st.integers(0, 2**32 - 1), st.integers(0, 15), st.booleans())


@settings(deadline=None)
@given(st.lists(transfer, min_size=1, max_size=6), st.tuples(*[st.integers(0, 3)] * 3), st.booleans())
def test_registers(transfers: list[tuple[int, int, int, bool]], delays: tuple[int, ...], lower: bool) -> None:
    sim = Registers("s_axi_control_", dict(zip(("AW", "W", "AR"), delays, strict=True)), lower)
    expected = [0, 0, 0, 0]
    for index, value, strobe, together in transfers:
        pv.axilite_write(sim, 4 * index, value, wstrb=strobe, sim_addr_and_data=together)
        mask = int("".join("ff" if strobe >> byte & 1 else "00" for byte in (3, 2, 1, 0)), 16)
        expected[index] = expected[index] & ~mask | value & mask
        assert sim.values == expected
        assert pv.axilite_read(sim, 4 * index) == expected[index]
    for channel, signals in SIGNALS.items():
        driven = "READY" if channel in "BR" else "VALID"
        assert sim.get(f"{channel}{driven}") == 0, signals


def test_handshakes_take_no_cycle_too_many() -> None:
    sim = Registers("c_", {"AW": 0, "W": 2, "AR": 0})
    channels = ["AW", "W"]
    pv.multi_handshake(sim, channels, "c_")
    assert channels == ["AW", "W"]
    assert sim.cycles == 3
    sim.put("BREADY", 1)
    assert pv.wait_for_handshake(sim, "B", "c_", dataname="RESP") == 0
    assert sim.cycles == 4
    sim.put("ARVALID", 1)
    assert pv.wait_for_handshake(sim, "AR", "c_") is None  # there is no port c_ARDATA
    pv.multi_handshake(sim, [], "c_")
    assert sim.cycles == 5


def test_circuits_that_do_not_answer(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("LIVENESS_THRESHOLD", "10")
    sim = Registers("s_axi_control_", {"AW": 99, "W": 0, "AR": 99})
    with pytest.raises(SimulationError, match="there was no handshake on channel s_axi_control_AW"):
        pv.axilite_write(sim, 0, 1)
    with pytest.raises(SimulationError, match="there was no handshake on channel s_axi_control_AR"):
        pv.axilite_read(sim, 0)
    with pytest.raises(SimulationError, match="there was no handshake on channel s_axi_control_R"):
        pv.wait_for_handshake(sim, "R")


def test_simulators_come_from_elsewhere(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(hooks._registered, "pyverilate_stitched_ip", lambda *args, **kwargs: (args, kwargs))
    assert pv.pyverilate_stitched_ip("m", False, extra_verilator_args=["-O3"]) == (
        ("m",),
        {"read_internal_signals": False, "disable_common_warnings": True, "extra_verilator_args": ["-O3"]},
    )
