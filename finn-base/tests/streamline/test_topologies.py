"""What becomes of each feature of a topology, and that the documentation says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_generated_networks import Case  # noqa: TID252 - test helpers are no installed package
from .topologies import FEATURES, Feature, Outcome  # noqa: TID252

DOCS = Path(__file__).parents[3] / "docs" / "topologies.md"


@pytest.mark.parametrize("feature", FEATURES, ids=[f.name.replace("`", "") for f in FEATURES])
def test_outcome(feature: Feature) -> None:
    case = Case.of(feature.network(), runs=4)
    assert case.expected
    case.check()
    host = {title: str(fate) for title, fate in case.report.host.items()}
    if feature.outcome is Outcome.HOST:
        op_type, reason = feature.host
        told = [fate for title, fate in case.report.host.items() if f"({op_type})" in title and reason in fate.reason]
        assert told, case.report
        assert all(fate.remedy for fate in told), case.report
    else:
        assert not host, case.report
    tables = any("look-up table" in str(fate) for fate in case.report.nodes.values())
    assert tables == (feature.outcome is Outcome.TABLE), case.report


def table() -> str:
    """The table of the documentation."""
    lines, group = [], ""
    for feature in FEATURES:
        if feature.group != group:
            group = feature.group
            lines += ["", f"## {group}", "", "| feature | here | FINN |", "|---|---|---|"]
        here = feature.outcome.value
        if feature.outcome is Outcome.HOST:
            here = f"`{feature.host[0]}` stays on the host, with reason and remedy; the rest is integer"
        lines.append(f"| {feature.name} | {here} | {feature.finn} |")
    return "\n".join(lines).strip() + "\n"


def test_documentation_has_this_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert text.endswith(table()), f"the end of {DOCS.name} should be:\n\n{table()}"
