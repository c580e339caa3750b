"""What can go wrong with values, simulators and programs outside."""

from __future__ import annotations

from finn.core.errors import FinnError


class PackingError(FinnError, ValueError):
    """Values, words or shapes that do not fit each other."""


class SimulationError(FinnError):
    """A simulated circuit that lacks a signal, or gives no answer."""


class ToolError(FinnError):
    """A program that is missing, or that failed."""
