"""What the tests of synthesis share: a small streaming design, and results that are computed once."""

from pathlib import Path

import pytest

from finn.synth import OocResult, board, out_of_context

RTL = Path(__file__).parent / "rtl"
TOP = "popcount_stream"


@pytest.fixture(scope="session")
def sources() -> list[Path]:
    return sorted(RTL.glob("*.sv"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """No test reads what an earlier version of the code has left in the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FINN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def on_ulx3s(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> OocResult:
    """The popcount stream as a bitstream for a ULX3S-85F with a clock of 20 ns."""
    return out_of_context(
        sources,
        TOP,
        32,
        8,
        board("ULX3S-85F"),
        clk_ns=20.0,
        workdir=tmp_path_factory.mktemp("ulx3s"),
        bitfile="top.bit",
    )
