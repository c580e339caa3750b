"""Every name that scripts for finn-base and QONNX import is there, with the parameters that they pass.

`published_names.json` lists the names of both predecessors and whether FINN or FINN+ use them. What is left out on
purpose stands in docs/migration.md, with the reason.
"""

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

NAMES = json.loads(Path(__file__).with_name("published_names.json").read_text())
MIGRATION = Path(__file__).resolve().parents[2] / "docs" / "migration.md"
LEFT_OUT = re.compile(r"^\| `(finn[\w.]+)` \| (.+) \|$", re.MULTILINE)
PUBLISHED = [
    pytest.param(module, name, entry["parameters"], id=f"{module}.{name}")
    for module, entries in NAMES.items()
    for name, entry in entries.items()
]


def left_out() -> dict[str, str]:
    """{full name or module: reason}, as documented."""
    section = MIGRATION.read_text(encoding="utf-8").partition("## Left out")[2].partition("\n## ")[0]
    return dict(LEFT_OUT.findall(section))


@pytest.mark.parametrize(("module", "name", "parameters"), PUBLISHED)
def test_name(module: str, name: str, parameters: list[str] | None) -> None:
    if {module, f"{module}.{name}"} & left_out().keys():
        pytest.skip("left out, see docs/migration.md")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if callable(found) and parameters is not None:
        check_parameters(found, parameters)


def check_parameters(found: object, parameters: list[str]) -> None:
    """Positional parameters in the published order; keyword parameters by name; nothing else required."""
    target = found.__init__ if inspect.isclass(found) else found  # type: ignore[misc]
    signature = inspect.signature(target)
    ours = [p for p in signature.parameters.values() if p.name != "self"]
    if any(p.kind is p.VAR_KEYWORD for p in ours):
        return
    positional = [p.name for p in ours if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    wanted = [name for name in parameters if not name.startswith("*")]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in ours)
    assert variadic or positional[: len(wanted)] == wanted
    by_name = {p.name for p in ours}
    assert {name.lstrip("*") for name in parameters} <= by_name
    extra = [p for p in ours if p.name not in {name.lstrip("*") for name in parameters}]
    required = [p.name for p in extra if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    assert not required, f"more parameters are required than published: {required}"


def test_only_unused_names_are_left_out() -> None:
    used = {f"{module}.{name}" for module, entries in NAMES.items() for name, entry in entries.items() if entry["used"]}
    modules = {module for module, entries in NAMES.items() if any(entry["used"] for entry in entries.values())}
    for name, reason in left_out().items():
        assert name not in used | modules, f"{name} is used by published scripts"
        assert len(reason) > 20, f"say why {name} is left out"
    known = {f"{module}.{name}" for module, entries in NAMES.items() for name in entries} | set(NAMES)
    assert left_out().keys() <= known, "names that were never published need no mention"
