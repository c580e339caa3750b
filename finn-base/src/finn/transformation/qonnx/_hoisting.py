"""DequantizeLinear moves in front of the operators that only move integers, to the QuantizeLinear or constant behind.

DequantizeLinear(Reshape(q))  ==  Reshape(DequantizeLinear(q))
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, helper

from finn.core.domains import is_custom_domain
from finn.core.modelwrapper import ModelWrapper
from finn.transformation._qdq import constant_value, scale_and_zero_point
from finn.transformation.qonnx._chains import constant, shape_like
from finn.transformation.qonnx._integer_tensors import MOVES, moves

_Key = tuple[Any, ...]


def hoist(model: ModelWrapper) -> list[tuple[str, NodeProto]]:
    """Apply it, with a Clip in front of the DequantizeLinear or without, until none can move.

    Returns the new operators, which have no names yet, with the names of those that they stand for.
    """
    moved: dict[_Key, NodeProto] = {}  # operators on floats, by the operator on integers and the parameters
    waiting = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and not is_custom_domain(n.domain)]
    while waiting:
        waiting += _Move(model, waiting.pop(), moved).run()
    return [(key[1], node) for key, node in moved.items() if key[1]]


class _Move:
    """One step of one DequantizeLinear."""

    def __init__(self, model: ModelWrapper, dequantize: NodeProto, moved: dict[_Key, NodeProto]) -> None:
        self.model, self.moved = model, moved
        clip = model.find_producer(dequantize.input[0])
        clips = clip is not None and clip.op_type == "Clip" and not is_custom_domain(clip.domain)
        self.chain = [clip, dequantize] if clip is not None and clips else [dequantize]
        self.mover = model.find_producer(self.chain[0].input[0])
        zeropt = dequantize.input[2] if len(dequantize.input) > 2 else ""
        self.scale, self.zeropt = scale_and_zero_point(model, dequantize.input[1], zeropt)
        self.axis = next((a.i for a in dequantize.attribute if a.name == "axis"), 1)

    def run(self) -> list[NodeProto]:
        """The DequantizeLinear nodes that may move further; [] if this one stays."""
        mover, dequantize = self.mover, self.chain[-1]
        if mover is None or mover.op_type == "Clip" or not moves(mover) or not self._follows(mover):
            return []
        number = list(mover.output).index(self.chain[0].input[0])
        key = (mover.output[0], mover.name, self._parameters())
        copy, made = self.moved.get(key), list[NodeProto]()
        if copy is None:
            copy, made = self._copied(mover)
            self.moved[key] = copy
        output = dequantize.output[0]
        self.model.remove_node(dequantize)
        if self.model.find_consumers(copy.output[number]) or self.model.is_graph_output(copy.output[number]):
            index = (self.model.get_node_index(copy) or 0) + 1
            self.model.insert_node(index, helper.make_node("Identity", [copy.output[number]], [output]))
        elif copy.output[number] != output:
            self.model.set_node_output(copy, number, output)
        return made

    def _follows(self, mover: NodeProto) -> bool:
        """Whether its parameters can go along, which they do as they are if there is one scale."""
        if self.scale.size == 1:
            return mover.op_type != "MaxPool" or len([o for o in mover.output if o]) == 1
        return mover.op_type == "Transpose" and any(a.name == "perm" for a in mover.attribute)

    def _parameters(self) -> _Key:
        """Equal for chains that compute the same of the same integers."""
        bounds = [tuple(n.input[1:]) for n in self.chain[:-1]]
        return self.scale.tobytes(), self.zeropt.tobytes(), self.axis, self.scale.size, *bounds

    def _copied(self, mover: NodeProto) -> tuple[NodeProto, list[NodeProto]]:
        """The mover on floats behind new DequantizeLinear nodes."""
        model, place = self.model, (self.model.get_node_index(mover) or 0) + 1
        floats: dict[str, str] = {}
        made: list[NodeProto] = []
        for name in dict.fromkeys(mover.input[i] for i in MOVES[mover.op_type](mover)):
            x = name
            for node in self.chain:
                copy = NodeProto()
                copy.CopyFrom(node)
                copy.name = ""
                copy.input[0], copy.output[0] = x, model.unique_tensor_name(f"{name}_{node.op_type.lower()}")
                if node is self.chain[-1]:
                    self._turn(mover, copy)
                    shape_like(model, copy.output[0], name)
                    copy = model.insert_node(place, copy)
                    made.append(copy)
                else:
                    copy = model.insert_node(place, copy)
                place, x = place + 1, copy.output[0]
            floats[name] = x
        moved = NodeProto()
        moved.CopyFrom(mover)
        moved.name = ""
        for i in MOVES[mover.op_type](mover):
            moved.input[i] = floats[mover.input[i]]
        if mover.op_type == "Pad":
            self._pad(mover, moved)
        for i, name in enumerate(mover.output):
            if name:
                moved.output[i] = model.unique_tensor_name(f"{name}_float")
                shape_like(model, moved.output[i], name)
        return model.insert_node(place, moved), made

    def _turn(self, mover: NodeProto, dequantize: NodeProto) -> None:
        """The axis of the parameters before a Transpose."""
        if self.scale.size > 1:
            perm = next(list(a.ints) for a in mover.attribute if a.name == "perm")
            del dequantize.attribute[:]
            dequantize.attribute.append(helper.make_attribute("axis", perm[self.axis]))

    def _pad(self, mover: NodeProto, moved: NodeProto) -> None:
        """The number that the padding integer means."""
        name = mover.input[2] if len(mover.input) > 2 else ""
        value = constant_value(self.model, name) if name else np.zeros((), np.int64)
        integer = np.asarray(value).astype(np.int64).reshape(())
        number = (integer - self.zeropt.reshape(())).astype(np.float32) * self.scale.reshape(())
        while len(moved.input) < 3:
            moved.input.append("")
        moved.input[2] = constant(self.model, f"{moved.input[1]}_value", number)
