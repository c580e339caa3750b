"""Custom operators in terms of standard ones, so that onnxruntime runs whole models in one session.

An operator gives its standard form in `CustomOp.expand`. That form has to equal `execute_node` bit for bit on float32
tensors, signs of zeros excepted; where it would not, or where it would be slower, the operator returns None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper


class Expansion:
    """Collects the standard nodes and constants that stand for one custom node.

    `e.Add(x, y)` adds a node and returns the name of its value; arrays among the inputs become constants.

    opset: the version of ONNX's operators in the model, which the nodes have to obey.
    nodes, constants: what was collected.
    """

    def __init__(
        self, node: NodeProto, model: ModelWrapper, opset: int, value_of: Callable[[str], np.ndarray | None]
    ) -> None:
        self.node, self.opset = node, opset
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._model, self._value_of = model, value_of
        self._stem = node.output[0]

    def constant(self, position: int) -> np.ndarray | None:
        """The value of an input of the custom node, if it is known before execution."""
        return self._value_of(self.node.input[position])

    def shape(self, position: int) -> list[int] | None:
        """The shape of an input of the custom node, 0 for symbolic dimensions; None if it is not known."""
        return self._model.get_tensor_shape(self.node.input[position])

    def __getattr__(self, op_type: str) -> Callable[..., str]:
        def add(*inputs: str | np.ndarray | np.generic, **attributes: Any) -> str:
            names = [name if isinstance(name, str) else self._add_constant(name) for name in inputs]
            output = f"{self._stem}/{len(self.nodes)}"
            self.nodes.append(helper.make_node(op_type, names, [output], f"{self.node.name}/{op_type}", **attributes))
            return output

        return add

    def _add_constant(self, value: np.ndarray | np.generic) -> str:
        name = f"{self._stem}/c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def finish(self, results: list[str]) -> None:
        """Give the values named in `results` the names of the outputs of the custom node."""
        final = dict(zip(results, self.node.output, strict=False))
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    if name in final:
                        names[i] = final[name]


def at_least(x: str, bound: np.ndarray, e: Expansion) -> str:
    """x >= bound for float32 x, False for NaN, in a form that every opset from 9 on has."""
    return str(e.Greater(x, np.nextafter(np.asarray(bound, np.float32), np.float32(-np.inf))))
