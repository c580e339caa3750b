"""Results of the command `finn-base` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

_ROWS = 40
"""Tables longer than this are cut on the screen; --json has everything."""


def pairs_table(title: str, found: Mapping[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    for key, value in found.items():
        _row(table, str(key), _text(value))
    return table


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 2**53 else f"{value:,.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list | tuple | set):
        text = ", ".join(map(_text, value))
        return text if len(text) < 100 else f"{text[:97]}..."
    return str(value)


def info_tables(found: Mapping[str, Any]) -> list[Table]:
    ends = Table("", "name", "shape", "element type", "data type", "layout", title="Interface")
    for role in ("inputs", "outputs"):
        for entry in found[role]:
            ends.add_row(role[:-1], *(escape(str(text)) for text in entry.values()))
    rest = {
        key.replace("_", " "): found[key]
        for key in ("nodes", "parameters", "constants", "constant_bytes", "ir_version")
    }
    rest["opsets"] = [f"{domain or 'ai.onnx'} {version}" for domain, version in found["opsets"].items()]
    for key in ("unknown_operators", "undetermined", "metadata"):
        if found[key]:
            rest[key.replace("_", " ")] = list(found[key])
    tables = [ends, pairs_table("Model", rest), pairs_table("Operators", found["operators"])]
    return [*tables, pairs_table("Data types of tensors", found["datatypes"])]


def ranges_table(found: Mapping[str, Any]) -> Table:
    """found: {tensor: (least, greatest)}, of vectors with an entry per channel the least and the greatest of all."""
    table = Table("tensor", "least", "greatest", "channels", title="Ranges")
    for tensor, (low, high) in found.items():
        channels = np.size(low)
        _row(
            table, tensor, _text(float(np.min(low))), _text(float(np.max(high))), f"{channels}" if channels > 1 else ""
        )
    return table


def stuck_table(found: Mapping[str, Any]) -> Table:
    """found: {tensor: [(channel, its value), ...]}."""
    if not found:
        return _message("No channel is stuck")
    table = Table("tensor", "channel: value", title="Stuck channels")
    for tensor, entries in found.items():
        _row(table, tensor, _text([f"{channel}: {_text(value)}" for channel, value in entries]))
    return table


def cost_table(title: str, costs: Mapping[str, Mapping[str, Any]]) -> Table:
    keys = ("total_macs", "total_bops", "total_mem_w_bits", "total_mem_o_bits")
    table = Table("", "MACs", "bit operations", "weight bits", "output bits", title=title.replace("_", " "))
    for name, entry in costs.items():
        _row(table, name, *(_text(entry.get(key, 0)) for key in keys))
    return table


def integer_ranges(model: ModelWrapper, name: str) -> tuple[dict[str, Any], list[Table]]:
    """Scaled integers, accumulators and notes of the tensors whose name contains `name`, as data and as tables."""
    from finn.analysis.scaled_integers import scaled_integers

    analysed = scaled_integers(model)
    found: dict[str, Any] = {"tensors": {}, "accumulators": {}}
    tensors = Table("tensor", "integers", "data type", "scale", title="Scaled integers")
    for tensor, entry in analysed.tensors.items():
        if name in tensor and entry.integers is not None and entry.scale is not None:
            span, datatype = entry.integers.span, str(entry.datatype)
            found["tensors"][tensor] = dict(scale=entry.scale, bias=entry.bias, integers=span, datatype=datatype)
            low, high = float(entry.scale.min()), float(entry.scale.max())
            shown = f"{low:.6g}" + (f" ... {high:.6g}" if low != high else "")
            _row(tensors, tensor, f"{span[0]} ... {span[1]}", datatype, shown)
    sums = Table("output", "integers", "data type", "node", title="Accumulators")
    for tensor, sum_ in analysed.accumulators.items():
        if name in tensor:
            span, datatype = sum_.integers.span, str(sum_.datatype)
            found["accumulators"][tensor] = dict(node=sum_.node, integers=span, datatype=datatype)
            _row(sums, tensor, f"{span[0]} ... {span[1]}", datatype, sum_.node)
    found["notes"] = [str(note) for note in (*analysed.notes, *analysed.losses)]
    tables = [tensors, sums]
    if found["notes"]:
        tables.append(pairs_table("Notes", {str(i): note for i, note in enumerate(found["notes"], 1)}))
    return found, tables


def _row(table: Table, *texts: str) -> None:
    """Add a row, as long as the table is not too long; then say where the rest is."""
    if table.row_count < _ROWS:
        table.add_row(*map(escape, texts))
    elif table.row_count == _ROWS:
        table.add_row("...", "--json has all")


def diff_tables(found: Mapping[str, Any]) -> list[Table]:
    """Of `structural_diff` and `numerical_diff`."""
    tables = []
    for kind, entries in found["structure"].items():
        table = Table(title=kind.replace("_", " "), show_header=False)
        listed = entries if isinstance(entries, dict) else dict.fromkeys(entries, "")
        for name, change in listed.items():
            _row(table, str(name), _change(change))
        tables.append(table)
    if not found["structure"]:
        tables.append(_message("The models are the same"))
    if "execution" in found:
        table = Table("output", "equal", "different elements", "greatest difference", title="On random inputs")
        for name, entry in found["execution"].items():
            of = f"{entry.get('different_elements', '-')} of {entry.get('elements', '-')}"
            table.add_row(escape(name), str(entry["equal"]), of, _text(entry.get("max_abs_difference", "-")))
        tables.append(table)
    return tables


def _message(text: str) -> Table:
    """A sentence; a table without columns would show nothing."""
    table = Table(show_header=False)
    table.add_row(text)
    return table


def _change(change: Any) -> str:
    """A pair as "before -> after"."""
    if isinstance(change, tuple):
        return " -> ".join("-" if side is None else _text(side) for side in change)
    return "; ".join(change) if isinstance(change, list) else _text(change)
