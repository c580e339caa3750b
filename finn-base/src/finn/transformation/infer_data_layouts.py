"""Layout inference: which axis of each tensor is the batch, which the channels."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable

from onnx import NodeProto

from finn.core.data_layout import channel_axis
from finn.core.domains import CHANNELS_LAST, GENERAL, is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import node_levels
from finn.transformation._axes import REDUCTIONS, call_of, layout_name
from finn.transformation.base import Transformation

Layout = list[str]

_CHANNELS_FIRST = frozenset({
    "AveragePool", "BatchNormalization", "Col2Im", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "DepthToSpace",
    "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN",
    "LpPool", "MaxPool", "MaxRoiPool", "MaxUnpool", "QLinearConv", "SpaceToDepth",
})  # fmt: skip
"""Standard operators whose definition says that axis 1 of input 0 and of the output are the channels."""

_CHANNELS_LAST = frozenset({"Im2Col", "MaxPoolNHWC"})
_BY_ATTRIBUTE = frozenset({"MultiThreshold", "QuantAvgPool2d"})
_NO_DATA = frozenset(
    {"Constant", "ConstantOfShape", "EyeLike", "If", "Loop", "NonZero", "Range", "Scan", "Shape", "Size"}
)
_MIXING = frozenset({"Attention", "Einsum", "GRU", "Gemm", "LSTM", "MatMul", "RNN"})
"""Operators whose inputs have axes of different meanings."""

_INPUT_DEFAULTS = {2: ["N", "C"], 3: ["N", "W", "C"], 4: ["N", "C", "H", "W"], 5: ["N", "C", "D", "H", "W"]}
_CUSTOM_DEFAULTS = {2: ["N", "C"], 3: ["N", "W", "C"], 4: ["N", "H", "W", "C"]}


class InferDataLayouts(Transformation):
    """Annotate every tensor that depends on the inputs of the graph with its layout, [] if it cannot be told.

    Inputs of the graph keep an annotation that fits their rank; others get the layout that operators such as Conv
    require of them, else NC, NWC, NCHW or NCDHW by their rank. Operators that are defined for one layout make that;
    others move the axes of what they read. A layout always has one letter for each axis; new axes of length 1 are "x".
    Warns about inputs of unknown rank.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        levels = node_levels(model.graph)
        order = sorted(zip(levels, model.graph.node, strict=True), key=lambda pair: pair[0])
        with model.trusted_index():
            _Layouts(model, [node for _, node in order]).infer()
        return model, False


class _Layouts:
    """First what operators require, as far as it spreads; then one pass over the nodes for what is."""

    def __init__(self, model: ModelWrapper, nodes: list[NodeProto]) -> None:
        self.model, self.nodes = model, nodes
        self.required: dict[str, Layout] = {}
        self.known: dict[str, Layout] = {}

    def infer(self) -> None:
        self._spread_requirements()
        for value in self.model.graph.input:
            if not self.model.has_initializer(value.name):
                self._note(value.name, self._of_input(value.name))
        for node in self.nodes:
            if any(name in self.known for name in node.input):
                for name in filter(None, node.output):
                    self._note(name, self._of_output(node, name))

    def _note(self, name: str, layout: Layout) -> None:
        """Annotate a tensor. What does not have one letter for each axis is not known."""
        self.known[name] = layout if len(layout) == self.rank(name) else []
        if self.model.get_tensor_layout(name) != self.known[name]:
            self.model.set_tensor_layout(name, self.known[name])

    def rank(self, name: str) -> int:
        """The number of axes, -1 if it is not known."""
        shape = self.model.get_tensor_shape(name) if name else None
        return -1 if shape is None else len(shape)

    def _of_input(self, name: str) -> Layout:
        rank, given = self.rank(name), self.model.get_tensor_layout(name)
        if rank < 0:
            warnings.warn(f"the layout of input '{name}' is not known: its rank is not", stacklevel=2)
        if given and len(given) == rank:
            return given
        return self.required.get(name) or _INPUT_DEFAULTS.get(rank, [])

    def _of_output(self, node: NodeProto, name: str) -> Layout:
        rank = self.rank(name)
        fixed = self._fixed(node, rank)
        if fixed is not None:
            return fixed
        if node.op_type in _NO_DATA and not is_custom_domain(node.domain):
            return []
        move = None if is_custom_domain(node.domain) else _MOVES.get(node.op_type)
        source = self._source(node, rank)
        moved = move(self, node, name) if move else self.known.get(source)
        if moved and len(moved) == rank:
            return moved
        if is_custom_domain(node.domain) and node.domain != GENERAL:
            return _CUSTOM_DEFAULTS.get(rank, [])
        return self.required.get(name) or (["N", "C"] if rank == 2 else [])

    def _fixed(self, node: NodeProto, rank: int) -> Layout | None:
        """The layout that the definition of the operator says; None if it says nothing."""
        if not is_custom_domain(node.domain):
            return list(layout_name(rank, channels_last=False)) if node.op_type in _CHANNELS_FIRST else None
        if node.domain == CHANNELS_LAST or node.op_type in _CHANNELS_LAST:
            return list(layout_name(rank, channels_last=True))
        if node.op_type in _BY_ATTRIBUTE:
            given = call_of(node).attributes.get("data_layout", "NCHW")
            return list(layout_name(rank, channel_axis(given, rank) != 1)) if given else None
        return None

    def _source(self, node: NodeProto, rank: int) -> str:
        """The input whose axes are those of the output: the first that is known and has as many."""
        fitting = [name for name in node.input if name in self.known and self.rank(name) == rank]
        return next((name for name in fitting if self.known[name]), "")

    # ------------------------------------------------------------------------------------------------- what is required

    def _spread_requirements(self) -> None:
        """Note the layouts that follow from annotated inputs and from definitions, in either direction."""
        waiting: deque[str] = deque()
        for value in self.model.graph.input:
            self._want(value.name, self.model.get_tensor_layout(value.name) or [], waiting)
        for node in self.nodes:
            for name in (*node.input[:1], *node.output):
                self._want(name, self._fixed(node, self.rank(name)) or [], waiting)
        while waiting:
            name = waiting.popleft()
            producer = self.model.find_producer(name)
            for node in (*([producer] if producer is not None else ()), *self.model.find_consumers(name)):
                if self._fixed(node, self.rank(name)) is None:
                    self._want_around(node, name, waiting)

    def _want_around(self, node: NodeProto, name: str, waiting: deque[str]) -> None:
        """What a layout of `name`, which the node reads or makes, says of its other inputs and outputs."""
        layout, first, output = self.required[name], node.input[0] if node.input else "", node.output[0]
        standard = not is_custom_domain(node.domain)
        if standard and node.op_type == "Transpose":
            perm = self.perm(node)
            if len(perm) == len(layout) and name == first:
                self._want(output, [layout[i] for i in perm], waiting)
            elif len(perm) == len(layout):
                self._want(first, [layout[perm.index(i)] for i in range(len(perm))], waiting)
        elif standard and node.op_type == "Unsqueeze" and name == output:
            axes = self.axes(node, len(layout))
            self._want(first, [letter for i, letter in enumerate(layout) if i not in axes], waiting)
        elif not standard or node.op_type not in {*_MOVES, *_NO_DATA, *_MIXING}:
            for other in (*node.input, *node.output):
                self._want(other, layout, waiting)

    def _want(self, name: str, layout: Layout, waiting: deque[str]) -> None:
        fits = bool(layout) and len(layout) == self.rank(name)
        if fits and name not in self.required and not self.model.has_initializer(name):
            self.required[name] = layout
            waiting.append(name)

    # ------------------------------------------------------------------------------------------------ what moves axes

    def perm(self, node: NodeProto) -> list[int]:
        return list(call_of(node).attributes.get("perm", range(self.rank(node.input[0]))[::-1]))

    def axes(self, node: NodeProto, rank: int) -> list[int]:
        """The axes in an attribute or in input 1, not negative; [] if there are none or they are computed."""
        given = call_of(node).attributes.get("axes")
        if given is None and len(node.input) > 1:
            given = self.model.get_initializer(node.input[1])
        return [] if given is None else [int(axis) % max(rank, 1) for axis in given]

    def transposed(self, node: NodeProto, name: str) -> Layout:
        layout, perm = self.known.get(node.input[0], []), self.perm(node)
        return [layout[i] for i in perm] if len(perm) == len(layout) else []

    def unsqueezed(self, node: NodeProto, name: str) -> Layout:
        axes = self.axes(node, self.rank(name))
        letters = iter(self.known.get(node.input[0], []))
        return ["x" if i in axes else next(letters, "") for i in range(max(self.rank(name), 0))]

    def squeezed(self, node: NodeProto, name: str) -> Layout:
        shape = self.model.get_tensor_shape(node.input[0]) or []
        given = self.axes(node, len(shape))
        return self._without(node, given or [i for i, dim in enumerate(shape) if dim == 1])

    def reduced(self, node: NodeProto, name: str) -> Layout:
        attributes, rank = call_of(node).attributes, self.rank(node.input[0])
        if attributes.get("keepdims", 1):
            return self.known.get(node.input[0], [])
        if node.op_type.startswith("Arg"):
            return self._without(node, [attributes.get("axis", 0) % max(rank, 1)])
        return self._without(node, self.axes(node, rank))

    def gathered(self, node: NodeProto, name: str) -> Layout:
        axis = call_of(node).attributes.get("axis", 0) % max(self.rank(node.input[0]), 1)
        indices = self.rank(node.input[1])
        return self._without(node, [axis] if indices == 0 else []) if indices in (0, 1) else []

    def _without(self, node: NodeProto, axes: list[int]) -> Layout:
        return [letter for i, letter in enumerate(self.known.get(node.input[0], [])) if i not in axes]

    def reshaped(self, node: NodeProto, name: str) -> Layout:
        """As it was if the shape is, and if only the axes between batch and channels change."""
        layout = self.known.get(node.input[0], [])
        old, new = (self.model.get_tensor_shape(t) or [] for t in (node.input[0], name))
        if old == new:
            return layout
        if len(layout) < 3 or len(new) < 3:
            return []
        if layout == list(layout_name(len(old), channels_last=False)) and old[:2] == new[:2]:
            return list(layout_name(len(new), channels_last=False))
        if layout == list(layout_name(len(old), channels_last=True)) and (old[0], old[-1]) == (new[0], new[-1]):
            return list(layout_name(len(new), channels_last=True))
        return []

    def matrix(self, node: NodeProto, name: str) -> Layout:
        return ["N", "C"]


_Move = Callable[[_Layouts, NodeProto, str], Layout]
_MOVES: dict[str, _Move] = {
    "Flatten": _Layouts.matrix,
    "Gather": _Layouts.gathered,
    "Gemm": _Layouts.matrix,
    "Reshape": _Layouts.reshaped,
    "Squeeze": _Layouts.squeezed,
    "Transpose": _Layouts.transposed,
    "Unsqueeze": _Layouts.unsqueezed,
    **dict.fromkeys((*REDUCTIONS, "ArgMax", "ArgMin"), _Layouts.reduced),
}
"""Operators that move, make or remove axes; all others keep those of an input of the same rank."""
