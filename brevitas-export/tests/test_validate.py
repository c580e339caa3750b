# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""`validate` finds the layer that is wrong, and what cannot become hardware; the entry points of old scripts work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from brevitas_export import (
    BrevitasONNXManager,
    ExportError,
    FINNManager,
    export_finn,
    export_qcdq,
    export_qonnx,
    validate,
)
from finn.core.modelwrapper import ModelWrapper

torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn", exc_type=ImportError)
pytest.importorskip("onnxoptimizer")

from brevitas.quant import Int8ActPerTensorFixedPoint  # noqa: E402

SHAPE = (1, 6)
LAYERS = ("0", "1", "2", "3", "4", "(output)")


def network(**last: Any) -> Any:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return torch.nn.Sequential(
        qnn.QuantIdentity(bit_width=4),
        qnn.QuantLinear(6, 8, bias=False, weight_bit_width=4),
        torch.nn.BatchNorm1d(8),
        qnn.QuantReLU(bit_width=4),
        qnn.QuantLinear(8, 3, bias=False, **(last or {"weight_bit_width": 2})),
    ).eval()


@pytest.mark.parametrize("export", [export_qonnx, export_finn])
def test_equal(export: Any, tmp_path: Path) -> None:
    net = network()
    export(net, tmp_path / "net.onnx", input_shape=SHAPE)
    found = validate(net, tmp_path / "net.onnx", 5)
    assert found.ok
    assert (found.problems, found.notes, found.samples, found.first_difference) == ((), (), 5, None)
    assert tuple(layer.name for layer in found.layers) == LAYERS
    facts = [(layer.op, layer.shape, layer.bits, layer.signed) for layer in found.layers[:4]]
    assert facts == [
        ("QuantIdentity", (1, 6), 4, True),
        ("QuantLinear", (1, 8), 4, True),
        ("BatchNorm1d", (1, 8), None, None),
        ("QuantReLU", (1, 8), 4, False),
    ]
    assert found.layers[1].scale == pytest.approx(float(net[1].quant_weight().scale.detach()))
    lines = str(found).splitlines()
    assert "5 samples, equal" in lines[0]
    assert [part.strip() for part in next(line for line in lines if "QuantReLU" in line).split("│")[1:5]] == [
        "3",
        "QuantReLU",
        "1x8",
        "0",
    ]


@pytest.mark.parametrize("layer", ["1", "4"])
def test_a_wrong_weight_is_found_in_its_layer(layer: str) -> None:
    net = network()
    model = export_qonnx(net, input_shape=SHAPE)
    weights = np.array(model.get_initializer(f"{layer}.weight"))
    scale = float(np.ravel(model.get_initializer(f"{layer}.weight_quant.scale"))[0])
    weights[0, 0] += scale if weights[0, 0] < 0 else -scale
    model.set_initializer(f"{layer}.weight", weights)
    found = validate(net, model)
    assert not found.ok
    assert found.first_difference is not None
    assert found.first_difference.name == layer
    assert found.first_difference.difference is not None
    assert 0 < found.first_difference.difference <= scale * 1.01 * 2
    (problem,) = found.problems
    assert str(problem).startswith(f"{layer}: its result differs from PyTorch by ")
    assert "NOT ok" in str(found)
    assert " !" in next(line for line in str(found).splitlines() if line.startswith(f"│ {layer} "))


def test_a_wrong_shape_and_nan_are_differences() -> None:
    net = network()
    model = export_qonnx(net, input_shape=SHAPE)
    model.set_initializer("2.weight", np.full(8, np.nan, np.float32))
    found = validate(net, model)
    assert found.first_difference is not None
    assert found.first_difference.name == "2"
    assert np.isnan(found.first_difference.difference)
    flat = export_qonnx(torch.nn.Sequential(*network(), torch.nn.Unflatten(1, (3, 1))).eval(), input_shape=SHAPE)
    found = validate(net, flat)
    assert [layer.name for layer in found.layers if not layer.ok] == ["(output)"]


def test_a_tie_is_no_difference() -> None:
    """Inputs lie between two steps, where sums that differ in their last bits are rounded to different sides."""
    net = torch.nn.Sequential(
        torch.nn.BatchNorm1d(6, eps=0.0),
        qnn.QuantIdentity(bit_width=4, act_quant=Int8ActPerTensorFixedPoint),
        *network()[1:],
    ).eval()
    step = float(net[1].act_quant.scale())
    samples = (np.random.default_rng(0).integers(-7, 7, (4, 6)) + 0.5).astype(np.float32) * np.float32(step)
    model = export_qonnx(net, input_shape=SHAPE, samples=samples)
    assert validate(net, model, samples=samples).ok
    for shift, equal in ((1e-7, True), (1e-2, False)):
        model.set_initializer("0.bias", np.full(6, shift, np.float32))
        found = validate(net, model, samples=samples)
        assert found.ok is equal
        assert found.layers[-1].difference is not None
        assert found.layers[-1].difference > 1e-3
        assert [layer.name for layer in found.layers if not layer.ok] == ([] if equal else ["0", "(output)"])


def test_one_step_next_to_a_tie() -> None:
    from brevitas_export._compare import differ
    from brevitas_export._observe import Quantized

    zero = np.zeros((1, 3), np.float32)
    ternary = Quantized(np.asarray(0.25), np.asarray(0.0), 2.0, True)
    bipolar = Quantized(np.asarray(0.25), np.asarray(0.0), 1.0, True)
    for by, x, quantized, ok in (
        (0.0, 0.0, None, True),
        (0.25, 0.125, None, False),
        (0.25, 0.1251, ternary, True),  # to the nearest
        (0.25, 0.2499, ternary, True),  # down
        (0.25, 0.14, ternary, False),
        (0.50, 0.25, ternary, False),
        (0.50, 0.25, bipolar, True),
    ):
        found = differ("a", zero + np.float32([0, by, 0]), zero, 1e-5, quantized, np.float32([[0, x, 0]]))
        assert (found.largest, found.ties, found.ok) == (by, int(by > 0 and quantized is not None), ok), (by, x)
    assert not differ("a", zero[:, 1:], zero, 1e-5, ternary, zero).ok


@pytest.mark.parametrize("export", [export_qonnx, export_finn, export_qcdq])
def test_a_wrong_quantizer_is_found_in_its_layer(export: Any) -> None:
    net = network()
    model = export(net, input_shape=SHAPE)
    for node in model.graph.node:
        if node.output[0].startswith("3_out") or node.name.startswith("3.act_quant"):
            for name in node.input[1:2]:
                if node.op_type in ("Quant", "QuantizeLinear", "MultiThreshold"):
                    model.set_initializer(name, model.get_initializer(name) * np.float32(1.03))
    found = validate(net, model, 64)
    assert [layer.name for layer in found.layers if not layer.ok] == ["3", "(output)"], str(found)


def test_unsupported_quantizers_are_problems_before_any_build() -> None:
    net = network(weight_quant=None)
    model = export_qonnx(net, input_shape=SHAPE, allow_float=True)
    found = validate(net, model)
    assert [(p.where, p.what) for p in found.problems] == [("4", "the weights of QuantLinear are not quantized")]
    assert all(layer.ok for layer in found.layers)
    assert not found.ok
    assert "problem: 4: the weights of QuantLinear are not quantized" in str(found)


def test_what_the_compiler_cannot_read_is_a_problem_of_its_node() -> None:
    net = network()
    model = export_qonnx(net, input_shape=SHAPE)
    model.set_initializer("4.weight_quant.scale", np.float32(-0.25))
    found = validate(net, model)
    assert any("4.weight_quant.Quant" in p.where for p in found.problems)


def test_quantizers_that_stay_are_notes() -> None:
    net = torch.nn.Sequential(qnn.QuantIdentity(bit_width=12)).eval()
    found = validate(net, export_qonnx(net, input_shape=SHAPE))
    assert found.ok
    (note,) = found.notes
    assert "0.act_quant.Quant" in note
    assert f"note: {note}" in str(found)


def test_graphs_that_cannot_be_compared() -> None:
    net = network()
    model = export_qonnx(net, input_shape=SHAPE)
    model.set_tensor_shape("global_in", [0, 6])
    with pytest.raises(ExportError, match=r"input 'global_in' of the graph has no fixed shape. Remedy: export it with"):
        validate(net, model)
    model.set_tensor_shape("global_in", list(SHAPE))
    model.graph.output.append(model.graph.output[0])
    with pytest.raises(ExportError, match="the network returns 1 tensors, the graph 2"):
        validate(net, model)


@pytest.mark.parametrize(("manager", "quantizer"), [(BrevitasONNXManager, "Quant"), (FINNManager, "MultiThreshold")])
def test_old_managers(manager: Any, quantizer: str, tmp_path: Path) -> None:
    net = network(weight_quant=None)  # floats were let in
    path = str(tmp_path / "net.onnx")
    returned = manager.export(net, SHAPE, path)
    assert onnx.load(path) == returned
    assert quantizer in {node.op_type for node in returned.graph.node}
    assert manager.export(module=net, input_shape=SHAPE, export_path=path) == returned
    assert manager.export(net, input_t=torch.ones(SHAPE)).graph.node == returned.graph.node
    assert validate(net, ModelWrapper(path)).first_difference is None
