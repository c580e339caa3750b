"""The explanation: what becomes of every node of a network, why not more of it, and what to change.

    explanation = explain(model)
    print(explanation.problems)

It is made in two parts: `of_streamlining` says what became integer, `with_layers` which hardware layers that became.
A build makes both parts in its steps; `explain` makes them for a model as it was exported.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from finn.analysis.inference_cost import inference_cost
from finn.core.errors import ConfigError, FinnError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.dataflow.graph import DOMAIN, DataflowError, is_layer, is_reshape
from finn.dataflow.lowering import LoweringReport, lower, staying
from finn.transformation.streamline import (
    Diagnostic,
    Fate,
    StreamlineError,
    StreamlineOptions,
    StreamlineReport,
    TensorFact,
    streamline,
)
from finn.transformation.streamline.propagation import title
from finn.util.cleanup import cleanup_model
from finn.util.inference_cost import compute_bops_and_macs, compute_mem_bits_and_elems

FORMAT = 1
"""Version of the JSON form. New fields may come; those that are there keep their meaning."""


class Became(str, Enum):
    """What became of a node."""

    LAYER = "layer"
    """Hardware: it is computed by `layers`, the last of which gives its result."""
    INTEGER = "integer"
    """Integer arithmetic for which there is no hardware layer; `reason` says why."""
    FOLDED = "folded"
    """Part of the scale, the thresholds or the weights of something else, of `layers` if that became hardware."""
    CONSTANT = "constant"
    """Computed once, by the compiler."""
    DROPPED = "dropped"
    """It changes nothing, or nobody reads what it changes."""
    HOST = "host"
    """Floating-point arithmetic beside the accelerator; `reason` says why, if it stands where hardware could."""
    REFUSED = "refused"
    """Neither integer nor float: the network is damaged here, or nothing of it is quantized."""
    UNDETERMINED = "undetermined"
    """Not known, because the network is refused for another node."""


@dataclass(frozen=True)
class NodeEntry:
    """A node of the network. tensors : what computes it in the integer graph; layers : names of the hardware layers."""

    node: str
    operator: str
    became: Became
    text: str
    layers: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Numbers:
    """An array that broadcasts to its tensor. values : in row-major order, one if they are all the same."""

    least: float
    greatest: float
    shape: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Integers:
    """Bounds of integers. low, high : of the whole tensor; lows, highs : one each, or one per channel (last axis)."""

    low: int
    high: int
    lows: tuple[int, ...]
    highs: tuple[int, ...]


@dataclass(frozen=True)
class TensorEntry:
    """The tensor `tensor` of the network is scale * q + bias with integers q in `range`.

    integers : name of q in the integer graph; "" if that computes something else in its place. Of channels that are
    removed from q (`Removed`) nothing is said.
    """

    tensor: str
    integers: str
    datatype: str
    range: Integers
    scale: Numbers
    bias: Numbers


@dataclass(frozen=True)
class Removed:
    """Channels of a tensor of the integer graph that are not computed any more, and why: constant, duplicate, dead.

    channels : their numbers among the `total` that there were; text : the reason in words.
    """

    tensor: str
    channels: tuple[int, ...]
    total: int
    why: str
    text: str


@dataclass(frozen=True)
class Note:
    """Something that keeps the network from being built (`Explanation.problems`), or that was decided for the user.

    nodes : of the network, if it is about some of them.
    """

    what: str
    where: str = ""
    why: str = ""
    remedy: str = ""
    nodes: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: FinnError) -> Note:
        return cls(error.what, error.where, error.why, error.remedy)


@dataclass(frozen=True)
class Totals:
    """Of the integer graph, per inference. integer_macs : those of `macs` whose factors are both integers.

    weights, weight_bits : constants that are multiplied; bops : bit operations, the products of the factors' bits.
    """

    macs: int
    integer_macs: int
    bops: int
    weights: int
    weight_bits: int


@dataclass(frozen=True)
class Explanation:
    """What becomes of a network. nodes, tensors : of the cleaned-up graph, in its order.

    passes : how often each rule did something; removed : channels that were not needed, in the order of removal;
    problems : why a build cannot take the network, empty if it can.
    """

    nodes: tuple[NodeEntry, ...] = ()
    tensors: tuple[TensorEntry, ...] = ()
    passes: Mapping[str, int] = field(default_factory=dict)
    removed: tuple[Removed, ...] = ()
    notes: tuple[Note, ...] = ()
    problems: tuple[Note, ...] = ()
    totals: Totals | None = None
    format: int = FORMAT

    def to_json(self) -> str:
        """The JSON form; `from_json` reads it, `json_schema` describes it."""
        return json.dumps(_plain(asdict(self)), indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Explanation:
        """ConfigError if the text is no explanation."""
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(Explanation).validate_json(text)
        except ValidationError as error:
            why = str(error).splitlines()[0]
            raise ConfigError("not an explanation", why=why, remedy="write it by `finn explain --json`") from error

    def reasons(self, nodes: Collection[str] = ()) -> list[Reason]:
        """Why nodes are no layers, each reason once, in the order of the nodes. nodes : only of these, if any."""
        groups: dict[tuple[str, str], list[str]] = {}
        for n in self.nodes:
            if n.reason and n.became is not Became.LAYER and (not nodes or n.node in nodes):
                groups.setdefault((n.reason, n.remedy), []).append(n.node)
        return [Reason(_listed(names), reason, remedy) for (reason, remedy), names in groups.items()]


@dataclass(frozen=True)
class Reason:
    """Why some nodes are no layers. nodes : their names as text; of many, the first ones and how many there are."""

    nodes: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.nodes}: {self.reason}" + (f"; {self.remedy}" if self.remedy else "")


def json_schema() -> str:
    """The JSON schema of an explanation."""
    from pydantic import TypeAdapter

    return json.dumps(TypeAdapter(Explanation).json_schema(), indent=2) + "\n"


def explain(
    model: ModelWrapper, options: StreamlineOptions | None = None, *, standalone_thresholds: bool = False
) -> Explanation:
    """What a build would make of a model in any dialect, which stays as it is.

    What keeps a build from it is in `problems`. Raises FinnError if the model cannot even be cleaned up.
    """
    open_batch = _has_open_batch(model)
    clean = cleanup_model(model, override_inpsize=1 if open_batch else None)
    found = _explained(model, clean, options or StreamlineOptions(), standalone_thresholds)
    return replace(found, notes=(BATCH_OF_ONE, *found.notes)) if open_batch else found


BATCH_OF_ONE = Note("the batch size is open", why="this is for a batch of 1")


def _has_open_batch(model: ModelWrapper) -> bool:
    """Whether the first axis of the first input, and only that, has no fixed size."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    sizes = [d.dim_value if d.HasField("dim_value") else None for v in inputs[:1] for d in v.type.tensor_type.shape.dim]
    return sizes[:1] == [None] and None not in sizes[1:]


def _explained(
    model: ModelWrapper, clean: ModelWrapper, options: StreamlineOptions, standalone_thresholds: bool
) -> Explanation:
    work = copy.deepcopy(clean)
    try:
        report = streamline(work, renamed_inputs(options, input_names(model, clean), clean))
    except StreamlineError as error:
        return of_refusal(clean, error.diagnostics)
    found = of_streamlining(clean, work, report)
    before = links(work)
    return with_layers(found, before, work, _lowered(work, standalone_thresholds))


def input_names(model: ModelWrapper, clean: ModelWrapper) -> dict[str, str]:
    """Name of each input of a model -> its name after the clean-up."""
    constants = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in constants]
    return dict(zip(names, (value.name for value in clean.graph.input), strict=True))


def renamed_inputs(options: StreamlineOptions, names: Mapping[str, str], clean: ModelWrapper) -> StreamlineOptions:
    """The options for `clean`, whose inputs may have other names now. names : what `input_names` gives.

    Raises ConfigError for the format of an input that is not there or has integers already.
    """
    now = {value.name: value.name for value in clean.graph.input} | dict(names)
    for name in filter(None, options.inputs):
        if name not in now:
            remedy = nearest(name, list(names) or list(now))
            raise ConfigError(f"there is no input {name!r} to give a format", where="input formats", remedy=remedy)
        datatype = clean.get_tensor_datatype(now[name])
        if datatype.is_integer():
            raise ConfigError(
                f"the input {name!r} has a format, and is {datatype.name} already",
                where="input formats",
                remedy="remove the format, or the data type of the input",
            )
    return replace(options, inputs={now.get(name, name): given for name, given in options.inputs.items()})


def _lowered(model: ModelWrapper, standalone_thresholds: bool) -> LoweringReport:
    """Lower in place, though nothing becomes a layer."""
    try:
        return lower(model, standalone_thresholds)
    except DataflowError:
        return LoweringReport(Counter(), staying(model))


def of_streamlining(original: ModelWrapper, integer: ModelWrapper, report: StreamlineReport) -> Explanation:
    """The part about integers. original : the graph that was streamlined; integer : what it became."""
    nodes = _node_entries(original, integer, report)
    names = [*(value.name for value in original.graph.input), *(t for n in original.graph.node for t in n.output)]
    facts = {name: report.tensors[name] for name in names if name in report.tensors}
    there = {value.name for value in integer.graph.input} | {t for n in integer.graph.node for t in n.output}
    broken = {name for name, f in facts.items() if not (np.isfinite(f.scale).all() and np.isfinite(f.bias).all())}
    return Explanation(
        nodes=nodes,
        tensors=tuple(_tensor_entry(name, fact, there) for name, fact in facts.items() if name not in broken),
        passes=dict(report.passes),
        removed=tuple(
            Removed(r.tensor, r.channels, r.total, r.why.name.lower(), f"they {r.why.value}") for r in report.removals
        ),
        notes=(
            *(Note(d.reason, _place(d), remedy=d.remedy) for d in report.diagnostics),
            *(Note(NOT_FINITE, f"tensor {name}", remedy=LOOK) for name in facts if name in broken),
        ),
        totals=_totals(integer),
    )


NOT_FINITE = "its scale or bias is NaN or infinite"
LOOK = "check the training and the export: a BatchNormalization of variance 0 makes such numbers"


def of_refusal(original: ModelWrapper, diagnostics: Sequence[Diagnostic]) -> Explanation:
    """Of a network that cannot be streamlined at all."""
    refused = {d.node: d for d in diagnostics if d.node}
    whole = next((d for d in diagnostics if not d.node), None)
    nodes = []
    for node in original.graph.node:
        d = refused.get(title(node)) or refused.get(describe(node), whole)
        became, text = (Became.REFUSED, "refused") if d else (Became.UNDETERMINED, "the network is refused before it")
        entry = NodeEntry(title(node), node.op_type, became, text)
        nodes.append(replace(entry, reason=d.reason, remedy=d.remedy) if d else entry)
    problems = [Note(d.reason, _place(d), remedy=d.remedy) for d in diagnostics]
    return Explanation(nodes=tuple(nodes), problems=tuple(problems))


Links = Mapping[str, tuple[str, ...]]


def links(model: ModelWrapper) -> Links:
    """Tensor -> the tensors that are computed from it directly."""
    found: dict[str, list[str]] = {}
    for node in model.graph.node:
        for name in filter(None, node.input):
            found.setdefault(name, []).extend(filter(None, node.output))
    return {name: tuple(outputs) for name, outputs in found.items()}


def with_layers(explanation: Explanation, before: Links, lowered: ModelWrapper, report: LoweringReport) -> Explanation:
    """`explanation` with the part about layers. before : `links` of the integer graph; lowered : what it became."""
    homes = _Homes(before, lowered, {tensor for n in explanation.nodes for tensor in n.tensors})
    nodes = tuple(_with_layers(n, homes, report) for n in explanation.nodes)
    problem, between = cut_problem(lowered), between_layers(lowered, nodes)
    if problem is None and between is None:  # integers at the ends, beside the accelerator, are in nobody's way
        nodes = tuple(replace(n, remedy="") if n.became is Became.INTEGER else n for n in nodes)
    return replace(
        explanation,
        nodes=nodes,
        passes={**explanation.passes, **{f"lowering: {rule}": count for rule, count in report.fired.items()}},
        notes=(*explanation.notes, *((between,) if between else ())),
        problems=explanation.problems or ((problem,) if problem else ()),
    )


class _Homes:
    """Where the tensors of the integer graph are computed after lowering. A layer may compute several.

    told : those that nodes of the network tell of.
    """

    def __init__(self, before: Links, lowered: ModelWrapper, told: set[str]) -> None:
        self.before, self.lowered, self.told = before, lowered, told
        made = {name for names in before.values() for name in names}
        self.producers = {name: node for node in lowered.graph.node for name in node.output}
        self.sources: dict[str, list[str]] = {}  # of what was computed: the operands that were computed themselves
        for name in made.intersection(before):
            for output in before[name]:
                self.sources.setdefault(output, []).append(name)
        self.behind: set[str] = set()  # tensors that depend on integers that the graph computes
        for node in lowered.graph.node:
            if _is_integer(lowered, node) or self.behind.intersection(node.input):
                self.behind.update(node.output)

    def of(self, tensor: str) -> NodeProto | None:
        """The node that computes it, or the one that computes what was computed from it."""
        seen, waiting = {tensor}, [tensor]
        while waiting:
            name = waiting.pop(0)
            if name in self.producers:
                return self.producers[name]
            later = [t for t in self.before.get(name, ()) if t not in seen]
            seen.update(later)
            waiting += later
        return None

    def helpers(self, tensor: str) -> list[NodeProto]:
        """The layers that prepare its home's inputs, and of which nothing else tells; those at the inputs come first.

        None if the same layer computes an operand of it, too: then they belong to that.
        """
        home = self.of(tensor)
        if home is None or any(self.of(name) is home for name in self.sources.get(tensor, ())):
            return []
        found: list[NodeProto] = []
        waiting = [home]
        while waiting:
            node = waiting.pop()
            new = [self.producers[name] for name in node.input if name not in self.told and name in self.producers]
            new = [n for n in new if not self.told.intersection(n.output) and n not in found]
            found += new
            waiting += new
        return found[::-1]

    def on_floats(self, node: NodeProto) -> tuple[str, str] | None:
        """(reason, remedy) if it makes integers from floats, which is the host's work."""
        if _is_integer(self.lowered, node):
            return None
        if self.behind.intersection(node.input):
            return "it quantizes what the host computes", "see why the nodes in front of it stay on the host"
        return "it quantizes a float input", GIVE_FORMAT


GIVE_FORMAT = "to let the accelerator do it, say which integers the input is made of (--input-format, input_formats)"
NO_LAYER = "use operators that have a hardware layer, or end the network in front of it"


def _with_layers(entry: NodeEntry, homes: _Homes, report: LoweringReport) -> NodeEntry:
    nodes = {node.name: node for tensor in entry.tensors if (node := homes.of(tensor)) is not None}
    hardware = tuple(name for name, node in nodes.items() if is_layer(node))
    if entry.became is Became.FOLDED:
        return replace(entry, layers=hardware)
    if entry.became is not Became.INTEGER or not nodes:
        return entry
    if hardware:
        helpers = (node for tensor in entry.tensors for node in homes.helpers(tensor) if is_layer(node))
        return replace(entry, became=Became.LAYER, layers=tuple(dict.fromkeys((*(n.name for n in helpers), *hardware))))
    name, node = next(iter(nodes.items()))
    if is_reshape(node):
        return replace(entry, became=Became.DROPPED, text="the stream stays as it is")
    floats = homes.on_floats(node)
    if floats is not None:
        return replace(entry, became=Became.HOST, text="quantizes", reason=floats[0], remedy=floats[1])
    return replace(entry, reason=report.host.get(name, ""), remedy=NO_LAYER)


def cut_problem(lowered: ModelWrapper) -> Note | None:
    """Why the layers of a graph are no accelerator."""
    if not any(node.domain == DOMAIN for node in lowered.graph.node):
        return Note("no part of the network becomes hardware", remedy=SEE)
    return None


SEE = "change the nodes as their reasons say"


def between_layers(lowered: ModelWrapper, nodes: Sequence[NodeEntry]) -> Note | None:
    """That the host computes between layers, if it does, in terms of the network. nodes : of the network."""
    between = islands(lowered, lambda node: node.domain == DOMAIN)
    if not between:
        return None
    made = {output for node in between for output in node.output}
    mine = tuple(n.node for n in nodes if n.became in (Became.HOST, Became.INTEGER) and made.intersection(n.tensors))
    return Note(
        f"the host computes between layers: {_listed(mine or [title(node) for node in between])}",
        why="the layers in front of it and behind it are two accelerators, and frames go to the host in between",
        remedy=f"if that is too slow, {SEE}",
        nodes=mine,
    )


def islands(model: ModelWrapper, inside: Callable[[NodeProto], bool]) -> list[NodeProto]:
    """The nodes that are not inside, but between nodes that are: behind one and in front of another."""
    nodes = [(node, inside(node)) for node in model.graph.node]
    behind: set[str] = set()
    for node, is_inside in nodes:
        if is_inside or behind.intersection(node.input):
            behind.update(node.output)
    before: set[str] = set()
    found = []
    for node, is_inside in reversed(nodes):
        needed = bool(before.intersection(node.output))
        if is_inside or needed:
            before.update(node.input)
        if needed and not is_inside and behind.intersection(node.input):
            found.append(node)
    return found[::-1]


def _is_integer(model: ModelWrapper, node: NodeProto) -> bool:
    """Whether it computes integers from integers."""
    read = [name for name in node.input if name and not model.has_initializer(name)]
    return all(model.get_tensor_datatype(name).is_integer() for name in (*read, *filter(None, node.output[:1])))


def _node_entries(original: ModelWrapper, integer: ModelWrapper, report: StreamlineReport) -> tuple[NodeEntry, ...]:
    """The nodes with their fates. Those that no tensor of the integer graph tells of go with what reads them."""
    there = {name: node for node in integer.graph.node for name in node.output}
    made: dict[str, tuple[str, ...]] = {}  # of original tensors: what is computed from them
    entries = []
    for node in reversed(original.graph.node):
        fate = report.nodes.get(title(node), UNTOLD)
        facts = [report.tensors[name].integers for name in node.output if name in report.tensors]
        readers = [name for output in node.output for name in made.get(output, ())]
        told = ([name for name in names if name in there] for names in (fate.tensors, facts, readers))
        tensors = tuple(dict.fromkeys(next(filter(None, told), [])))
        for name in filter(None, node.input):
            made[name] = (*made.get(name, ()), *tensors)
        kind, text = Became(fate.kind), fate.text
        floats = not all(_is_integer(integer, there[name]) for name in tensors)
        if kind is Became.INTEGER and not fate.tensors and not facts and (floats or not tensors):
            kind, text, tensors = Became.HOST, "moves floats", ()
        entries.append(NodeEntry(title(node), node.op_type, kind, text, (), tensors, fate.reason, fate.remedy))
    return tuple(entries[::-1])


UNTOLD = Fate(Became.UNDETERMINED.value, "streamlining does not tell")


def _tensor_entry(name: str, fact: TensorFact, there: Collection[str]) -> TensorEntry:
    low, high = np.broadcast_arrays(np.atleast_1d(fact.low), np.atleast_1d(fact.high))
    bounds = Integers(int(low.min()), int(high.max()), _shortest(low), _shortest(high))
    integers = fact.integers if fact.integers in there else ""
    return TensorEntry(name, integers, fact.datatype.name, bounds, _numbers(fact.scale), _numbers(fact.bias))


def _shortest(a: npt.NDArray[np.int64]) -> tuple[int, ...]:
    flat = a.reshape(-1)
    return tuple(int(v) for v in (flat[:1] if (flat == flat[0]).all() else flat))


def _numbers(a: npt.NDArray[np.float64]) -> Numbers:
    flat = np.asarray(a, np.float64).reshape(-1)
    same = bool((flat == flat[0]).all())
    shape = () if same else tuple(int(d) for d in a.shape)
    return Numbers(float(flat.min()), float(flat.max()), shape, tuple(float(v) for v in (flat[:1] if same else flat)))


def _totals(integer: ModelWrapper) -> Totals | None:
    """None if the shapes do not tell."""
    try:
        cost = inference_cost(integer, discount_sparsity=False)["total_cost"]
    except FinnError:
        return None
    bops, macs = compute_bops_and_macs(cost)
    bits, weights = compute_mem_bits_and_elems(cost, "mem_w")
    whole = sum(count for key, count in cost.items() if key.startswith("op_mac_") and "FLOAT" not in key)
    return Totals(int(macs), int(whole), int(bops), int(weights), int(bits))


def _place(d: Diagnostic) -> str:
    return ", ".join(filter(None, (d.node, d.tensor and f"tensor {d.tensor}")))


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _plain(value: Any) -> Any:
    """The value for JSON: members of an Enum as text."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value.value if isinstance(value, Enum) else value
