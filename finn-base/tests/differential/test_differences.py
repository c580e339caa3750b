"""Every documented difference is one: qonnx gives what is said, ours what an independent source says."""

from __future__ import annotations

import pytest

from . import both  # noqa: TID252 - test helpers are no installed package
from .differences import DIFFERENCES, DOCUMENT, Difference, document  # noqa: TID252
from .peer import Ours, Peer, PeerError  # noqa: TID252


def value(side: object, difference: Difference) -> object:
    data = difference.model().SerializeToString() if difference.model else b""
    try:
        return side.evaluate(difference.example, data)  # type: ignore[attr-defined]
    except Exception as error:
        if isinstance(error, PeerError) and error.kind == "ended":
            raise
        return "raised"


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: d.what)
def test_ours_is_right(difference: Difference) -> None:
    assert value(Ours(), difference) == both.plain(difference.right())


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: d.what)
def test_theirs_is_not(difference: Difference, peer: Peer) -> None:
    found = value(peer, difference)
    assert found != both.plain(difference.right()), "qonnx is right now: take the difference away"
    if difference.theirs != "another":
        assert found == difference.theirs


def test_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "write it again: python -m differential.differences"
