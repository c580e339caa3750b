# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""With PyTorch: an export equals its network in every format, and is named after it.

The networks have what exporters and compilers stumble over: residual additions with a shared quantizer, a module
that is called twice, depthwise convolutions, scales per channel and powers of two, 1 to 8 bits, attention, two inputs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from brevitas_export import Normalise, export_finn, export_qcdq, export_qonnx, validate
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline import streamline

torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn", exc_type=ImportError)
pytest.importorskip("onnxoptimizer")

from brevitas import quant  # noqa: E402

nn = torch.nn
Shape = tuple[int, ...]


def calibrated(net: Any, *shapes: Shape) -> Any:
    """In evaluation mode, with scales and statistics as after some training."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    net.train()
    for _ in range(3):
        net(*(torch.randn(4, *shape[1:], generator=generator) for shape in shapes))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor, low in ((module.weight, 0.5), (module.bias, -0.5)):
                tensor.data.uniform_(low, low + 1, generator=generator)
    return net.eval()


def mlp(bits: int) -> Any:
    torch.manual_seed(bits)
    kinds: dict[str, Any] = {"weight_bit_width": bits}
    act: dict[str, Any] = {"bit_width": bits}
    if bits == 1:
        kinds = {"weight_quant": quant.SignedBinaryWeightPerTensorConst}
        act = {"act_quant": quant.SignedBinaryActPerTensorConst}
    layers = [nn.Flatten(), qnn.QuantIdentity(**act)]
    for size in (12, 16):
        layers += [qnn.QuantLinear(size, 16, bias=False, **kinds), nn.BatchNorm1d(16), qnn.QuantIdentity(**act)]
    return nn.Sequential(*layers, qnn.QuantLinear(16, 5, bias=False, **kinds))


class Residual(nn.Module):
    """Two branches of one quantizer are added; the result is pooled."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(
            qnn.QuantIdentity(bit_width=8),
            qnn.QuantConv2d(3, 4, 3, padding=1, bias=False, weight_bit_width=4),
            nn.BatchNorm2d(4),
        )
        self.shared = qnn.QuantIdentity(bit_width=4, return_quant_tensor=True)
        self.conv = qnn.QuantConv2d(4, 4, 3, padding=1, bias=False, weight_bit_width=4)
        self.norm = nn.BatchNorm2d(4)
        self.act = qnn.QuantReLU(bit_width=4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = qnn.QuantLinear(4, 3, bias=True, weight_bit_width=4)

    def forward(self, x: Any) -> Any:
        x = self.shared(self.stem(x))
        x = self.act(x + self.shared(self.norm(self.conv(x))))
        return self.fc(self.pool(x).flatten(1))


def depthwise() -> Any:
    """Of MobileNet, with one scale per channel."""
    torch.manual_seed(0)
    kinds = {"bias": False, "weight_bit_width": 4, "weight_quant": quant.Int8WeightPerChannelFloat}
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8),
        qnn.QuantConv2d(4, 4, 3, groups=4, **kinds),
        nn.BatchNorm2d(4),
        qnn.QuantReLU(bit_width=4),
        qnn.QuantConv2d(4, 6, 1, **kinds),
        nn.BatchNorm2d(6),
        qnn.QuantReLU(bit_width=4),
    )


def powers_of_two() -> Any:
    torch.manual_seed(0)
    kinds = {"weight_bit_width": 4, "weight_quant": quant.Int8WeightPerTensorFixedPoint}
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=4, act_quant=quant.Int8ActPerTensorFixedPoint, return_quant_tensor=True),
        qnn.QuantLinear(6, 8, bias=True, bias_quant=quant.Int16Bias, **kinds),
        qnn.QuantReLU(bit_width=3, act_quant=quant.Uint8ActPerTensorFixedPoint),
        qnn.QuantLinear(8, 3, bias=False, **kinds),
    )


class Attention(nn.Module):
    """One head over 5 tokens of 8 numbers, quantized wherever something is multiplied."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inp = qnn.QuantIdentity(bit_width=8)
        self.query, self.key, self.value, self.out = (
            qnn.QuantLinear(8, 8, bias=False, weight_bit_width=8) for _ in range(4)
        )
        self.q, self.k, self.v, self.mixed = (qnn.QuantIdentity(bit_width=8) for _ in range(4))
        self.weights = qnn.QuantIdentity(bit_width=8, act_quant=quant.Uint8ActPerTensorFloat)

    def forward(self, x: Any) -> Any:
        x = self.inp(x)
        q, k, v = self.q(self.query(x)), self.k(self.key(x)), self.v(self.value(x))
        attention = self.weights(torch.softmax(q @ k.transpose(1, 2) / 8**0.5, dim=-1))
        return self.out(self.mixed(attention @ v))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = Attention(), nn.LayerNorm(8)
        self.mlp = nn.Sequential(qnn.QuantIdentity(bit_width=8), qnn.QuantLinear(8, 8, bias=False, weight_bit_width=8))

    def forward(self, x: Any) -> Any:
        return self.mlp(self.norm(x + self.attention(x)))


def rounded_otherwise() -> Any:
    """Weights that are not rounded to the nearest integer; the result has a quantizer, and tells of it."""
    torch.manual_seed(0)
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=4, return_quant_tensor=True),
        qnn.QuantLinear(8, 6, bias=False, weight_quant=quant.Int8AccumulatorAwareWeightQuant),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        qnn.QuantLinear(6, 4, bias=False, weight_bit_width=3, weight_float_to_int_impl_type="floor"),
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
    )


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = (qnn.QuantIdentity(bit_width=4) for _ in range(2))
        self.body = qnn.QuantLinear(4, 3, bias=False, weight_bit_width=4)

    def forward(self, x: Any, y: Any) -> Any:
        return self.body(self.a(x)) + self.body(self.b(y))


IMAGE = (1, 3, 6, 6)
NETWORKS: dict[str, tuple[Callable[[], Any], Shape]] = {
    **{f"mlp_{bits}_bit": (lambda bits=bits: mlp(bits), (1, 3, 4)) for bits in (1, 2, 4, 8)},
    "residual": (Residual, IMAGE),
    "depthwise": (depthwise, (1, 4, 6, 6)),
    "powers_of_two": (powers_of_two, (1, 6)),
    "encoder": (Encoder, (1, 5, 8)),
    "rounded_otherwise": (rounded_otherwise, (1, 8)),
}
NO_QCDQ = ("mlp_1_bit", "powers_of_two")  # 1 bit; a bias of 16 bits is an int32 there, which Brevitas does not clip
STREAMLINED = [name for name in NETWORKS if name != "encoder"]  # softmax and layer norm stay on the host


def network(name: str) -> tuple[Any, Shape]:
    make, shape = NETWORKS[name]
    return calibrated(make(), shape), shape


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_equal_in_qonnx(name: str) -> None:
    net, shape = network(name)
    found = validate(net, export_qonnx(net, input_shape=shape), 4)
    assert found.ok, str(found)
    assert found.samples == 4
    quantized = [layer for layer in found.layers if layer.bits is not None]
    assert len(quantized) >= 4
    assert all(layer.difference is not None and layer.scale is not None for layer in quantized), str(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_equal_in_the_dialect_of_finn(name: str) -> None:
    net, shape = network(name)
    model = export_finn(net, input_shape=shape)
    assert not {"Quant", "BipolarQuant"} & {node.op_type for node in model.graph.node}
    assert {"MultiThreshold", "MatMul"} & {node.op_type for node in model.graph.node}
    weights = [t.name for t in model.graph.initializer if t.name.endswith((".weight", "weight_quant_out"))]
    types = [model.get_tensor_datatype(w) for w in weights if "norm" not in w and model.get_initializer(w).ndim > 1]
    assert types
    assert all(datatype.is_integer() for datatype in types)
    found = validate(net, model, 4)
    assert found.ok, str(found)
    if len(shape) == 4:
        assert model.get_tensor_layout("global_in") == ["N", "C", "H", "W"]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in NO_QCDQ])
def test_every_layer_is_equal_in_qcdq(name: str) -> None:
    net, shape = network(name)
    model = export_qcdq(net, input_shape=shape)
    assert {node.domain for node in model.graph.node} == {""}
    assert [entry.domain for entry in model.model.opset_import] == [""]
    assert "DequantizeLinear" in {node.op_type for node in model.graph.node}
    found = validate(net, model, 4)
    assert found.ok, str(found)


@pytest.mark.parametrize("name", STREAMLINED)
def test_the_integer_graph_of_the_compiler_is_equal(name: str) -> None:
    net, shape = network(name)
    model = ModelWrapper(export_qonnx(net, input_shape=shape, input_datatype="INT4").model, make_deepcopy=True)
    streamline(model)
    rng = np.random.default_rng(2)
    for x in rng.integers(-8, 8, (8, *shape)).astype(np.float32):
        with torch.no_grad():
            result = net(torch.from_numpy(x))
        expected = getattr(result, "value", result).numpy()
        given = execute_onnx(model, {"global_in": x})[model.graph.output[0].name]
        np.testing.assert_allclose(given.reshape(expected.shape), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["residual", "mlp_2_bit"])
def test_both_exporters_give_the_same_names(name: str) -> None:
    net, shape = network(name)
    old, new = (export_qonnx(net, input_shape=shape, exporter=e) for e in ("torchscript", "dynamo"))
    kinds = ("Quant", "Conv", "BatchNormalization", "Relu", "Add")
    named = [{(node.name, *node.output) for node in m.graph.node if node.op_type in kinds} for m in (old, new)]
    assert named[0] == named[1]
    assert [entry.version for entry in old.model.opset_import if not entry.domain] == [13]
    found = validate(net, new, 2)
    assert found.ok, str(found)
    compared = {layer.name for layer in found.layers if layer.difference is not None}
    assert compared >= {layer.name for layer in validate(net, old, 2).layers if layer.bits is not None}


def test_what_is_written(tmp_path: Path) -> None:
    net, shape = network("residual")
    net.train()
    net.stem.eval()  # a part that is frozen stays frozen
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    attributes = {name: dict(module.__dict__) for name, module in net.named_modules()}
    model = export_qonnx(net, tmp_path / "net.onnx", input_shape=shape, input_datatype="INT8")
    for name, module in net.named_modules():
        assert module.__dict__.keys() == attributes[name].keys()
        assert module.training is attributes[name]["training"]
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    assert all(parameter.requires_grad for parameter in net.parameters())

    stored = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(stored)
    assert stored == model.model
    assert [value.name for value in stored.graph.input] == ["global_in"]
    assert [value.name for value in stored.graph.output] == ["global_out"]
    assert {node.domain for node in stored.graph.node} == {"", "qonnx.custom_op.general"}
    assert stored.ir_version <= 10
    readers = [name for node in stored.graph.node for name in node.input if model.has_initializer(name)]
    assert len(readers) == len(set(readers))
    assert str(Path.cwd()).encode() not in stored.SerializeToString()
    assert b".py" not in stored.SerializeToString()
    assert model.get_tensor_datatype("global_in").name == "INT8"


def test_names() -> None:
    net, shape = network("residual")
    model = export_qonnx(net, input_shape=shape)
    table = {node.name: ([*node.input], *node.output) for node in model.graph.node}
    assert table["stem.1.Conv"] == (["stem.0_out", "stem.1.weight_quant_out"], "stem.1_out")
    quantizer = [f"stem.1.weight{name}" for name in ("", "_quant.scale", "_quant.zero_point", "_quant.bit_width")]
    assert table["stem.1.weight_quant.Quant"] == (quantizer, "stem.1.weight_quant_out")
    norm = [f"norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    assert table["norm.BatchNormalization"] == (["conv_out", *norm], "norm_out")
    assert table["shared.act_quant.Quant"][1] == "shared_out"
    assert table["shared.act_quant.Quant_1"][1] == "shared_out_1"
    assert table["Add"] == (["shared_out", "shared_out_1"], "Add_out")
    assert table["act.act_quant.Relu"] == (["Add_out"], "act.act_quant.Relu_out")
    assert table["fc.Gemm"][0][1:] == ["fc.weight_quant_out", "fc.bias"]


def test_names_of_modules_that_are_called_out_of_order() -> None:
    class Odd(nn.Module):
        """Calls modules of modules, which the exporter names alike, in another order than they are declared."""

        def __init__(self) -> None:
            super().__init__()
            self.quant = qnn.QuantIdentity(bit_width=4)
            self.first, self.second = (
                nn.ModuleDict({"fc": qnn.QuantLinear(4, 4, bias=False, weight_bit_width=w)}) for w in (2, 8)
            )

        def forward(self, x: Any) -> Any:
            return self.first["fc"](self.quant(self.second["fc"](self.quant(x))))

    model = export_qonnx(Odd().eval(), input_shape=(1, 4))
    bits = {
        node.name: model.get_initializer(node.input[3]).item() for node in model.graph.node if node.op_type == "Quant"
    }
    assert (bits["first.fc.weight_quant.Quant"], bits["second.fc.weight_quant.Quant"]) == (2, 8)
    assert validate(Odd().eval(), model).first_difference is not None  # other weights
    assert [node.output[0] for node in model.graph.node if node.op_type == "MatMul"] == ["second.fc_out", "global_out"]


def test_calls_are_numbered_in_the_order_of_the_network() -> None:
    class Branches(nn.Module):
        """The short branch, which stands first in the graph, calls the shared quantizer last."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.inp, self.shared = qnn.QuantIdentity(bit_width=4), qnn.QuantIdentity(bit_width=4)
            self.a, self.b, self.short = (qnn.QuantLinear(4, 4, bias=False, weight_bit_width=4) for _ in range(3))

        def forward(self, x: Any) -> Any:
            x = self.inp(x)
            long = self.shared(self.b(self.shared(self.a(x))))
            return long + self.shared(self.short(x))

    net = calibrated(Branches(), (1, 4))
    for exporter in ("torchscript", "dynamo"):
        model = export_qonnx(net, input_shape=(1, 4), exporter=exporter)
        read = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Quant"}
        calls = [read[name] for name in ("shared_out", "shared_out_1", "shared_out_2")]
        assert calls == ["a_out", "b_out", "short_out"]
        assert validate(net, model).ok


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_modules_that_are_registered_twice(exporter: Any) -> None:
    torch.manual_seed(0)
    act, layer = qnn.QuantIdentity(bit_width=4), qnn.QuantLinear(4, 4, bias=False, weight_bit_width=4)
    net = nn.Sequential(act, layer, act, layer, act).eval()
    found = validate(net, export_qonnx(net, input_shape=(1, 4), exporter=exporter))
    assert found.ok, str(found)
    assert [(each.name, each.difference is None) for each in found.layers[:2]] == [("0", False), ("1", False)]


def test_top_k() -> None:
    net, shape = network("mlp_4_bit")
    scores, best = export_qonnx(net, input_shape=shape), export_qonnx(net, input_shape=shape, top_k=3)
    assert best.get_tensor_shape("global_out") == [1, 3]
    for x in np.random.default_rng(1).standard_normal((20, *shape)).astype(np.float32):
        order = np.argsort(-execute_onnx(scores, {"global_in": x})["global_out"], kind="stable")[:, :3]
        np.testing.assert_array_equal(execute_onnx(best, {"global_in": x})["global_out"], order)
    assert validate(net, best).ok


MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


@pytest.mark.parametrize(
    ("preprocess", "reference"),
    [
        ("div255", lambda x: x / 255),
        (Normalise(1 / 255, 0.5, 0.25), lambda x: (x * np.float32(1 / 255) - 0.5) / 0.25),
        (
            Normalise(1 / 255, MEAN, STD),
            lambda x: (x * np.float32(1 / 255) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None],
        ),
        (Normalise(), lambda x: x),
    ],
)
@pytest.mark.parametrize("export", [export_qonnx, export_finn, export_qcdq])
def test_preprocessing(export: Any, preprocess: Any, reference: Any) -> None:
    net, shape = network("residual")
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape[1:]))
    model = export(net, input_shape=shape, preprocess=preprocess, samples=pixels)
    assert model.get_tensor_datatype("global_in").name == "UINT8"
    for x in pixels[:, None].astype(np.float32):
        with torch.no_grad():
            expected = net(reference(torch.from_numpy(x)).float()).numpy()
        np.testing.assert_allclose(execute_onnx(model, {"global_in": x})["global_out"], expected, rtol=0, atol=1e-5)
    assert validate(net, model, samples=pixels, preprocess=preprocess).ok


def test_several_inputs() -> None:
    net = calibrated(TwoInputs(), (1, 4), (1, 4))
    x, y = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 12 - 1
    for samples in (None, (x, y)):
        args = (torch.from_numpy(x[:1]), torch.from_numpy(y[:1]))
        model = export_qonnx(net, args=args, samples=samples)
        assert [value.name for value in model.graph.input] == ["global_in", "global_in_1"]
        assert validate(net, model, samples=samples).ok
    assert [node.output[0] for node in model.graph.node if node.op_type == "MatMul"] == ["body_out", "body_out_1"]
    model = export_qonnx(net, args=(args[0], torch.tensor([[3.0, -8, 0, 7]])), input_datatype=(None, "INT4"))
    assert [model.get_tensor_datatype(value.name).name for value in model.graph.input] == ["FLOAT32", "INT4"]


def test_an_example_of_integers_is_fed_as_it_is() -> None:
    net = nn.Sequential(nn.Embedding(10, 4), qnn.QuantIdentity(bit_width=8), qnn.QuantLinear(4, 2, bias=False)).eval()
    model = export_qonnx(net, args=torch.tensor([[3, 1, 4]]))
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64


def test_the_other_exporter_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    class PowersOfTwo(nn.Module):
        """The exporter for TorchScript does not know exp2, the other does."""

        def __init__(self) -> None:
            super().__init__()
            self.inp = qnn.QuantIdentity(bit_width=8)
            self.out = qnn.QuantLinear(4, 2, bias=False, weight_bit_width=8)

        def forward(self, x: Any) -> Any:
            return self.out(self.inp(torch.special.exp2(self.inp(x))))

    caplog.set_level(logging.INFO, "brevitas_export")
    model = export_qonnx(PowersOfTwo().eval(), input_shape=(1, 4))
    assert model.graph.output[0].name == "global_out"
    text = caplog.text
    assert "the exporter 'torchscript' of PyTorch fails" in text, text
    assert "exported by the exporter 'dynamo' of PyTorch" in text
