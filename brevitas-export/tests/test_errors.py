# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What cannot be exported is refused with what, where, why and a remedy, and nothing is written.

The first part needs no PyTorch: arguments are checked before it is loaded.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brevitas_export import ExportError, Normalise, Problem, export_finn, export_qcdq, export_qonnx

HERE = all(importlib.util.find_spec(name) for name in ("torch", "brevitas", "onnxoptimizer"))
with_torch = pytest.mark.skipif(not HERE, reason="PyTorch and Brevitas are not installed")


def test_import_loads_no_torch() -> None:
    code = "import sys, brevitas_export; sys.exit('torch' in sys.modules or 'brevitas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SHAPE = (1, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "input_shape is None, args is None .*exactly one of the two.*give the shape of one input"),
        ({"input_shape": SHAPE, "args": np.zeros(SHAPE)}, "args is not None .*exactly one of the two"),
        ({"input_shape": (28, 28)}, r"input_shape is \(28, 28\) .*such as \(1, 1, 28, 28\)"),
        ({"input_shape": (1, 0)}, r"input_shape is \(1, 0\)"),
        ({"input_shape": SHAPE, "input_datatype": "FLOAT32"}, "input_datatype is FLOAT32 .*only integer types"),
        ({"input_shape": SHAPE, "input_datatype": "UINTX"}, "input_datatype is UINTX .*'UINTX' is no data type"),
        ({"input_shape": SHAPE, "input_datatype": ("INT4", None)}, "has 2 types, the network 1 inputs. Remedy"),
        ({"input_shape": SHAPE, "samples": np.zeros((2, 5))}, r"samples have shape \(2, 5\), .*\(N, 4\).*stack"),
        ({"input_shape": SHAPE, "samples": np.zeros((0, 4))}, r"samples are 1 arrays of \[0\] rows"),
        ({"input_shape": SHAPE, "samples": [np.zeros(SHAPE)] * 2}, r"samples are 2 arrays.*give 1 of them"),
        (
            {"input_shape": SHAPE, "samples": np.full(SHAPE, 300), "preprocess": "div255"},
            "samples has values that are not UINT8. Remedy: give raw values",
        ),
        (
            {"input_shape": SHAPE, "preprocess": "imagenet"},
            r"preprocess is 'imagenet'. Remedy: give \"div255\" or Norm",
        ),
        ({"input_shape": SHAPE, "preprocess": Normalise(std=0.0)}, "have to be finite, scale and std not 0"),
        ({"input_shape": SHAPE, "preprocess": Normalise(mean=(1, 2))}, r"it has \(2,\) channels, .* has 4.*one number"),
        ({"input_shape": SHAPE, "path": "no/such/net.onnx"}, "there is no directory 'no/such'. Remedy: create it"),
        ({"input_shape": SHAPE, "exporter": "jit"}, "exporter is 'jit'. Remedy: use one of: auto, torchscript, dynamo"),
    ],
)
@pytest.mark.parametrize("export", [export_qonnx, export_finn, export_qcdq])
def test_arguments_are_checked_first(export: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export(None, **arguments)


def test_missing_brevitas_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxoptimizer", None)
    with pytest.raises(ExportError, match=r"Remedy: pip install 'brevitas-export\[torch\]'$"):
        export_qonnx(None, input_shape=(1, 4))  # type: ignore[arg-type]


def test_several_problems_are_one_error() -> None:
    problems = [Problem("it is red", "a", "blue is needed", "paint it"), Problem("it is wet")]
    assert str(ExportError.of(problems[:1])) == "a: it is red (blue is needed). Remedy: paint it"
    assert str(ExportError.of(problems)) == (
        "the network cannot be exported, 2 problems:\n"
        "  - a: it is red (blue is needed). Remedy: paint it\n"
        "  - it is wet"
    )


# ------------------------------------------------------------------------------------------------------- with PyTorch


def sequential(*layers: Callable[[Any, Any], Any], first: bool = True) -> Any:
    """Layers behind a quantizer of the input (1, 4, 6, 6); each is made from torch.nn and brevitas.nn."""
    import brevitas.nn as qnn
    from torch import nn

    inputs = [qnn.QuantIdentity(bit_width=4)] if first else []
    return nn.Sequential(*inputs, *(layer(nn, qnn) for layer in layers)).eval()


def module(forward: Callable[..., Any]) -> Any:
    import torch

    torch.set_num_threads(1)
    return type("Net", (torch.nn.Module,), {"forward": forward})().eval()


def quantized(quantizer: str, where: str = "act", **options: Any) -> Callable[[Any, Any], Any]:
    """A layer with a quantizer of Brevitas, "module.Class"."""

    def make(nn: Any, qnn: Any) -> Any:
        package, _, name = quantizer.rpartition(".")
        kind = getattr(importlib.import_module(f"brevitas.quant.{package}"), name)
        if where == "act":
            return qnn.QuantIdentity(act_quant=kind, **options)
        return qnn.QuantConv2d(4, 4, 3, bias=False, weight_quant=kind, **options)

    return make


def conv(**options: Any) -> Callable[[Any, Any], Any]:
    return lambda nn, qnn: qnn.QuantConv2d(4, 4, 3, bias=False, **options)


def with_scale(value: float) -> Callable[[Any, Any], Any]:
    def make(nn: Any, qnn: Any) -> Any:
        layer = qnn.QuantConv2d(4, 4, 3, bias=False, weight_bit_width=4)
        layer.weight.data[0] = value
        return layer

    return make


def fractional(nn: Any, qnn: Any) -> Any:
    """Learned without a restriction to whole numbers: 2 bits at least, and 2.5 more."""
    from brevitas.core.restrict_val import FloatRestrictValue

    layer = qnn.QuantIdentity(bit_width=4, bit_width_impl_type="parameter", restrict_bit_width_impl=FloatRestrictValue)
    (learned,) = (parameter for name, parameter in layer.named_parameters() if "bit_width" in name)
    learned.data.fill_(2.5)
    return layer


def normalised(nn: Any, qnn: Any) -> Any:
    layer = nn.BatchNorm2d(4)
    layer.weight.data.uniform_(0.5, 1)
    return layer


def product(nn: Any) -> Any:
    """A product with a parameter, as people write it without a layer."""
    import torch

    made = type("Product", (nn.Module,), {"forward": lambda self, x: x @ self.w})()
    made.w = nn.Parameter(torch.rand(144, 2))
    return made


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "float convolution": (
        lambda: sequential(lambda nn, qnn: nn.Conv2d(4, 4, 3)),
        r"1: Conv2d has float weights \(it would be computed in floats.*brevitas.nn.QuantConv2d, or pass allow_float",
    ),
    "float linear": (
        lambda: sequential(lambda nn, qnn: nn.Flatten(), lambda nn, qnn: nn.Linear(144, 2)),
        "2: Linear has float weights .*use brevitas.nn.QuantLinear, or pass allow_float=True",
    ),
    "no weight quantizer": (
        lambda: sequential(conv(weight_quant=None)),
        r"1: the weights of QuantConv2d are not quantized \(weight_quant is None or disabled\). Remedy: give weight_q",
    ),
    "float input": (
        lambda: sequential(conv(weight_bit_width=4), first=False),
        "0.Conv: its input 'global_in' is not quantized .*put a QuantIdentity in front of it; .*give input_datatype",
    ),
    "float sums": (
        lambda: sequential(conv(weight_bit_width=4), normalised, conv(weight_bit_width=4)),
        "3.Conv: its input '2_out' is not quantized",
    ),
    "float constant": (
        lambda: sequential(lambda nn, qnn: nn.Flatten(), lambda nn, qnn: product(nn)),
        r"2.MatMul: its input '2.w' is not quantized",
    ),
    "float activations": (
        lambda: sequential(quantized("float.Fp8e4m3ActPerTensorFloat")),
        "1.act_quant: it quantizes to floating-point numbers of few bits .*Int8ActPerTensorFloat of brevitas.quant",
    ),
    "float weights": (
        lambda: sequential(quantized("float.Fp8e4m3WeightPerTensorFloat", "weight")),
        "1.weight_quant: it quantizes to floating-point numbers of few bits .*no integers stand for them",
    ),
    "MX": (
        lambda: sequential(
            lambda nn, qnn: nn.Flatten(),
            lambda nn, qnn: qnn.QuantLinear(
                144,
                4,
                bias=False,
                weight_quant=importlib.import_module("brevitas.quant.mx_quant_ocp").MXInt8Weight,
            ),
        ),
        r"2.weight_quant: it has one scale per group of channels \(MX\) .*several scales then",
    ),
    "dynamic scale": (
        lambda: sequential(
            lambda nn, qnn: qnn.QuantIdentity(
                act_quant=importlib.import_module(
                    "brevitas_examples.common.generative.quantizers"
                ).Int8DynamicActPerTensorFloat
            )
        ),
        r"1.act_quant: it finds its scale at run time \(integers have no fixed meaning then\)",
    ),
    "26 bits": (
        lambda: sequential(lambda nn, qnn: qnn.QuantIdentity(bit_width=26)),
        r"1.act_quant: it has 26 bits \(PyTorch computes in float32, .*24 bits exactly\). Remedy: use at most 24 bits",
    ),
    "unsigned 1 bit": (
        lambda: sequential(lambda nn, qnn: qnn.QuantReLU(bit_width=1)),
        r"1.act_quant: it quantizes to unsigned integers of 1 bit, not to -1 and \+1 \(Brevitas exports .*or 2 bits",
    ),
    "signed 1 bit": (
        lambda: sequential(lambda nn, qnn: qnn.QuantIdentity(bit_width=1)),
        "1.act_quant: it quantizes to signed integers of 1 bit",
    ),
    "fractional bits": (
        lambda: sequential(fractional),
        r"1.act_quant: its bit width is 4.5 \(integers have a whole number of bits\). Remedy: round it",
    ),
    "NaN": (
        lambda: sequential(with_scale(float("nan"))),
        "1.weight_quant: its scale is nan .*scales have to be finite and positive.*train or calibrate",
    ),
    "infinity": (lambda: sequential(with_scale(float("inf"))), "1.weight_quant: its scale is inf"),
    "LSTM": (
        lambda: sequential(lambda nn, qnn: nn.Flatten(2), lambda nn, qnn: qnn.QuantLSTM(36, 2)),
        "2.layers.0.0: QuantLSTMLayer cannot be exported .*no recurrent layer in hardware.*unroll it",
    ),
    "control flow": (
        lambda: module(lambda self, x: x if x.sum() > 0 else -x),
        r"test_errors.py:\d+: Python code reads a value that depends on the input .*torch.where in place of `if`",
    ),
    "item": (lambda: module(lambda self, x: x * x.max().item()), "test_errors.py:.*: Python code reads a value"),
    "two outputs": (
        lambda: module(lambda self, x: (x, x + 1)),
        r"the network returns 2 tensors \(an accelerator has one output\). Remedy: wrap it",
    ),
    "another shape": (
        lambda: sequential(lambda nn, qnn: nn.BatchNorm2d(5)),
        r"the network does not run on an input of shape \(1, 4, 6, 6\) \(RuntimeError: .*give input_shape",
    ),
    "another device": (
        lambda: sequential(conv()).to("meta"),
        "is on device meta .*exported on the CPU.*load the param",
    ),
}


@with_torch
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    make, message = REFUSED[name]
    net = make()
    with pytest.raises(ExportError, match=message):
        export_qonnx(net, tmp_path / "net.onnx", input_shape=(1, 4, 6, 6))
    assert list(tmp_path.iterdir()) == []
    assert not net.training


@with_torch
@pytest.mark.parametrize(
    "name", ["float convolution", "float linear", "no weight quantizer", "float input", "float sums"]
)
def test_floats_are_accepted_on_demand(name: str) -> None:
    export_qonnx(REFUSED[name][0](), input_shape=(1, 4, 6, 6), allow_float=True)


@with_torch
def test_integers_at_the_input_are_no_floats() -> None:
    net = sequential(conv(weight_bit_width=4), first=False)
    export_qonnx(net, input_shape=(1, 4, 6, 6), input_datatype="UINT8")
    export_qonnx(net, input_shape=(1, 4, 6, 6), preprocess="div255")


@with_torch
def test_what_does_not_depend_on_the_input_may_steer_python() -> None:
    import torch

    def forward(self: Any, x: Any) -> Any:
        limit = torch.tensor(2.0)
        return x * 2 if x.shape[0] == 1 and limit > 1 else x

    export_qonnx(module(forward), input_shape=(1, 4))


@with_torch
@pytest.mark.parametrize(("bits", "told"), [(1, "it has 1 bits"), (16, "it has 16 bits")])
def test_qcdq_refuses_widths(bits: int, told: str) -> None:
    options = {"bit_width": bits}
    if bits == 1:
        from brevitas.quant import SignedBinaryActPerTensorConst

        options = {"act_quant": SignedBinaryActPerTensorConst}
    net = sequential(lambda nn, qnn: qnn.QuantIdentity(**options))
    export_qonnx(net, input_shape=(1, 4))
    with pytest.raises(
        ExportError, match=rf"1.act_quant: {told} \(QCDQ has integers of 2 to 8 bits there\). Remedy: use exp"
    ):
        export_qcdq(net, input_shape=(1, 4))


@with_torch
@pytest.mark.parametrize("top_k", [0, 145])
def test_top_k_out_of_range(top_k: int) -> None:
    net = sequential(lambda nn, qnn: nn.Flatten())
    with pytest.raises(ExportError, match=f"top_k is {top_k} .the network has 144 scores.. Remedy: give a number"):
        export_qonnx(net, input_shape=(1, 4, 6, 6), top_k=top_k)


@with_torch
def test_a_difference_is_refused_and_nothing_written(tmp_path: Path) -> None:
    import torch

    class Other(torch.nn.Module):  # type: ignore[misc,name-defined]
        """A layer that computes something else while it is exported."""

        def forward(self, x: Any) -> Any:
            return x + 1 if torch.onnx.is_in_onnx_export() else x

    net = torch.nn.Sequential(torch.nn.Identity(), Other(), torch.nn.Flatten())
    message = r"differs from PyTorch by 1 on sample 0 \(the first layer that differs is '1', by 1; .*replace it"
    with pytest.raises(ExportError, match=message):
        export_qonnx(net, tmp_path / "net.onnx", input_shape=(1, 4), exporter="torchscript")
    assert list(tmp_path.iterdir()) == []


@with_torch
def test_a_network_that_is_not_reproducible(tmp_path: Path) -> None:
    import torch

    class Counting(torch.nn.Module):  # type: ignore[misc,name-defined]
        calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return x + self.calls

    net = Counting()
    with pytest.raises(ExportError, match=r"gives something else each time, here on sample \d+ .*without counters"):
        export_qonnx(net, tmp_path / "net.onnx", input_shape=(1, 4), exporter="torchscript")
    assert list(tmp_path.iterdir()) == []
    assert net.calls == 0


@with_torch
@pytest.mark.parametrize(
    ("jit", "remedy"), [(False, "export the parts of the network one by"), (True, "BREVITAS_JIT=0")]
)
def test_what_no_exporter_knows(jit: bool, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from brevitas import config

    monkeypatch.setattr(config, "JIT_ENABLED", jit)
    message = rf"no exporter of PyTorch can export the network \(torchscript: .*; dynamo: .*\). Remedy: .*{remedy}"
    with pytest.raises(ExportError, match=message):
        export_qonnx(module(lambda self, x: torch.linalg.eigvals(x).real), input_shape=(1, 4, 4))
