"""Boards and parts: names, refusals to the letter, capacities."""

import pytest

from finn.synth import BoardError, Family, board, board_names, part, part_of
from finn.synth.boards import larger
from finn.synth.shell import LINK, PinShell, constraints


@pytest.mark.parametrize("name", board_names())
def test_every_board_has_a_known_part(name: str) -> None:
    assert board(name).part.capacity["LUT"] > 0


def test_finn_names_are_known() -> None:
    # From finn.util.basic.part_map of FINN.
    assert part_of("Pynq-Z1") == "xc7z020clg400-1"
    assert part_of("ZCU104") == "xczu7ev-ffvc1156-2-e"
    assert part_of("U250") == "xcu250-figd2104-2L-e"


@pytest.mark.parametrize("name", board_names(bitstream=True))
def test_board_for_bitstreams_has_all_pins(name: str) -> None:
    found = board(name)
    assert set(found.pins) - {"reset"} == {"clk", *LINK}
    assert ("reset" in found.pins) == (found.reset_active != "none")
    assert len(set(found.pins.values())) == len(found.pins)
    assert found.part.family is Family.ECP5
    assert found.clock_mhz > 0


def test_unknown_board_is_refused_with_the_nearest() -> None:
    with pytest.raises(BoardError) as refused:
        part_of("ZCU14")
    assert str(refused.value) == "board: there is no board 'ZCU14'. Remedy: did you mean 'ZCU104'?"


def test_case_of_board_names_does_not_matter() -> None:
    assert board("pynq-z1").name == "Pynq-Z1"


def test_part_without_flow_is_refused() -> None:
    with pytest.raises(BoardError, match="no flow for part 'ep4ce115'"):
        part("ep4ce115")


def test_ecp5_part_must_be_complete() -> None:
    with pytest.raises(BoardError, match="for instance LFE5U-85F-6BG381C"):
        part("LFE5U-85F")


def test_unlisted_amd_part_has_flow_but_no_capacity() -> None:
    found = part("xc7k325tffg900-2")
    assert (found.family, dict(found.capacity), found.utilisation({"LUT": 5})) == (Family.XC7, {}, {})


def test_ecp5_part_is_read() -> None:
    found = part("LFE5UM5G-85F-8BG554I")
    assert (found.device, found.package, found.speed) == ("LFE5UM5G-85F", "CABGA554", 8)


def test_utilisation_counts_a_36k_block_twice() -> None:
    assert part("xc7z020clg400-1").utilisation({"BRAM_36K": 70, "LUT": 26600})["BRAM_18K"] == 0.5


def test_larger_boards_smallest_first() -> None:
    assert larger({"LUT": 50_000}, part("LFE5U-25F-6BG381C"))[-1] in ("ULX3S-85F", "OrangeCrab-85F", "ECPIX-5-85F")
    assert "ULX3S-25F" not in larger({"LUT": 50_000}, part("LFE5U-25F-6BG381C"))
    assert larger({"LUT": 10**6}, part("LFE5U-25F-6BG381C")) == []


def test_constraints_ask_for_the_faster_of_target_and_oscillator() -> None:
    assert 'FREQUENCY PORT "clk" 25.000 MHZ;' in constraints(board("ULX3S-85F"), 100.0)
    assert 'FREQUENCY PORT "clk" 125.000 MHZ;' in constraints(board("ULX3S-85F"), 8.0)
    assert constraints(None, 8.0) == 'FREQUENCY PORT "clk" 125.000 MHZ;\n'


def test_shell_for_a_board_without_pins_is_refused() -> None:
    with pytest.raises(BoardError) as refused:
        PinShell("top", 8, 8, board("Pynq-Z1"))
    assert str(refused.value).startswith(
        "board: no bitstream for board Pynq-Z1 (there is no open place and route for its part xc7z020clg400-1"
    )
    assert "ULX3S-85F" in refused.value.remedy


def test_shell_wants_whole_bytes() -> None:
    with pytest.raises(BoardError, match="s_axis_0_tdata has 12 bits"):
        PinShell("top", 12, 8)
