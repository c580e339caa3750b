"""`finn explain`: every node is told of, what is told is true, and whatever is given there is no traceback."""

from __future__ import annotations

import copy
import io
import json
import os
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from pydantic import TypeAdapter
from rich.console import Console
from typer.testing import CliRunner

from finn.builder.cli import app
from finn.builder.explain import input_formats
from finn.core.datatype import DataType
from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import layers
from finn.dataflow.lowering import lower
from finn.report.explanation import (
    Became,
    Explanation,
    Integers,
    NodeEntry,
    Note,
    Numbers,
    Removed,
    TensorEntry,
    Totals,
    explain,
    islands,
    json_schema,
)
from finn.report.explanation_text import Section, plain, sections
from finn.transformation.streamline import InputFormat, StreamlineOptions, streamline
from finn.transformation.streamline.propagation import title
from finn.util.cleanup import cleanup_model

runner = CliRunner()
SHARED = Path(os.environ.get("FINN_SHARED", Path(__file__).resolve().parents[4] / "shared"))
MODELS = (
    "TFC_1W1A",
    "TFC_2W2A",
    "kwsmlp_w3a3",
    "unsw_nb15-mlp-w2a2",
    "brevitas_tfc_w2a2i8_fashion",
    "brevitas_resblock_w4a4",
    "brevitas_mobblock_w4a4",
    "brevitas_txblock_w8a8",
)
"""Small ones: multi-layer perceptrons, a residual and a depthwise block, and one with a host in the middle."""

PLAIN = """\
7 nodes: 3 in hardware layers, 3 folded, 1 on the host
2 layers: 2 MVAU
144 multiply-accumulates on integers; 144 weights in 288 bits
a build takes this network

Nodes:
  node              became  of layer  how, or why not
  Quant_0 (Quant)   host              it quantizes a float input
  Quant_1 (Quant)   folded  MVAU_0    integer weights
  Quant_2 (Quant)   folded  MVAU_1    integer weights
  MatMul_0 (MatMul) layer   MVAU_0    MatMul MatMul_0_out0_int
"""


@pytest.fixture
def network(build_dir: Any) -> ModelWrapper:
    return ModelWrapper(str(build_dir.path / "model.onnx"))


@cache
def explained(name: str) -> tuple[ModelWrapper, Explanation]:
    """A published model, cleaned up, and its explanation."""
    path = SHARED / "models" / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}; set FINN_SHARED")
    model = ModelWrapper(str(path))
    return cleanup_model(model), explain(model)


@pytest.fixture(params=MODELS)
def published(request: pytest.FixtureRequest) -> tuple[ModelWrapper, Explanation]:
    return explained(request.param)


# --- what is told is true ---


def test_small_network(network: ModelWrapper) -> None:
    found = explain(network)
    told = {n.node: (n.became.value, n.layers) for n in found.nodes}
    assert told == {
        "Quant_0 (Quant)": ("host", ()),
        "Quant_1 (Quant)": ("folded", ("MVAU_0",)),
        "Quant_2 (Quant)": ("folded", ("MVAU_1",)),
        "MatMul_0 (MatMul)": ("layer", ("MVAU_0",)),
        "Relu_0 (Relu)": ("folded", ("MVAU_0",)),
        "Quant_3 (Quant)": ("layer", ("MVAU_0",)),
        "MatMul_1 (MatMul)": ("layer", ("MVAU_1",)),
    }
    assert found.problems == ()
    assert found.totals is not None
    assert (found.totals.macs, found.totals.integer_macs) == (8 * 12 + 12 * 4, 8 * 12 + 12 * 4)
    assert (found.totals.weights, found.totals.weight_bits) == (144, 288)


def test_every_node_is_told_of_once_and_in_order(published: tuple[ModelWrapper, Explanation]) -> None:
    model, found = published
    assert [n.node for n in found.nodes] == [title(n) for n in model.graph.node]
    assert all(n.text for n in found.nodes)
    assert Became.UNDETERMINED not in {n.became for n in found.nodes}
    for n in found.nodes:
        assert bool(n.layers) == (n.became is Became.LAYER) or n.became is Became.FOLDED, n
        assert n.reason or n.became is not Became.INTEGER, n


def test_a_node_of_many_layers_does_not_fill_the_line() -> None:
    """As a convolution of many groups."""
    names = tuple(f"MVAU_{k}" for k in range(24))
    found = Explanation(nodes=(NodeEntry("Conv_0 (Conv)", "Conv", Became.LAYER, "Conv", names),))
    assert "  layer   MVAU_0 MVAU_1 MVAU_2 MVAU_3 MVAU_4 MVAU_5 and 18 more  Conv\n" in plain(found)


def test_every_layer_comes_from_a_node(published: tuple[ModelWrapper, Explanation]) -> None:
    model, found = copy.deepcopy(published[0]), published[1]
    streamline(model)
    lower(model)
    assert {name for n in found.nodes for name in n.layers if n.became is Became.LAYER} == set(layers(model))


def test_tensors_are_scaled_integers_in_their_range(network: ModelWrapper) -> None:
    found = explain(network)
    model = cleanup_model(network)
    integer = copy.deepcopy(model)
    streamline(integer)
    name = model.get_first_global_in()
    assert {t.tensor for t in found.tensors} >= {"Quant_0_out0", "MatMul_0_out0", "Quant_3_out0", "global_out"}
    for x in np.random.default_rng(0).normal(size=(5, 1, 8)).astype(np.float32):
        floats = execute_onnx(model, {name: x}, return_full_exec_context=True)
        integers = execute_onnx(integer, {name: x}, return_full_exec_context=True)
        for t in found.tensors:
            q = integers[t.integers]
            np.testing.assert_array_equal(floats[t.tensor], q * np.array(t.scale.values) + np.array(t.bias.values))
            assert (q >= np.array(t.range.lows)).all()
            assert (q <= np.array(t.range.highs)).all()
            assert t.range.low == min(t.range.lows)
            assert t.range.high == max(t.range.highs)


@pytest.mark.parametrize("name", MODELS[:-1])  # in the last one, tensors of four axes are no images
def test_published_tensors_are_scaled_integers(name: str) -> None:
    """Floats of a network round where integers do not, hence not to the last bit."""
    model, found = explained(name)
    integer = copy.deepcopy(model)
    streamline(integer)
    source = model.get_first_global_in()
    datatype = model.get_tensor_datatype(source)
    x = np.random.default_rng(0).normal(size=model.get_tensor_shape(source)).astype(np.float32)
    if datatype.is_integer():
        x = np.clip(np.where(x < 0, datatype.min(), datatype.max()), -128, 127).astype(np.float32)
    floats = execute_onnx(model, {source: x}, return_full_exec_context=True)
    integers = execute_onnx(integer, {source: x}, return_full_exec_context=True)
    compared = [t for t in found.tensors if t.integers and integers[t.integers].size == floats[t.tensor].size]
    assert len(compared) >= 5  # the others have lost channels
    for t in compared:
        q = integers[t.integers]
        value = q * np.array(t.scale.values).reshape(t.scale.shape) + np.array(t.bias.values).reshape(t.bias.shape)
        if value.ndim == 4:
            value = value.transpose(0, 3, 1, 2)
        np.testing.assert_allclose(floats[t.tensor], value, rtol=1e-3, atol=1e-4, err_msg=t.tensor)
        assert t.range.low <= q.min()
        assert q.max() <= t.range.high


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_that_are_not_finite_are_told(build_dir: Any) -> None:
    path = build_dir.path / "model.onnx"
    model = onnx.load(path)
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    norm = helper.make_node("BatchNormalization", ["h", "g", "b", "m", "v"], ["h_r"], epsilon=0.0)
    relu.CopyFrom(norm)
    for name, value in {"g": 1, "b": 0, "m": 0, "v": 0}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(12, value, np.float32), name))
    found = explain(ModelWrapper(model))
    assert Explanation.from_json(found.to_json()) == found
    assert all(np.isfinite([*t.scale.values, *t.bias.values]).all() for t in found.tensors)
    assert found.problems
    assert [note.where for note in found.notes if "NaN or infinite" in note.what] in (
        ["tensor BatchNormalization_0_out0"],
        [],  # if streamlining refuses it
    )


def test_removed_channels_are_told(build_dir: Any) -> None:
    """Neuron 3 has no weights, and nobody reads neuron 7."""
    path = build_dir.path / "model.onnx"
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        weights = onnx.numpy_helper.to_array(tensor).copy()
        if tensor.name == "w0":
            weights[:, 3] = 0
        elif tensor.name == "w1":
            weights[7] = 0
        tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))
    found = explain(ModelWrapper(model))
    assert {(r.why, r.channels, r.total) for r in found.removed} == {("constant", (3,), 12), ("dead", (7,), 12)}
    rows = {row for section in sections(found) if section.title == "Removed channels" for row in section.rows}
    assert rows == {
        ("MatMul_0_out0_int", "1 of 12: 3", "they always have the same value"),
        ("MatMul_0_out0_int", "1 of 12: 7", "they are used by nobody"),
    }
    assert found.totals is not None
    assert found.totals.weights == 10 * 8 + 10 * 4
    kept = explain(ModelWrapper(model), StreamlineOptions(remove_dead_channels=False))
    assert [r.why for r in kept.removed] == ["constant"]


def test_explaining_changes_nothing(network: ModelWrapper) -> None:
    before = network.model.SerializeToString(deterministic=True)
    first = explain(network)
    assert network.model.SerializeToString(deterministic=True) == before
    assert explain(network).to_json() == first.to_json()


def test_host_in_the_middle_has_reason_and_remedy() -> None:
    _, found = explained("brevitas_txblock_w8a8")
    told = {n.node: n for n in found.nodes}
    assert told["Softmax_0 (Softmax)"].became is Became.HOST
    assert told["Softmax_0 (Softmax)"].reason == "Softmax has no integer form here"
    assert told["Softmax_0 (Softmax)"].remedy
    assert told["Quant_11 (Quant)"].reason == "it quantizes what the host computes"
    assert told["Quant_0 (Quant)"].reason == "it quantizes a float input"
    assert told["Transpose_0 (Transpose)"].became is Became.INTEGER
    assert told["Transpose_0 (Transpose)"].reason == "there is no hardware layer for Transpose"
    assert found.problems == ()
    (note,) = (n for n in found.notes if n.what.startswith("the host computes between layers: "))
    assert "Softmax_0 (Softmax)" in note.nodes


def test_format_of_the_input_brings_the_first_quantizer_into_hardware(network: ModelWrapper) -> None:
    options = StreamlineOptions(inputs={"x": InputFormat("INT4", scale=0.125)})
    told = {n.node: n for n in explain(network, options).nodes}
    assert told["Quant_0 (Quant)"].became is not Became.HOST
    options = StreamlineOptions(inputs={"x": InputFormat("INT6", scale=0.0625)})
    told = {n.node: n for n in explain(network, options).nodes}
    assert told["Quant_0 (Quant)"].layers == ("Thresholding_0",)
    with pytest.raises(ConfigError, match=r"there is no input 'z' to give a format. Remedy: use one of: x"):
        explain(network, StreamlineOptions(inputs={"z": InputFormat()}))
    network.set_tensor_datatype("x", DataType["INT8"])
    with pytest.raises(ConfigError, match="the input 'x' has a format, and is INT8 already"):
        explain(network, StreamlineOptions(inputs={"x": InputFormat()}))


@given(st.lists(st.tuples(st.lists(st.integers(0, 12), min_size=1, max_size=3), st.booleans()), max_size=12))
def test_islands_are_what_lies_on_a_path_between(drawn: list[tuple[list[int], bool]]) -> None:
    """Against all paths, one by one. Node k reads t<j> with j <= k only."""
    nodes = [
        helper.make_node("Sum", [f"t{i % (k + 1)}" for i in reads], [f"t{k + 1}"]) for k, (reads, _) in enumerate(drawn)
    ]
    value = helper.make_tensor_value_info("t0", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "g", [value], [])
    inside = [marked for _, marked in drawn]
    reaches = [[f"t{a + 1}" in nodes[b].input for b in range(len(nodes))] for a in range(len(nodes))]
    for m in range(len(nodes)):
        for a in range(len(nodes)):
            for b in range(len(nodes)):
                reaches[a][b] |= reaches[a][m] and reaches[m][b]
    marks = [k for k, marked in enumerate(inside) if marked]
    expected = [
        nodes[k].output[0]
        for k in range(len(nodes))
        if not inside[k] and any(reaches[a][k] for a in marks) and any(reaches[k][b] for b in marks)
    ]
    names = {node.output[0]: marked for node, marked in zip(nodes, inside, strict=True)}
    found = islands(ModelWrapper(helper.make_model(graph)), lambda node: names[node.output[0]])
    assert [node.output[0] for node in found] == expected


# --- forms ---


def test_json_goes_both_ways(published: tuple[ModelWrapper, Explanation]) -> None:
    assert Explanation.from_json(published[1].to_json()) == published[1]


def test_json_is_stable(network: ModelWrapper) -> None:
    data = json.loads(explain(network).to_json())
    assert list(data) == ["nodes", "tensors", "passes", "removed", "notes", "problems", "totals", "format"]
    assert data["format"] == 1
    assert data["nodes"][3] == {
        "node": "MatMul_0 (MatMul)",
        "operator": "MatMul",
        "became": "layer",
        "text": "MatMul MatMul_0_out0_int",
        "layers": ["MVAU_0"],
        "tensors": ["MatMul_0_out0_int"],
        "reason": "",
        "remedy": "",
    }
    quantized = next(t for t in data["tensors"] if t["tensor"] == "Quant_0_out0")
    assert quantized == {
        "tensor": "Quant_0_out0",
        "integers": "Quant_0_out0_int",
        "datatype": "INT4",
        "range": {"low": -8, "high": 7, "lows": [-8], "highs": [7]},
        "scale": {"least": 0.125, "greatest": 0.125, "shape": [], "values": [0.125]},
        "bias": {"least": 0.0, "greatest": 0.0, "shape": [], "values": [0.0]},
    }


def test_json_schema_copy_is_current() -> None:
    text = files("finn.report").joinpath("explanation.schema.json").read_text(encoding="utf-8")
    assert text == json_schema() == runner.invoke(app, ["explain-schema"]).output
    assert json.loads(text) == TypeAdapter(Explanation).json_schema()


def test_text_that_is_no_explanation() -> None:
    with pytest.raises(ConfigError, match="not an explanation"):
        Explanation.from_json('{"nodes": 3}')


def test_plain_text(network: ModelWrapper) -> None:
    text = plain(explain(network))
    lines = text.splitlines()
    assert lines[:4] == PLAIN.splitlines()[:4]
    squeezed = [" ".join(line.split()) for line in lines]
    for line in PLAIN.splitlines():
        assert " ".join(line.split()) in squeezed
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.parametrize("width", [30, 80, 200])
def test_tables_fit_the_terminal_and_lose_nothing(network: ModelWrapper, width: int) -> None:
    for section in sections(explain(network)):
        console = Console(width=width, record=True, file=io.StringIO())
        console.print(section.table())
        shown = console.export_text()
        assert all(len(line) <= width for line in shown.splitlines())
        letters = sorted("".join(character for character in shown if character.isalnum()))
        texts = "".join([section.title, *section.columns, *(text for row in section.rows for text in row)])
        assert letters == sorted(character for character in texts if character.isalnum())


def test_markup_in_names_is_shown_as_it_is() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(Section("Nodes", ("node",), (("[red]a[/red] :b:",),)).table())
    assert "[red]a[/red] :b:" in console.export_text()


# --- the command ---


def test_command(build_dir: Any) -> None:
    result = runner.invoke(app, ["explain", str(build_dir.path / "model.onnx")])
    assert result.exit_code == 0
    assert result.output == plain(explain(ModelWrapper(str(build_dir.path / "model.onnx"))))


def test_command_writes_json(build_dir: Any, tmp_path: Path) -> None:
    model, target = str(build_dir.path / "model.onnx"), tmp_path / "e.json"
    result = runner.invoke(app, ["explain", model, "--json", str(target)])
    assert result.exit_code == 0
    assert "Nodes:" in result.output
    assert runner.invoke(app, ["explain", model, "--json", "-"]).output == target.read_text()
    assert Explanation.from_json(target.read_text()) == explain(ModelWrapper(model))


def test_build_directory_gives_its_options(build_dir: Any) -> None:
    build_dir.write(input_formats={"x": {"datatype": "INT6", "scale": 0.0625}})
    shown = json.loads(runner.invoke(app, ["explain", str(build_dir.path), "--json", "-"]).output)
    assert next(n for n in shown["nodes"] if n["node"] == "Quant_0 (Quant)")["layers"] == ["Thresholding_0"]
    arguments = ["explain", str(build_dir.path), "--input-format", "x=INT5,scale=1/16", "--json", "-"]
    shown = json.loads(runner.invoke(app, arguments).output)
    assert next(t for t in shown["tensors"] if t["tensor"] == "global_in")["datatype"] == "INT5"


SWITCHES = {
    "--max-multithreshold-bit-width=3": ("max_multithreshold_bit_width", 3),
    "--select-on-host": ("select_on_host", True),
    "--no-dequantize": ("dequantize", False),
    "--no-remove-constant-channels": ("remove_constant_channels", False),
    "--no-merge-duplicate-channels": ("merge_duplicate_channels", False),
    "--no-remove-dead-channels": ("remove_dead_channels", False),
    "--no-minimize-accumulators": ("minimize_accumulators", False),
    "--no-minimize-weights": ("minimize_weights", False),
    "--no-minimize-thresholds": ("minimize_thresholds", False),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_switches_are_options(switch: str, build_dir: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[StreamlineOptions] = []

    def spy(model: ModelWrapper, options: StreamlineOptions, **more: object) -> Explanation:
        seen.append(options)
        return Explanation()

    monkeypatch.setattr("finn.report.explanation.explain", spy)
    assert runner.invoke(app, ["explain", str(build_dir.path / "model.onnx"), switch]).exit_code == 0
    field, value = SWITCHES[switch]
    assert seen == [StreamlineOptions(**{field: value})]  # type: ignore[arg-type]


def test_every_option_has_a_switch() -> None:
    names = {name for name, _ in SWITCHES.values()}
    assert names | {"inputs", "partial"} == set(StreamlineOptions.__dataclass_fields__)


def test_input_formats() -> None:
    found = input_formats(["UINT8,scale=1/255", "a=b=INT4,mean=0.5:1/4,std=2"])
    assert found[""] == type(found[""])("UINT8", scale=1 / 255)
    assert found["a=b"] == type(found[""])("INT4", mean=(0.5, 0.25), std=2.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("UINT8,scl=1", "there is no 'scl'"),
        ("UINT8,scale=", "'' is no number"),
        ("UINT8,scale=1/0", "'1/0' is no number"),
        ("UINT8,std=0", "it should not be 0"),
        ("FLOAT32", "it is no integer type"),
        ("", "there is no such data type"),
        ("x=", "there is no such data type"),
        ("UINT8,mean=nan", "'nan' is no number"),
    ],
)
def test_input_format_that_is_none(text: str, why: str, build_dir: Any) -> None:
    result = runner.invoke(app, ["explain", str(build_dir.path), "--input-format", text])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:3] == [
        f"Error: {text!r} is no input format",
        "  where: --input-format",
        f"  why: {why}",
    ]


# --- whatever is given ---


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def text(path: Path) -> None:
    path.write_text("no network\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def missing(path: Path) -> None:
    path.unlink()


def edited(change: Callable[[onnx.ModelProto], None]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)

    spoil.__name__ = change.__name__
    return spoil


@edited
def no_nodes(model: onnx.ModelProto) -> None:
    del model.graph.node[:]


@edited
def floats(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "Quant":
            node.CopyFrom(helper.make_node("Identity", node.input[:1], node.output))


@edited
def softmax(model: onnx.ModelProto) -> None:
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type = "Softmax"


@edited
def unknown_operator(model: onnx.ModelProto) -> None:
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type, relu.domain = "Fancy", "com.acme"
    model.opset_import.append(helper.make_opsetid("com.acme", 1))


@edited
def not_a_number(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.full((12, 4), np.nan, np.float32), "w1"))


@edited
def dynamic(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


@edited
def no_elements(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0


@edited
def wires_nothing(model: onnx.ModelProto) -> None:
    model.graph.node[2].input[0] = "nowhere"


@edited
def negative_scale(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "scale_in")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(-1), "scale_in"))


@edited
def wrong_shapes(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones((5, 4), np.float32), "w1"))


SPOILT: list[tuple[Callable[[Path], None], str]] = [
    (truncated, "only a part of one"),
    (text, "no ONNX model"),
    (empty, "the file holds no ONNX graph"),
    (missing, "No such file or directory"),
    (no_nodes, "the network is empty"),
    (floats, "nothing is quantized"),
    (unknown_operator, "Fancy"),
    (not_a_number, "NaN"),
    (dynamic, "the input has the dynamic shape (batch, 8)"),
    (no_elements, "the input has no elements"),
    (wires_nothing, "nothing computes the tensor 'nowhere'"),
    (negative_scale, "scale"),
    (wrong_shapes, "the shapes of the model do not fit together"),
]


@pytest.mark.parametrize(("spoil", "told"), SPOILT, ids=[spoil.__name__ for spoil, _ in SPOILT])
def test_no_traceback(spoil: Callable[[Path], None], told: str, build_dir: Any) -> None:
    path = build_dir.path / "model.onnx"
    spoil(path)
    result = runner.invoke(app, ["explain", str(path)])
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "a build does not take this network" in result.output
    assert told in result.output
    assert "nobody foresaw" not in result.output
    shown = runner.invoke(app, ["explain", str(path), "--json", "-"])
    assert shown.exit_code == 1
    assert Explanation.from_json(shown.output).problems


def test_softmax_between_layers_makes_two_accelerators(build_dir: Any) -> None:
    path = build_dir.path / "model.onnx"
    softmax(path)
    result = runner.invoke(app, ["explain", str(path)])
    assert result.exit_code == 0
    assert "a build takes this network" in result.output
    assert "the host computes between layers: Softmax_0 (Softmax), Quant_3 (Quant)" in result.output


def test_layers_of_a_convolutional_network() -> None:
    """A convolution is what prepares its windows and what multiplies; its thresholds are the last of these."""
    _, found = explained("brevitas_resblock_w4a4")
    told = {n.node: (n.became, n.layers) for n in found.nodes}
    convolution = told["Conv_1 (Conv)"]
    assert convolution[0] is Became.LAYER
    kinds = [name.rpartition("_")[0] for name in convolution[1]]
    assert kinds == ["DuplicateStreams", "FMPadding", "ConvolutionInputGenerator", "MVAU"]
    assert (Became.LAYER, convolution[1][-1:]) in told.values()
    assert (Became.DROPPED, ()) in told.values()
    assert not any(name.startswith("StreamReshape") for _, names in told.values() for name in names)


def test_partly_quantized_network(build_dir: Any) -> None:
    """The quantized part is explained, the rest has reasons: a float MatMul behind the last quantized one."""
    path = build_dir.path / "model.onnx"
    model = onnx.load(path)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32) / 3, "v"))
    model.graph.node[-1].output[0] = "scores"
    model.graph.node.append(helper.make_node("Sigmoid", ["scores"], ["p"]))
    model.graph.node.append(helper.make_node("MatMul", ["p", "v"], ["y"]))
    onnx.save(model, path)
    result = runner.invoke(app, ["explain", str(path), "--json", "-"])
    assert result.exit_code == 0
    told = {n.node: n for n in Explanation.from_json(result.output).nodes}
    assert told["MatMul_1 (MatMul)"].layers == ("MVAU_1",)
    assert told["Sigmoid_0 (Sigmoid)"].became is Became.HOST
    assert told["MatMul_2 (MatMul)"].became is Became.HOST
    assert told["MatMul_2 (MatMul)"].reason == "its weights are not quantized"
    assert told["MatMul_2 (MatMul)"].remedy


def test_open_batch_is_explained_for_one_sample(build_dir: Any) -> None:
    path = build_dir.path / "model.onnx"
    fixed = explain(ModelWrapper(str(path)))
    dynamic(path)
    found = explain(ModelWrapper(str(path)))
    assert found.nodes == fixed.nodes
    assert found.totals == fixed.totals
    assert [(note.what, note.why) for note in found.notes] == [("the batch size is open", "this is for a batch of 1")]


def test_error_that_nobody_foresaw(build_dir: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: ModelWrapper, *args: object, **more: object) -> Explanation:
        raise IndexError("pop from empty list")

    monkeypatch.setattr("finn.report.explanation.explain", broken)
    result = runner.invoke(app, ["explain", str(build_dir.path / "model.onnx")])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "a build does not take this network",
        "IndexError: pop from empty list",
        "  why: an error that nobody foresaw",
        "  remedy: this is a mistake in the compiler: report it with the model",
    ]


# --- the guide ---

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return GUIDE.partition(f"```{language}\n")[2].partition("```")[0]


def test_guide_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block("python"), "docs/explain.md", "exec"), {})


def test_guide_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command, *lines = block("console").splitlines()
    shown = runner.invoke(app, command.split()[2:]).output
    squeezed = [" ".join(line.split()) for line in shown.splitlines()]
    for line in lines:
        assert any(found.startswith(" ".join(line.split())) for found in squeezed), line


def test_guide_names_everything() -> None:
    for name in (*Became, *Explanation.__dataclass_fields__):
        assert f"| `{getattr(name, 'value', name)}` |" in GUIDE
    for kind in (NodeEntry, TensorEntry, Removed, Note, Totals, Numbers, Integers):
        for name in kind.__dataclass_fields__:
            assert f"`{name}`" in GUIDE, name
    for switch, (field, _) in SWITCHES.items():
        assert f"| `{switch.partition('=')[0]}` | `{field}` |" in GUIDE
    assert json.loads("{" + block("json") + "}")
