# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The directives of Vitis HLS 2022.1 to 2024.2: options, and where they may stand (UG1399, "HLS Pragmas")."""

from __future__ import annotations

from dataclasses import dataclass, field

FUNCTION, LOOP, BLOCK = "function", "loop", "block"
ANYWHERE = frozenset({FUNCTION, LOOP, BLOCK})
PARTITIONS = frozenset({"complete", "cyclic", "block"})
PROTOCOLS = frozenset(
    {"ap_none", "ap_stable", "ap_vld", "ap_ack", "ap_hs", "ap_ovld", "ap_memory", "bram", "ap_fifo", "axis", "m_axi"}
    | {"s_axilite", "ap_ctrl_none", "ap_ctrl_hs", "ap_ctrl_chain"}
)
MEMORIES = frozenset({"fifo", "ram_1p", "ram_1wnr", "ram_2p", "ram_s2p", "ram_t2p", "rom_1p", "rom_2p", "rom_np"})
STYLES = frozenset({"flp", "frp", "stp"})


@dataclass(frozen=True)
class Directive:
    """What a directive takes.

    places : scopes whose braces it may stand in. values : options `name = value`; a set lists all values there are.
    words : options without a value. needs : options of which one must be there.
    """

    places: frozenset[str] = ANYWHERE
    values: dict[str, frozenset[str] | None] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()


def _about(*names: str, words: str = "", **values: frozenset[str] | None) -> Directive:
    """A directive about a variable."""
    options = {"variable": None, **dict.fromkeys(names), **values}
    return Directive(ANYWHERE, options, frozenset(words.split()), ("variable",))


def _of(places: str, *names: str, words: str = "", **values: frozenset[str] | None) -> Directive:
    """A directive about what it stands in."""
    return Directive(frozenset(places.split()), {**dict.fromkeys(names), **values}, frozenset(words.split()))


INTERFACE = Directive(
    frozenset({FUNCTION}),
    {
        "mode": PROTOCOLS,
        "register_mode": frozenset({"both", "forward", "reverse", "off"}),
        **dict.fromkeys(("port", "bundle", "channel", "clock", "depth", "interrupt", "latency", "name", "offset")),
        **dict.fromkeys(("max_read_burst_length", "max_write_burst_length", "max_widen_bitwidth")),
        **dict.fromkeys(("num_read_outstanding", "num_write_outstanding", "storage_impl", "storage_type")),
    },
    PROTOCOLS | {"register"},
    ("port",),
)

DIRECTIVES: dict[str, Directive] = {
    "aggregate": _about(compact=frozenset({"bit", "byte", "none", "auto"})),
    "alias": _of(FUNCTION, "ports", "distance", "offset"),
    "allocation": _of("function loop block", "instances", "limit", words="function operation"),
    "array_partition": _about("factor", "dim", words=" ".join(PARTITIONS), type=PARTITIONS, off=frozenset({"true"})),
    "array_reshape": _about("factor", "dim", words=" ".join((*PARTITIONS, "object")), type=PARTITIONS),
    "bind_op": _about("op", "impl", "latency"),
    "bind_storage": _about("impl", "latency", type=MEMORIES),
    "cache": _of(FUNCTION, "port", "lines", "depth", "ways", "users"),
    "dataflow": _of("function loop", words="disable_start_propagation"),
    "dependence": _about(
        "distance",
        words="array pointer inter intra raw war waw true false",
        **{"class": frozenset({"array", "pointer"})},
        type=frozenset({"inter", "intra"}),
        direction=frozenset({"raw", "war", "waw"}),
        dependent=frozenset({"true", "false"}),
    ),
    "disaggregate": _about(),
    "expression_balance": _of("function loop block", words="off"),
    "function_instantiate": _about(),
    "inline": _of(FUNCTION, words="off recursive region"),
    "interface": INTERFACE,
    "latency": _of("function loop block", "min", "max"),
    "loop_flatten": _of(LOOP, words="off"),
    "loop_merge": _of("function loop block", words="force"),
    "loop_tripcount": _of(LOOP, "min", "max", "avg"),
    "occurrence": _of("function loop block", "cycle", words="off"),
    "performance": _of("function loop", "target_ti", "target_tl", "assume_ti", "assume_tl", "unit"),
    "pipeline": _of("function loop", "ii", words="off rewind", style=STYLES),
    "protocol": _of("function block", words="fixed floating", mode=frozenset({"fixed", "floating"})),
    "reset": _about(words="off"),
    "stable": _about(),
    "stream": _about("depth", words="off", type=frozenset({"fifo", "pipo", "shared", "unsync"})),
    "top": _of(FUNCTION, "name"),
    "unroll": _of(LOOP, "factor", words="skip_exit_check", off=frozenset({"true"})),
}
