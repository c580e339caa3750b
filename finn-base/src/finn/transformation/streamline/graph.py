"""The integer graph under construction. The model is not touched before `commit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper

from finn.analysis.ranges import IntArray, Range
from finn.core.datatype import BaseDataType, DataType
from finn.core.domains import CHANNELS_LAST, GENERAL
from finn.core.index import reads
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.standard_ops import opset_of
from finn.transformation.streamline.report import Refused
from finn.transformation.streamline.values import Shape, Source, compact, moved_range, with_rank

Array = npt.NDArray[Any]

FLOAT32_EXACT = 2.0**24
"""All integers up to this magnitude, and their sums, are exact in float32."""

LAYOUTS = {3: "NWC", 4: "NHWC", 5: "NDHWC"}
"""The names of tensors with the channels last, by the number of their axes."""


@dataclass
class IntegerGraph:
    """Nodes, constants and annotations to be. Names in `taken` are not given to new tensors."""

    taken: set[str]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    datatypes: dict[str, BaseDataType] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    integer_nodes: set[str] = field(default_factory=set)  # by output
    outputs: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)  # tensors that became graph outputs
    kinds: dict[str, int] = field(default_factory=dict)  # ONNX element types of tensors on the host
    formats: dict[str, BaseDataType] = field(default_factory=dict)  # of float inputs that become integer ones
    indices: set[str] = field(default_factory=set)  # int64 tensors
    transposed: dict[str, tuple[Source, tuple[int, ...]]] = field(default_factory=dict)  # (of what, perm)
    twins: dict[tuple[str, tuple[int, ...]], str] = field(
        default_factory=dict
    )  # transposed tensors, by origin and perm
    permuted: dict[str, tuple[Source, IntArray]] = field(default_factory=dict)  # (of what, order of the last axis)
    superseded: dict[str, tuple[Source, Array]] = field(default_factory=dict)  # (again, with channels times these)
    magnitude: float = 0.0  # no integer or partial sum exceeds it

    def fresh(self, name: str) -> str:
        """`name`, or `name` with a number if it is taken."""
        candidate, number = name, 0
        while candidate in self.taken:
            number += 1
            candidate = f"{name}_{number}"
        self.taken.add(candidate)
        return candidate

    def constant(self, name: str, array: Array, datatype: BaseDataType | None = None) -> str:
        """A new initializer; integers become the container type of the graph in `commit`."""
        name = self.fresh(name)
        self.constants[name] = array
        if datatype is not None:
            self.datatypes[name] = datatype
        return name

    def original(self, name: str, array: Array) -> str:
        """An initializer of the original graph, under its own name."""
        self.constants[name] = array
        return name

    def node(
        self,
        op_type: str,
        inputs: Iterable[str],
        output: str,
        shape: Shape | None,
        *,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node; returns the name of its output, made from `output`."""
        name = self.fresh(output)
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], domain=domain, **attributes))
        if shape is not None:
            self.shapes[name] = shape
        return name

    def integers(
        self,
        op_type: str,
        inputs: Iterable[str],
        name: str,
        shape: Shape | None,
        bounds: Range,
        *,
        domain: str = "",
        datatype: BaseDataType | None = None,
        **attributes: Any,
    ) -> Source:
        """Add a node that computes integers in `bounds`. name : wanted for its output."""
        out = self.node(op_type, inputs, name, shape, domain=domain, **attributes)
        self.note(out, bounds, datatype)
        return Source(out, shape, bounds)

    def note(self, tensor: str, bounds: Range, datatype: BaseDataType | None = None) -> None:
        """A tensor of the new graph has integers in `bounds`."""
        self.datatypes[tensor] = datatype or bounds.datatype
        self.integer_nodes.add(tensor)
        self.magnitude = max(self.magnitude, *(float(abs(b)) for b in bounds.span))

    def transpose(self, x: Source, perm: Sequence[int]) -> Source:
        """The transposed tensor; of a transposed tensor, the tensor itself if nothing moves in the end."""
        perm = tuple(int(p) for p in perm)
        origin, first = self.transposed.get(x.name, (x, tuple(range(len(perm)))))
        whole = tuple(first[p] for p in perm)
        if whole == tuple(range(len(perm))):
            return origin
        shape = None if x.shape is None else tuple(x.shape[p] for p in perm)
        bounds, _, culprit = self._moved(x, perm)
        if (origin.name, whole) in self.twins:
            return Source(self.twins[origin.name, whole], shape, bounds, culprit=culprit, cure=x.cure)
        if shape is not None and [p for p in whole if origin.dims[p] > 1] == sorted(
            p for p in whole if origin.dims[p] > 1
        ):
            target = self.constant("shape", np.array(shape, np.int64))  # only axes of one element move
            name = self.node("Reshape", [origin.name, target], f"{origin.name}_transposed", shape)
        else:
            name = self.node("Transpose", [origin.name], f"{origin.name}_transposed", shape, perm=list(whole))
        if bounds is not None:
            self.note(name, bounds, self.datatypes.get(x.name))
        self.transposed[name] = (origin, whole)
        self.twins[origin.name, whole] = name
        return Source(name, shape, bounds, culprit=culprit, cure=x.cure)

    def permuted_columns(self, x: Source, index: IntArray, move: Callable[[Array], Array]) -> Source:
        """x[..., index], index a permutation. move : does the same to arrays."""
        inputs = [x.name, self.constant("order", index)]
        name = self.node("Gather", inputs, f"{x.name}_permuted", x.shape, axis=len(x.dims) - 1)
        bounds = x.range and moved_range(x.range, move)
        if bounds is not None:
            self.note(name, bounds, self.datatypes.get(x.name))
        self.permuted[name] = (x, index)
        return Source(name, x.shape, bounds, culprit=x.culprit, cure=x.cure)

    @staticmethod
    def _moved(x: Source, perm: Sequence[int]) -> tuple[Range | None, None, str]:
        bounds = x.range and moved_range(x.range, lambda b: compact(with_rank(b, len(perm)).transpose(perm)))
        return bounds, None, x.culprit

    def multithreshold(
        self, x: Source, thresholds: Array, name: str, datatype: BaseDataType, step: int, low: int, bounds: Range
    ) -> Source:
        """low + step * count(x >= thresholds). thresholds : (C or 1, N), integer or float32 as x is."""
        if (thresholds == thresholds[0]).all():
            thresholds = thresholds[:1]
        integer = x.range is not None
        span = DataType.spanning(int(thresholds.min()), int(thresholds.max())) if integer else None
        inputs = [x.name, self.constant(f"{name}_thresholds", thresholds, span)]
        rank = len(x.dims)
        layout: dict[str, Any] = {} if rank == 2 else {"data_layout": LAYOUTS.get(rank, "")}
        if rank not in (2, *LAYOUTS) and len(thresholds) > 1:
            raise Refused(f"it quantizes a tensor of {rank} axes per channel", "use one scale per tensor")
        out = self.node(
            "MultiThreshold", inputs, name, x.shape, domain=GENERAL, out_dtype=datatype.name,
            out_scale=float(step), out_bias=float(low), **layout,
        )  # fmt: skip
        self.datatypes[out] = datatype
        if integer:
            self.integer_nodes.add(out)
            self.magnitude = max(self.magnitude, float(np.abs(thresholds).max()))
        return Source(out, x.shape, bounds)

    def copy(self, node: NodeProto, inputs: Iterable[str], outputs: Iterable[str] | None = None) -> tuple[str, ...]:
        """Add `node` of the original graph with other inputs."""
        new = NodeProto()
        new.CopyFrom(node)
        del new.input[:], new.output[:]
        new.input.extend(inputs)
        new.output.extend(outputs or [name and self.fresh(name) for name in node.output])
        self.nodes.append(new)
        return tuple(new.output)

    def export(self, tensor: str, name: str) -> None:
        """Give `tensor` the name of a graph output."""
        producer = next((n for n in self.nodes if tensor in n.output), None)
        if producer is None or any(tensor in n.input for n in self.nodes) or tensor in self.outputs:
            self.nodes.append(helper.make_node("Identity", [tensor], [name]))
        else:
            self.renamed[tensor] = name
            producer.output[list(producer.output).index(tensor)] = name
            if tensor in self.integer_nodes:
                self.integer_nodes.add(name)
        if tensor in self.datatypes:
            self.datatypes[name] = self.datatypes[tensor]
        if tensor in self.shapes:
            self.shapes[name] = self.shapes[tensor]
        self.outputs.add(name)

    def commit(self, model: ModelWrapper, work: ModelWrapper, static: set[str]) -> None:
        """Replace the contents of the model's graph by this one. Outputs must have been exported.

        work : the model whose nodes the new graph was made of; its operator sets and inputs become those of `model`,
        but for the inputs in `static`, which are constant.
        """
        del model.model.opset_import[:]
        model.model.opset_import.extend(work.model.opset_import)
        for domain, version in ((GENERAL, 1), (CHANNELS_LAST, opset_of(model))):
            if domain not in {o.domain for o in model.model.opset_import}:
                model.set_opset_import(domain, version)
        container: type = np.float32
        self._follow_renames()
        self.nodes = _live(self.nodes, self.outputs)
        if self.magnitude > FLOAT32_EXACT:
            container = np.float64
            self._compute_in_double()
        graph = model.graph
        inputs = [i for i in work.graph.input if i.name not in static]
        annotations = [q for q in work.graph.quantization_annotation if q.tensor_name in {i.name for i in inputs}]
        del graph.node[:], graph.initializer[:], graph.value_info[:], graph.quantization_annotation[:], graph.input[:]
        graph.input.extend(inputs)
        graph.quantization_annotation.extend(annotations)
        graph.node.extend(_named(self.nodes))
        with model.trusted_index():
            for name, datatype in self.formats.items():
                model.set_tensor_datatype(name, datatype)
            read = {i for n in self.nodes for i in reads(n)}
            for name in sorted(read & self.constants.keys()):
                array = self.constants.pop(name)
                model.set_initializer(name, array.astype(container) if name in self.datatypes else array)
            self._annotate(model, container)

    def _follow_renames(self) -> None:
        """Let nodes that were added after a tensor became a graph output read it under its new name."""
        made = {name for node in self.nodes for name in node.output}
        for node in self.nodes:
            for i, name in enumerate(node.input):
                if name not in made and name in self.renamed:
                    node.input[i] = self.renamed[name]

    def _annotate(self, model: ModelWrapper, container: type) -> None:
        used = {name for node in self.nodes for name in (*node.input, *node.output)}
        for name in sorted(used & self.shapes.keys()):
            if name in self.indices:
                kind: int | None = TensorProto.INT64
            else:
                wide = container is np.float64 and name in self.integer_nodes - self.outputs
                kind = TensorProto.DOUBLE if wide else self.kinds.get(name) or None
            model.set_tensor_shape(name, list(self.shapes[name]), kind)
        for name in sorted(used & self.datatypes.keys()):
            model.set_tensor_datatype(name, self.datatypes[name])

    def _compute_in_double(self) -> None:
        """Put a Cast on every edge into and out of the integer nodes, and on their graph outputs."""
        casts: dict[tuple[str, int], str] = {}
        nodes, self.nodes = self.nodes, []

        def cast(tensor: str, to: int) -> str:
            if (tensor, to) not in casts:
                casts[tensor, to] = self.node("Cast", [tensor], f"{tensor}_cast", self.shapes.get(tensor), to=to)
                if tensor in self.datatypes:
                    self.datatypes[casts[tensor, to]] = self.datatypes[tensor]
                if to == TensorProto.DOUBLE:
                    self.integer_nodes.add(casts[tensor, to])
            return casts[tensor, to]

        for node in nodes:
            integer = self.integer_nodes.intersection(node.output)
            for i, name in enumerate(node.input):
                wide = name in self.integer_nodes
                if wide != bool(integer) and name and name not in self.constants and name not in self.indices:
                    node.input[i] = cast(name, TensorProto.DOUBLE if integer else TensorProto.FLOAT)
            exported = [o for o in integer & self.outputs if o in self.datatypes]
            self.nodes.append(node)
            for name in exported:
                inner = self.fresh(f"{name}_double")
                node.output[list(node.output).index(name)] = inner
                self.integer_nodes.add(inner)
                self.datatypes[inner] = self.datatypes[name]
                self.nodes.append(helper.make_node("Cast", [inner], [name], to=TensorProto.FLOAT))


def _live(nodes: list[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """The nodes that contribute to the outputs, in the same order."""
    needed, live = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(reads(node))
            live.append(node)
    return live[::-1]


def _named(nodes: list[NodeProto]) -> list[NodeProto]:
    """The nodes, called MatMul_0, MatMul_1, ... in their order."""
    counts: Counter[str] = Counter()
    for node in nodes:
        node.name = f"{node.op_type}_{counts[node.op_type]}"
        counts[node.op_type] += 1
    return nodes
