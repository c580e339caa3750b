"""Lowering: every rule is proved, what does not fit is declined with a reason, and the network computes the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from finn.core.datatype import DataType
from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import DataflowError, instances, layers
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.lowering import FUSED, SINGLE, lower
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.proof import prove
from finn.transformation.rewrite import Rule

RNG = np.random.default_rng(3)
W = RNG.integers(-2, 2, (6, 4)).astype(np.float32)
T = np.sort(RNG.integers(-20, 20, (4, 3)), axis=1).astype(np.float32)


def matmul(w: str = "w", y: str = "a") -> NodeProto:
    return helper.make_node("MatMul", ["x", w], [y])


def multithreshold(x: str = "a", y: str = "y", **attributes: Any) -> NodeProto:
    values = {"out_dtype": "UINT2", **attributes}
    return helper.make_node("MultiThreshold", [x, "T"], [y], domain="finn.custom_op.general", **values)


def network(
    nodes: Sequence[NodeProto],
    shape: Sequence[int] = (1, 6),
    output: tuple[str, int] = ("y", TensorProto.FLOAT),
    annotated: str | None = "INT3",
    **constants: np.ndarray,
) -> ModelWrapper:
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(*output, None)],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("finn.custom_op.general", 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    for name, value in constants.items():
        model.set_initializer(name, value)
    if annotated:
        model.set_tensor_datatype("x", DataType[annotated])
    return model


def mlp(**attributes: Any) -> ModelWrapper:
    return network([matmul(), multithreshold(**attributes)], w=W, T=T)


def lowered(model: ModelWrapper, **options: bool) -> dict[str, str]:
    """Lower, check that the network still computes the same, and return its layers."""
    x = RNG.integers(-4, 4, model.get_tensor_shape("x") or ()).astype(np.float32)
    before = execute_onnx(model, {"x": x})
    lower(model, **options)
    after = execute_onnx(model, {"x": x})
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
        assert after[name].dtype == value.dtype
    return {name: type(layer).__name__ for name, layer in layers(model).items()}


@pytest.mark.parametrize("rule", [*FUSED, *SINGLE], ids=str)
def test_rules_are_equations(rule: Rule) -> None:
    assert prove(rule) > 0


def test_thresholds_become_the_activation_of_the_matrix() -> None:
    assert lowered(mlp()) == {"MVAU_0": "MVAU"}


def test_thresholds_of_their_own() -> None:
    model = mlp()
    model.set_tensor_shape("a", [1, 4])
    model.set_tensor_datatype("a", DataType["INT8"])
    assert lowered(model, standalone_thresholds=True) == {"MVAU_0": "MVAU", "Thresholding_0": "Thresholding"}


def test_bipolar_output() -> None:
    model = network(
        [matmul(), multithreshold(out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0)], w=W, T=T[:, :1].copy()
    )
    assert lowered(model) == {"MVAU_0": "MVAU"}
    assert layers(model)["MVAU_0"].outputs[0].dtype == DataType["BIPOLAR"]


def test_bias_and_a_type_that_is_too_narrow() -> None:
    model = mlp(out_bias=-2.0, out_dtype="INT2")
    assert lowered(model) == {"MVAU_0": "MVAU"}
    assert layers(model)["MVAU_0"].outputs[0].dtype == DataType["INT2"]
    model = mlp(out_bias=5.0)  # 5 to 8 do not fit UINT2
    lowered(model)
    assert layers(model)["MVAU_0"].outputs[0].dtype == DataType["UINT4"]


def test_matrix_without_thresholds_has_the_accumulators_type() -> None:
    model = network([matmul(y="y")], w=W)
    assert lowered(model) == {"MVAU_0": "MVAU"}
    low = np.minimum(W * -4, W * 3).sum(0).min()
    high = np.maximum(W * -4, W * 3).sum(0).max()
    assert layers(model)["MVAU_0"].outputs[0].dtype == DataType.spanning(int(low), int(high))


def topk(k: int = 2, **attributes: Any) -> ModelWrapper:
    node = helper.make_node("TopK", ["x", "k"], ["values", "y"], **attributes)
    return network([node], output=("y", TensorProto.INT64), k=np.array([k]))


def argmax(**attributes: Any) -> ModelWrapper:
    node = helper.make_node("ArgMax", ["x"], ["y"], **attributes)
    return network([node], output=("y", TensorProto.INT64))


@pytest.mark.parametrize("attributes", [{}, {"axis": 1}, {"axis": -1, "largest": 1, "sorted": 1}])
def test_topk(attributes: dict[str, int]) -> None:
    model = topk(**attributes)
    assert lowered(model) == {"LabelSelect_0": "LabelSelect"}
    (found,) = instances(model)
    assert isinstance(found.layer, LabelSelect)
    assert found.layer.K == 2
    assert found.outputs == ("y",)


@pytest.mark.parametrize("attributes", [{"axis": 1}, {"axis": -1, "keepdims": 1}])
def test_argmax(attributes: dict[str, int]) -> None:
    assert lowered(argmax(**attributes)) == {"LabelSelect_0": "LabelSelect"}


def gap() -> ModelWrapper:
    """The elements of a window stand on both sides of an image of one pixel."""
    window = {"kernel_shape": [1, 2], "dilations": [1, 2], "strides": [1, 1], "pads": [0, 1, 0, 1]}
    model = network([helper.make_node("MaxPool", ["x"], ["y"], domain=CHANNELS_LAST, **window)], (1, 1, 1, 3))
    model.set_tensor_shape("y", [1, 1, 1, 3])
    return model


DECLINED: Mapping[str, tuple[ModelWrapper, str]] = {
    "smallest": (topk(largest=0), "it is no layer: the smallest are wanted, or in any order"),
    "unsorted": (topk(sorted=0), "it is no layer: the smallest are wanted, or in any order"),
    "more than there are": (topk(k=7), "it is no layer: LabelSelect: K=7 of 6 labels. Remedy: use 1 to 6"),
    "first axis": (argmax(axis=0), "argmax_to_label_select declines: axis 0 is not the last"),
    "no axis left": (
        argmax(axis=1, keepdims=0),
        "argmax_to_label_select declines: keepdims is 0: the axis would have to be removed on the host",
    ),
    "last of equals": (
        argmax(axis=1, select_last_index=1),
        "argmax_to_label_select declines: of equal values the last is wanted",
    ),
    "floats": (network([matmul(y="y")], annotated=None, w=W), "MatMul on numbers that are no integers (x is FLOAT32)"),
    "fractions": (network([matmul(y="y")], w=W / 2), "matmul_to_mvau declines: w = 'w' has fractions"),
    "not a number": (network([matmul(y="y")], w=W * np.nan), "matmul_to_mvau declines: w = 'w' has values beyond 2^53"),
    "no weights": (network([matmul(y="y")], w=W[:, :0]), "matmul_to_mvau declines: w = 'w' is empty"),
    "vector": (network([matmul(y="y")], w=W[:, 0]), "matmul_to_mvau declines: the weights have 1 axes, want 2"),
    "other size": (
        network([matmul(y="y")], w=W[:5]),
        "matmul_to_mvau declines: MVAU: input (1, 6) and weights (5, 4) "
        "(the last axis of the input is the first of the weights)",
    ),
    "scale": (
        network([multithreshold("x", out_scale=0.5)], T=T[:1]),
        "thresholds_to_layer declines: an output with scale 0.5 and bias 0.0 is no count",
    ),
    "channels first": (
        network([multithreshold("x")], (1, 4, 2, 2), T=T),
        "thresholds_to_layer declines: channels are not last in layout NCHW",
    ),
    "infinite": (
        network([multithreshold("x")], T=T[:1] * np.inf),
        "thresholds_to_layer declines: T = 'T' has values beyond 2^53",
    ),
    "descending": (
        network([multithreshold("x")], T=np.array([[3, 2, 1]], np.float32)),
        "thresholds_to_layer declines: thresholds of shape (1, 3) "
        "(they have to be a matrix (channels, steps) that ascends along the steps). "
        "Remedy: sort them, or let streamlining make them",
    ),
    "bipolar": (
        network([multithreshold("x", out_dtype="BIPOLAR")], T=T[:1, :1].copy()),
        "thresholds_to_layer declines: a bipolar output with scale 1.0 and bias 0.0",
    ),
    "nothing in a window": (gap(), "maxpool_to_pool declines: a window lies in the padding alone"),
    "unknown": (network([helper.make_node("Sin", ["x"], ["y"])]), "there is no hardware layer for Sin"),
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", DECLINED)
def test_declined(name: str) -> None:
    model, reason = DECLINED[name]
    kind = model.graph.node[0].op_type
    with pytest.raises(DataflowError) as error:
        lower(model)
    assert error.value.what == "no part of the network became hardware"
    assert error.value.why == f"{kind}_0: {reason}"
    assert [n.op_type for n in model.graph.node] == [kind]


def test_values_of_topk_are_needed() -> None:
    model = topk()
    model.graph.output.append(helper.make_tensor_value_info("values", TensorProto.FLOAT, [1, 2]))
    with pytest.raises(DataflowError, match="TopK_0: it is no layer: its values are used"):
        lower(model)


def test_the_host_keeps_the_rest() -> None:
    model = network([matmul(), multithreshold(y="b"), helper.make_node("Sigmoid", ["b"], ["y"])], w=W, T=T)
    report = lower(model)
    assert dict(report.fired) == {"matmul_thresholds_to_mvau": 1}
    assert report.host == {"Sigmoid_0": "there is no hardware layer for Sigmoid"}


def test_a_scale_behind_a_transpose_is_no_accelerator_of_its_own() -> None:
    """As at the output of a convolutional network: the host makes the channels the first axis again."""
    nodes = [matmul(), helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1])]
    nodes.append(helper.make_node("Mul", ["b", "two"], ["y"]))
    model = network(nodes, (1, 5, 6), w=W, two=np.float32(2)).transform(InferShapes())
    model.set_tensor_datatype("b", DataType["INT7"])
    report = lower(model)
    assert list(layers(model)) == ["MVAU_0"]
    reason = "the host transposes in front of it; alone, it would be another accelerator"
    assert report.host["Mul_0"].endswith(reason)


def test_empty_graph() -> None:
    with pytest.raises(DataflowError, match="the graph is empty"):
        lower(network([], output=("x", TensorProto.FLOAT)))


def image(
    nodes: Sequence[NodeProto], shape: Sequence[int], kind: str = "INT4", **constants: np.ndarray
) -> ModelWrapper:
    """A network of channels-last operators on an image x, with all shapes and types."""
    model = network(nodes, shape, annotated="INT4", **constants)
    model.set_opset_import(CHANNELS_LAST, 1)
    model = model.transform(InferShapes())
    for name in model.get_all_tensor_names():
        if not model.has_initializer(name) and name != "x":
            model.set_tensor_datatype(name, DataType["INT16"])
    return model


def conv(x: str, w: str, y: str, kernel: Sequence[int], group: int = 1, **attributes: Any) -> NodeProto:
    axes = len(kernel)
    values = {"strides": [1] * axes, "pads": [0] * 2 * axes, "dilations": [1] * axes, **attributes}
    return helper.make_node("Conv", [x, w], [y], domain=CHANNELS_LAST, kernel_shape=kernel, group=group, **values)


def test_groups_are_convolutions_of_their_own() -> None:
    weights = RNG.integers(-2, 2, (6, 3, 3, 2)).astype(np.float32)
    model = image([conv("x", "w", "y", [3, 3], group=3, pads=[1, 1, 1, 1])], (1, 5, 4, 6), w=weights)
    found = Counter(lowered(model).values())
    assert found == {
        "StreamingSplit": 1, "FMPadding": 3, "ConvolutionInputGenerator": 3, "MVAU": 3, "StreamingConcat": 1,
    }  # fmt: skip


def test_a_bipolar_image_is_padded_with_zeros() -> None:
    weights = RNG.integers(-2, 2, (2, 3, 3, 3)).astype(np.float32)
    model = image([conv("x", "w", "y", [3, 3], pads=[1, 0, 1, 0])], (1, 5, 4, 3), w=weights)
    model.set_tensor_datatype("x", DataType["BIPOLAR"])
    x = 2.0 * RNG.integers(0, 2, (1, 5, 4, 3)).astype(np.float32) - 1
    before = execute_onnx(model, {"x": x})["y"]
    lower(model)
    np.testing.assert_array_equal(execute_onnx(model, {"x": x})["y"], before)
    kinds = [type(layer).__name__ for layer in layers(model).values()]
    assert kinds == ["Thresholding", "FMPadding", "ConvolutionInputGenerator", "MVAU"]


def test_forks_splits_joins_and_reshapes() -> None:
    """x is read four times, once beside the layers; parts of it meet again; the result is flattened for a matrix."""
    nodes = [
        helper.make_node("Split", ["x", "halves"], ["a", "b"], axis=3),
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("Concat", ["s", "x", "x"], ["j"], axis=3),
        helper.make_node("Reshape", ["j", "flat"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["m"]),
        helper.make_node("Sin", ["s"], ["t"]),
        helper.make_node("ReduceSum", ["t"], ["u"], keepdims=0),
        helper.make_node("Add", ["m", "u"], ["y"]),
    ]
    weights = RNG.integers(-2, 2, (60, 3)).astype(np.float32)
    model = image(nodes, (1, 2, 3, 4), flat=np.array([1, 60]), halves=np.array([2, 2]), w=weights)
    for name in ("t", "u", "y"):
        model.set_tensor_datatype(name, DataType["FLOAT32"])
    x = RNG.integers(-4, 4, (1, 2, 3, 4)).astype(np.float32)
    before = execute_onnx(model, {"x": x})["y"]
    report = lower(model)
    np.testing.assert_array_equal(execute_onnx(model, {"x": x})["y"], before)
    found = layers(model)
    assert Counter(type(layer).__name__ for layer in found.values()) == {
        "DuplicateStreams": 2, "StreamingSplit": 1, "Elementwise": 1, "StreamingConcat": 1, "MVAU": 1,
    }  # fmt: skip
    assert sorted(layer.config().get("copies", 0) or len(layer.outputs) for layer in found.values())[-1] == 3
    assert [n.op_type for n in model.graph.node if n.op_type == "StreamReshape"] == ["StreamReshape"]
    assert set(report.host) == {"Sin_0", "ReduceSum_0", "Add_0"}


def test_what_stays_says_why() -> None:
    nodes = [helper.make_node("Split", ["x", "sizes"], ["y", "unread"], axis=2)]
    with pytest.raises(DataflowError, match="Split_0: it is no layer: a part of it is not used"):
        lower(image(nodes, (1, 2, 6), sizes=np.array([2, 4])))
    three = conv("x", "w", "y", [1, 1, 1])
    with pytest.raises(DataflowError, match="3 spatial axes; windows have 1 or 2"):
        lower(image([three], (1, 2, 2, 2, 3), w=np.ones((3, 1, 1, 1, 3), np.float32)))
