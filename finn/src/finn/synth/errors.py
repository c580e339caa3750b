"""What can go wrong between SystemVerilog and a bitstream."""

from __future__ import annotations

from finn.core.errors import ConfigError, FinnError
from finn.rtl.errors import ToolMissing

__all__ = ["BoardError", "DoesNotFit", "PlacementError", "SynthesisError", "ToolMissing"]


class BoardError(ConfigError):
    """A board or part that is not known, or that the asked flow cannot target."""


class SynthesisError(FinnError):
    """The sources are not accepted, or describe hardware that must not be built (latch, combinational loop)."""


class PlacementError(FinnError):
    """The design could not be placed, routed or timed."""


class DoesNotFit(PlacementError):
    """The design needs more of some resource than the device has."""
