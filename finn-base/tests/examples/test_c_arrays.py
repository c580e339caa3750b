"""The compiler of docs/use-in-your-compiler.md: its C computes what the network computes, bit by bit."""

from __future__ import annotations

import ctypes
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.mutation import check_mutants
from finn.transformation.proof import prove
from finn.util.basic import gen_finn_dt_tensor

BASE = Path(__file__).parents[2]
sys.path.insert(0, str(BASE / "examples"))
sys.path.insert(0, str(BASE / "benchmarks"))
c_arrays = importlib.import_module("c_arrays")
compiler = importlib.import_module("c_arrays.compiler")
emit = importlib.import_module("c_arrays.emit")
integers = importlib.import_module("c_arrays.integers")
models = importlib.import_module("models")

GCC = ("gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1")
EXAMPLES = BASE.parent / "finn-examples" / "build"
C_TYPES = {
    "float": ctypes.c_float,
    **{f"{u}int{b}_t": getattr(ctypes, f"c_{u}int{b}") for u in ("", "u") for b in (8, 16, 32, 64)},
}


class Compiled:
    """The C of a network, called from Python."""

    def __init__(self, model: ModelWrapper, folder: Path, input_datatype: str | None = None) -> None:
        model.save(folder / "model.onnx")
        compiler.compile_network(folder / "model.onnx", folder, input_datatype)
        run(*GCC, "-fsanitize=undefined", "-fno-sanitize-recover", "net.c", "test_net.c", "-o", "test", cwd=folder)
        run("./test", cwd=folder)
        run(*GCC, "-shared", "-fPIC", "net.c", "-o", "net.so", cwd=folder)
        self.model = compiler.integer_network(ModelWrapper(folder / "model.onnx"), input_datatype)
        self.net = ctypes.CDLL(str(folder / "net.so")).net

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x: a batch of frames. The results, one after the other."""
        (given_name,), (made,) = ([v.name for v in vs] for vs in (self.model.graph.input, self.model.graph.output))
        kinds = [np.dtype(C_TYPES[emit.c_type(self.model, name)]) for name in (given_name, made)]
        results = []
        for frame in x:
            buffer = np.zeros(self.model.get_tensor_shape(made), kinds[1])
            self.net(
                *(np.ascontiguousarray(a).ctypes.data_as(ctypes.c_void_p) for a in (frame.astype(kinds[0]), buffer))
            )
            results.append(buffer)
        return np.concatenate(results)


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def frames(datatype: str, shape: list[int], seed: int = 1) -> np.ndarray:
    return gen_finn_dt_tensor(DataType[datatype], shape, seed)


# ------------------------------------------------------------------------------------------------ published networks


@pytest.mark.parametrize("name", ["tfc_w1a1_mnist", "tfc_w2a2_mnist"])
def test_published_networks(name: str, tmp_path: Path) -> None:
    model = ModelWrapper(EXAMPLES / name / "model.onnx")
    compiled = Compiled(model, tmp_path)
    digits = np.load(EXAMPLES / name / "input.npy")[:20].astype(np.float32)
    x = np.concatenate([digits.reshape(-1, 1, 28, 28), frames("UINT8", [20, 1, 28, 28])])
    (output,) = (value.name for value in model.graph.output)
    expected = [execute_onnx(model, {model.get_first_global_in(): frame[None]})[output] for frame in x]
    np.testing.assert_array_equal(compiled(x), np.concatenate(expected))


@pytest.mark.parametrize("network", ["tfc", pytest.param("cnv", marks=pytest.mark.slow)])
def test_benchmark_networks(network: str, tmp_path: Path) -> None:
    model = ModelWrapper(getattr(models, network)())
    x = frames("UINT8", [3, *model.get_tensor_shape("x")[1:]])
    compiled = Compiled(model, tmp_path, "UINT8")
    assert {node.op_type for node in compiled.model.graph.node if node.domain} <= {"Layer", "Im2Col"}
    expected = [next(iter(execute_onnx(model, {"x": frame[None]}).values())) for frame in x]
    np.testing.assert_array_equal(compiled(x), np.concatenate(expected))


# ------------------------------------------------------------------------------------------------ generated networks


@dataclass
class Net:
    """A network that grows at its end. All scales are powers of two: float32 is exact then."""

    random: np.random.Generator
    shape: list[int]
    name: str = "x"

    def __post_init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.first = list(self.shape)

    def constant(self, value: object, dtype: type[np.generic] = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def add(
        self, op: str, *constants: str, shape: list[int] | None = None, domain: str = "", **attributes: object
    ) -> None:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.name, *constants], [output], domain=domain, **attributes))
        self.name, self.shape = output, self.shape if shape is None else shape

    def weights(self, shape: list[int], bits: int, channels: int) -> str:
        """channels: the axis of the output channels, which have scales of their own."""
        value = self.constant(self.random.standard_normal(shape) * 2)
        output = f"w{len(self.nodes)}"
        domain = "qonnx.custom_op.general"
        sizes = [size if axis == channels else 1 for axis, size in enumerate(shape)]
        scale = self.constant(2.0 ** self.random.integers(-2, 1, sizes))
        if bits == 1:
            self.nodes.append(helper.make_node("BipolarQuant", [value, scale], [output], domain=domain))
        else:
            parameters = [value, scale, self.constant(0.0), self.constant(float(bits))]
            attributes = {"signed": 1, "narrow": int(self.random.integers(2)), "rounding_mode": "ROUND"}
            self.nodes.append(helper.make_node("Quant", parameters, [output], domain=domain, **attributes))
        return output

    def quantize(self, bits: int, signed: bool, zero_point: int, mode: str) -> None:
        scale = 2.0 ** int(self.random.integers(-1, 2))
        if bits == 1:
            self.add("BipolarQuant", self.constant(scale), domain="qonnx.custom_op.general")
            return
        parameters = [self.constant(scale), self.constant(float(zero_point)), self.constant(float(bits))]
        self.add(
            "Quant", *parameters, domain="qonnx.custom_op.general", signed=int(signed), narrow=0, rounding_mode=mode
        )

    def batchnorm(self) -> None:
        """With factors of either sign and 0."""
        channels = self.shape[1]
        gamma = self.random.choice([-1.5, -0.3, 0.0, 0.7, 1.1], channels)
        rest = (self.random.standard_normal(channels), self.random.standard_normal(channels), np.full(channels, 4.3))
        self.add("BatchNormalization", *(self.constant(v) for v in (gamma, *rest)), epsilon=1e-5)

    def dense(self, outputs: int, bits: int) -> None:
        self.add("MatMul", self.weights([self.shape[1], outputs], bits, 1), shape=[self.shape[0], outputs])

    def conv(self, outputs: int, kernel: list[int], strides: list[int], pads: list[int], bits: int) -> None:
        batch, channels, *sizes = self.shape
        counts = [
            (n + pads[i] + pads[i + 2] - k) // s + 1
            for i, (n, k, s) in enumerate(zip(sizes, kernel, strides, strict=True))
        ]
        weights = self.weights([outputs, channels, *kernel], bits, 0)
        self.add("Conv", weights, shape=[batch, outputs, *counts], kernel_shape=kernel, strides=strides, pads=pads)

    def model(self, datatype: str) -> ModelWrapper:
        graph = helper.make_graph(
            self.nodes,
            "generated",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.first)],
            [helper.make_tensor_value_info(self.name, TensorProto.FLOAT, self.shape)],
            self.constants,
        )
        imports = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
        model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=8))
        model.set_tensor_datatype("x", DataType[datatype])
        return model


INPUTS = st.sampled_from(["UINT8", "INT3", "BIPOLAR", "UINT1", "INT10"])
BITS = st.integers(1, 5)
MODES = st.sampled_from(["ROUND", "FLOOR", "CEIL", "DOWN", "HALF_UP"])


def draw_activation(draw: st.DrawFn, net: Net, padded: bool = False) -> None:
    """padded: a convolution pads it by 0, which a bipolar tensor lacks."""
    for op in draw(st.lists(st.sampled_from(["batchnorm", "relu", "negate", "shift"]), max_size=3)):
        if op == "batchnorm":
            net.batchnorm()
        elif op == "relu":
            net.add("Relu")
        elif op == "negate":
            net.add("Mul", net.constant(-0.75))
        else:
            net.add("Sub", net.constant(0.3))
    bits = draw(st.integers(2, 5) if padded else BITS)
    net.quantize(bits, draw(st.booleans()), 0 if padded else draw(st.integers(-1, 2)), draw(MODES))


@st.composite
def perceptrons(draw: st.DrawFn) -> tuple[ModelWrapper, str]:
    net = Net(np.random.default_rng(draw(st.integers(0, 2**32))), [3, draw(st.integers(1, 9))])
    datatype = draw(INPUTS)
    if draw(st.booleans()):
        net.add("Mul", net.constant(0.25))
        net.quantize(draw(BITS), True, 0, draw(MODES))
    for _ in range(draw(st.integers(0, 2))):
        net.dense(draw(st.integers(1, 9)), draw(BITS))
        draw_activation(draw, net)
    net.dense(draw(st.integers(1, 6)), draw(BITS))
    if draw(st.booleans()):
        net.add("Add", net.constant(net.random.integers(-8, 9, net.shape[1]) / 4))
    return net.model(datatype), datatype


@st.composite
def convolutional(draw: st.DrawFn) -> tuple[ModelWrapper, str]:
    net = Net(np.random.default_rng(draw(st.integers(0, 2**32))), [2, draw(st.integers(1, 3)), 6, 5])
    datatype = draw(st.sampled_from(["UINT8", "INT3"]))  # both have the 0 that pads
    for last in (False, True):
        kernel, strides = [draw(st.integers(1, 3)), draw(st.integers(1, 2))], [draw(st.integers(1, 2)), 1]
        net.conv(
            draw(st.integers(1, 4)),
            kernel,
            strides,
            draw(st.lists(st.integers(0, 1), min_size=4, max_size=4)),
            draw(BITS),
        )
        draw_activation(draw, net, padded=not last)
    if draw(st.booleans()) and min(net.shape[2:]) >= 2:
        batch, channels, height, width = net.shape
        shape = [batch, channels, (height - 2) // 2 + 1, width - 1]
        net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 1], shape=shape)
    net.add("Flatten", axis=1, shape=[net.shape[0], int(np.prod(net.shape[1:]))])
    net.dense(draw(st.integers(1, 4)), draw(BITS))
    return net.model(datatype), datatype


def check(model: ModelWrapper, datatype: str) -> None:
    name, shape = model.get_first_global_in(), model.get_tensor_shape(model.get_first_global_in())
    x = frames(datatype, shape)
    (expected,) = execute_onnx(model, {name: x}).values()
    with tempfile.TemporaryDirectory() as folder:
        found = Compiled(model, Path(folder))(x)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=20, deadline=None)
@given(perceptrons())
def test_perceptrons(case: tuple[ModelWrapper, str]) -> None:
    check(*case)


@settings(max_examples=15, deadline=None)
@given(convolutional())
def test_convolutional_networks(case: tuple[ModelWrapper, str]) -> None:
    check(*case)


# -------------------------------------------------------------------------------------------------------- the parts


@pytest.mark.parametrize("rule", integers.FUSE, ids=str)
def test_rules(rule: object) -> None:
    assert prove(rule) > 0
    check_mutants(rule)


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0, 255, "uint8_t"), (0, 256, "uint16_t"), (-1, 127, "int8_t"), (-128, 127, "int8_t"), (-129, 0, "int16_t"),
        (-1, 2**15, "int32_t"), (0, 2**32 - 1, "uint32_t"), (-(2**63), 2**63 - 1, "int64_t"),
    ],
)  # fmt: skip
def test_the_narrowest_type(low: int, high: int, kind: str) -> None:
    assert emit.integer_type(low, high) == kind


def small(change: str) -> Net:
    net = Net(np.random.default_rng(0), [1, 4])
    if change == "no quantizer":
        net.dense(3, 2)
        net.add("Relu")
    elif change == "sigmoid":
        net.dense(3, 2)
        net.add("Sigmoid")
        net.quantize(2, False, 0, "ROUND")
    elif change == "float weights":
        net.add("MatMul", net.constant(np.full((4, 3), 0.1)), shape=[1, 3])
        return net
    net.dense(2, 2)
    return net


@pytest.mark.parametrize(
    ("change", "datatype", "message"),
    [
        (
            "",
            "FLOAT32",
            r"node MatMul_0 \(MatMul\): its inputs are not both integers of one scale in each sum\. Remedy",
        ),
        ("no quantizer", "INT4", r"node MatMul_1 \(MatMul\): its inputs are not both integers"),
        ("sigmoid", "INT4", r"node Sigmoid_0 \(Sigmoid\): it does not compute on scaled integers here"),
        ("float weights", "INT4", r"node MatMul_0 \(MatMul\): its inputs are not both integers"),
    ],
)
def test_refusals(change: str, datatype: str, message: str) -> None:
    model = small(change).model(datatype)
    before = model.model.SerializeToString()
    with pytest.raises(FinnError, match=message):
        compiler.integer_network(model)
    assert model.model.SerializeToString() == before


def test_nothing_is_written_for_a_network_that_is_refused(tmp_path: Path) -> None:
    small("sigmoid").model("INT4").save(tmp_path / "model.onnx")
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(BASE / "examples")}
    command = [sys.executable, "-m", "c_arrays", str(tmp_path / "model.onnx"), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("node Sigmoid_0 (Sigmoid): it does not compute on scaled integers here")
    assert not (tmp_path / "out").exists()


def test_same_model_same_files(tmp_path: Path) -> None:
    small("").model("INT4").save(tmp_path / "model.onnx")
    for name in ("a", "b"):
        compiler.compile_network(tmp_path / "model.onnx", tmp_path / name, None)
    files = [{file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    assert sorted(files[0]) == ["net.c", "net.h", "test_net.c"]


def test_an_unknown_data_type() -> None:
    with pytest.raises(FinnError, match="there is no data type 'PIXEL'"):
        compiler.integer_network(small("").model("FLOAT32"), "PIXEL")
