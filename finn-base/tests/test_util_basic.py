"""Helpers of finn.util.basic, against brute force, NumPy and onnxruntime."""

from __future__ import annotations

import json
import os
import random
import stat
import string
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import finn.util
from finn.core.datatype import DataType
from finn.core.errors import AttributeValueError, ConfigError, ExecutionError, ModelError, UnsupportedError
from finn.util import basic
from finn.util.errors import ToolError
from finn.util.fpgadataflow import is_fpgadataflow_node
from finn.util.random_reseed import reseed


def test_published_names_are_there() -> None:
    assert set(basic.__all__) <= set(vars(basic))
    assert (basic.get_preferred_onnx_opset(), basic.get_preferred_qonnx_opset()) == (11, 1)


# ------------------------------------------------------------------------------------------------------------- boards


def test_boards() -> None:
    facts = json.loads((Path(finn.util.__file__).parent / "boards.json").read_text())
    assert facts["sources"]
    assert facts["date"]
    assert basic.pynq_part_map["Ultra96"] == "xczu3eg-sbva484-1-e"
    assert basic.pynq_part_map["Pynq-Z1"] == "xc7z020clg400-1"
    assert basic.alveo_part_map["U250"] == "xcu250-figd2104-2L-e"
    assert basic.alveo_default_platform["U55C"] == "xilinx_u55c_gen3x16_xdma_3_202210_1"
    assert basic.pynq_native_port_width["Pynq-Z2"] == 64
    assert basic.pynq_native_port_width["ZCU104"] == 128
    assert basic.pynq_part_map.keys() == basic.pynq_native_port_width.keys()
    assert basic.alveo_part_map.keys() == basic.alveo_default_platform.keys()
    assert basic.pynq_part_map.keys() | basic.alveo_part_map.keys() < basic.part_map.keys()
    assert all(part.startswith("xc") for part in basic.part_map.values())


# -------------------------------------------------------------------------------------------------------- environment


@pytest.mark.parametrize(
    ("function", "variable", "default", "text", "value"),
    [
        (basic.get_rtlsim_trace_depth, "RTLSIM_TRACE_DEPTH", 1, "3", 3),
        (basic.get_num_default_workers, "NUM_DEFAULT_WORKERS", 1, "4", 4),
        (basic.get_execution_error_thresh, "ERROR_THRESH", 0.01, "1e-4", 1e-4),
        (basic.get_sanitize_quant_tensors, "SANITIZE_QUANT_TENSORS", 1, "0", 0),
        (basic.get_remote_vivado, "REMOTE_VIVADO", None, "host", "host"),
    ],
)
def test_environment(monkeypatch, function, variable: str, default, text: str, value) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv(variable, raising=False)
    assert function() == default
    monkeypatch.setenv(variable, text)
    assert function() == value
    monkeypatch.setenv(variable, "many")
    if function is basic.get_remote_vivado:
        assert function() == "many"
    else:
        with pytest.raises(ConfigError, match=f"the environment variable {variable} is 'many'. Remedy: set it to a"):
            function()


def test_finn_root(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FINN_ROOT", "/somewhere")
    assert basic.get_finn_root() == "/somewhere"
    monkeypatch.delenv("FINN_ROOT")
    with pytest.raises(ConfigError, match=r"FINN_ROOT is not set\. Remedy: set it to the folder"):
        basic.get_finn_root()


def test_build_folders(monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FINN_BUILD_DIR", str(tmp_path / "new"))
    one, two = basic.make_build_dir("code_"), basic.make_build_dir("code_")
    assert one != two
    for folder in (one, two):
        assert Path(folder).parent == tmp_path / "new"
        assert Path(folder).name.startswith("code_")
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o755
        assert not list(Path(folder).iterdir())
    (tmp_path / "file").touch()
    monkeypatch.setenv("FINN_BUILD_DIR", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"there can be no folder 'x\.\.\.' in FINN_BUILD_DIR"):
        basic.make_build_dir("x")
    monkeypatch.delenv("FINN_BUILD_DIR")
    with pytest.raises(ConfigError, match="FINN_BUILD_DIR is not set"):
        basic.make_build_dir()


# ---------------------------------------------------------------------------------------------------------- processes


def test_processes(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    script = "echo $GREETING; pwd; printf 'odd \\377' >&2"
    out, err = basic.launch_process_helper(["bash", "-c", script], {"GREETING": "hi"}, tmp_path)
    assert (out, err) == (f"hi\n{tmp_path}\n", "odd \ufffd")
    assert capsys.readouterr() == (out, err)
    with pytest.raises(ToolError, match=r"'bash -c .echo no >&2; exit 3.' ended with exit code 3 \(no\)"):
        basic.launch_process_helper(["bash", "-c", "echo no >&2; exit 3"])
    assert basic.launch_process_helper(["bash", "-c", "echo no >&2; exit 3"], check=False) == ("", "no\n")
    with pytest.raises(ToolError, match="cannot run 'no-such-program'"):
        basic.launch_process_helper(["no-such-program"])


def test_which(monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tool = tmp_path / "a-tool"
    tool.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert basic.which("a-tool") is None
    tool.chmod(0o755)
    assert basic.which("a-tool") == basic.which(str(tool)) == str(tool)
    assert basic.which("no-such-tool") is None


def test_cpp_builder(tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text('#include "answer.hpp"\nint main() { return ANSWER; }\n')
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "answer.hpp").write_text("#define ANSWER 42\n")
    builder = basic.CppBuilder()
    builder.append_includes(f"-I{tmp_path}/inc")
    builder.append_includes("-O1")
    builder.append_sources(f"{tmp_path}/*.cpp")
    builder.set_executable_path(f"{tmp_path}/answer")
    for _ in range(2):  # building again starts afresh
        builder.build(str(tmp_path))
        script = Path(builder.compile_script).read_text()
        assert script == f"#!/bin/bash\ng++ -o {tmp_path}/answer {tmp_path}/*.cpp -I{tmp_path}/inc -O1\n"
    assert subprocess.run([tmp_path / "answer"], check=False).returncode == 42
    (tmp_path / "main.cpp").write_text("int main() { return undeclared; }\n")
    with pytest.raises(ToolError, match="undeclared"):
        builder.build(str(tmp_path))


# --------------------------------------------------------------------------------------------------- domains and names


def test_domains() -> None:
    ours = ["finn.custom_op.general", "finn.custom_op.fpgadataflow", "finn", "qonnx.custom_op.general", "onnx.brevitas"]
    assert all(basic.is_finn_op(domain) for domain in ours)
    assert not any(basic.is_finn_op(domain) for domain in ("", "ai.onnx", "ai.onnx.ml", "com.microsoft"))


def test_hardware_nodes() -> None:
    def node(domain: str, **attributes: object):  # type: ignore[no-untyped-def]
        return helper.make_node("MVAU", ["x"], ["y"], domain=domain, **attributes)

    assert is_fpgadataflow_node(node("finn.custom_op.fpgadataflow", backend="fpgadataflow")) is True
    assert is_fpgadataflow_node(node("finn.custom_op.fpgadataflow", backend="other")) is False
    assert is_fpgadataflow_node(node("finn.custom_op.fpgadataflow")) is False
    assert is_fpgadataflow_node(node("", backend="fpgadataflow")) is False
    assert is_fpgadataflow_node(None) is False


def test_remove_by_name() -> None:
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], name=name) for name in "abca"], "g", [], [])
    basic.remove_by_name(graph.node, "b")
    basic.remove_by_name(graph.node, "z")
    assert [node.name for node in graph.node] == ["a", "c", "a"]
    with pytest.raises(ModelError, match="2 items are called 'a'"):
        basic.remove_by_name(graph.node, "a")
    basic.remove_by_name(graph.node, "y", "op_type")
    assert len(graph.node) == 3


def test_random_strings_follow_the_seed_of_python() -> None:
    random.seed(3)
    first = basic.random_string()
    random.seed(3)
    assert basic.random_string(6) == first
    assert len(basic.random_string(40)) == 40
    assert set(basic.random_string(200)) <= set(string.ascii_letters + string.digits)


# ------------------------------------------------------------------------------------------------------------ tensors

TYPES = ["BIPOLAR", "BINARY", "TERNARY", "INT4", "UINT24", "INT25", "INT26", "UINT53", "UINT54", "INT64", "UINT64"]
FRACTIONS = ["FLOAT32", "FLOAT16", "FIXED<4,2>", "FIXED<30,-2>", "FIXED<54,20>", "FLOAT<4,3>", "FLOAT<3,2,9>"]


@pytest.mark.parametrize("name", TYPES + FRACTIONS)
def test_random_tensors(name: str) -> None:
    datatype = DataType[name]
    values = basic.gen_finn_dt_tensor(datatype, [3, 500], seed=1)
    assert values.shape == (3, 500)
    assert values.dtype == basic.container_dtype(datatype)
    assert datatype.allowed(values).all()
    np.testing.assert_array_equal(values, basic.gen_finn_dt_tensor(datatype, (3, 500), seed=1))
    reseed(5)
    first = basic.gen_finn_dt_tensor(datatype, (3, 500))
    assert datatype.allowed(first).all()
    assert not np.array_equal(first, basic.gen_finn_dt_tensor(datatype, (3, 500)))
    reseed(5 + 2**32)
    np.testing.assert_array_equal(first, basic.gen_finn_dt_tensor(datatype, (3, 500)))


@pytest.mark.parametrize("name", ["BIPOLAR", "TERNARY", "UINT4", "FIXED<4,2>", "FLOAT<2,1>"])
def test_every_value_is_drawn(name: str) -> None:
    datatype = DataType[name]
    zeros = 1 if name.startswith("FLOAT") else 0  # 0 has two codes
    drawn = basic.gen_finn_dt_tensor(datatype, 2000, seed=0)
    assert len(np.unique(drawn)) == datatype.get_num_possible_values() - zeros


def test_random_integers_are_those_of_numpy() -> None:
    """Scripts that set NumPy's seed get the numbers that they got from the predecessors."""
    for name, low, end in (("INT4", -8, 8), ("UINT2", 0, 4), ("TERNARY", -1, 2)):
        np.random.seed(9)
        mine = basic.gen_finn_dt_tensor(DataType[name], (4, 5))
        np.random.seed(9)
        np.testing.assert_array_equal(mine, np.random.randint(low, end, (4, 5)))


@pytest.mark.parametrize(
    ("name", "container"),
    [
        *((name, np.float32) for name in ("BIPOLAR", "INT4", "UINT24", "INT25", "FIXED<25,3>", "FLOAT<4,3>")),
        *((name, np.float64) for name in ("UINT25", "INT26", "UINT53", "INT54", "FIXED<26,3>", "FLOAT<8,23>")),
        ("INT55", np.int64), ("UINT54", np.uint64), ("UINT64", np.uint64), ("INT65", object), ("FLOAT16", np.float16),
    ],
)  # fmt: skip
def test_containers_are_the_first_that_is_exact(name: str, container: type) -> None:
    assert basic.container_dtype(DataType[name]) == container


@pytest.mark.parametrize("name", ["SCALEDINT<4>", "INT65", "FIXED<70,60>"])
def test_types_without_random_values(name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"cannot draw random values of {name}"):
        basic.gen_finn_dt_tensor(DataType[name], (2, 2))


def test_the_seed_leaves_the_global_state_alone() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    for name in TYPES + FRACTIONS:
        basic.gen_finn_dt_tensor(DataType[name], 10, seed=3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([-1, 1, 2, 3, 4])), min_size=1, max_size=3),
    st.booleans(),
    st.integers(-3, 3),
)
def test_padding_to_multiples(axes: list[tuple[int, int]], distributed: bool, value: int) -> None:
    shape, multiples = [n for n, _ in axes], [factor for _, factor in axes]
    x = np.arange(1, np.prod(shape) + 1).reshape(shape)
    y = basic.pad_tensor_to_multiple_of(x, multiples, value, distributed)
    assert y.dtype == x.dtype
    window = []
    for before, after, factor in zip(x.shape, y.shape, multiples, strict=True):
        assert after == (before if factor == -1 else int(np.ceil(before / factor)) * factor)
        start = (after - before) // 2 if distributed else 0
        window.append(slice(start, start + before))
    np.testing.assert_array_equal(y[tuple(window)], x)
    y = y.copy()
    y[tuple(window)] = value
    assert (y == value).all()


def test_padding_of_lists() -> None:
    padded = basic.pad_tensor_to_multiple_of([[1, 2, 3]], (2, 2), val=-1, distr_pad=True)
    assert padded.dtype == np.float32
    assert padded.tolist() == [[1, 2, 3, -1], [-1, -1, -1, -1]]
    with pytest.raises(ValueError, match="3 multiples are given for the 2 axes"):
        basic.pad_tensor_to_multiple_of(np.ones((2, 2)), (1, 1, 1))


# ------------------------------------------------------------------------------------------------------------- ranges

SMALL_TYPES = st.sampled_from(["BIPOLAR", "TERNARY", "BINARY", "INT2", "UINT2", "FIXED<3,2>"]).map(DataType.__getitem__)


@settings(deadline=None)
@given(SMALL_TYPES, st.integers(1, 3), st.integers(1, 3), st.data())
def test_accumulator_ranges_by_enumeration(datatype, rows: int, columns: int, data) -> None:  # type: ignore[no-untyped-def]
    weight = st.integers(-5, 5) if datatype.is_integer() else st.sampled_from([-1.5, -1, 0, 0.25, 3])
    values = data.draw(st.lists(weight, min_size=rows * columns, max_size=rows * columns))
    matrix = np.array(values, dtype=np.float32).reshape(rows, columns)
    inside = np.linspace(datatype.min(), datatype.max(), 33)
    inside = [x for x in inside if datatype.allowed(x)]
    products = np.array([np.array(x) @ matrix for x in product(inside, repeat=rows)])
    low, high = basic.calculate_matvec_accumulator_range(matrix, datatype)
    assert (low, high) == (products.min(), products.max())
    assert isinstance(low, int) == datatype.is_integer()


def test_accumulator_ranges_are_exact_beyond_float64() -> None:
    matrix = np.array([[2.0**40], [-1.0], [1.0]])
    assert basic.calculate_matvec_accumulator_range(matrix, DataType["INT30"]) == (
        -(2**69) - 2**29 - (2**29 - 1),
        2**40 * (2**29 - 1) + 2**29 + 2**29 - 1,
    )
    huge = np.full((4, 1), 2.0**62)
    assert basic.calculate_matvec_accumulator_range(huge, DataType["UINT64"]) == (0, 2**64 * (2**64 - 1))
    with pytest.raises(ModelError, match="are no"):
        basic.calculate_matvec_accumulator_range(np.zeros((0, 3)), DataType["INT2"])
    with pytest.raises(ModelError, match="finite numbers"):
        basic.calculate_matvec_accumulator_range(np.full((2, 2), np.nan), DataType["INT2"])


@given(
    *[st.sampled_from(["BIPOLAR", "TERNARY", "INT2", "INT3", "INT40"]).map(DataType.__getitem__)] * 2, st.integers(1, 3)
)
def test_signed_dot_products(a, b, length: int) -> None:  # type: ignore[no-untyped-def]
    corners = [x * y for x in (a.min(), a.max()) for y in (b.min(), b.max())]
    assert basic.calculate_signed_dot_prod_range(a, b, length) == (min(corners) * length, max(corners) * length)


def test_dot_products_of_unsigned_types() -> None:
    with pytest.raises(ModelError, match="UINT2 is not signed"):
        basic.calculate_signed_dot_prod_range(DataType["INT2"], DataType["UINT2"], 4)


# ------------------------------------------------------------------------------------------------------------ padding

axis = st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))


def convolution(h, w, **attributes: object):  # type: ignore[no-untyped-def]
    """(model, its inputs): one convolution with distinct weights, batch 2."""
    node = helper.make_node(
        "Conv", ["x", "w"], ["y"], strides=[h[2], w[2]], dilations=[h[3], w[3]], kernel_shape=[h[1], w[1]], **attributes
    )
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [2, 1, h[0], w[0]]), ("w", [1, 1, h[1], w[1]]), ("y", None))
    ]
    rng = np.random.default_rng(0)
    inputs = {
        "x": rng.integers(-50, 50, (2, 1, h[0], w[0])).astype(np.float32),
        "w": rng.integers(1, 50, (1, 1, h[1], w[1])).astype(np.float32),
    }
    return basic.qonnx_make_model(helper.make_graph([node], "g", ports[:2], ports[2:])), inputs


def by_reference(model, inputs) -> np.ndarray:  # type: ignore[no-untyped-def]
    return ReferenceEvaluator(model).run(None, inputs)[0]


def by_onnxruntime(model, inputs) -> np.ndarray:  # type: ignore[no-untyped-def]
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def fits(size: int, kernel: int, stride: int, dilation: int) -> bool:
    return (kernel - 1) * dilation < size


def windows_touch(size: int, kernel: int, stride: int, dilation: int) -> bool:
    """Whether the last window ends at or after the last input, so that nothing is left over for SAME to cut off."""
    return (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 >= size


@settings(deadline=None)
@given(axis, axis, st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
@example((5, 3, 2, 1), (6, 4, 3, 1), "SAME_UPPER")
@example((4, 2, 3, 1), (7, 3, 2, 2), "SAME_LOWER")
@example((1, 1, 1, 1), (4, 1, 4, 1), "SAME_UPPER")
def test_explicit_padding_means_what_onnx_says(h, w, auto_pad: str) -> None:  # type: ignore[no-untyped-def]
    """Every size, stride and dilation, by the reference implementation of ONNX."""
    assume(auto_pad != "VALID" or (fits(*h) and fits(*w)))
    pads = basic.auto_pad_to_explicit_padding(auto_pad, h[0], w[0], h[1], w[1], h[2], w[2], 2, h[3], w[3])
    expected = by_reference(*convolution(h, w, auto_pad=auto_pad))
    np.testing.assert_array_equal(by_reference(*convolution(h, w, pads=pads)), expected)
    if auto_pad != "VALID":
        assert expected.shape[2:] == (-(-h[0] // h[2]), -(-w[0] // w[2]))


undilated = axis.map(lambda size: (*size[:3], 1)).filter(lambda size: windows_touch(*size))


@settings(deadline=None)
@given(undilated, undilated, st.sampled_from(["SAME_UPPER", "SAME_LOWER"]))
def test_explicit_padding_is_what_onnxruntime_does(h, w, auto_pad: str) -> None:  # type: ignore[no-untyped-def]
    """onnxruntime refuses dilation here; where windows do not touch, its SAME_UPPER pads by negative numbers."""
    pads = basic.auto_pad_to_explicit_padding(auto_pad, h[0], w[0], h[1], w[1], h[2], w[2], 2)
    expected = by_onnxruntime(*convolution(h, w, auto_pad=auto_pad))
    np.testing.assert_array_equal(by_onnxruntime(*convolution(h, w, pads=pads)), expected)


def test_explicit_padding_at_stride_1() -> None:
    """What the predecessors give; at other strides theirs keeps the size of the input, which ONNX does not."""
    assert basic.auto_pad_to_explicit_padding("SAME_UPPER", 5, 6, 3, 4, 1, 1, 2) == [1, 1, 1, 2]
    assert basic.auto_pad_to_explicit_padding("SAME_LOWER", 5, 6, 3, 4, 1, 1, 2) == [1, 2, 1, 1]
    assert basic.auto_pad_to_explicit_padding("VALID", 5, 6, 3, 4, 2, 3, 2) == [0, 0, 0, 0]
    assert basic.auto_pad_to_explicit_padding("SAME_UPPER", 5, 1, 4, 1, 1, 1, 1) == [1, 2]
    assert basic.auto_pad_to_explicit_padding("VALID", 5, 1, 4, 1, 1, 1, 1) == [0, 0]
    assert basic.auto_pad_to_explicit_padding("SAME_UPPER", 8, 8, 3, 3, 2, 2, 2) == [0, 0, 1, 1]
    with pytest.raises(AttributeValueError, match="auto_pad 'NOTSET' in 2 dimensions"):
        basic.auto_pad_to_explicit_padding("NOTSET", 5, 5, 3, 3, 1, 1, 2)
    with pytest.raises(AttributeValueError, match="in 3 dimensions"):
        basic.auto_pad_to_explicit_padding("VALID", 5, 5, 3, 3, 1, 1, 3)


# --------------------------------------------------------------------------------------------------------- sanitizing


@pytest.fixture
def model(build):  # type: ignore[no-untyped-def]
    return build([helper.make_node("Relu", ["x"], ["y"])], {"x": [2, 3]}, ["y"], datatypes={"x": "INT3"})


def test_sanitizing_rounds(model) -> None:  # type: ignore[no-untyped-def]
    context = {"x": np.array([[1.001, -4, 2.995]], np.float32), "y": np.array([0.5], np.float32)}
    with pytest.warns(UserWarning, match="tensor 'x' has values outside INT3; they are rounded"):
        result = basic.sanitize_quant_values(model, ["x", "y"], context, check_values=True)
    assert result is context
    assert result["x"].tolist() == [[1, -4, 3]]
    assert result["x"].dtype == np.float32
    assert result["y"].tolist() == [0.5]


def test_sanitizing_leaves_good_values_alone(model) -> None:  # type: ignore[no-untyped-def]
    x = np.array([[1, -4, 3]], np.float32)
    assert basic.sanitize_quant_values(model, ["x"], {"x": x})["x"] is x


@pytest.mark.parametrize("bad", [1.02, np.nan, np.inf])
def test_sanitizing_has_a_threshold(model, monkeypatch, bad: float) -> None:  # type: ignore[no-untyped-def]
    context = {"x": np.array([bad, 1], np.float32)}
    with np.errstate(invalid="ignore"), pytest.raises(ExecutionError, match="tensor 'x': the values are up to"):
        basic.sanitize_quant_values(model, ["x"], context)
    np.testing.assert_array_equal(context["x"], np.array([bad, 1], np.float32))
    monkeypatch.setenv("ERROR_THRESH", "0.1")
    if np.isfinite(bad):
        with pytest.warns(UserWarning, match="they are rounded"):
            assert basic.sanitize_quant_values(model, ["x"], context)["x"].tolist() == [1, 1]


@pytest.mark.parametrize("value", [np.array([9.0, 1.0], np.float32), np.float32(9)])
def test_sanitizing_checks_ranges_on_request(model, value: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    with pytest.warns(UserWarning, match="they are rounded"):
        assert np.all(basic.sanitize_quant_values(model, ["x"], {"x": value})["x"] == value)
    with pytest.warns(UserWarning, match="rounded"), pytest.raises(ExecutionError, match=r"the value 9.0 is no INT3"):
        basic.sanitize_quant_values(model, ["x"], {"x": value}, check_values=True)
