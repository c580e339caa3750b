"""Functions that other distributions provide, and tools that are called."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from finn.core import hooks
from finn.core.errors import ConfigError
from finn.core.remote_exec import remote_exec
from finn.core.rtlsim_exec import rtlsim_exec
from finn.core.throughput_test import throughput_test_remote, throughput_test_rtlsim
from finn.util.errors import ToolError
from finn.util.hls import CallHLS
from finn.util.pyverilator import pyverilate_stitched_ip
from finn.util.vivado import out_of_context_synth

FORWARDS = {
    "rtlsim_exec": (rtlsim_exec, "(model, execution_context, pre_hook=None, post_hook=None)"),
    "remote_exec": (remote_exec, "(model, execution_context)"),
    "throughput_test_rtlsim": (throughput_test_rtlsim, "(model, batchsize=100)"),
    "throughput_test_remote": (throughput_test_remote, "(model, batchsize=1000, timeout=None)"),
    "out_of_context_synth": (
        out_of_context_synth,
        "(verilog_dir, top_name, fpga_part='xczu3eg-sbva484-1-e', clk_name='ap_clk_0', clk_period_ns=5.0)",
    ),
    "pyverilate_stitched_ip": (
        pyverilate_stitched_ip,
        "(model, read_internal_signals=True, disable_common_warnings=True, extra_verilator_args=())",
    ),
}


@pytest.fixture(autouse=True)
def no_providers(monkeypatch) -> Iterator[list[metadata.EntryPoint]]:  # type: ignore[no-untyped-def]
    """Only the entry points in the list that this gives are installed."""
    points: list[metadata.EntryPoint] = []

    def entry_points(group: str) -> list[metadata.EntryPoint]:
        return [point for point in points if point.group == group]

    monkeypatch.setattr(hooks.metadata, "entry_points", entry_points)
    hooks._load.cache_clear()
    yield points
    hooks._load.cache_clear()


def point(name: str, value: str, group: str = hooks.GROUP) -> metadata.EntryPoint:
    return metadata.EntryPoint(name, value, group)


def arguments_of(function: Any) -> list[object]:
    return [object() for _ in inspect.signature(function).parameters]


def test_every_hook_has_a_function() -> None:
    assert FORWARDS.keys() == hooks.HOOKS.keys()


@pytest.mark.parametrize("name", FORWARDS)
def test_published_signatures(name: str) -> None:
    function, expected = FORWARDS[name]
    parameters = [
        p.replace(annotation=inspect.Parameter.empty) for p in inspect.signature(function).parameters.values()
    ]
    assert str(inspect.Signature(parameters)) == expected


@pytest.mark.parametrize("name", FORWARDS)
def test_without_provider(name: str) -> None:
    function = FORWARDS[name][0]
    arguments = arguments_of(function)
    if name == "pyverilate_stitched_ip":
        arguments[-1] = []
    with pytest.raises(hooks.HookError, match=f"nothing that is installed provides '{name}'") as caught:
        function(*arguments)
    assert caught.value.remedy == f"pip install finn, or finn.core.hooks.register('{name}', function)"


@pytest.mark.parametrize("name", FORWARDS)
def test_arguments_and_result_pass_through(name: str) -> None:
    """In the order and under the names of the published signature."""
    function = FORWARDS[name][0]
    arguments = arguments_of(function)
    if name == "pyverilate_stitched_ip":
        arguments[-1] = ["-O3"]
    seen = {}

    def provider(*args: object, **kwargs: object) -> dict[str, int]:
        seen.update(inspect.signature(function).bind(*args, **kwargs).arguments)
        return {"cycles": 3}

    hooks.register(name, provider)
    try:
        result = function(*arguments)
    finally:
        hooks.unregister(name)
    assert list(seen.values()) == arguments
    assert result == (None if name in ("rtlsim_exec", "remote_exec") else {"cycles": 3})


def test_entry_points(no_providers: list[metadata.EntryPoint]) -> None:
    no_providers += [point("rtlsim_exec", "math:hypot"), point("rtlsim_exec", "math:floor", "other.group")]
    assert hooks.call("rtlsim_exec", 3, 4) == 5
    hooks.register("rtlsim_exec", max)
    assert hooks.call("rtlsim_exec", 3, 4) == 4
    hooks.unregister("rtlsim_exec")
    hooks.unregister("rtlsim_exec")
    assert hooks.find("rtlsim_exec")(6, 8) == 10


def test_one_installed_twice_is_one(no_providers: list[metadata.EntryPoint]) -> None:
    """As happens when the same distribution is on the path twice, by an editable installation."""
    no_providers += [point("rtlsim_exec", "math:hypot")] * 2
    assert hooks.call("rtlsim_exec", 3, 4) == 5


def test_entry_points_that_disagree(no_providers: list[metadata.EntryPoint]) -> None:
    no_providers += [point("rtlsim_exec", "math:hypot"), point("rtlsim_exec", "math:floor")]
    with pytest.raises(ConfigError, match="2 distributions provide 'rtlsim_exec': math:floor, math:hypot"):
        hooks.find("rtlsim_exec")


@pytest.mark.parametrize("value", ["no_such_module:f", "math:no_such_function"])
def test_entry_points_that_cannot_be_loaded(no_providers: list[metadata.EntryPoint], value: str) -> None:
    no_providers.append(point("rtlsim_exec", value))
    with pytest.raises(hooks.HookError, match=f"entry point {value}: the provider of 'rtlsim_exec' cannot be loaded"):
        hooks.find("rtlsim_exec")


def test_unknown_hooks(no_providers: list[metadata.EntryPoint]) -> None:
    no_providers.append(point("own_hook", "math:hypot"))
    with pytest.raises(hooks.HookError, match=r"there is no hook 'rtlsim_exek'\. Remedy: did you mean 'rtlsim_exec'"):
        hooks.call("rtlsim_exek")
    with pytest.raises(hooks.HookError, match="did you mean 'own_hook'"):
        hooks.call("own_hok")
    assert hooks.call("own_hook", 3, 4) == 5


# ------------------------------------------------------------------------------------------------------------------ HLS


@pytest.fixture
def tools(monkeypatch, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    """A folder in the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.mark.parametrize("backend", ["vivado_hls", "vitis_hls"])
def test_hls(tools: Path, tmp_path: Path, backend: str, capsys) -> None:  # type: ignore[no-untyped-def]
    (tools / backend).write_text('#!/bin/sh\necho "$0 $1 in $PWD" | tee log\nexit $(cat code)\n')
    (tools / backend).chmod(0o755)
    work = tmp_path / "my work"
    work.mkdir()
    call = CallHLS(backend)
    call.append_tcl(f"{work}/hls_syn.tcl")
    call.set_ipgen_path(f"{work}/ip")
    (work / "code").write_text("0")
    call.build(work)
    assert (work / "log").read_text() == f"{tools}/{backend} {work}/hls_syn.tcl in {work}\n"
    assert Path(call.ipgen_script).read_text() == f"#!/bin/bash\ncd '{work}' && {backend} '{work}/hls_syn.tcl'\n"
    assert (call.code_gen_dir, call.ipgen_path) == (str(work), f"{work}/ip")
    (work / "code").write_text("2")
    with pytest.raises(ToolError, match="ended with exit code 2"):
        call.build(work)
    assert backend in capsys.readouterr().out


def test_hls_is_missing(tools: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"vitis_hls is not in the PATH\. Remedy: source settings64.sh"):
        CallHLS("vitis_hls").build(tmp_path)
    assert not (tmp_path / "ipgen.sh").exists()
    with pytest.raises(ConfigError, match="there is no HLS backend 'catapult'"):
        CallHLS("catapult")
