"""Every example of docs/rewrites.md runs, top to bottom, and its rules are proved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from finn.transformation.mutation import check_mutants
from finn.transformation.proof import prove
from finn.transformation.rewrite import Rule

GUIDE = Path(__file__).parents[3] / "docs" / "rewrites.md"
BLOCK = re.compile(r"(<!-- not run[^\n]*-->\n)?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRONG = {"wrong_distribution"}


def names_of_the_guide() -> dict[str, Any]:
    """What the code of the guide defines. Line numbers of errors are those of the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "guide"}
    for block in BLOCK.finditer(text):
        if not block[1]:
            line = text.count("\n", 0, block.start(2))
            exec(compile("\n" * line + block[2], str(GUIDE), "exec"), names)
    return names


NAMES = names_of_the_guide()
RULES = {name: value for name, value in NAMES.items() if isinstance(value, Rule) and name not in WRONG}


def test_the_guide_has_rules() -> None:
    assert len(RULES) > 8


@pytest.mark.parametrize("name", RULES)
def test_the_rules_of_the_guide_hold(name: str) -> None:
    assert prove(RULES[name]) > 0
    check_mutants(RULES[name])


def test_the_network_of_the_guide_computes_the_same() -> None:
    model, network = NAMES["model"], NAMES["network"]
    assert [node.op_type for node in network.graph.node] == ["Mul", "MatMul", "Mul"]
    assert model.get_initializer(model.graph.node[1].input[1]) == 2
