"""Errors of RTL generation and simulation."""

from __future__ import annotations

from finn.core.errors import FinnError
from finn.dataflow.native import ToolMissing

__all__ = ["DeadlockError", "RtlError", "ToolMissing"]


class RtlError(FinnError):
    """A design that cannot be generated, built or simulated."""


class DeadlockError(RtlError):
    """The simulated design stopped before all results were out."""
