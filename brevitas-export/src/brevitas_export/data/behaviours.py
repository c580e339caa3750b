# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What opens flows in a network, benign or not: assumptions, from which :mod:`.intrusion` computes records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Protocol(IntEnum):
    TCP, UDP, ICMP, GRE, ESP, OTHER = range(6)


class Service(IntEnum):
    NONE, HTTP, HTTPS, DNS, SSH, FTP, SMTP, IMAP, SMB, RDP, SNMP, NTP, RTP, SIP = range(14)


class State(IntEnum):
    """How a flow ended: closed, reset within, refused, lasting, unanswered; or an echo of ICMP."""

    FIN, RST, REJ, CON, INT, ECO = range(6)


SPREAD = tuple[float, float]  # median, and standard deviation of the natural logarithm


@dataclass(frozen=True)
class Talk:
    """How many requests and responses a flow has, bytes of each, and the pause behind them in seconds."""

    exchanges: SPREAD
    request: SPREAD
    response: SPREAD
    pause: SPREAD


@dataclass(frozen=True)
class Habit:
    """Mean shares. activity: of all flows just before, those with the same source; target, service, port: of these,
    those that also have that in common; popular: of the flows of other sources, those to the same target.
    """

    activity: float
    target: float
    service: float
    port: float
    popular: float = 0.05


@dataclass(frozen=True)
class Behaviour:
    """weight, and values in `services` and `states`: how often, in proportion.

    windows: that TCP tells first, in bytes; ttls: hops that packets may make when they are sent.
    """

    weight: float
    protocol: Protocol
    services: dict[Service, float]
    states: dict[State, float]
    talk: Talk
    habit: Habit
    windows: tuple[int, ...] = (64240, 65535, 29200, 8192)
    ttls: tuple[int, ...] = (64, 64, 128, 128, 255)


TCP, UDP, ICMP = Protocol.TCP, Protocol.UDP, Protocol.ICMP
CLOSED = {State.FIN: 0.9, State.RST: 0.05, State.CON: 0.03, State.REJ: 0.01, State.INT: 0.01}
ANSWERED = {State.CON: 0.96, State.INT: 0.04}
WEB = {Service.HTTPS: 0.8, Service.HTTP: 0.2}
ANY: dict[Service, float] = {
    service: 1.0 for service in Service if service not in (Service.DNS, Service.NTP, Service.SNMP, Service.RTP)
}
RAW = (1024, 1024, 64240, 29200)  # windows of programs some of which write packets themselves

BENIGN = {
    "browsing": Behaviour(
        0.26,
        TCP,
        WEB,
        CLOSED,
        Talk(exchanges=(4, 0.9), request=(600, 0.6), response=(9000, 1.3), pause=(0.3, 1.3)),
        Habit(activity=0.10, target=0.3, service=0.8, port=0.8, popular=0.08),
    ),
    "name look-ups": Behaviour(
        0.18,
        UDP,
        {Service.DNS: 1},
        ANSWERED,
        Talk(exchanges=(1, 0.3), request=(45, 0.25), response=(120, 0.6), pause=(0.005, 0.8)),
        Habit(activity=0.12, target=0.8, service=0.8, port=0.8, popular=0.25),
    ),
    "mail": Behaviour(
        0.06,
        TCP,
        {Service.SMTP: 1, Service.IMAP: 1},
        CLOSED,
        Talk(exchanges=(8, 0.5), request=(300, 1.2), response=(400, 1.2), pause=(0.1, 1.0)),
        Habit(activity=0.06, target=0.6, service=0.6, port=0.6, popular=0.08),
    ),
    "file transfer": Behaviour(
        0.06,
        TCP,
        {Service.SMB: 0.6, Service.FTP: 0.4},
        CLOSED,
        Talk(exchanges=(15, 1.0), request=(250, 1.0), response=(20000, 2.0), pause=(0.1, 1.2)),
        Habit(activity=0.08, target=0.6, service=0.7, port=0.7),
    ),
    "backup": Behaviour(
        0.05,
        TCP,
        {Service.HTTPS: 0.6, Service.SSH: 0.4},
        CLOSED,
        Talk(exchanges=(30, 1.0), request=(60000, 1.3), response=(150, 0.5), pause=(0.02, 1.0)),
        Habit(activity=0.06, target=0.8, service=0.8, port=0.8),
    ),
    "remote work": Behaviour(
        0.06,
        TCP,
        {Service.SSH: 0.6, Service.RDP: 0.4},
        CLOSED,
        Talk(exchanges=(60, 1.3), request=(80, 0.6), response=(300, 1.2), pause=(0.5, 1.0)),
        Habit(activity=0.04, target=0.6, service=0.6, port=0.6),
    ),
    "time and monitoring": Behaviour(
        0.08,
        UDP,
        {Service.NTP: 1, Service.SNMP: 1},
        ANSWERED,
        Talk(exchanges=(1.5, 0.6), request=(60, 0.3), response=(90, 0.5), pause=(0.01, 1.0)),
        Habit(activity=0.10, target=0.3, service=0.8, port=0.8, popular=0.1),
    ),
    "health checks": Behaviour(
        0.09,
        TCP,
        ANY,
        {State.FIN: 0.75, State.RST: 0.12, State.REJ: 0.08, State.INT: 0.05},
        Talk(exchanges=(1, 0.3), request=(120, 0.6), response=(250, 0.9), pause=(0.01, 1.0)),
        Habit(activity=0.25, target=0.25, service=0.4, port=0.4),
    ),
    "old password": Behaviour(
        0.05,
        TCP,
        {Service.IMAP: 0.5, Service.SMB: 0.3, Service.SSH: 0.2},
        CLOSED,
        Talk(exchanges=(5, 0.4), request=(150, 0.4), response=(180, 0.5), pause=(0.5, 1.0)),
        Habit(activity=0.18, target=0.85, service=0.9, port=0.9),
    ),
    "calls": Behaviour(
        0.05,
        UDP,
        {Service.RTP: 0.8, Service.SIP: 0.2},
        ANSWERED,
        Talk(exchanges=(800, 1.6), request=(170, 0.4), response=(170, 0.4), pause=(0.02, 0.2)),
        Habit(activity=0.06, target=0.6, service=0.6, port=0.3),
    ),
    "echoes": Behaviour(
        0.06,
        ICMP,
        {Service.NONE: 1},
        {State.ECO: 0.95, State.INT: 0.05},
        Talk(exchanges=(4, 0.8), request=(56, 0.2), response=(56, 0.2), pause=(0.9, 0.3)),
        Habit(activity=0.08, target=0.3, service=0.9, port=0.9),
    ),
    "tunnels between sites": Behaviour(
        0.03,
        Protocol.ESP,
        {Service.NONE: 1},
        ANSWERED,
        Talk(exchanges=(400, 1.5), request=(500, 0.8), response=(500, 0.8), pause=(0.05, 0.8)),
        Habit(activity=0.05, target=0.8, service=0.9, port=0.9),
    ),
}

ATTACKS = {
    "port scan": Behaviour(
        0.19,
        TCP,
        ANY,
        {State.REJ: 0.5, State.INT: 0.3, State.RST: 0.1, State.FIN: 0.1},
        Talk(exchanges=(1, 0.3), request=(20, 0.8), response=(90, 1.0), pause=(0.01, 1.0)),
        Habit(activity=0.55, target=0.7, service=0.1, port=0.05),
        windows=RAW,
    ),
    "slow scan": Behaviour(
        0.09,
        TCP,
        ANY,
        {State.FIN: 0.4, State.RST: 0.2, State.REJ: 0.25, State.INT: 0.15},
        Talk(exchanges=(1, 0.4), request=(70, 0.9), response=(200, 1.0), pause=(0.02, 1.2)),
        Habit(activity=0.12, target=0.3, service=0.25, port=0.2),
        windows=(1024, 64240, 64240, 29200),
    ),
    "flood of SYN": Behaviour(  # of spoofed sources
        0.15,
        TCP,
        WEB,
        {State.INT: 0.85, State.REJ: 0.1, State.CON: 0.05},
        Talk(exchanges=(1, 0.1), request=(10, 0.5), response=(10, 0.5), pause=(0.01, 1.0)),
        Habit(activity=0.02, target=0.9, service=0.9, port=0.9, popular=0.6),
        windows=(*RAW, 512, 8192),
    ),
    "guessing of passwords": Behaviour(
        0.14,
        TCP,
        {Service.SSH: 0.5, Service.RDP: 0.25, Service.FTP: 0.25},
        CLOSED,
        Talk(exchanges=(7, 0.5), request=(130, 0.4), response=(200, 0.5), pause=(0.25, 1.1)),
        Habit(activity=0.35, target=0.8, service=0.9, port=0.9),
    ),
    "theft of files": Behaviour(
        0.10,
        TCP,
        {Service.HTTPS: 0.7, Service.FTP: 0.15, Service.SSH: 0.15},
        CLOSED,
        Talk(exchanges=(25, 1.1), request=(30000, 1.4), response=(180, 0.8), pause=(0.1, 1.4)),
        Habit(activity=0.04, target=0.6, service=0.6, port=0.6, popular=0.01),
    ),
    "tunnel in name look-ups": Behaviour(
        0.07,
        UDP,
        {Service.DNS: 1},
        ANSWERED,
        Talk(exchanges=(2, 0.8), request=(110, 0.4), response=(180, 0.5), pause=(0.03, 1.0)),
        Habit(activity=0.25, target=0.8, service=0.9, port=0.9, popular=0.1),
    ),
    "worm": Behaviour(
        0.12,
        TCP,
        {Service.SMB: 0.8, Service.RDP: 0.2},
        {State.INT: 0.4, State.REJ: 0.2, State.FIN: 0.4},
        Talk(exchanges=(6, 0.6), request=(900, 1.0), response=(220, 0.6), pause=(0.03, 1.0)),
        Habit(activity=0.3, target=0.06, service=0.85, port=0.85),
    ),
    "fuzzing": Behaviour(
        0.09,
        TCP,
        {**WEB, Service.SIP: 0.2, Service.FTP: 0.2},
        {State.RST: 0.45, State.FIN: 0.55},
        Talk(exchanges=(3, 0.9), request=(900, 1.3), response=(500, 1.0), pause=(0.05, 1.2)),
        Habit(activity=0.3, target=0.8, service=0.8, port=0.8),
    ),
    "calls home": Behaviour(
        0.05,
        TCP,
        WEB,
        CLOSED,
        Talk(exchanges=(1.5, 0.5), request=(350, 0.5), response=(400, 0.8), pause=(0.1, 1.0)),
        Habit(activity=0.06, target=0.6, service=0.6, port=0.6, popular=0.01),
    ),
}
