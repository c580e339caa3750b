"""Networks with the channels on the last axis, as hardware streams them.

ONNX's convolutions and their kin want the channels on axis 1. `ConvertToChannelsLastAndClean` replaces them by the
operators of `finn.custom_op.channels_last` and removes the Transposes between them; the other transformations are its
parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from onnx import NodeProto

from finn.core.domains import CHANNELS_LAST
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation import _layout_rules as rules
from finn.transformation._channels_last_forms import CHANNELS_LAST_FORMS
from finn.transformation._layout_regions import (
    merge_transposes,
    move_past_transpose,
    node_perm,
    split_forks,
    spread_channels_last,
)
from finn.transformation.base import Transformation
from finn.transformation.constants import rewrite_with_constants
from finn.transformation.fold_constants import FoldConstants
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.make_input_chanlast import MakeInputChannelsLast
from finn.transformation.rewrite import Rule
from finn.transformation.standard_ops import opset_of

CHANNELS_LAST_RULES: tuple[Rule, ...] = (
    *CHANNELS_LAST_FORMS,
    *rules.CANCELLATIONS,
    *rules.MOVE_DOWN,
    *rules.MOVE_UP,
    *rules.INTO_WEIGHTS,
)
"""Every equation that the transformations of this module use."""


class InsertChannelsLastDomainsAndTrafos(Transformation):
    """Conv, MaxPool and BatchNormalization of 3 to 5 axes become those of the channels-last domain, between Transposes.

    Attributes are written out, automatic padding included. Operators that the domain cannot express stay. The domain is
    imported at the version of the standard operators.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        changed = rewrite_with_constants(model, CHANNELS_LAST_FORMS)
        if changed:
            model.set_opset_import(CHANNELS_LAST, opset_of(model))
        return model, changed


class RemoveConsecutiveChanFirstAndChanLastTrafos(Transformation):
    """transpose(transpose(x, p), q) becomes one Transpose, or x itself; other readers of the inner one keep it."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, _settle_transposes(model, rules.CANCELLATIONS)


class MoveChanFirstDownstream(Transformation):
    """f(transpose(x), others) == transpose(f'(x, others)) for Transposes to channels first that f alone reads.

    Constants are transposed at once; another computed operand gets the inverse Transpose.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, rewrite_with_constants(model, rules.MOVE_DOWN)


class MoveChanLastUpstream(Transformation):
    """transpose(f(x, constants)) == f'(transpose(x), constants) for Transposes to channels last that alone read f."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, rewrite_with_constants(model, rules.MOVE_UP)


class AbsorbChanFirstIntoMatMul(Transformation):
    """MatMul or Gemm of a flattened Transpose: the rows of the weights move instead, also those behind a quantizer."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, rewrite_with_constants(model, rules.INTO_WEIGHTS)


class MoveOpPastFork(Transformation):
    """Every reader of these operators gets one of its own, so that it can be moved further; constants are copied.

    op_name_list: op types with one output. Subclasses narrow the choice by `accepts`.
    """

    def __init__(self, op_name_list: Iterable[str]) -> None:
        self.ops_to_move = tuple(op_name_list)

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, split_forks(model, self.ops_to_move, partial(self.accepts, model))

    def accepts(self, model: ModelWrapper, node: NodeProto) -> bool:
        """Whether to move this node, which is of one of the op types and has several readers."""
        return True


class MoveAddPastFork(MoveOpPastFork):
    """An Add for every reader."""

    def __init__(self) -> None:
        super().__init__(["Add"])


class MoveMulPastFork(MoveOpPastFork):
    """A Mul for every reader."""

    def __init__(self) -> None:
        super().__init__(["Mul"])


class MoveLinearPastFork(MoveOpPastFork):
    """An Add or Mul for every reader."""

    def __init__(self) -> None:
        super().__init__(["Add", "Mul"])


class MoveTransposePastFork(MoveOpPastFork):
    """A Transpose for every reader."""

    def __init__(self) -> None:
        super().__init__(["Transpose"])


class ConvertToChannelsLastAndClean(Transformation):
    """Let the network compute with the channels last, from its inputs to its outputs.

    Every operator that can do so, and that is connected with a Conv, MaxPool or BatchNormalization through such
    operators, has the channels last afterwards. Transposes remain at inputs and outputs of the graph, and around
    operators that are bound to their axes; those in front of a fully connected layer move the rows of its weights.

    make_input_channels_last: the inputs of the graph are given with the channels last, see `MakeInputChannelsLast`.
    """

    def __init__(self, make_input_channels_last: bool = False) -> None:
        self.make_input_channels_last = make_input_channels_last

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for step in (InferShapes(), FoldConstants(), InsertChannelsLastDomainsAndTrafos()):
            model = step.apply(model)[0]
        if self.make_input_channels_last:
            model = MakeInputChannelsLast().apply(model)[0]
        _settle_transposes(model, rules.CANCELLATIONS)
        spread_channels_last(model)
        _settle_transposes(model, (*rules.CANCELLATIONS, *rules.INTO_WEIGHTS))
        return FoldConstants().apply(model)[0], False


def _settle_transposes(model: ModelWrapper, table: Sequence[Rule]) -> bool:
    """Apply rules whose left sides begin with a Transpose, whatever else reads it."""
    before = [node.SerializeToString() for node in model.graph.node if node.op_type == "Transpose"]
    split_forks(model, ["Transpose"])
    fired = rewrite_with_constants(model, table)
    merge_transposes(model)
    after = [node.SerializeToString() for node in model.graph.node if node.op_type == "Transpose"]
    return fired or before != after


# ------------------------------------------------------------------------------------------------------------ functions


def get_transpose_perms(transpose_node: NodeProto, model: ModelWrapper) -> list[int]:
    """The perm of a Transpose; without the attribute the axes are reversed.

    ModelError for other operators, and if the rank is not known then.
    """
    perm = node_perm(model, transpose_node)
    if perm is None:
        raise ModelError(
            "this is no Transpose of a tensor of known rank",
            where=f"node {describe(transpose_node)}",
            remedy="give a Transpose, and apply InferShapes first",
        )
    return perm


def move_transpose_past_eltwise(transpose_node: NodeProto, eltwise_node: NodeProto, model: ModelWrapper) -> bool:
    """Move a Transpose below an operator that reads it: f(transpose(x), others) == transpose(f'(x, others)).

    Other computed operands get the inverse Transpose. Other readers of the Transpose keep it. Returns False, with
    nothing changed, if the operator does not read the Transpose or is bound to its axes.
    """
    if not len(transpose_node.output) or transpose_node.output[0] not in eltwise_node.input:
        return False
    return move_past_transpose(model, transpose_node, eltwise_node)
