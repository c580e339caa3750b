# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Records contradict themselves nowhere; codes can be read back; the sets are balanced and disjoint."""

from __future__ import annotations

import numpy as np
import pytest

from brevitas_export.data import intrusion as module
from brevitas_export.data.behaviours import ATTACKS, BENIGN, Behaviour, Protocol, Service, State
from brevitas_export.data.intrusion import LEVELS, NUMBERS, RECORDS, Networks, encoded, flows, intrusion


def records(behaviour: Behaviour, count: int = 500) -> RECORDS:
    rng = np.random.default_rng(0)
    return flows(behaviour, count, Networks.drawn(10, rng), rng)


@pytest.mark.parametrize("name", [*BENIGN, *ATTACKS])
def test_a_record_does_not_contradict_itself(name: str) -> None:
    found = records({**BENIGN, **ATTACKS}[name])
    assert set(found) == {*module.ENUMS, *NUMBERS}
    for column in found.values():
        assert column.shape == (500,)
        assert np.isfinite(column).all()
        assert column.min() >= 0
    silent = found["packets_received"] == 0
    assert (found["state"][silent] == State.INT).all()
    assert (found["bytes_received"][silent] == 0).all()
    assert (found["ttl_received"][silent] == 0).all()
    for way in ("sent", "received"):
        assert (found[f"bytes_{way}"] >= 28 * found[f"packets_{way}"]).all()
        assert (found[f"mean_bytes_{way}"] <= module.SEGMENT + 40).all()
        assert (found[f"lost_{way}"] <= found[f"packets_{way}"]).all()
        assert (found[f"gap_s_{way}"] <= found["duration_s"]).all()
    assert (found["handshake_s"] <= found["duration_s"]).all()
    assert (found["same_source_and_target"] <= np.minimum(found["same_source"], found["same_target"])).all()
    assert (found["same_source_and_port"] <= found["same_source"]).all()
    assert (found["same_target"] <= module.WINDOW).all()


def test_a_refused_connection_is_a_packet_each_way() -> None:
    found = records(ATTACKS["port scan"])
    refused = found["state"] == State.REJ
    assert refused.any()
    assert set(found["packets_sent"][refused]) == set(found["packets_received"][refused]) == {1}
    assert set(found["bytes_sent"][refused]) == {40}


def test_a_code_is_one_of_each_choice_and_thermometers() -> None:
    found = records(BENIGN["browsing"])
    bits = encoded(found)
    assert bits.shape == (500, 593)
    start = 0
    for name, enum in (("protocol", Protocol), ("service", Service), ("state", State)):
        part = bits[:, start : start + len(enum)]
        np.testing.assert_array_equal(part.argmax(1), found[name])
        assert (part.sum(1) == 1).all()
        start += len(enum)
    for name, number in NUMBERS.items():
        part, thresholds = bits[:, start : start + LEVELS], number.thresholds()
        reached = part.sum(1).astype(int)
        np.testing.assert_array_equal(part, np.arange(LEVELS) < reached[:, None])
        assert (found[name][reached > 0] >= thresholds[reached[reached > 0] - 1]).all()
        assert (found[name][reached < LEVELS] < thresholds[reached[reached < LEVELS]]).all()
        start += LEVELS


def test_no_bit_alone_tells_attacks() -> None:
    made = intrusion(4000, 400)
    right = (made.x_train == made.y_train[:, None]).mean(0)
    assert 0.6 < np.maximum(right, 1 - right).max() < 0.8


def test_sets_are_balanced_and_disjoint_and_the_same_each_time() -> None:
    made, again, other = intrusion(4000, 400, seed=3), intrusion(4000, 400, seed=3), intrusion(4000, 400, seed=4)
    assert made.x_train.shape == (4000, 593)
    assert made.x_test.shape == (400, 593)
    assert set(np.unique(made.x_train)) == {0, 1}
    assert list(np.bincount(made.y_train)) == [2000, 2000]
    assert 0.4 < made.y_test.mean() < 0.6
    assert ((made.group_test >= len(BENIGN)) == made.y_test).all()
    assert not {row.tobytes() for row in made.x_train} & {row.tobytes() for row in made.x_test}
    np.testing.assert_array_equal(made.x_train, again.x_train)
    np.testing.assert_array_equal(made.x_test, again.x_test)
    assert (made.x_test != other.x_test).any()
