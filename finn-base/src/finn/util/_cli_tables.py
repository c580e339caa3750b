"""Results of the command `finn-base` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

_ROWS = 40
"""Tables longer than this are cut on the screen; --json has everything."""


def pairs_table(title: str, found: Mapping[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    for key, value in list(found.items())[:_ROWS]:
        table.add_row(escape(str(key)), escape(_text(value)))
    if len(found) > _ROWS:
        table.add_row(f"... and {len(found) - _ROWS} more", "--json has all")
    return table


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
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


def cost_table(title: str, costs: Mapping[str, Mapping[str, Any]]) -> Table:
    keys = ("total_macs", "total_bops", "total_mem_w_bits", "total_mem_o_bits")
    table = Table("", "MACs", "bit operations", "weight bits", "output bits", title=title.replace("_", " "))
    for name, entry in list(costs.items())[:_ROWS]:
        table.add_row(escape(name), *(_text(entry.get(key, 0)) for key in keys))
    return table


def integer_ranges(model: ModelWrapper, name: str) -> tuple[dict[str, Any], list[Table]]:
    from finn.analysis.scaled_integers import scaled_integers

    analysed = scaled_integers(model)
    tensors = {
        tensor: {
            "scale": entry.scale,
            "bias": entry.bias,
            "integers": entry.integers.span,
            "datatype": str(entry.datatype),
        }
        for tensor, entry in analysed.tensors.items()
        if name in tensor and entry.integers is not None
    }
    sums = {
        tensor: {"node": entry.node, "integers": entry.integers.span, "datatype": str(entry.datatype)}
        for tensor, entry in analysed.accumulators.items()
        if name in tensor
    }
    notes = [str(note) for note in (*analysed.notes, *analysed.losses)]
    table = Table("tensor", "integers", "data type", "scale", title="Scaled integers")
    for tensor, found in list(tensors.items())[:_ROWS]:
        scale = found["scale"]
        shown = f"{scale.min():.6g}" + (f" ... {scale.max():.6g}" if scale.min() != scale.max() else "")
        table.add_row(escape(tensor), "{} ... {}".format(*found["integers"]), found["datatype"], shown)
    accumulators = Table("output", "integers", "data type", "node", title="Accumulators")
    for tensor, entry in list(sums.items())[:_ROWS]:
        accumulators.add_row(escape(tensor), "{} ... {}".format(*entry["integers"]), entry["datatype"], entry["node"])
    tables = [table, accumulators, *([pairs_table("Notes", dict(enumerate(notes, 1)))] if notes else [])]
    return {"tensors": tensors, "accumulators": sums, "notes": notes}, tables


def diff_tables(found: Mapping[str, Any]) -> list[Table]:
    """Of `structural_diff` and `numerical_diff`."""
    tables = []
    for kind, entries in found["structure"].items():
        table = Table(title=kind.replace("_", " "), show_header=False)
        listed = entries if isinstance(entries, dict) else dict.fromkeys(entries, "")
        for name, change in list(listed.items())[:_ROWS]:
            table.add_row(escape(str(name)), escape(_change(change)))
        if len(entries) > _ROWS:
            table.add_row(f"... and {len(entries) - _ROWS} more", "--json has all")
        tables.append(table)
    if not found["structure"]:
        tables.append(Table(title="The models are the same", show_header=False))
    if "execution" in found:
        table = Table("output", "equal", "different elements", "greatest difference", title="On random inputs")
        for name, entry in found["execution"].items():
            of = f"{entry.get('different_elements', '-')} of {entry.get('elements', '-')}"
            table.add_row(escape(name), str(entry["equal"]), of, _text(entry.get("max_abs_difference", "-")))
        tables.append(table)
    return tables


def _change(change: Any) -> str:
    """A pair as "before -> after"."""
    if isinstance(change, tuple):
        return " -> ".join("-" if side is None else _text(side) for side in change)
    return "; ".join(change) if isinstance(change, list) else _text(change)
