"""Where integers begin and end: inputs and outputs of the graph, and the fates of nodes that no rule has told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, ValueInfoProto

from finn.analysis.ranges import Range
from finn.core.data_layout import is_channels_last
from finn.core.datatype import BaseDataType, DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.streamline.options import InputFormat
from finn.transformation.streamline.propagation import Propagation, Silent, title
from finn.transformation.streamline.report import Diagnostic, Fate, Refused, StreamlineReport, TensorFact
from finn.transformation.streamline.values import Broken, Scaled, Shape, Source, Value, compact, with_rank

Array = npt.NDArray[Any]
SMALL: dict[int, str] = {
    TensorProto.UINT8: "UINT8", TensorProto.INT8: "INT8", TensorProto.UINT16: "UINT16", TensorProto.INT16: "INT16",
}  # fmt: skip
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.UNDEFINED)


def begin(p: Propagation) -> None:
    """The values of the graph inputs."""
    unknown = [name for name in p.options.inputs if name and name not in {i.name for i in p.model.graph.input}]
    if unknown:
        raise FinnError(
            f"the options give a format for the input '{unknown[0]}', which the graph does not have",
            remedy=f"its inputs are {', '.join(i.name for i in p.model.graph.input)}",
        )
    for graph_input in p.model.graph.input:
        if graph_input.name not in p.initializers:
            try:
                p.values[graph_input.name] = _input(p, graph_input)
            except Refused as refusal:
                p.refuse(refusal)
                p.values[graph_input.name] = Broken()


def _input(p: Propagation, info: ValueInfoProto) -> Value:
    """A graph input: integer if its type, its annotation or the options say so, else float."""
    name, shape, elem = info.name, _static_shape(p, info), info.type.tensor_type.elem_type
    datatype = p.model.get_tensor_datatype(name)
    if elem in SMALL and not datatype.is_integer():
        datatype = DataType[SMALL[elem]]
    p.graph.shapes[name] = shape
    given = p.options.inputs.get(name, p.options.inputs.get("") if elem in FLOATS else None)
    if given is not None and not datatype.is_integer():
        return _formatted(p, name, shape, given)
    if not datatype.is_integer() and elem in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
        return Scaled(Source(p.graph.node("Cast", [name], f"{name}_float", shape, to=TensorProto.FLOAT), shape))
    if not datatype.is_integer() or elem in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL):
        return Scaled(Source(name, shape))
    bounds = Range.of(datatype)
    p.graph.datatypes[name] = datatype
    if elem in FLOATS:
        return Scaled(Source(name, shape, bounds))
    cast = p.graph.integers("Cast", [name], f"{name}_integers", shape, bounds, datatype=datatype, to=TensorProto.FLOAT)
    return Scaled(cast)


def _static_shape(p: Propagation, info: ValueInfoProto) -> Shape:
    kind, name = info.type.tensor_type, info.name
    shape = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    if shape[:1] == [None]:
        note = "the batch size is dynamic; it was set to 1"
        p.report.diagnostics.append(Diagnostic("", name, note, fatal=False))
        shape[0] = 1
    known = tuple(d for d in shape if d is not None)
    if not kind.HasField("shape") or len(known) < len(shape):
        raise Refused("the shape of the graph input is not static", "export with a fixed shape", tensor=name)
    if 0 in known:
        raise Refused(f"the graph input has shape {known}, with no elements", "export a real shape", tensor=name)
    return known


def _formatted(p: Propagation, name: str, shape: Shape, given: InputFormat) -> Scaled:
    """The float input x as integers k: x == (k * scale - mean) / std."""
    datatype = _datatype(name, given)
    scale, mean, std = (_per_channel(p, name, shape, c) for c in (given.scale, given.mean, given.std))
    if not (np.isfinite(scale).all() and np.isfinite(mean).all() and np.isfinite(std).all() and (std != 0).all()):
        raise FinnError(f"the format of input '{name}' is not finite", remedy="give finite numbers, and std != 0")
    p.graph.datatypes[name] = datatype
    p.graph.formats[name] = datatype
    return Scaled(Source(name, shape, Range.of(datatype)), scale / std, -mean / std)


def _datatype(name: str, given: InputFormat) -> BaseDataType:
    datatype = DataType[given.datatype]
    if not datatype.is_integer():
        raise FinnError(
            f"the format of input '{name}' has datatype {given.datatype}, which is no integer", remedy="use e.g. UINT8"
        )
    return datatype


def _per_channel(p: Propagation, name: str, shape: Shape, numbers: float | tuple[float, ...]) -> Array:
    c = np.asarray(numbers, np.float64)
    if c.size == 1:
        return c.reshape(())
    layout = p.model.get_tensor_layout(name) or []
    axis = len(shape) - 1 if len(shape) < 3 or (len(layout) == len(shape) and is_channels_last(layout)) else 1
    if c.ndim != 1 or shape[axis] != c.size:
        raise FinnError(
            f"the format of input '{name}' has {c.size} numbers for {shape[axis]} channels",
            where=f"input '{name}' of shape {list(shape)}",
            remedy="give one number, or one per channel",
        )
    return c.reshape(-1, *[1] * (len(shape) - 1 - axis))


def finish(p: Propagation) -> None:
    """Connect the graph outputs, and say what became of every node."""
    for output in p.model.graph.output:
        try:
            p.graph.export(_output(p, output.name), output.name)
        except Silent:
            if any(d.fatal for d in p.report.diagnostics):
                continue  # it follows from that
            reason = "what computes this output cannot be followed"
            p.refuse(Refused(reason, "look at the other problems, or compute it otherwise", tensor=output.name))
        except Refused as refusal:
            p.refuse(refusal)
    p.report.tensors.update(_facts(p))


def _facts(p: Propagation) -> dict[str, TensorFact]:
    """Of every original tensor that is a scaled integer."""
    found = {}
    for name, value in p.values.items():
        x = value.collapsed() if isinstance(value, Scaled) else None
        if x is not None and x.source.range is not None and not name.endswith(" before"):
            x = x if name in p.outer else _as_computed(p, x)  # an output is told in its own layout
            scale, bias = (compact(np.asarray(c, np.float64)) for c in (x.scale, x.bias))
            bounds = x.source.bounds
            integers = p.graph.renamed.get(x.source.name, x.source.name)
            found[name] = TensorFact(integers, scale, bias, bounds.low, bounds.high, p.datatype(x.source))
    return found


def _as_computed(p: Propagation, x: Scaled) -> Scaled:
    """The same value by the tensor that the graph computes in the end: not transposed, with the last weights."""
    if x.source.name in p.graph.transposed:
        origin, perm = p.graph.transposed[x.source.name]
        back = [int(a) for a in np.argsort(perm)]
        x = x.moved(origin, lambda c: compact(with_rank(c, len(perm)).transpose(back)))
    if x.source.name in p.graph.superseded:
        source, signs = p.graph.superseded[x.source.name]
        x = replace(x, source=source, scale=x.scale * signs)
    return x


def keep_living_facts(report: StreamlineReport, model: ModelWrapper) -> None:
    """Forget what the new graph does not compute."""
    living = {name for node in model.graph.node for name in node.output} | {i.name for i in model.graph.input}
    report.tensors = {name: fact for name, fact in report.tensors.items() if fact.integers in living}


def _output(p: Propagation, name: str) -> str:
    if p.options.dequantize or p.is_constant(name):
        return p.tensor(name)
    x = p.activation(name)
    collapsed = x.collapsed()
    if collapsed is None or x.source.range is None:
        return p.tensor(name)
    for step in x.tail.steps:
        p.became(step.node, "folded", f"scale and bias of {name}, which the graph does not compute", x.source.name)
    p.values[name] = collapsed
    return collapsed.source.name


def tell_others(p: Propagation, original: ModelWrapper) -> None:
    """Fates of nodes of the original graph that changed their name, were constant, or that nobody reads."""
    by_name: dict[str, Fate] = {}
    for node in p.model.graph.node:
        fate = p.report.nodes.get(title(node))
        if fate is not None:
            by_name |= dict.fromkeys((node.name, *node.output), fate)
    constant, nodes = {t.name for t in original.graph.initializer}, {}
    for node in original.graph.node:
        if node.op_type == "Constant" or (node.input and all(not n or n in constant for n in node.input)):
            constant.update(node.output)
    readers: dict[str, NodeProto] = {}
    made = _by_origin(p)
    for node in reversed(original.graph.node):  # readers first
        known = [by_name[name] for name in (node.name, *node.output) if name in by_name]
        if known:
            nodes[title(node)] = _current(p, known[0])
        else:
            following = [readers[o] for o in node.output if o in readers]
            nodes[title(node)] = _untold(node, constant, following, nodes, made)
        readers |= dict.fromkeys(node.input, node)
    p.report.nodes = dict(reversed(nodes.items()))
    _name_tensors_as_before(p, original)


def _name_tensors_as_before(p: Propagation, original: ModelWrapper) -> None:
    """Facts of tensors whose layout was changed stand under the names that they had."""
    makers = {output: node.op_type for node in original.graph.node for output in node.output}
    makers |= {info.name: "" for info in original.graph.input}
    tensors = p.report.tensors
    for now in list(tensors):
        before, _, moved = now.rpartition("_")
        before = before.removesuffix("_channels") if moved == "last" else before
        if before in makers and before not in tensors and (moved == "last" or makers[before] == moved):
            tensors[before] = tensors.pop(now)


def _by_origin(p: Propagation) -> dict[str, str]:
    """The first integer tensor whose name was made from that of an original one, by the original name."""
    made: dict[str, str] = {}
    computed = [o for node in reversed(p.graph.nodes) for o in node.output if o in p.graph.integer_nodes]
    for tensor in computed:
        parts = tensor.split("_")
        made |= {"_".join(parts[:n]): tensor for n in range(1, len(parts))}
    return made


def _untold(
    node: NodeProto, constant: set[str], following: list[NodeProto], nodes: dict[str, Fate], made: dict[str, str]
) -> Fate:
    """Of a node that no rule met: it is constant, was merged with what follows, or does not matter."""
    if all(output in constant for output in node.output):
        reader = f" of {title(following[0])}" if following else ""
        return Fate("folded", f"constant input{reader}", nodes[title(following[0])].tensors if following else ())
    for tensor in [made[o] for o in node.output if o in made][:1]:
        return Fate("integer", f"{node.op_type} {tensor}", (tensor,))
    if not following:
        return Fate("dropped", "nobody reads what it computes")
    fate, next_one = nodes[title(following[0])], title(following[0])
    if fate.kind == "host":
        return Fate("host", f"part of {next_one}", fate.tensors, f"{next_one} stays on the host", fate.remedy)
    return Fate("folded" if fate.kind == "integer" else fate.kind, f"part of {next_one}", fate.tensors)


def _current(p: Propagation, fate: Fate) -> Fate:
    """The fate with the names that the tensors have in the end."""
    text, tensors = fate.text, fate.tensors
    for made in ({old: new.name for old, (new, _) in p.graph.superseded.items()}, p.graph.renamed):
        for name in tensors:
            text = " ".join(made.get(word, word) for word in text.split(" "))
            tensors = tuple(made.get(t, t) if t == name else t for t in tensors)
    return replace(fate, text=text, tensors=tensors)
