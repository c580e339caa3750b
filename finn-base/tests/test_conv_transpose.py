"""ConvTranspose in NumPy: equal to onnxruntime where that is exact, and to Python's integers beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper

from finn.core import numpy_ops
from finn.core.datatype import DataType
from finn.core.errors import ExecutionError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx, execute_onnx_float64
from finn.util.basic import qonnx_make_model


@dataclass(frozen=True)
class Case:
    """size, kernel, stride, dilation, output_padding and (before, after) of each axis."""

    axes: list[tuple[int, int, int, int, int, tuple[int, int]]]
    group: int
    inputs: int
    """channels of one group"""
    outputs: int
    """channels of one group"""
    padding: str
    """where the padding comes from: pads, output_shape, or the name of an auto_pad"""
    bias: bool
    seed: int

    def column(self, i: int) -> list[Any]:
        return [axis[i] for axis in self.axes]

    def arrays(self, limit: int) -> list[np.ndarray]:
        """x, w and, where there is one, the bias."""
        rng = np.random.default_rng(self.seed)
        shapes = [
            (2, self.inputs * self.group, *self.column(0)),
            (self.inputs * self.group, self.outputs, *self.column(1)),
            (self.outputs * self.group,),
        ]
        return [rng.integers(-limit, limit + 1, shape) for shape in shapes[: 3 if self.bias else 2]]

    def node(self) -> NodeProto:
        attributes: dict[str, Any] = {
            "group": self.group,
            "strides": self.column(2),
            "dilations": self.column(3),
            "output_padding": self.column(4),
        }
        pads = self.column(5)
        sizes = [(n - 1) * s + d * (k - 1) + 1 + more - sum(p) for n, k, s, d, more, p in self.axes]
        if self.padding == "pads":
            attributes["pads"] = [p[0] for p in pads] + [p[1] for p in pads]
        elif self.padding.startswith("output_shape"):
            attributes["output_shape"] = sizes
            attributes["auto_pad"] = self.padding.removeprefix("output_shape ")
        else:
            attributes["auto_pad"] = self.padding
        return helper.make_node("ConvTranspose", ["x", "w", "b"][: 3 if self.bias else 2], ["y"], **attributes)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    axes = []
    for _ in range(draw(st.integers(1, 3))):
        size, kernel, stride, dilation = (draw(st.integers(1, most)) for most in (4, 3, 4, 3))
        more = draw(st.integers(0, stride - 1))
        room = (size - 1) * stride + dilation * (kernel - 1) + more  # one element has to stay
        before = draw(st.integers(0, room))
        axes.append((size, kernel, stride, dilation, more, (before, draw(st.integers(0, room - before)))))
    group, inputs, outputs = (draw(st.integers(1, most)) for most in (4, 3, 3))
    shaped = [f"output_shape {mode}" for mode in ("NOTSET", "SAME_UPPER", "SAME_LOWER")]
    padding = draw(st.sampled_from(["pads", "VALID", "SAME_UPPER", "SAME_LOWER", *shaped]))
    seed = draw(st.integers(0, 2**32 - 1))
    return Case(axes, group, inputs, outputs, padding, draw(st.booleans()), seed)


def model_of(node: NodeProto, arrays: list[np.ndarray], bits: int | None) -> ModelWrapper:
    """x is the input; the others are constants. Annotated as integers, if bits are given."""
    names = list(node.input)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, arrays[0].shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )  # fmt: skip
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=[helper.make_opsetid("", 13)]))
    for name, array in zip(names[1:], arrays[1:], strict=True):
        model.set_initializer(name, array.astype(np.float64 if bits and bits > 24 else np.float32))
    for name in names if bits else ():
        model.set_tensor_datatype(name, DataType[f"INT{bits}"])
    return model


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equals_onnxruntime_on_integers(case: Case) -> None:
    """float32 holds all sums, so the engines have no excuse; and every type gives the same."""
    event(case.padding)
    arrays = case.arrays(3)
    model = model_of(case.node(), arrays, None)
    feeds = {"x": arrays[0].astype(np.float32)}
    expected = execute_onnx(model, feeds)["y"]
    found = execute_onnx_float64(model, {"x": arrays[0].astype(np.float64)})["y"]
    assert (found.dtype, found.shape) == (np.float64, expected.shape)
    np.testing.assert_array_equal(found, expected)
    for dtype in (np.int64, np.int8, np.float16, np.float32):
        if expected.size and np.abs(expected).max() > 127:
            continue
        (same,) = numpy_ops.run_node(case.node(), [a.astype(dtype) for a in arrays], 13)
        assert same.dtype == dtype
        np.testing.assert_array_equal(same, expected)


def oracle(case: Case, arrays: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Python integers, one product after the other: element e and tap t meet in output stride e + dilation t - pad."""
    x, w = (a.astype(object) for a in arrays[:2])
    out = np.zeros(shape, object)
    for e in np.ndindex(*x.shape[2:]):
        for t in np.ndindex(*w.shape[2:]):
            p = tuple(ei * s + ti * d - pad[0] for ei, ti, (*_, s, d, _, pad) in zip(e, t, case.axes, strict=True))
            if all(0 <= pi < n for pi, n in zip(p, shape[2:], strict=True)):
                for c, m in np.ndindex(*w.shape[:2]):
                    at = (slice(None), c // case.inputs * case.outputs + m, *p)
                    out[at] += x[(slice(None), c, *e)] * w[(c, m, *t)]
    return out + arrays[2].astype(object).reshape(-1, *[1] * (len(shape) - 2)) if case.bias else out


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from([13, 20, 26, 29]))
def test_wide_integers_are_exact(case: Case, bits: int) -> None:
    """Sums that neither float32 nor, with the wider types, float64 holds."""
    case = Case(**{**vars(case), "padding": "pads"})
    arrays = case.arrays(2 ** (bits - 1) - 1)
    y = execute_onnx(model_of(case.node(), arrays, bits), {"x": arrays[0]})["y"]
    assert [int(v) for v in y.reshape(-1)] == oracle(case, arrays, y.shape).reshape(-1).tolist()


@pytest.mark.parametrize(
    ("w", "attributes", "why"),
    [
        ((3, 1, 2), {}, r"weights \[3, 1, 2\] in 1 groups do not fit 4 channels"),
        ((4, 1, 2), {"group": 3}, r"weights \[4, 1, 2\] in 3 groups do not fit 4 channels"),
        ((4, 1, 2), {"kernel_shape": [3]}, r"kernel_shape is \[3\], the weights have \[2\]"),
        ((4, 1, 2), {"pads": [1]}, r"pads \[1\] has 1 entries, a kernel \[2\] needs 2"),
        ((4, 1, 2), {"pads": [3, 3]}, r"windows reach \[6\] elements, which pads \[3, 3\] cut to \[0\]"),
        (
            (4, 1, 2),
            {"output_shape": [7]},
            r"windows reach \[6\] elements, which pads \[0, 0\] cut to \[6\], not \[7\]",
        ),
        ((4, 1, 2), {"strides": [0]}, r"strides \[0\] has an entry below 1"),
    ],
)
def test_what_does_not_fit_is_refused(w: tuple[int, ...], attributes: dict[str, Any], why: str) -> None:
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], name="up", **attributes)
    with pytest.raises(ExecutionError, match=f"node ConvTranspose 'up'.*{why}"):
        numpy_ops.run_node(node, [np.ones((2, 4, 5)), np.ones(w)], 13)
