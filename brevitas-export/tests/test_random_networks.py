# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Generated networks: PyTorch, QONNX, the dialect of FINN and the integer graph of the compiler compute the same.

Scales are powers of two, so that no sum depends on the order in which it is computed: the results are equal bit by bit,
and no sample can be next to a tie in one of them only. Images are drawn small; depth, widths, kernels, bits, signs,
pools, branches and what comes in front and behind are drawn freely.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from brevitas_export import export_finn, export_qonnx, validate
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline import streamline

torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn", exc_type=ImportError)
pytest.importorskip("onnxoptimizer")

from brevitas import quant  # noqa: E402

nn = torch.nn
SIZE = 6
BITS = st.sampled_from([1, 2, 3, 4, 8])


class Sum(nn.Module):
    """x and what `body` makes of it, both through one quantizer, added."""

    def __init__(self, body: Any, quantizer: Any) -> None:
        super().__init__()
        self.body, self.quantizer = body, quantizer

    def forward(self, x: Any) -> Any:
        return self.quantizer(x) + self.quantizer(self.body(x))


def weights(bits: int) -> dict[str, Any]:
    if bits == 1:
        return {"weight_quant": quant.SignedBinaryWeightPerTensorConst, "weight_scaling_init": 0.5}
    return {"weight_quant": quant.Int8WeightPerTensorFixedPoint, "weight_bit_width": bits}


def activation(bits: int, *, signed: bool) -> Any:
    if bits == 1:
        return qnn.QuantIdentity(act_quant=quant.SignedBinaryActPerTensorConst, scaling_init=0.5)
    kind = quant.Int8ActPerTensorFixedPoint if signed else quant.Uint8ActPerTensorFixedPoint
    return (qnn.QuantIdentity if signed else qnn.QuantReLU)(act_quant=kind, bit_width=bits)


@st.composite
def convolution(draw: Any, channels: int, *, same: bool) -> tuple[list[Any], int]:
    """A convolution and a quantizer; `same` keeps the shape."""
    kernel = draw(st.sampled_from([1, 3] if same else [1, 2, 3]))
    depthwise = draw(st.booleans())
    made = channels if same or depthwise else draw(st.integers(1, 4))
    layers: list[Any] = [
        qnn.QuantConv2d(
            channels,
            made,
            kernel,
            padding=kernel // 2 if same else 0,
            groups=channels if depthwise else 1,
            bias=False,
            **weights(draw(BITS)),
        )
    ]
    if not same and draw(st.booleans()):
        layers.append(nn.MaxPool2d(2, 1))
    layers.append(activation(draw(BITS), signed=draw(st.booleans())))
    return layers, made


@st.composite
def networks(draw: Any) -> Any:
    torch.manual_seed(draw(st.integers(0, 1000)))
    channels = draw(st.integers(1, 3))
    first = channels
    layers: list[Any] = [activation(draw(BITS), signed=True)]
    for _ in range(draw(st.integers(0, 2))):
        if draw(st.booleans()):
            body, _ = draw(convolution(channels, same=True))
            layers.append(Sum(nn.Sequential(*body), activation(draw(st.sampled_from([2, 4])), signed=True)))
            layers.append(activation(draw(BITS), signed=draw(st.booleans())))
        else:
            more, channels = draw(convolution(channels, same=False))
            layers += more
    layers.append(nn.Flatten())
    net = nn.Sequential(*layers)
    size = net(torch.zeros(1, first, SIZE, SIZE)).shape[1]
    net.append(qnn.QuantLinear(size, draw(st.integers(1, 5)), bias=False, **weights(draw(BITS))))
    net.train()
    for _ in range(2):
        net(torch.randn(4, first, SIZE, SIZE) * 4)
    return net.eval(), (1, first, SIZE, SIZE)


@given(networks(), st.integers(0, 1000))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_all_forms_are_equal(drawn: Any, seed: int) -> None:
    torch.set_num_threads(1)
    net, shape = drawn
    samples = np.random.default_rng(seed).integers(-8, 8, (3, *shape[1:])).astype(np.float32)
    options: dict[str, Any] = {"input_shape": shape, "input_datatype": "INT4", "samples": samples, "tolerance": 0.0}
    model = export_qonnx(net, **options)
    export_finn(net, **options)
    found = validate(net, model, samples=samples, tolerance=0.0)
    assert found.ok, str(found)
    assert all(layer.difference is not None for layer in found.layers if layer.bits is not None), str(found)

    integers = ModelWrapper(model.model, make_deepcopy=True)
    streamline(integers)
    for x in samples[:, None]:
        with torch.no_grad():
            expected = net(torch.from_numpy(x)).numpy()
        given_by_integers = execute_onnx(integers, {"global_in": x})[integers.graph.output[0].name]
        np.testing.assert_array_equal(given_by_integers.reshape(expected.shape), expected)
