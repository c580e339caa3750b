"""Every published operator and transformation is compared, or it says why not."""

from __future__ import annotations

import pytest

from . import both  # noqa: TID252 - test helpers are no installed package
from .peer import Peer  # noqa: TID252
from .published import NOT_COMPARED, operators  # noqa: TID252
from .test_operators import OPERATORS  # noqa: TID252
from .test_transformations import CASES  # noqa: TID252

ALIASES = {"general.Trunc": "general.Trunc_v1"} | {
    f"channels_last.{op}": f"channels_last.{op}_v1" for op in ("Conv", "MaxPool", "BatchNormalization")
}
"""Names of older releases for operators that are compared."""


def test_every_operator_is_compared() -> None:
    assert {ALIASES.get(name, name) for name in operators()} == set(OPERATORS)


def test_reasons_belong_to_published_names() -> None:
    assert all(both.exists("finn", name) and len(why) > 7 for name, why in NOT_COMPARED.items())


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_transformation_exists_there(name: str, peer: Peer) -> None:
    assert peer.exists(f"transformation.{name}")
