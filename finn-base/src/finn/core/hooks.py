"""Functions that other distributions provide: this one knows no hardware, no simulator and no board.

A provider is a callable under a name. A distribution lists its providers as entry points of the group "finn.hooks"; in
its pyproject.toml:

    [project.entry-points."finn.hooks"]
    rtlsim_exec = "finn.rtl.published:rtlsim_exec"

A script or a test registers one at run time: `register("rtlsim_exec", my_function)`, which takes precedence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Any

from finn.core.errors import ConfigError, FinnError, nearest

GROUP = "finn.hooks"
HOOKS = {
    "out_of_context_synth": "finn",
    "pyverilate_stitched_ip": "finn",
    "remote_exec": "finn",
    "rtlsim_exec": "finn",
    "throughput_test_remote": "finn",
    "throughput_test_rtlsim": "finn",
}
"""Names that functions of this distribution call, and the distribution that is meant to provide them."""

_registered: dict[str, Callable[..., Any]] = {}
_lock = threading.Lock()


class HookError(FinnError):
    """A function that no installed distribution provides, or whose provider cannot be loaded."""


def register(name: str, provider: Callable[..., Any]) -> None:
    """Let `provider` be what `call(name, ...)` calls, in this process. It replaces an earlier one."""
    with _lock:
        _registered[name] = provider


def unregister(name: str) -> None:
    """Forget what was registered under `name`; entry points count again."""
    with _lock:
        _registered.pop(name, None)


def find(name: str) -> Callable[..., Any]:
    """The provider of `name`: a registered one, else an entry point.

    HookError if there is none or if it cannot be loaded, ConfigError if several distributions provide it.
    """
    with _lock:
        provider = _registered.get(name)
    return _load(name) if provider is None else provider


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """`find(name)(*args, **kwargs)`."""
    return find(name)(*args, **kwargs)


@cache
def _load(name: str) -> Callable[..., Any]:
    points = metadata.entry_points(group=GROUP)
    found = {point.value: point for point in points if point.name == name}
    if not found:
        raise _missing(name, sorted({point.name for point in points}))
    if len(found) > 1:
        owners = sorted(point.dist.name if point.dist else point.value for point in found.values())
        raise ConfigError(
            f"{len(found)} distributions provide '{name}': {', '.join(owners)}", remedy="keep one of them installed"
        )
    (point,) = found.values()
    try:
        provider: Callable[..., Any] = point.load()
    except (ImportError, AttributeError) as error:
        raise HookError(
            f"the provider of '{name}' cannot be loaded", where=f"entry point {point.value}", why=str(error)
        ) from error
    return provider


def _missing(name: str, provided: list[str]) -> HookError:
    if name in HOOKS:
        return HookError(
            f"nothing that is installed provides '{name}'",
            why=f"it needs hardware or a simulator, which the distribution '{HOOKS[name]}' is for",
            remedy=f"pip install {HOOKS[name]}, or finn.core.hooks.register('{name}', function)",
        )
    return HookError(f"there is no hook '{name}'", remedy=nearest(name, sorted({*HOOKS, *provided})))
