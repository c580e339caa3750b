"""The published functions: what they return, and where their predecessors are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from finn.core.errors import ConfigError, UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes
from finn.util import range_analysis as ra
from finn.util.range_analysis import range_analysis


def conv(build: Any, x: tuple[int, ...], w: np.ndarray, op_type: str = "Conv", **attributes: Any) -> ModelWrapper:
    node = helper.make_node(op_type, ["x", "w"], ["y"], **attributes)
    return build([node], {"x": list(x)}, ["y"], {"w": w}).transform(InferShapes())


def small_network(build: Any) -> ModelWrapper:
    """Channel 0 is stuck at 0.5 behind the Add, channel 1 at 0 behind the Mul."""
    nodes = [
        helper.make_node("Mul", ["x", "m"], ["scaled"]),
        helper.make_node("Add", ["scaled", "a"], ["y"]),
    ]
    column = {"m": [0, 0, 2], "a": [0.5, 0, 1]}
    constants = {name: np.array(v, np.float32).reshape(3, 1, 1) for name, v in column.items()}
    return build(nodes, {"x": [2, 3, 4, 4]}, ["y"], constants, {"x": "UINT2"}).transform(InferShapes())


def test_reports(build) -> None:
    model = small_network(build)
    assert range_analysis(model, report_mode="range") == {
        "x": (0, 3), "scaled": ([0, 0, 0], [0, 0, 6]), "y": ([0.5, 0, 1], [0.5, 0, 7])
    }  # fmt: skip
    stuck = {"scaled": [(0, 0.0), (1, 0.0)], "y": [(0, 0.5), (1, 0.0)]}
    assert range_analysis(model) == stuck
    assert range_analysis(model, report_mode="zerostuck_channel") == {"scaled": {0, 1}, "y": {1}}
    assert range_analysis(model, key_filter="y") == {"y": stuck["y"]}
    assert range_analysis(model, prettyprint=True, key_filter="y") == "{'y': [(0, 0.5), (1, 0.0)]}"


def test_files_and_cleanup(build, tmp_path: Path) -> None:
    small_network(build).save(tmp_path / "m.onnx")
    report = range_analysis(str(tmp_path / "m.onnx"), do_cleanup=True, report_mode="range")
    assert report["global_out"] == ([0.5, 0, 1], [0.5, 0, 7])


@pytest.mark.parametrize("irange", ["0,2", "(0, 2)", (0, 2), "[0,0,0],[2,2,2]"])
def test_given_range(build, irange: Any) -> None:
    report = range_analysis(small_network(build), irange=irange, report_mode="range")
    assert report["y"] == ([0.5, 0, 1], [0.5, 0, 5])


@pytest.mark.parametrize("irange", ["__import__('os').getpid(), 1", "1", "a,b", "1,2,3", "(np.zeros(3), 1)", "'"])
def test_irange_is_not_evaluated(build, irange: str) -> None:
    with pytest.raises(ConfigError, match='use "low,high"'):
        range_analysis(small_network(build), irange=irange)


def test_unknown_report_mode(build) -> None:
    with pytest.raises(
        ConfigError, match=r"there is no report mode 'all'\. Remedy: use one of: range, stuck_channel, zero"
    ):
        range_analysis(small_network(build), report_mode="all")


def test_operators_without_a_rule_are_warned_of(build) -> None:
    nodes = [helper.make_node("Det", ["x"], ["d"]), helper.make_node("Relu", ["d"], ["y"])]
    model = build(nodes, {"x": [2, 2, 2]}, ["y"]).transform(InferShapes())
    with pytest.warns(UserWarning, match="there is no rule for Det"):
        report = range_analysis(model, irange="0,1", report_mode="range")
    assert report == {"x": (0, 1), "d": (-np.inf, np.inf), "y": (0, np.inf)}


def test_padding_of_positive_inputs_counts(build) -> None:
    """qonnx 1.0.0 says (9, 18): a window at a corner sees 4 elements."""
    model = conv(build, (2, 1, 4, 4), np.ones((1, 1, 3, 3), np.float32), pads=[1, 1, 1, 1])
    assert range_analysis(model, irange="1,2", report_mode="range")["y"] == (4, 18)


def test_strided_transposed_convolution(build) -> None:
    """qonnx 1.0.0 says (4, 8): with stride 2 each output sees one element."""
    model = conv(build, (2, 1, 4, 4), np.ones((1, 1, 2, 2), np.float32), "ConvTranspose", strides=[2, 2])
    assert range_analysis(model, irange="1,2", report_mode="range")["y"] == (1, 2)


def test_calc_functions(build) -> None:
    w = np.array([[1, -2], [3, 4]], np.float32)
    for op_type, function in (("MatMul", ra.calc_matmul_range), ("Gemm", ra.calc_gemm_range)):
        for inputs in (["x", "w"], ["w", "x"]):
            model = build([helper.make_node(op_type, inputs, ["y"])], {"x": [2, 2]}, ["y"], {"w": w})
            ranges: dict[str, Any] = {"x": (-1, 5)}
            function(model.graph.node[0], model, ranges)
            low, high = ra.calculate_matvec_accumulator_extremum(w.T if inputs[0] == "x" else w, -1, 5)
            expected = (low, high) if inputs[0] == "x" else (low.min(), high.max())
            np.testing.assert_array_equal(ranges["y"][0], expected[0])
            np.testing.assert_array_equal(ranges["y"][1], expected[1])
    model = conv(build, (2, 1, 4, 4), np.ones((1, 1, 3, 3), np.float32))
    ranges = {"x": (1, 2)}
    ra.calc_conv_range(model.graph.node[0], model, ranges)
    assert ranges["y"] == (9, 18)
    model = conv(build, (2, 1, 4, 4), np.ones((1, 1, 2, 2), np.float32), "ConvTranspose")
    ra.calc_convtranspose_range(model.graph.node[0], model, ranges)
    assert ranges["y"] == (1, 8)


def test_calc_monotonic_range(build) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])
    model = build([node], {"x": [2, 2, 3, 3]}, ["y"])
    ranges: dict[str, Any] = {"x": (np.array([-1, 2]), np.array([1, 3]))}
    ra.calc_monotonic_range(model.graph.node[0], model, ranges)
    np.testing.assert_array_equal(ranges["y"], [[-1, 2], [1, 3]])
    model = build([helper.make_node("Mul", ["x", "z"], ["y"])], {"x": [2, 2], "z": [2, 2]}, ["y"])
    ranges = {"x": (-2, 3), "z": (-5, 1)}
    ra.calc_monotonic_range(model.graph.node[0], model, ranges)
    assert ranges["y"] == (-15, 10)


def test_calc_range_outdtype(build) -> None:
    model = build([helper.make_node("Det", ["x"], ["y"])], {"x": [2, 2]}, ["y"], datatypes={"y": "INT8"})
    ranges: dict[str, Any] = {}
    ra.calc_range_outdtype(model.graph.node[0], model, ranges)
    assert ranges == {"y": (-128, 127)}


def test_calc_says_what_is_missing(build) -> None:
    model = build([helper.make_node("MatMul", ["x", "z"], ["y"], name="m")], {"x": [2, 2], "z": [2, 2]}, ["y"])
    with pytest.raises(UnsupportedError, match="node MatMul 'm': the range of tensor 'z' is not known"):
        ra.calc_matmul_range(model.graph.node[0], model, {"x": (0, 1)})


def test_extremum_of_a_matrix_vector_product() -> None:
    matrix = np.array([[1, -2], [3, 4]])
    low, high = ra.calculate_matvec_accumulator_extremum(matrix, -1, 5)
    assert (low.tolist(), high.tolist()) == ([-11, -7], [7, 35])
    low, high = ra.calculate_matvec_accumulator_extremum(matrix, np.array([-1, 0]), np.array([5, 1]))
    assert (low.tolist(), high.tolist()) == ([-3, -3], [5, 19])


def test_small_helpers(build) -> None:
    model = small_network(build)
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT16, [2, 3, 1])
    low, high = ra.get_minmax_prototype_tensors((np.array([0, 1, 2]), 5), [2, 3, 1], info)
    assert (low.shape, low.dtype, low[1, :, 0].tolist()) == ((2, 3, 1), np.float16, [0, 1, 2])
    assert (high == 5).all()
    assert [ra.is_dyn_input(name, model) for name in ("x", "m", "")] == [True, False, False]
    assert ra.simplify_range((np.array([1, 1]), np.array([2, 2]))) == (1, 2)
    kept = ra.simplify_range((np.array([1, 1]), np.array([2, 3])))
    assert [end.tolist() for end in kept] == [[1, 1], [2, 3]]
    assert ra.simplify_range((1, 2)) == (1, 2)


def test_command_line(build, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_network(build).save(tmp_path / "m.onnx")
    ra.main([str(tmp_path / "m.onnx"), "--irange", "0,1", "--key-filter", "y"])
    assert capsys.readouterr().out == "{'y': [(0, 0.5), (1, 0.0)]}\n"
