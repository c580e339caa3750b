"""Place and route, timing and bitstream for ECP5."""

from pathlib import Path

import pytest

from finn.synth import BoardError, DoesNotFit, OocResult, PlacementError, board, out_of_context, part, place_and_route
from finn.synth.nextpnr import _check_fit, _check_log
from finn.synth.vivado import VIVADO


def test_bitstream_is_written(on_ulx3s: OocResult) -> None:
    pnr = on_ulx3s.pnr
    assert pnr is not None
    assert pnr.bitfile is not None
    # An uncompressed preamble: comment string, then the sync word FF FF BD B3 (Lattice FPGA-TN-02039).
    assert b"\xff\xff\xbd\xb3" in pnr.bitfile.read_bytes()[:200]


def test_figures_come_from_the_report(on_ulx3s: OocResult) -> None:
    pnr = on_ulx3s.pnr
    assert pnr is not None
    assert 50 < pnr.fmax_mhz < 600
    assert pnr.timing_met
    assert pnr.used["IO"] == 8
    assert pnr.used["FF"] >= on_ulx3s.synthesis.resources["FF"] + 40  # and the shift registers of the shell
    assert pnr.available["LUT"] == 83640
    path_ns = sum(step.delay_ns for step in pnr.critical_path)
    assert path_ns == pytest.approx(1e3 / pnr.fmax_mhz, abs=0.02)
    assert pnr.critical_path_text().endswith("ns  in all")


def test_missed_timing_is_a_result(on_ulx3s: OocResult, tmp_path: Path) -> None:
    slow = place_and_route(on_ulx3s.synthesis.netlist, part("LFE5U-25F-6BG381C"), 1.0, tmp_path)
    assert not slow.timing_met
    assert slow.bitfile is None


def test_bitstream_is_the_same_in_every_directory(
    on_ulx3s: OocResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINN_CACHE_DIR", str(tmp_path / "cache"))
    assert on_ulx3s.pnr is not None
    assert on_ulx3s.pnr.bitfile is not None
    again = place_and_route(
        on_ulx3s.synthesis.netlist, board("ULX3S-85F"), 20.0, tmp_path / "other place", bitfile="other.bit"
    )
    assert again.bitfile is not None
    assert again.bitfile.read_bytes() == on_ulx3s.pnr.bitfile.read_bytes()


def test_amd_part_gets_resources_and_says_why_no_timing(sources: list[Path], tmp_path: Path) -> None:
    result = out_of_context(sources, "popcount_stream", 32, 8, board("Pynq-Z1"), clk_ns=10.0, workdir=tmp_path)
    assert result.pnr is None
    assert result.no_timing == "no timing: there is no open place and route for xc7z020clg400-1"
    assert result.synthesis.resources["FF"] in (17, 19)


def test_bitstream_for_an_amd_board_is_refused_before_synthesis(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="no bitstream for board Pynq-Z2"):
        out_of_context([], "m", 8, 8, board("Pynq-Z2"), clk_ns=10.0, workdir=tmp_path, bitfile="m.bit")


def test_bitstream_without_board_is_refused(on_ulx3s: OocResult, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="a bitstream needs a board"):
        place_and_route(on_ulx3s.synthesis.netlist, part("LFE5U-25F-6BG381C"), 10.0, tmp_path, bitfile="m.bit")


def test_too_large_names_resource_and_board() -> None:
    with pytest.raises(DoesNotFit) as refused:
        _check_fit({"LUT": 30_000, "BRAM_18K": 100}, part("LFE5U-25F-6BG381C"))
    assert refused.value.what == "needs 100 BRAM_18K, LFE5U-25F has 56"
    assert refused.value.remedy.endswith("or use board ULX3S-85F") or "85F" in refused.value.remedy


# What nextpnr-ecp5 0.11 prints, shortened, and what it means.
FAILED = [
    ("Found 1 combinational loops:\n    loop 1:\n  a.F -> b.A\n", "combinational loop: loop 1: a.F -> b.A"),
    ("Info:   TRELLIS_COMB: 92637/83640   110%\nERROR: Failed\n", "needs 92637 LUT, LFE5U-25F has 24288"),
    ("ERROR: Unable to place cell 'x'\n", "Unable to place cell 'x'"),
    ("", "nextpnr-ecp5 ended with exit code -9"),
]


@pytest.mark.parametrize(("text", "what"), FAILED)
def test_failures_are_explained(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(text)
    with pytest.raises(PlacementError) as refused:
        _check_log(tmp_path / "log", -9, part("LFE5U-25F-6BG381C"))
    assert refused.value.what == what
    assert refused.value.remedy


def test_vivado_is_not_pretended() -> None:
    assert "not implemented" in VIVADO.status().needed_for
