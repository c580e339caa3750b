# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Records of network flows, encoded as 593 bits: is the flow part of an attack?

The task is in the style of UNSW-NB15 (Moustafa, Slay, "UNSW-NB15: a comprehensive data set for network intrusion
detection systems", 2015): a record tells protocol, service, how the flow ended, its packets, bytes and times, and how
many of the last 100 flows resemble it.

**The records are synthetic. They are computed from assumptions, not measured on any network, and
say nothing about how well a network trained on them would find attacks.** What they have in common with real ones is
their form, and that some attacks look like legitimate traffic: an upload of stolen files like a backup, guesses of
passwords like a client with an old one, a slow scan like a health check.

The behaviours in :mod:`.behaviours` give exchanges of requests and responses, their sizes and pauses; the network
gives delay, bandwidth and loss. All else follows. Networks of the test occur in no record of the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brevitas_export.data.behaviours import ATTACKS, BENIGN, SPREAD, Behaviour, Habit, Protocol, Service, State
from brevitas_export.data.split import Split

FLOATS = NDArray[np.float64]
INTEGERS = NDArray[np.int64]
BITS = NDArray[np.uint8]
RECORDS = dict[str, NDArray[Any]]
"""A column, (N,), for each of ENUMS and NUMBERS."""
ABOUT = (
    "Synthetic records of network flows, computed from assumptions about benign behaviours and attacks. They were not "
    "measured on any network, and accuracy on them says nothing about how well attacks on a real network are found. "
    "The form is that of N. Moustafa and J. Slay, UNSW-NB15, 2015; no record of that set is used. Records of the test "
    "are from other made-up networks than those of the training."
)
LEVELS = 21  # bits of a number
WINDOW = 100  # flows before this one that are counted
SEGMENT = 1460  # bytes of data in a packet
RETRY_S = 0.2  # until a lost packet is sent again
HEADER_BYTES = dict(zip(Protocol, (40, 28, 28, 24, 30, 20), strict=True))

ENUMS = {"protocol": Protocol, "service": Service, "state": State}


@dataclass(frozen=True)
class Number:
    """Coded as a thermometer: bit k is set from the k-th of LEVELS thresholds on, which are equally spaced."""

    low: float
    high: float
    logarithmic: bool = True

    def thresholds(self) -> FLOATS:
        space = np.geomspace if self.logarithmic else np.linspace
        return np.asarray(space(self.low, self.high, LEVELS))


NUMBERS = {
    "duration_s": Number(1e-4, 1e3),
    "packets_per_s": Number(0.1, 1e5),
    "packets_sent": Number(1, 1e4),
    "packets_received": Number(1, 1e4),
    "bytes_sent": Number(32, 1e7),
    "bytes_received": Number(32, 1e7),
    "bits_per_s_sent": Number(10, 1e8),
    "bits_per_s_received": Number(10, 1e8),
    "mean_bytes_sent": Number(30, 1500),
    "mean_bytes_received": Number(30, 1500),
    "gap_s_sent": Number(1e-5, 100),
    "gap_s_received": Number(1e-5, 100),
    "jitter_s_sent": Number(1e-5, 100),
    "jitter_s_received": Number(1e-5, 100),
    "lost_sent": Number(1, 1000),
    "lost_received": Number(1, 1000),
    "ttl_sent": Number(20, 260, logarithmic=False),
    "ttl_received": Number(20, 260, logarithmic=False),
    "handshake_s": Number(1e-4, 1),
    "window_sent": Number(512, 65536),
    "exchanges": Number(1, 1000),
    "same_source": Number(1, 95),
    "same_target": Number(1, 95),
    "same_source_and_target": Number(1, 95),
    "same_source_and_service": Number(1, 95),
    "same_target_and_service": Number(1, 95),
    "same_source_and_port": Number(1, 95),
}

CLASSES = {"benign": BENIGN, "attack": ATTACKS}
GROUPS = (*BENIGN, *ATTACKS)


@dataclass(frozen=True)
class Networks:
    """Sites where flows are seen, (sites,) of each."""

    delay_s: FLOATS
    bits_per_s: FLOATS
    loss: FLOATS
    hops: INTEGERS
    size: FLOATS
    pace: FLOATS
    busy: FLOATS

    @classmethod
    def drawn(cls, sites: int, rng: np.random.Generator) -> Networks:
        """At random. size, pace and busy: factors of data, pauses and activity."""
        habits = np.exp(rng.normal(0, 0.3, (3, sites)))
        delay, bits = np.exp(rng.normal(np.log(0.02), 0.8, sites)), np.exp(rng.normal(np.log(1e8), 1.0, sites))
        return cls(delay, bits, 10 ** rng.uniform(-4, -2, sites), rng.integers(2, 14, sites), *habits)


def intrusion(train: int = 20000, test: int = 2000, sites: int = 40, seed: int = 2026) -> Split:
    """Records as bits, (N, 593), BINARY; half of them of attacks. No record of the test is in the training.

    sites: networks that records of the training are from. A quarter as many others give those of the test, which are
    grouped by behaviour.
    """
    generators = [np.random.default_rng((seed, part)) for part in range(2)]
    x_train, y_train, _ = _drawn(train, Networks.drawn(sites, generators[0]), generators[0])
    x_test, y_test, group_test = _drawn(2 * test, Networks.drawn(-(-sites // 4), generators[1]), generators[1])
    known = {row.tobytes() for row in x_train}
    new = np.flatnonzero([row.tobytes() not in known for row in x_test])[:test]
    return Split(x_train, y_train, x_test[new], y_test[new], group_test[new], tuple(CLASSES), GROUPS, "BINARY")


def encoded(records: RECORDS) -> BITS:
    """0 and 1, (N, 593): one of 6, 14 and 6 bits for protocol, service and state, and 21 for each number."""
    choices = [records[name][:, None] == np.arange(len(enum)) for name, enum in ENUMS.items()]
    numbers = [records[name][:, None] >= number.thresholds() for name, number in NUMBERS.items()]
    return np.concatenate(choices + numbers, axis=1).astype(np.uint8)


def flows(behaviour: Behaviour, count: int, networks: Networks, rng: np.random.Generator) -> RECORDS:
    """`count` records of that behaviour, from any of the networks."""
    site, tcp = rng.integers(len(networks.loss), size=count), behaviour.protocol is Protocol.TCP
    state, talk = _chosen(behaviour.states, count, rng), behaviour.talk
    answered = ~np.isin(state, (State.INT, State.REJ))
    exchanges = np.where(answered, np.maximum(1, np.rint(_spread(talk.exchanges, count, rng))), 0)
    requests = np.maximum(exchanges, not tcp)  # a datagram may remain unanswered
    data = (
        requests * networks.size[site] * _spread(talk.request, count, rng),
        exchanges * networks.size[site] * _spread(talk.response, count, rng),
    )
    packets = _packets(data, exchanges, state, tcp, rng)
    lost = [rng.binomial(part.astype(np.int64), networks.loss[site]).astype(np.float64) for part in packets]
    delay = networks.delay_s[site] * np.exp(rng.normal(0, 0.3, count))
    pauses = exchanges * (delay + networks.pace[site] * _spread(talk.pause, count, rng))
    again = np.where(state == State.INT, packets[0] - 1, 0)
    shaken = np.where(state == State.INT, 2**again - 1, delay) * tcp  # each SYN is waited for twice as long
    duration = shaken + pauses + RETRY_S * sum(lost) + 8 * sum(data) / networks.bits_per_s[site]
    hops = networks.hops[site] + rng.integers(0, 3, count)
    records = {
        "protocol": np.full(count, float(behaviour.protocol)),
        "service": _chosen(behaviour.services, count, rng),
        "state": state,
        "exchanges": exchanges,
        "duration_s": duration,
        "packets_per_s": sum(packets) / np.maximum(duration, 1e-3),
        "handshake_s": delay * (tcp & answered),
        "window_sent": rng.choice(behaviour.windows, count) * tcp,
        "ttl_sent": rng.choice(behaviour.ttls, count) - hops,
        "ttl_received": np.where(packets[1] > 0, rng.choice(Behaviour.ttls, count) - hops, 0),
    }
    for k, way in enumerate(("sent", "received")):
        size = data[k] + HEADER_BYTES[behaviour.protocol] * packets[k]
        records |= {f"lost_{way}": lost[k]} | _direction(way, packets[k], size, duration, rng)
    return records | _counts(behaviour.habit, networks.busy[site], rng)


def _drawn(count: int, networks: Networks, rng: np.random.Generator) -> tuple[BITS, INTEGERS, INTEGERS]:
    """Shuffled records, labels, and indices of GROUPS."""
    parts, labels, groups = [], [], []
    for label, behaviours in enumerate(CLASSES.values()):
        weights = np.array([behaviour.weight for behaviour in behaviours.values()])
        each = rng.multinomial(count // len(CLASSES), weights / weights.sum())
        for (name, behaviour), number in zip(behaviours.items(), each, strict=True):
            parts.append(encoded(flows(behaviour, int(number), networks, rng)))
            labels.append(np.full(number, label, np.int64))
            groups.append(np.full(number, GROUPS.index(name), np.int64))
    order = rng.permutation(sum(map(len, labels)))
    return np.concatenate(parts)[order], np.concatenate(labels)[order], np.concatenate(groups)[order]


def _packets(
    data: tuple[FLOATS, FLOATS], exchanges: FLOATS, state: INTEGERS, tcp: bool, rng: np.random.Generator
) -> tuple[FLOATS, FLOATS]:
    """How many packets are sent and received: data, a handshake, acknowledgements of every other packet, the end."""
    sent, received = (np.maximum(exchanges, np.ceil(part / SEGMENT)) for part in data)
    if not tcp:
        return np.maximum(sent, 1), received
    open_, refused, silent = ~np.isin(state, (State.REJ, State.INT)), state == State.REJ, state == State.INT
    closed = state == State.FIN
    acknowledged = np.ceil(received / 2), np.ceil(sent / 2)
    sent = np.where(open_, 2 + sent + acknowledged[0] + closed, 1)
    received = np.where(open_, 1 + received + acknowledged[1] + closed, np.where(refused, 1, 0))
    return np.where(silent, rng.integers(1, 4, len(state)), sent), received


def _direction(way: str, packets: FLOATS, size: FLOATS, duration: FLOATS, rng: np.random.Generator) -> RECORDS:
    """What follows from packets and bytes of one way."""
    gap = np.where(packets > 1, duration / np.maximum(packets - 1, 1), 0)
    return {
        f"packets_{way}": packets,
        f"bytes_{way}": size,
        f"bits_per_s_{way}": 8 * size / np.maximum(duration, 1e-3),
        f"mean_bytes_{way}": size / np.maximum(packets, 1),
        f"gap_s_{way}": gap,
        f"jitter_s_{way}": np.where(packets > 2, gap * np.exp(rng.normal(-0.5, 0.7, len(gap))), 0),
    }


def _counts(habit: Habit, busy: FLOATS, rng: np.random.Generator) -> RECORDS:
    """Of the last WINDOW flows, those that have something in common with this one."""
    source = rng.binomial(WINDOW, _share(np.clip(habit.activity * busy, 0, 0.95), rng))
    both, service, port = (
        rng.binomial(source, _share(np.full(len(busy), mean), rng))
        for mean in (habit.target, habit.service, habit.port)
    )
    others = rng.binomial(WINDOW - source, _share(np.clip(habit.popular * busy, 0, 0.95), rng))
    target = both + others
    counts = {
        "source": source,
        "target": target,
        "source_and_target": both,
        "source_and_service": service,
        "target_and_service": rng.binomial(target, _share(np.full(len(busy), habit.service), rng)),
        "source_and_port": port,
    }
    return {f"same_{name}": count.astype(np.float64) for name, count in counts.items()}


def _share(mean: FLOATS, rng: np.random.Generator) -> FLOATS:
    """Of a beta distribution with that mean, wide enough that behaviours overlap."""
    return rng.beta(4 * mean, 4 * (1 - mean))


def _spread(spread: SPREAD, count: int, rng: np.random.Generator) -> FLOATS:
    return np.exp(rng.normal(np.log(spread[0]), spread[1], count))


def _chosen(weights: Mapping[Service, float] | Mapping[State, float], count: int, rng: np.random.Generator) -> INTEGERS:
    shares = np.array(list(weights.values()))
    return rng.choice(np.array(list(weights), np.int64), count, p=shares / shares.sum())
