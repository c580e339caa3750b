"""The counts are those of loops over every multiplication, computed here from shapes alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from finn.analysis import inference_cost as analysis
from finn.core.domains import CHANNELS_LAST, GENERAL
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.util.inference_cost import (
    assign_mem_bits_and_elems,
    compute_bops,
    compute_bops_and_macs,
    compute_mem_bits,
    compute_mem_bits_and_elems,
    inference_cost,
    main,
)

from .samples import SAMPLES, Net  # noqa: TID252 - test helpers are no installed package


def cost(model: ModelWrapper, **options: Any) -> dict[str, Any]:
    total = analysis.inference_cost(model.transform(InferShapes(), cleanup=False), **options)["total_cost"]
    assert total.pop("discount_sparsity") == options.get("discount_sparsity", True)
    assert total.pop("unsupported") == set()
    return total


@pytest.mark.parametrize("name", ["Conv", "Gemm", "MatMul"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_macs_are_products_that_are_summed(name: str, data: st.DataObject) -> None:
    """With ones everywhere, an output without padding is the number of its products."""
    net = Net(data.draw, 13)
    SAMPLES[name](net)
    node = net.nodes[0]
    for attribute in list(node.attribute):
        if attribute.name in ("pads", "auto_pad", "alpha", "beta"):
            node.attribute.remove(attribute)
    del node.input[2:]
    net.constants = {k: np.ones_like(v) for k, v in net.constants.items()}
    net.shapes = {k: [d + 4 if name == "Conv" and i > 1 else d for i, d in enumerate(s)] for k, s in net.shapes.items()}
    model = net.model()
    (y,) = execute_onnx(model, {k: np.ones(s, np.float32) for k, s in net.shapes.items()}).values()
    weights = [c for k, c in net.constants.items() if k in node.input]
    assert cost(model) == {
        "op_mac_FLOAT32_FLOAT32": y.sum(),
        "mem_w_FLOAT32": sum(w.size for w in weights),
        "mem_o_FLOAT32": y.size,
    }


def test_conv_transpose(build) -> None:
    w = np.ones((4, 3, 2, 5), np.float32)
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], group=2, strides=[2, 3])
    model = build([node], {"x": [2, 4, 3, 3]}, ["y"], {"w": w})
    # Without padding every product of an input element with its filters lands in the output.
    (y,) = execute_onnx(model, {"x": np.ones((2, 4, 3, 3), np.float32)}).values()
    assert cost(model) == {"op_mac_FLOAT32_FLOAT32": y.sum(), "mem_w_FLOAT32": w.size, "mem_o_FLOAT32": y.size}


def test_channels_last_conv_costs_the_same(build) -> None:
    node = helper.make_node(
        "Conv", ["x", "w"], ["y"], domain=CHANNELS_LAST, group=1, kernel_shape=[3, 2], pads=[0] * 4, strides=[1, 1],
        dilations=[1, 1],
    )  # fmt: skip
    model = build([node], {"x": [2, 5, 5, 4]}, ["y"], {"w": np.ones((6, 3, 2, 4), np.float32)})
    outputs = 2 * 3 * 4 * 6
    assert cost(model) == {"op_mac_FLOAT32_FLOAT32": outputs * 24, "mem_w_FLOAT32": 144, "mem_o_FLOAT32": outputs}


def test_the_constant_operand_has_the_weights(build) -> None:
    types = {"x": "INT4", "w": "INT2"}
    left = build(
        [helper.make_node("MatMul", ["w", "x"], ["y"])], {"x": [2, 4, 5]}, ["y"], {"w": np.ones((3, 4), "f4")}, types
    )
    assert cost(left) == {"op_mac_INT4_INT2": 120, "mem_w_INT2": 12, "mem_o_FLOAT32": 30}
    both = build([helper.make_node("MatMul", ["w", "x"], ["y"])], {"x": [2, 4, 5], "w": [3, 4]}, ["y"], {}, types)
    assert cost(both) == {"op_mac_INT2_INT4": 120, "mem_w_INT4": 0, "mem_o_FLOAT32": 30}


def test_sparse_weights(build) -> None:
    w = np.array([[1, 0, 2], [0, 0, 3], [1, 1, 1]], np.float32)
    model = build([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [7, 3]}, ["y"], {"w": w})
    assert cost(model) == {"op_mac_FLOAT32_FLOAT32": 42, "mem_w_FLOAT32": 6, "mem_o_FLOAT32": 21}
    dense = {"op_mac_FLOAT32_FLOAT32": 63, "mem_w_FLOAT32": 9, "mem_o_FLOAT32": 21}
    assert cost(model, discount_sparsity=False) == dense
    assert analysis.get_node_weight_density(model, "w") == 6 / 9
    assert analysis.get_node_weight_density(model, "x") == 1.0


def test_xnor_popcount(build) -> None:
    bits, node = {"a": "BINARY", "b": "BINARY", "y": "UINT32"}, ["a", "b"]
    model = build(
        [helper.make_node("XnorPopcountMatMul", node, ["y"], domain=GENERAL)],
        {"a": [2, 8], "b": [8, 3]},
        ["y"],
        {},
        bits,
    )
    assert cost(model) == {"op_mac_BINARY_BINARY": 48, "mem_w_BINARY": 0, "mem_o_UINT32": 6}


@pytest.mark.parametrize(("mode", "taps"), [("nearest", 0), ("linear", 2), ("cubic", 4)])
def test_resize(build, mode: str, taps: int) -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode=mode)
    model = build([node], {"x": [2, 3, 4, 4]}, ["y"], {"s": np.array([1, 1, 2, 1], np.float32)})
    assert cost(model) == {"op_mac_FLOAT32_FLOAT32": 192 * taps, "mem_o_FLOAT32": 192}
    model = build([node], {"x": [2, 3, 4, 4]}, ["y"], {"s": np.array([1, 1, 2, 3], np.float32)})
    assert cost(model)["op_mac_FLOAT32_FLOAT32"] == 2 * 576 * taps


def test_breakdown_and_unnamed_nodes(build) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"], name="r"),
        helper.make_node("MatMul", ["c", "w"], ["y"], name="last"),
        helper.make_node("Det", ["x"], ["d"]),
    ]
    model = build(nodes, {"x": [3, 3]}, ["y", "d"], {"w": np.ones((3, 3), np.float32)}).transform(
        InferShapes(), cleanup=False
    )
    result = analysis.inference_cost(model, cost_breakdown=True)
    one = {"op_mac_FLOAT32_FLOAT32": 27, "mem_w_FLOAT32": 9, "mem_o_FLOAT32": 9}
    three = {key: 3 * count for key, count in one.items()}
    assert result["total_cost"] == three | {"unsupported": {"Det"}, "discount_sparsity": True}
    assert result["optype_cost"] == {"MatMul": three}
    assert result["node_cost"] == {"MatMul_0": one, "MatMul_1": one, "last": one}


def test_unknown_shapes_are_named(build) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")
    model = build([node], {"x": ["N", 3]}, ["y"], {"w": np.ones((3, 3), np.float32)})
    with pytest.raises(ModelError, match=r"node MatMul 'mm': the shape of tensor 'x' is not fixed: \[0, 3\]"):
        analysis.inference_cost(model)


def test_helpers() -> None:
    costs = {"a": {"x": 1, "efficiency": 3, "my_efficiency": 1}, "b": {"x": 2, "y": 3}}
    assert analysis.aggregate_dict_keys(costs) == {"x": 3, "y": 3}
    macs = {"op_mac_INT4_INT2": 10, "op_mac_FLOAT32_SCALEDINT<4>": 3, "mem_w_INT4": 4, "mem_o_BIPOLAR": 5}
    assert compute_bops_and_macs(macs) == (464, 13)
    assert compute_bops(macs) == 464
    assert compute_mem_bits_and_elems(macs) == (16, 4)
    assert compute_mem_bits(macs, "mem_o") == 5
    totals = {"total_mem_w_bits": 16, "total_mem_w_elems": 4, "total_mem_o_bits": 5, "total_mem_o_elems": 5}
    assert assign_mem_bits_and_elems(dict(macs)) == macs | totals


def quantized_layer(build: Any, scale: float) -> ModelWrapper:
    """A MatMul of 4-bit activations and 2-bit weights."""
    common = {"domain": GENERAL, "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "four"], ["xq"], **common),
        helper.make_node("Quant", ["w", "s", "z", "two"], ["wq"], **common),
        helper.make_node("MatMul", ["xq", "wq"], ["y"]),
    ]
    constants = {"s": scale, "z": 0, "four": 4, "two": 2, "w": np.full((4, 3), -1)}
    arrays = {name: np.array(value, np.float32) for name, value in constants.items()}
    return build(nodes, {"x": [2, 4]}, ["y"], arrays)


@pytest.mark.parametrize(
    ("scale", "idt", "wdt", "odt"),
    [(1.0, "INT4", "INT2", "INT32"), (0.5, "SCALEDINT<4>", "SCALEDINT<2>", "SCALEDINT<32>")],
)
def test_quantized_model(build, tmp_path: Path, scale: float, idt: str, wdt: str, odt: str) -> None:
    """The numbers that qonnx 1.0.0 gives for the same model."""
    files = {"output_json": tmp_path / "cost.json", "output_onnx": tmp_path / "model.onnx"}
    model = quantized_layer(build, scale)
    before = model.model.SerializeToString()
    result = inference_cost(model, **files)
    assert model.model.SerializeToString() == before
    assert result == {
        "total_cost": {
            f"op_mac_{idt}_{wdt}": 24, f"mem_w_{wdt}": 12, f"mem_o_{odt}": 6,
            "unsupported": "set()", "discount_sparsity": True, "total_mem_w_bits": 24, "total_mem_w_elems": 12,
            "total_mem_o_bits": 192, "total_mem_o_elems": 6, "total_bops": 192, "total_macs": 24,
        }
    }  # fmt: skip
    assert json.loads(files["output_json"].read_text()) == result
    assert inference_cost(files["output_onnx"], preprocess=False) == result


def test_command_line(build, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quantized_layer(build, 1.0).save(tmp_path / "m.onnx")
    main([str(tmp_path / "m.onnx"), "--cost-breakdown"])
    assert json.loads(capsys.readouterr().out)["node_cost"]["MatMul_0"]["total_macs"] == 24


def test_a_network_of_the_size_of_resnet_50(build) -> None:
    """53 convolutions with 26 million weights."""
    nodes, arrays, name = [], {}, "x"
    for i in range(53):
        arrays[f"w{i}"] = np.ones((234, 234, 3, 3), np.float32)
        nodes.append(helper.make_node("Conv", [name, f"w{i}"], [f"h{i}"], pads=[1, 1, 1, 1]))
        name = f"h{i}"
    model = build(nodes, {"x": [1, 234, 14, 14]}, [name], arrays)
    start = time.perf_counter()
    result = inference_cost(model)
    assert time.perf_counter() - start < 10  # about 1 s, on a machine that does nothing else
    assert result["total_cost"]["total_macs"] == 53 * 234 * 234 * 9 * 196
