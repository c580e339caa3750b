"""The explanation to be read: as tables on a terminal, as plain text for files and pipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finn.report.explanation import Became, Explanation, NodeEntry, Note, Numbers, Removed, TensorEntry, Totals

if TYPE_CHECKING:
    from rich.table import Table

Row = tuple[str, ...]

MOST_LAYERS = 6
"""So many are named of a node that became more, as a convolution of many groups does; the JSON has all."""


@dataclass(frozen=True)
class Section:
    """A table. Each row has as many texts as there are columns."""

    title: str
    columns: Row
    rows: tuple[Row, ...]

    def table(self) -> Table:
        """For rich: long texts are broken, none is cut off."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self.title, title_justify="left")
        for column in self.columns:
            table.add_column(column, overflow="fold")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def plain(self) -> str:
        """The title, and the columns side by side, two blanks apart."""
        rows = (self.columns, *self.rows)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([f"{self.title}:", *(f"  {line.rstrip()}" for line in lines)])


def fates(e: Explanation) -> str:
    """How many nodes became what."""
    counts = Counter(n.became for n in e.nodes)
    words = WORDS | ({Became.INTEGER: "integer"} if not any(n.layers for n in e.nodes) else {})
    return f"{len(e.nodes)} nodes: " + ", ".join(f"{counts[kind]} {words[kind]}" for kind in Became if counts[kind])


def headline(e: Explanation) -> list[str]:
    """What became of the whole: numbers, and whether a build takes it."""
    layers = list(dict.fromkeys(name for n in e.nodes for name in n.layers))
    lines = [fates(e)] if e.nodes else []
    if layers:
        kinds = Counter(name.rpartition("_")[0] for name in layers)
        lines.append(f"{len(layers)} layers: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    if e.totals is not None:
        lines.append(_totals(e.totals))
    return [*lines, "a build takes this network" if not e.problems else "a build does not take this network"]


WORDS = {
    Became.LAYER: "in hardware layers",
    Became.INTEGER: "integer without a layer",
    Became.FOLDED: "folded",
    Became.CONSTANT: "constant",
    Became.DROPPED: "dropped",
    Became.HOST: "on the host",
    Became.REFUSED: "refused",
    Became.UNDETERMINED: "undetermined",
}


def problem_lines(notes: tuple[Note, ...]) -> Iterator[str]:
    """What, where, why and the remedy of each, a line each."""
    for note in notes:
        yield note.what
        for head, text in (("where", note.where), ("why", note.why), ("remedy", note.remedy)):
            if text:
                yield f"  {head}: {text}"


def sections(e: Explanation) -> list[Section]:
    """Everything else, from the nodes to the passes; what is empty is left out."""
    found = [
        Section("Nodes", ("node", "became", "of layer", "how, or why not"), tuple(_node(n) for n in e.nodes)),
        Section("Why not", ("nodes", "reason", "remedy"), tuple((r.nodes, r.reason, r.remedy) for r in e.reasons())),
        Section("Removed channels", ("tensor", "channels", "because"), tuple(_removed(r) for r in e.removed)),
        Section(
            "Notes", ("where", "what", "why", "remedy"), tuple((n.where, n.what, n.why, n.remedy) for n in e.notes)
        ),
        Section(
            "Tensors: scale * q + bias, integers q",
            ("tensor", "q", "type", "scale", "bias"),
            tuple(_tensor(t) for t in e.tensors),
        ),
        Section("Passes", ("rule", "times"), tuple((rule, str(count)) for rule, count in e.passes.items())),
    ]
    return [section for section in found if section.rows]


def plain(e: Explanation) -> str:
    """All of it as text; no line is broken."""
    parts = ["\n".join([*headline(e), *problem_lines(e.problems)])]
    return "\n\n".join([*parts, *(section.plain() for section in sections(e))]) + "\n"


def _node(n: NodeEntry) -> Row:
    more = len(n.layers) - MOST_LAYERS
    layers = " ".join(n.layers[:MOST_LAYERS]) + (f" and {more} more" if more > 0 else "")
    return n.node, n.became.value, layers, n.reason or n.text


def _tensor(t: TensorEntry) -> Row:
    channels = max(len(t.range.lows), len(t.range.highs))
    low_high = f"{t.range.low} ... {t.range.high}" + (f" ({channels} channels)" if channels > 1 else "")
    return t.tensor, low_high, t.datatype, _numbers(t.scale), _numbers(t.bias)


def _removed(r: Removed) -> Row:
    listed = ", ".join(map(str, r.channels[:8])) + (", ..." if len(r.channels) > 8 else "")
    return r.tensor, f"{len(r.channels)} of {r.total}: {listed}", r.text


def _numbers(numbers: Numbers) -> str:
    if len(numbers.values) == 1:
        return f"{numbers.least:.6g}"
    return f"{numbers.least:.4g} ... {numbers.greatest:.4g}"


def _totals(totals: Totals) -> str:
    of_them = f", {totals.integer_macs:,} of them on integers" if totals.integer_macs < totals.macs else " on integers"
    return f"{totals.macs:,} multiply-accumulates{of_them}; {totals.weights:,} weights in {totals.weight_bits:,} bits"
