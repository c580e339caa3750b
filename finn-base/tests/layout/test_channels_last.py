"""Whole networks with the channels last compute the same, and have no Transposes inside."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.channels_last import ConvertToChannelsLastAndClean
from finn.transformation.infer_shapes import InferShapes
from finn.util.cleanup import cleanup_model
from finn.util.to_channels_last import main, to_channels_last

from .networks import BOUND, FREE, networks, random_inputs  # noqa: TID252 - test helpers are no installed package

FORMERLY = {"Conv", "MaxPool", "BatchNormalization"}


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def check_same(before: ModelWrapper, after: ModelWrapper, make_input_channels_last: bool = False) -> None:
    """Equal results, and what the graph says of shapes and data types is true."""
    inputs = random_inputs(before)
    expected = execute_onnx(before, inputs)
    if make_input_channels_last:
        inputs = {name: channels_last(x) if x.ndim > 2 else x for name, x in inputs.items()}
    full = execute_onnx(after, inputs, return_full_exec_context=True)
    assert [value.name for value in after.graph.output] == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(full[name], value)
    for name in after.get_all_tensor_names():
        assert list(full[name].shape) == after.get_tensor_shape(name), name
        assert np.all(after.get_tensor_datatype(name).allowed(np.atleast_1d(full[name]))), name


def transposes(model: ModelWrapper) -> list:  # type: ignore[type-arg]
    return [node for node in model.graph.node if node.op_type == "Transpose"]


def inner_transposes(model: ModelWrapper) -> list[str]:
    """Transposes that neither read an input of the graph nor make an output."""
    return [
        node.output[0]
        for node in transposes(model)
        if not (model.is_graph_input(node.input[0]) or model.is_graph_output(node.output[0]))
    ]


@given(model=networks(), make_input_channels_last=st.booleans())
@settings(max_examples=80, deadline=None)
def test_networks_without_barriers(model: ModelWrapper, make_input_channels_last: bool) -> None:
    before = model.model.SerializeToString()
    after = model.transform(ConvertToChannelsLastAndClean(make_input_channels_last))
    assert model.model.SerializeToString() == before
    check_same(model, after, make_input_channels_last)
    assert inner_transposes(after) == []
    assert not [node for node in after.graph.node if node.op_type in FORMERLY and node.domain != CHANNELS_LAST]
    again = after.transform(ConvertToChannelsLastAndClean())
    assert again.model.SerializeToString() == after.model.SerializeToString()


@given(model=networks(operators=(*FREE, *BOUND, *BOUND), most=12), make_input_channels_last=st.booleans())
@settings(max_examples=80, deadline=None)
def test_networks_with_barriers(model: ModelWrapper, make_input_channels_last: bool) -> None:
    after = model.transform(ConvertToChannelsLastAndClean(make_input_channels_last))
    check_same(model, after, make_input_channels_last)
    inner = [node for node in transposes(after) if not after.is_graph_output(node.output[0])]
    pairs = [(node.input[0], tuple(node.attribute[0].ints)) for node in inner]
    assert len(set(pairs)) == len(pairs), "a tensor is transposed twice in the same way"
    again = after.transform(ConvertToChannelsLastAndClean())
    check_same(after, again)
    assert len(transposes(again)) <= len(transposes(after))


def convolution(x: str, y: str, weights: str = "w", **attributes: object):  # type: ignore[no-untyped-def]
    return helper.make_node("Conv", [x, weights], [y], f"Conv_{y}", pads=[1, 1, 1, 1], **attributes)


WEIGHTS = (np.arange(4 * 4 * 9).reshape(4, 4, 3, 3) % 5 - 2).astype(np.float32)


def test_the_residual_block_keeps_no_transpose_inside(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        convolution("r", "a"),
        helper.make_node("Relu", ["a"], ["b"]),
        convolution("b", "c"),
        helper.make_node("Add", ["c", "r"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    model = build(nodes, {"x": [2, 4, 5, 5]}, ["y"], {"w": WEIGHTS}, {"x": "INT4"}).transform(InferShapes())
    after = model.transform(ConvertToChannelsLastAndClean())
    check_same(model, after)
    assert [(node.op_type, node.input[0]) for node in transposes(after)] == [
        ("Transpose", "x"),
        ("Transpose", "y_channels_last"),
    ]
    with_input = model.transform(ConvertToChannelsLastAndClean(make_input_channels_last=True))
    check_same(model, with_input, make_input_channels_last=True)
    assert [node.output[0] for node in transposes(with_input)] == ["y"]
    assert with_input.get_tensor_layout("x") == ["N", "H", "W", "C"]


def test_a_barrier_is_transposed_around_once(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        convolution("x", "a"),
        helper.make_node("DepthToSpace", ["a"], ["b"], blocksize=2),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Neg", ["b"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("MaxPool", ["e"], ["y"], kernel_shape=[1, 2]),
    ]
    model = build(nodes, {"x": [2, 4, 5, 5]}, ["y"], {"w": WEIGHTS}).transform(InferShapes())
    after = model.transform(ConvertToChannelsLastAndClean())
    check_same(model, after)
    assert inner_transposes(after) == ["a", "b_channels_last"]


@pytest.mark.parametrize("late", [{"ceil_mode": 1}, {"dilations": [2, 2]}], ids=str)
def test_attributes_that_pools_had_not_at_first(build, late: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    """The first node with the channels last is of the domain's version that has them."""
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], kernel_shape=[2, 2], strides=[2, 2], **late),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    model = build(nodes, {"x": [2, 4, 5, 7]}, ["y"], {}).transform(InferShapes())
    check_same(model, model.transform(ConvertToChannelsLastAndClean()))


def test_networks_without_such_operators_stay(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w"], ["c"]),
        helper.make_node("Transpose", ["c"], ["y"], perm=[0, 2, 1]),
    ]
    model = build(nodes, {"x": [2, 3, 4]}, ["y"], {"w": np.ones((3, 5), np.float32)}).transform(InferShapes())
    after = model.transform(ConvertToChannelsLastAndClean())
    assert [node.op_type for node in after.graph.node] == ["Transpose", "Relu", "MatMul", "Transpose"]


def test_transposes_of_the_network_itself_are_used(build) -> None:  # type: ignore[no-untyped-def]
    """As exporters of channels-last frameworks write it."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
        convolution("a", "b"),
        helper.make_node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
    ]
    model = build(nodes, {"x": [2, 5, 5, 4]}, ["y"], {"w": WEIGHTS}).transform(InferShapes())
    after = model.transform(ConvertToChannelsLastAndClean())
    check_same(model, after)
    assert [(node.op_type, node.domain) for node in after.graph.node] == [("Conv", CHANNELS_LAST)]


def test_symbolic_batch(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        convolution("x", "a"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["f"]),
        helper.make_node("MatMul", ["f", "v"], ["y"]),
    ]
    weights = (np.arange(100 * 3).reshape(100, 3) % 7 - 3).astype(np.float32)
    model = build(nodes, {"x": ["batch", 4, 5, 5]}, ["y"], {"w": WEIGHTS, "v": weights}).transform(InferShapes())
    after = model.transform(ConvertToChannelsLastAndClean())
    assert [node.op_type for node in after.graph.node] == ["Transpose", "Conv", "Relu", "Flatten", "MatMul"]
    info = after.get_tensor_valueinfo(after.graph.node[2].output[0])
    assert [dim.dim_param or dim.dim_value for dim in info.type.tensor_type.shape.dim] == ["batch", 5, 5, 4]
    for batch in (1, 3):
        x = {"x": np.random.default_rng(batch).integers(-3, 4, (batch, 4, 5, 5)).astype(np.float32)}
        np.testing.assert_array_equal(execute_onnx(after, x)["y"], execute_onnx(model, x)["y"])


def test_annotations_move_along(build) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        convolution("x", "a"),
        helper.make_node("Mul", ["a", "s"], ["b"]),
        helper.make_node("Flatten", ["b"], ["f"]),
        helper.make_node("MatMul", ["f", "v"], ["y"]),
    ]
    constants = {"w": WEIGHTS, "s": np.ones((4, 1, 1), np.float32), "v": np.ones((100, 3), np.float32)}
    types = {"x": "INT4", "w": "INT3", "a": "INT12", "s": "UINT2", "b": "INT13", "v": "BIPOLAR", "y": "INT21"}
    model = build(nodes, {"x": [2, 4, 5, 5]}, ["y"], constants, types).transform(InferShapes())
    model.set_tensor_layout("b", ["N", "C", "H", "W"])
    after = model.transform(ConvertToChannelsLastAndClean())
    check_same(model, after)
    conv, mul, flatten, matmul = after.graph.node[1:]
    found = [after.get_tensor_datatype(t).name for t in (*conv.input, *mul.input, *flatten.input, *matmul.input)]
    assert found == ["INT4", "INT3", "INT12", "UINT2", "INT13", "INT13", "BIPOLAR"]
    assert after.get_tensor_layout(mul.output[0]) == ["N", "H", "W", "C"]


@pytest.mark.parametrize(
    "name",
    ["brevitas_resblock_w4a4", "brevitas_mobblock_w4a4", "brevitas_cnvs_w2a2_fashion", "bnnpynq_cnv_w1a1_cifar10"],
)
@pytest.mark.parametrize("make_input_channels_last", [False, True])
def test_trained_networks(shared: Path, name: str, make_input_channels_last: bool) -> None:
    model = cleanup_model(ModelWrapper(shared / "models" / f"{name}.onnx"))
    after = model.transform(ConvertToChannelsLastAndClean(make_input_channels_last))
    at_input = [] if make_input_channels_last else ["global_in"]
    assert [node.input[0] for node in transposes(after)] == at_input
    golden = np.load(shared / "golden" / f"{name}.npz")
    key = next(key for key in golden.files if golden[key].ndim == 4)
    for sample in golden[key][:2]:
        x = {"global_in": sample[np.newaxis].astype(np.float32)}
        expected = execute_onnx(model, x)["global_out"]
        if make_input_channels_last:
            x["global_in"] = channels_last(x["global_in"])
        result = execute_onnx(after, x)["global_out"]
        # Sums of fractions are rounded in another order.
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def deep_network(build, blocks: int) -> ModelWrapper:  # type: ignore[no-untyped-def]
    """`blocks` residual blocks of two convolutions with batch normalization."""
    nodes, constants, x = [], {"w": WEIGHTS, "one": np.ones(4, np.float32)}, "x"
    for i in range(blocks):
        a, b, c, d, e, y = (f"{letter}{i}" for letter in "abcdey")
        nodes += [
            convolution(x, a),
            helper.make_node("BatchNormalization", [a, *["one"] * 4], [b], epsilon=0.0),
            helper.make_node("Relu", [b], [c]),
            convolution(c, d),
            helper.make_node("Add", [d, x], [e]),
            helper.make_node("Relu", [e], [y]),
        ]
        x = y
    return build(nodes, {"x": [1, 4, 4, 4]}, [x], constants).transform(InferShapes())


def test_time_grows_with_the_network(build) -> None:  # type: ignore[no-untyped-def]
    seconds = []
    for blocks in (20, 80):
        model = deep_network(build, blocks)
        start = time.process_time()
        after = model.transform(ConvertToChannelsLastAndClean(), make_deepcopy=False)
        seconds.append(time.process_time() - start)
        assert inner_transposes(after) == []
        assert len(transposes(after)) == 2
    assert seconds[1] < 12 * seconds[0], seconds
    assert seconds[1] < 10


def test_from_file_to_file(build, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = deep_network(build, 1)
    source = tmp_path / "network.onnx"
    model.save(source)
    to_channels_last(source)
    check_same(model, ModelWrapper(tmp_path / "network_channels_last.onnx"))
    main([str(source), "--make-input-channels-last", "--out-file", str(tmp_path / "other.onnx")])
    other = ModelWrapper(tmp_path / "other.onnx")
    assert other.get_tensor_shape("x") == [1, 4, 4, 4]
    assert other.get_tensor_layout("x") == ["N", "H", "W", "C"]
    check_same(model, other, make_input_channels_last=True)
