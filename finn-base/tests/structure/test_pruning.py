"""Pruned networks compute what networks with zeros compute, exactly: all values are small integers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper

from finn.core.errors import ConfigError, ModelError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.pruning import (
    ApplyMasks,
    PropagateMasks,
    PruneChannels,
    RemoveMaskedChannels,
    ensure_masktype_is_dict,
    merge_dicts_of_sets,
    remove_masked_tensor_channels,
    update_node_mask,
)
from finn.util.prune_channels import main, prune_channels

from .prunable import Net, nets  # noqa: TID252 - test helpers are no installed package


def draw_spec(data: st.DataObject, model: ModelWrapper) -> dict[str, dict[int, set[int]]]:
    """Channels of weights or of activations."""
    choices = [(name, 1) for node in model.graph.node for name in node.output if name]
    for node in model.graph.node:
        for name in node.input[1:]:
            shape = model.get_tensor_shape(name) or []
            floats = model.get_tensor_elem_type(name) == TensorProto.FLOAT and name != "scales"
            choices += [(name, axis) for axis, size in enumerate(shape[:2]) if size > 1 and floats]
    spec: dict[str, dict[int, set[int]]] = {}
    for name, axis in data.draw(st.lists(st.sampled_from(choices), min_size=1, max_size=2)):
        size = (model.get_tensor_shape(name) or [])[axis]
        chosen = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=2))
        spec.setdefault(name, {}).setdefault(axis, set()).update(chosen)
    return spec


def weight_axis(node: NodeProto) -> int | None:
    """The axis of the second input over which the node sums."""
    return {"Conv": 1, "ConvTranspose": 0, "MatMul": 0, "Gemm": 1}.get(node.op_type)


def constant_behind(model: ModelWrapper, name: str) -> str:
    """The weights, or what the quantizer of the weights reads."""
    producer = model.find_producer(name)
    return name if producer is None else producer.input[0]


def with_zeros(model: ModelWrapper, masks: dict[str, dict[int, set[int]]]) -> ModelWrapper:
    """Zeros in the weights of all consumers for the input channels that are removed, by the definition of lossy."""
    model = ModelWrapper(model.model, make_deepcopy=True)
    for node in model.graph.node:
        axis = weight_axis(node)
        if axis is None:
            continue
        removed = masks.get(node.input[0], {}).get(1, set())
        name = constant_behind(model, node.input[1])
        value = np.array(model.get_initializer(name))
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        for channel in removed:
            if axis == 1 and groups > 1:
                inputs, outputs = value.shape[1], value.shape[0] // groups
                group = channel // inputs
                value[group * outputs : (group + 1) * outputs, channel % inputs] = 0
            else:
                np.moveaxis(value, axis, 0)[channel] = 0
        model.set_initializer(name, value)
    return model


def take(array: np.ndarray, mask: dict[int, set[int]]) -> np.ndarray:
    for axis, channels in mask.items():
        array = np.delete(array, sorted(channels), axis)
    return array


def image(model: ModelWrapper, seed: int = 3) -> np.ndarray:
    shape = model.get_tensor_shape("x")
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float32)


def masks_of(model: ModelWrapper) -> dict[str, dict[int, set[int]]]:
    names = [entry.tensor_name for entry in model.graph.quantization_annotation]
    return {name: mask for name in names if (mask := model.get_tensor_sparsity(name))}


@settings(max_examples=100, deadline=None)
@given(nets(), st.data())
def test_lossy(model: ModelWrapper, data: st.DataObject) -> None:
    spec = draw_spec(data, model)
    before = model.model.SerializeToString()
    masked = model.transform(ApplyMasks(spec), cleanup=False)
    try:
        masks = masks_of(masked.transform(PropagateMasks(), cleanup=False))
        pruned = model.transform(PruneChannels(spec), cleanup=False)
    except (ModelError, UnsupportedError):
        with pytest.raises((ModelError, UnsupportedError)):
            model.transform(PruneChannels(spec, True), make_deepcopy=False)
        assert model.model.SerializeToString() == before
        assume(False)
    for name, axes in spec.items():
        for axis, channels in axes.items():
            assert channels <= masks[name][axis]
    x = image(model)
    expected = execute_onnx(with_zeros(model, masks), {"x": x})
    found = execute_onnx(pruned, {"x": take(x, masks.get("x", {}))})
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], take(array, masks.get(name, {})))
    for name, axes in masks.items():
        old, new = model.get_tensor_shape(name), pruned.get_tensor_shape(name)
        assert new == [size - len(axes.get(axis, ())) for axis, size in enumerate(old)]
    declared = {v.name: pruned.get_tensor_shape(v.name) for v in pruned.graph.value_info}
    for value in list(pruned.graph.value_info):
        pruned.graph.value_info.remove(value)
    again = pruned.transform(InferShapes(), cleanup=False)
    assert {n: again.get_tensor_shape(n) for n in declared} == declared, "the shapes are what inference finds"
    assert masks_of(pruned) == {}


def zeroed(model: ModelWrapper, spec: dict[str, dict[int, set[int]]]) -> ModelWrapper:
    model = ModelWrapper(model.model, make_deepcopy=True)
    for name, axes in spec.items():
        value = np.array(model.get_initializer(name))
        for axis, channels in axes.items():
            np.moveaxis(value, axis, 0)[sorted(channels)] = 0
        model.set_initializer(name, value)
    return model


def same_outputs(model: ModelWrapper, pruned: ModelWrapper) -> None:
    x = image(model)
    expected, found = execute_onnx(model, {"x": x}), execute_onnx(pruned, {"x": x})
    assert list(expected) == list(found)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def quietly(model: ModelWrapper, spec: dict[str, dict[int, set[int]]], lossy: bool = False) -> ModelWrapper:
    """Pruned, or the test ends here since that is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return model.transform(PruneChannels(spec, lossy), cleanup=False)
        except (ModelError, UnsupportedError):
            assume(False)
            raise


@settings(max_examples=80, deadline=None)
@given(nets(), st.data())
def test_lossless_on_weights_with_zeros(model: ModelWrapper, data: st.DataObject) -> None:
    spec = {name: axes for name, axes in draw_spec(data, model).items() if model.has_initializer(name)}
    assume(spec)
    model = zeroed(model, spec)
    same_outputs(model, quietly(model, spec))


@settings(max_examples=80, deadline=None)
@given(nets(), st.data())
def test_lossless_on_channels_that_nobody_reads(model: ModelWrapper, data: st.DataObject) -> None:
    """All consumers have zeros for them: then lossless removes as much as lossy, up to the ports of the graph."""
    masked = model.transform(ApplyMasks(draw_spec(data, model)), cleanup=False)
    try:
        everything = masks_of(masked.transform(PropagateMasks(), cleanup=False))
    except (ModelError, UnsupportedError):
        assume(False)
    spec = {}
    for node in model.graph.node:
        axis = weight_axis(node)
        if axis is not None:
            weights = constant_behind(model, node.input[1])
            if everything.get(weights, {}).get(axis):
                spec[weights] = {axis: everything[weights][axis]}
    assume(spec)
    model = zeroed(model, spec)
    pruned = quietly(model, spec)
    same_outputs(model, pruned)
    lossy = quietly(model, spec, lossy=True)
    ports = ["x", *(value.name for value in model.graph.output)]
    if all(lossy.get_tensor_shape(name) == model.get_tensor_shape(name) for name in ports):
        assert pruned.model.SerializeToString() == lossy.model.SerializeToString()


# ------------------------------------------------------------------------------------------------------------ examples


def residual(bias: bool = False) -> ModelWrapper:
    """conv c0 -> Relu t1, conv -> t2, added: t3, conv -> t4; the weights of the second are c1, or c2 with a bias."""
    net = Net(2)
    a = net.add("Relu", [net.conv("x", 3, bias=bias)], 3)
    b = net.conv("x", 3)
    return net.model([net.conv(net.add("Add", [a, b], 3), 2)])


def test_residual_branches() -> None:
    model = residual()
    lossy = model.transform(PruneChannels({"c0": {0: {1}}}))
    assert [lossy.get_tensor_shape(name)[:2] for name in ("c0", "c1", "c2", "t3")] == [[2, 2], [2, 2], [2, 2], [2, 2]]
    both = {"c0": {0: {1, 2}}, "c1": {0: {1}}}
    with pytest.warns(UserWarning, match="channels 2 of axis 0 of 'c0' stay: without them results would change"):
        lossless = zeroed(model, both).transform(PruneChannels(both, lossy=False))
    assert [lossless.get_tensor_shape(name)[:2] for name in ("c0", "c1", "c2")] == [[2, 2], [2, 2], [2, 2]]
    same_outputs(zeroed(model, both), lossless)


def test_a_bias_keeps_a_channel_alive() -> None:
    model = residual(bias=True)
    model.set_initializer("c1", np.array([0, 1, 1], np.float32))
    spec = {"c0": {0: {0, 1}}, "c2": {0: {0, 1}}}
    with pytest.warns(UserWarning, match="channels 1 of axis 0 of 'c[02]' stay: without them") as caught:
        pruned = zeroed(model, spec).transform(PruneChannels(spec, lossy=False))
    assert len(caught) == 2
    assert pruned.get_tensor_shape("c0") == [2, 2, 1, 1]
    assert pruned.get_tensor_shape("c1") == [2], "the bias of a removed channel goes with it"
    same_outputs(zeroed(model, spec), pruned)


def test_activations_can_be_asked_for() -> None:
    """The caller says that they are zero: here Relu of something negative."""
    net = Net(2)
    relu = net.add("Relu", [net.conv("x", 3, bias=True)], 3)
    model = net.model([net.conv(relu, 2)])
    model.set_initializer("c1", np.array([0, -1000, 0], np.float32))
    pruned = model.transform(PruneChannels({"t1": {1: [1]}}, lossy=False))
    assert pruned.get_tensor_shape("t0") == [2, 2, 4, 4]
    same_outputs(model, pruned)


def test_ports_only_by_name() -> None:
    net = Net(3)
    model = net.model([net.conv("x", 2)])
    unused = zeroed(model, {"c0": {1: {0}}})
    with pytest.warns(UserWarning, match="channels 0 of axis 1 of 'c0' stay"):
        assert unused.transform(PruneChannels({"c0": {1: {0}}}, lossy=False)).get_tensor_shape("x") == [2, 3, 4, 4]
    pruned = unused.transform(PruneChannels({"x": {1: {0}}}, lossy=False))
    assert [v.name for v in pruned.graph.input] == ["x"]
    assert pruned.get_tensor_shape("x") == [2, 2, 4, 4]
    x = image(unused)
    name = model.graph.output[0].name
    expected = execute_onnx(unused, {"x": x})[name]
    np.testing.assert_array_equal(execute_onnx(pruned, {"x": x[:, 1:]})[name], expected)
    assert model.transform(PruneChannels({"c0": {0: {1}}})).get_tensor_shape(name) == [2, 1, 4, 4]


def test_depthwise_groups_and_multipliers() -> None:
    net = Net(4)
    depthwise = net.conv("x", 8, 3, 4)
    model = net.model([net.conv(depthwise, 2)])
    pruned = model.transform(PruneChannels({depthwise: {1: {5}}}))
    assert {a.name: a.i for a in pruned.graph.node[0].attribute if a.name == "group"} == {"group": 3}
    assert [pruned.get_tensor_shape(name)[:2] for name in ("x", "c0", "c1")] == [[2, 3], [6, 1], [2, 6]]


@pytest.mark.parametrize("opset", [11, 13])
def test_split_gets_other_sizes(opset: int) -> None:
    net = Net(2)
    wide = net.conv("x", 4)
    first = net.add("Split", [wide], 2, outputs=2, axis=1)
    model = net.model([net.conv(first, 1), net.conv(f"{first}_1", 1)], opset)
    pruned = model.transform(PruneChannels({"c0": {0: {0}}}))
    assert [pruned.get_tensor_shape(name)[1] for name in (first, f"{first}_1")] == [1, 2]
    mask = {"c0": {0: {0}}, "c1": {1: {0}}}
    same_outputs(zeroed(model, mask), pruned)
    onnx.checker.check_model(pruned.model)


@pytest.mark.parametrize("op_type", ["Softmax", "ReduceMean", "DepthToSpace", "If"])
def test_mixing_operators_are_named(op_type: str) -> None:
    net = Net(2)
    attributes: dict[str, object] = {"axis": 1} if op_type == "Softmax" else {}
    attributes |= {"axes": [1, 2]} if op_type == "ReduceMean" else {}
    attributes |= {"blocksize": 2} if op_type == "DepthToSpace" else {}
    y = net.conv("x", 4)
    if op_type == "If":
        body = helper.make_graph([helper.make_node("Relu", [y], ["b"])], "b", [], [onnx.ValueInfoProto(name="b")])
        net.constants["c"] = np.array(True)
        net.add("If", ["c"], 4, then_branch=body, else_branch=body)
    else:
        net.add(op_type, [y], 4, **attributes)
    model = net.model(["t1"])
    before = model.model.SerializeToString()
    for lossy in (True, False):
        message = f"node {op_type} 'n1': entries of axis 1 of 't0' cannot be removed here .{op_type} mixes them"
        with pytest.raises(UnsupportedError, match=message):
            model.transform(PruneChannels({"c0": {0: {0}}}, lossy), make_deepcopy=False, cleanup=False)
    assert model.model.SerializeToString() == before


def test_wrong_specifications() -> None:
    model = residual()
    for spec, message in (
        ({"c9": {0: {0}}}, "there is no tensor 'c9' to prune. Remedy: use one of: c0,"),
        ({"c0": {4: {0}}}, r"tensor 'c0' of shape \[3, 2, 1, 1\]: it has no axis 4"),
        ({"c0": {0: {3}}}, "axis 0 has no channel 3"),
    ):
        with pytest.raises(ConfigError, match=message):
            model.transform(PruneChannels(spec))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="tensor 't0': no channel of axis 1 would be left"):
        model.transform(PruneChannels({"t0": {1: range(3)}}))
    shapeless = ModelWrapper(model.model, make_deepcopy=True)
    del shapeless.graph.value_info[:]
    with pytest.raises(ModelError, match=r"tensor 't0': its shape is not known. Remedy: apply InferShapes first"):
        shapeless.transform(PruneChannels({"t0": {1: {0}}}))
    assert model.transform(PruneChannels({}), cleanup=False).model == model.model


def test_masks_in_annotations() -> None:
    model = residual()
    model.set_tensor_sparsity("c1", {"dw": {"kernel_shape": [1, 1]}})
    masked = model.transform(ApplyMasks({"c1": {0: [2]}}), cleanup=False)
    assert masked.get_tensor_sparsity("c1") == {"dw": {"kernel_shape": [1, 1]}, 0: {2}}
    with pytest.raises(ModelError, match=r"the masks would break the shapes. Remedy: apply PropagateMasks first"):
        masked.transform(RemoveMaskedChannels())
    done = masked.transform(PropagateMasks()).transform(RemoveMaskedChannels())
    assert done.get_tensor_sparsity("c1") == {"dw": {"kernel_shape": [1, 1]}}
    assert done.get_tensor_sparsity("c0") is None
    assert done.get_initializer("c0").shape == (2, 2, 1, 1)
    same = model.transform(PruneChannels({"c1": {0: {2}}}))
    assert [n.SerializeToString() for n in same.graph.node] == [n.SerializeToString() for n in done.graph.node]
    assert masked.transform(PruneChannels({})).get_tensor_shape("c0") == [2, 2, 1, 1]


def test_masks_of_one_node() -> None:
    def node(op_type: str, **attributes: object) -> NodeProto:
        return helper.make_node(op_type, ["x", "w"], ["y"], **attributes)

    given: list[dict[int, set[int]] | None] = [{1: {0}}, None]
    assert update_node_mask(node("Add"), given, [{}]) == ([{1: {0}}, {1: {0}}], [{1: {0}}])
    assert update_node_mask(node("Add"), given, [{}], lossy=False) == ([{1: {0}}, {}], [{}])
    both: list[dict[int, set[int]] | None] = [{1: {0, 2}}, {1: {2, 3}}]
    assert update_node_mask(node("Add"), both, [{}], lossy=False) == ([{1: {0, 2}}, {1: {2, 3}}], [{1: {2}}])
    assert update_node_mask(node("MatMul"), [{1: {0}}, {1: {2}}], [{}]) == ([{1: {0}}, {0: {0}, 1: {2}}], [{1: {2}}])
    assert update_node_mask(node("Conv"), [{}, {0: {2}}], [{}]) == ([{}, {0: {2}}], [{1: {2}}])
    assert update_node_mask(node("Conv", group=4), [{1: {3}}, {}], [{}]) == ([{1: {3}}, {0: {3}}], [{1: {3}}])
    assert update_node_mask(node("Unknown"), given, [{}]) == ([{1: {0}}, {}], [{}])
    assert given == [{1: {0}}, None]


def test_helpers() -> None:
    assert ensure_masktype_is_dict(None) == {}
    assert ensure_masktype_is_dict({0: {1}}) == {0: {1}}
    assert merge_dicts_of_sets({0: {1}, 2: {3}}, {0: {2}}) == {0: {1, 2}, 2: {3}}
    np.testing.assert_array_equal(remove_masked_tensor_channels(np.arange(6).reshape(2, 3), {1}, 1), [[0, 2], [3, 5]])
    assert remove_masked_tensor_channels([2, 3], {0, 2}, 1) == [2, 1]
    assert remove_masked_tensor_channels((2, 3), {0}, 0) == (1, 3)


def test_files(tmp_path: Path) -> None:
    model, file = residual(), tmp_path / "net.onnx"
    model.save(file)
    expected = model.transform(PruneChannels({"c0": {0: {1, 2}}}))
    texts = {"spec.json": json.dumps({"c0": {"0": [1, 2]}}), "spec.txt": "\n{'c0': {0: {1, 2}}}\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        prune_channels(file, tmp_path / name)
        pruned = ModelWrapper(tmp_path / "net_pruned.onnx")
        assert [pruned.get_tensor_shape(n) for n in ("c0", "c1")] == [
            expected.get_tensor_shape(n) for n in ("c0", "c1")
        ]
    (tmp_path / "zero.json").write_text('{"c0": {"0": [0]}}')
    target = tmp_path / "other.onnx"
    with pytest.warns(UserWarning, match="channels 0 of axis 0 of 'c0' stay"):
        main([str(file), str(tmp_path / "zero.json"), "--lossless", "--output-filename", str(target)])
    assert ModelWrapper(target).get_tensor_shape("c0") == [3, 2, 1, 1]
    for text in ("__import__('os').system('true')", "[1]", "{'c0': {0: 5}}", "{'c0': {0: ['a']}}", "{"):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(ConfigError, match="bad: this is no specification of channels"):
            prune_channels(file, tmp_path / "bad")
    with pytest.raises(ConfigError, match="cannot read the specification"):
        prune_channels(file, tmp_path / "none")
