"""Settings from environment variables. ConfigError for one that is missing or is no number."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import TypeVar

from finn.core.errors import ConfigError

N = TypeVar("N", int, float)


def _number(variable: str, default: N, parse: Callable[[str], N]) -> N:
    text = os.environ.get(variable)
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError as error:
        kind = "a whole number" if parse is int else "a number"
        raise ConfigError(f"the environment variable {variable} is '{text}'", remedy=f"set it to {kind}") from error


def _required(variable: str, meaning: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigError(f"the environment variable {variable} is not set", remedy=f"set it to {meaning}")
    return value


def get_rtlsim_trace_depth() -> int:
    """RTLSIM_TRACE_DEPTH, 1 if not set: how many levels of the hierarchy a waveform file shows."""
    return _number("RTLSIM_TRACE_DEPTH", 1, int)


def get_num_default_workers() -> int:
    """NUM_DEFAULT_WORKERS, 1 if not set: how many nodes are worked on at the same time; 0 for all cores."""
    return _number("NUM_DEFAULT_WORKERS", 1, int)


def get_execution_error_thresh() -> float:
    """ERROR_THRESH, 0.01 if not set: how far a value may be from the integer that it should be."""
    return _number("ERROR_THRESH", 1e-2, float)


def get_sanitize_quant_tensors() -> int:
    """SANITIZE_QUANT_TENSORS, 1 if not set: whether (not 0) execution rounds integer tensors."""
    return _number("SANITIZE_QUANT_TENSORS", 1, int)


def get_liveness_threshold_cycles() -> int:
    """LIVENESS_THRESHOLD, 10000 if not set: cycles without output after which a simulation is given up."""
    return _number("LIVENESS_THRESHOLD", 10000, int)


def get_remote_vivado() -> str | None:
    """REMOTE_VIVADO: the address of a host that runs Vivado, or None."""
    return os.environ.get("REMOTE_VIVADO")


def get_finn_root() -> str:
    """FINN_ROOT: the folder of the FINN sources. ConfigError if not set."""
    return _required("FINN_ROOT", "the folder that FINN was cloned into")


def make_build_dir(prefix: str = "") -> str:
    """The path of a new, empty folder in FINN_BUILD_DIR whose name begins with `prefix`.

    ConfigError if FINN_BUILD_DIR is not set or cannot be written.
    """
    parent = _required("FINN_BUILD_DIR", "a folder for the files of builds")
    try:
        os.makedirs(parent, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        os.chmod(folder, 0o755)  # mkdtemp keeps others out, but builds are shared between users and containers
    except OSError as error:
        raise ConfigError(
            f"there can be no folder '{prefix}...' in FINN_BUILD_DIR", where=parent, why=error.strerror or str(error)
        ) from error
    return folder
