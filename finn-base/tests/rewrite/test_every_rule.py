"""One proof for all rules of all installed packages, and what their mutants say about it."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from finn.transformation.mutation import check_mutants
from finn.transformation.normal_forms import NORMAL_FORMS
from finn.transformation.proof import find_rules, prove

RULES = find_rules()


@pytest.mark.parametrize("name", RULES)
def test_both_sides_are_equal(name: str) -> None:
    assert prove(RULES[name]) > 0


@pytest.mark.parametrize("name", RULES)
def test_a_mutant_dies(name: str) -> None:
    check_mutants(RULES[name], most=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_all_mutants_die(name: str) -> None:
    check_mutants(RULES[name])


# ------------------------------------------------------------------------------------------------------------ discovery


def test_every_rule_of_a_table_is_found() -> None:
    found = find_rules("finn.transformation.normal_forms")
    assert set(map(id, NORMAL_FORMS)) <= set(map(id, found.values()))
    assert "finn.transformation.normal_forms.sub_to_add" in found
    assert set(found) <= set(RULES)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with rules in a module of its own, generated in a table, and imported from elsewhere."""
    name = "package_with_rules"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "unary.py").write_text(
        "from finn.transformation.rewrite import Var, op, rule\n"
        "from finn.transformation.normal_forms import sub_to_add\n"
        "x = Var('x')\n"
        "def twice(name):\n"
        "    call = getattr(op, name)\n"
        "    def once(x):\n"
        "        return call(x)\n"
        "    return rule(call(call(x)), shapes='x:n,k')(once)\n"
        "TABLE = [twice(name) for name in ('Relu', 'Abs')]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    for module in [m for m in sys.modules if m.startswith(name)]:
        del sys.modules[module]


def test_generated_rules_have_names_of_their_own(package: str) -> None:
    found = find_rules(package)
    names = ["finn.transformation.normal_forms.sub_to_add", f"{package}.unary.once", f"{package}.unary.once_1"]
    assert list(found) == names
    assert all(prove(found[name]) for name in names)


def test_packages_name_themselves_by_entry_points(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("mine", f"{package}.unary", "finn.rules")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == "finn.rules" else [])
    assert f"{package}.unary.once" in find_rules()
