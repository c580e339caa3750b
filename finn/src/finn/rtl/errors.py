"""Errors of RTL generation and simulation."""

from __future__ import annotations

from finn.core.errors import FinnError


class RtlError(FinnError):
    """A design that cannot be generated, built or simulated."""


class ToolMissing(FinnError):
    """An external tool that is needed is not on this machine, or too old."""


class DeadlockError(RtlError):
    """The simulated design stopped before all results were out."""
