"""Each thing that cannot become integer, with its message to the letter; the model stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from finn.core.onnx_exec import execute_onnx
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import Streamline, StreamlineError, StreamlineOptions, streamline

from .reference import Net  # noqa: TID252 - test helpers are no installed package

STRICT = StreamlineOptions(partial=False)
HOST = " in front of it cannot become integer: "


def quantized(*shape: Any) -> Net:
    return Net(*(shape or (1, 2))).quant(1.0, 4)


def unquantized_weights() -> Net:
    return quantized().add("MatMul", [[0.5, 1.0], [0.25, 2.0]])


def float_only() -> Net:
    return Net(1, 2).add("MatMul", [[0.5], [1.5]]).add("Relu")


def unquantized_input() -> Net:
    net = Net(1, 2)
    return net.add("MatMul", net.weights(np.eye(2), 1.0, 2))


def sigmoid_before_matmul() -> Net:
    return quantized().add("MatMul", np.eye(2)).add("Sigmoid").add("MatMul", np.eye(2))


def unsupported_between() -> Net:
    return quantized().add("MatMul", np.eye(2)).add("Softmax").quant(0.25, 4)


def dynamic_features() -> Net:
    return quantized(1, "features")


def no_elements() -> Net:
    return quantized(1, 0)


def nan_weights() -> Net:
    net = quantized()
    return net.add("MatMul", net.weights([[np.nan], [1.0]], 1.0, 2))


def infinite_bias() -> Net:
    return quantized().add("MatMul", np.eye(2)).add("Add", [np.inf, 0.0]).quant(1.0, 4)


def infinite_scale() -> Net:
    return Net(1, 2).quant(np.inf, 4)


def zero_scale() -> Net:
    return Net(1, 2).quant(0.0, 4)


def negative_bipolar_scale() -> Net:
    return Net(1, 2).add("BipolarQuant", -1.0)


def dynamic_scale() -> Net:
    net = Net(1, 2).quant(1.0, 4)
    return net.add("Quant", inputs=["t0", "x", "c1", "c2"], signed=1, narrow=0, rounding_mode="ROUND")


def dynamic_zero_point() -> Net:
    net = Net(1, 2).quant(1.0, 4)
    return net.add("Quant", inputs=["t0", "c0", "x", "c2"], signed=1, narrow=0, rounding_mode="ROUND")


def dynamic_bit_width() -> Net:
    net = Net(1, 2).quant(1.0, 4)
    return net.add("Quant", inputs=["t0", "c0", "c1", "x"], signed=1, narrow=0, rounding_mode="ROUND")


def half_a_bit() -> Net:
    return Net(1, 2).quant(1.0, 2.5)


def nine_bits() -> Net:
    return Net(1, 2).quant(1.0, 9)


def strange_rounding() -> Net:
    return Net(1, 2).quant(1.0, 4, rounding_mode="NEAREST")


def incommensurable_scales() -> Net:
    return Net(1, 2).quant([1.0, np.sqrt(2)], 4).add("MatMul", np.eye(2))


def divided_by_zero() -> Net:
    return quantized().add("MatMul", np.eye(2)).add("Div", 0.0).quant(1.0, 4)


def fractional_weight_zero_point() -> Net:
    net = quantized()
    net.last, w = "t0", net.weights(np.eye(2), 1.0, 4)
    net.nodes[-1].input[2] = net.constant(0.5)
    return net.add("MatMul", w)


REFUSALS: list[tuple[Callable[[], Net], str]] = [
    (float_only, "graph: nothing is quantized; train and export with quantizers (QONNX)"),
    (
        unquantized_weights,
        "node MatMul_1 (MatMul) at tensor c3: its weights are not quantized; put a Quant node on the weights",
    ),
    (
        unquantized_input,
        "node MatMul_1 (MatMul) at tensor x: its input is not quantized; "
        "put a Quant node in front, or annotate the graph input with an integer datatype",
    ),
    (
        sigmoid_before_matmul,
        "node MatMul_3 (MatMul) at tensor t2: its input is not quantized: Sigmoid stands between the integers and this "
        "node; put a quantizer behind the activation function",
    ),
    (
        unsupported_between,
        f"node Quant_3 (Quant) at tensor t3: Softmax_2 (Softmax){HOST}Softmax has no integer form here; "
        "leave it to the host; at the end of a classifier it can be removed: the order is the same",
    ),
    (dynamic_features, "tensor x: the shape of the graph input is not static; export with a fixed shape"),
    (no_elements, "tensor x: the graph input has shape (1, 0), with no elements; export a real shape"),
    (
        nan_weights,
        "node Quant_1 (Quant) at tensor c3: its weight tensor contains NaN or Inf; check the training and the export",
    ),
    (
        infinite_bias,
        "node Add_2 (Add) at tensor c4: its parameter contains NaN or Inf; check the training and the export",
    ),
    (
        infinite_scale,
        "node Quant_0 (Quant) at tensor c0: its scale contains NaN or Inf; check the training and the export",
    ),
    (
        zero_scale,
        "node Quant_0 (Quant) at tensor c0: its scale is not positive; export the quantizer with a positive scale",
    ),
    (
        negative_bipolar_scale,
        "node BipolarQuant_0 (BipolarQuant) at tensor c0: its scale is not positive; "
        "export the quantizer with a positive scale",
    ),
    (dynamic_scale, "node Quant_1 (Quant) at tensor x: its scale is not constant; make the scale an initializer"),
    (
        dynamic_zero_point,
        "node Quant_1 (Quant) at tensor x: its zero point is not constant; make the zero point an initializer",
    ),
    (
        dynamic_bit_width,
        "node Quant_1 (Quant) at tensor x: its bit width is not constant; make the bit width an initializer",
    ),
    (
        half_a_bit,
        "node Quant_0 (Quant) at tensor c2: its bit width is not one positive integer; export a whole bit width",
    ),
    (
        nine_bits,
        "node Quant_0 (Quant) at tensor t0: it has 9 output bits: 511 thresholds per channel; "
        "use at most 8 bits, or raise max_multithreshold_bit_width",
    ),
    (
        strange_rounding,
        "node Quant_0 (Quant) at tensor t0: there is no rounding mode 'NEAREST'; "
        "use one of: ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN",
    ),
    (
        incommensurable_scales,
        "node MatMul_1 (MatMul) at tensor t1: the scale differs between the inputs of one sum (1 to 1.41421) and the "
        "ratios are not integers; use one scale per tensor in the quantizer before, or scales with integer ratios",
    ),
    (
        divided_by_zero,
        "node Div_2 (Div) at tensor c4: it divides by zero; check the training and the export",
    ),
    (
        fractional_weight_zero_point,
        "node Quant_1 (Quant) at tensor t1: the zero point of its weights is not an integer; use an integer zero point",
    ),
]


def static(net: Net) -> Any:
    """The model without execution: some of these nets have no results."""
    shape, net.shape = net.shape, ("unknown",)
    model = net.model()
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    model.graph.input[0].CopyFrom(value)
    return model


@pytest.mark.parametrize(("net", "message"), REFUSALS, ids=[r[0].__name__ for r in REFUSALS])
def test_refusal_names_node_tensor_reason_and_remedy(net: Callable[[], Net], message: str) -> None:
    model = static(net())
    before = model.model.SerializeToString()
    with pytest.raises(StreamlineError) as caught:
        streamline(model, STRICT)
    assert [str(d) for d in caught.value.diagnostics] == [message]
    assert message in str(caught.value)
    assert model.model.SerializeToString() == before


def test_all_problems_are_told_at_once() -> None:
    net = quantized().add("MatMul", [[0.5], [0.25]]).quant(1.0, 4).add("MatMul", [[0.5]]).quant(1.0, 9)
    with pytest.raises(StreamlineError, match="3 problems") as caught:
        net.model().transform(Streamline(STRICT))
    assert [d.node for d in caught.value.diagnostics] == ["MatMul_1 (MatMul)", "MatMul_3 (MatMul)", "Quant_4 (Quant)"]


def test_conversion_refuses_too() -> None:
    with pytest.raises(StreamlineError, match="its scale is not positive"):
        static(zero_scale()).transform(ConvertQONNXtoFINN())


def test_conversion_leaves_wide_quantizers() -> None:
    model = nine_bits().model().transform(ConvertQONNXtoFINN())
    assert [n.op_type for n in model.graph.node] == ["Quant"]
    model = nine_bits().model().transform(ConvertQONNXtoFINN(max_multithreshold_bit_width=9))
    assert [n.op_type for n in model.graph.node] == ["MultiThreshold"]
    model = quantized().model().transform(ConvertQONNXtoFINN(filter_function=lambda model, node: False))
    assert [n.op_type for n in model.graph.node] == ["Quant"]


def test_dynamic_batch_becomes_one_with_a_note() -> None:
    model = static(quantized("batch", 2).add("MatMul", np.eye(2)))
    report = streamline(model)
    assert [str(d) for d in report.diagnostics] == ["tensor x: the batch size is dynamic; it was set to 1"]
    assert model.get_tensor_shape("x") == [1, 2]


@pytest.mark.parametrize(("net", "message"), REFUSALS, ids=[r[0].__name__ for r in REFUSALS])
def test_what_can_stay_on_the_host_does_with_the_same_reason(net: Callable[[], Net], message: str) -> None:
    """Without the strict option only damaged models are refused; the others compute what they did."""
    original, model = static(net()), static(net())
    try:
        report = streamline(model)
    except StreamlineError as error:
        assert [str(d) for d in error.diagnostics] == [message]  # noqa: PT017 - either this or a report
        return
    reasons = [f"{fate.reason}; {fate.remedy}" for fate in report.host.values() if fate.reason]
    assert any(reason in message or message.split(HOST)[-1].startswith(reason.split("; ")[0]) for reason in reasons)
    if net is not dynamic_bit_width:  # its bits are not whole on these samples
        x = np.linspace(-2, 2, 2, dtype=np.float32).reshape(1, 2)
        before, after = (execute_onnx(m, {"x": x}) for m in (original, model))
        name = model.graph.output[0].name
        np.testing.assert_allclose(after[name], before[name], rtol=1e-6)
