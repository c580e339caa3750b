"""Published networks against stored results of their original execution."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import streamline
from finn.util.cleanup import cleanup_model

SHARED = Path(os.environ.get("FINN_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))

# model, stored results, whether the float results are the same bits
CASES = [
    ("TFC_1W1A", "TFC_1W1A", True),
    ("TFC_2W2A", "TFC_2W2A", True),
    ("kwsmlp_w3a3", "kwsmlp_w3a3", False),
    ("unsw_nb15-mlp-w2a2", "unsw_nb15-mlp-w2a2", True),
    ("brevitas_tfc_w2a2i8_fashion", "brevitas_tfc_w2a2i8_fashion", False),
    ("brevitas_tfc_w2a2i8_fashion_dynamo", "brevitas_tfc_w2a2i8_fashion", False),
]


@pytest.mark.parametrize("form", ["exported", "clean", "finn"])
@pytest.mark.parametrize(("name", "golden", "bits"), CASES, ids=[c[0] for c in CASES])
def test_stored_results_are_met(name: str, golden: str, bits: bool, form: str) -> None:
    path, results = SHARED / "models" / f"{name}.onnx", SHARED / "golden" / f"{golden}.npz"
    if not path.exists() or not results.exists():
        pytest.skip(f"no {path}")
    model = ModelWrapper(str(path))
    if form != "exported":
        model = cleanup_model(model)
    if form == "finn":
        model = model.transform(ConvertQONNXtoFINN())
    output = model.graph.output[0].name
    report = streamline(model)
    graph_input = next(i.name for i in model.graph.input)
    shape = model.get_tensor_shape(graph_input)
    arrays = np.load(results)
    keys = list(arrays)
    integers = [model.get_tensor_datatype(n.output[0]).is_integer() for n in model.graph.node if n.op_type == "MatMul"]
    assert all(integers), report
    matmul = model.get_nodes_by_op_type("MatMul")[-1].output[0]
    for x, y in zip(arrays[keys[0]], arrays[keys[1]], strict=True):
        context = execute_onnx(model, {graph_input: x.reshape(shape)}, return_full_exec_context=True)
        got = context[output][0]
        assert (context[matmul] == np.rint(context[matmul])).all()
        if bits:
            np.testing.assert_array_equal(got, y)
        else:
            # one step of the integers moves the result by far more
            np.testing.assert_allclose(got, y, rtol=1e-5, atol=1e-5)


# model, keys of input and output, operators that stay on the host, whether the results are the same bits
TOPOLOGIES = [
    ("bnnpynq_cnv_w1a1_cifar10", "inp_int8_nchw", "logits", set(), True),
    ("brevitas_cnvs_w2a2_fashion", "inp", "out", set(), False),
    ("brevitas_mobblock_w4a4", "inp", "out", set(), False),
    ("brevitas_resblock_w4a4", "inp", "out", set(), False),
    ("brevitas_txblock_w8a8", "inp", "out", {"Softmax", "Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul"}, False),
]
LAYERS = {"Conv", "MatMul", "ReduceSum", "Concat", "MaxPool", "Pad"}


@pytest.mark.parametrize(("name", "x", "y", "host", "bits"), TOPOLOGIES, ids=[t[0] for t in TOPOLOGIES])
def test_networks_with_images_meet_stored_results(name: str, x: str, y: str, host: set[str], bits: bool) -> None:
    path, results = SHARED / "models" / f"{name}.onnx", SHARED / "golden" / f"{name}.npz"
    if not path.exists() or not results.exists():
        pytest.skip(f"no {path}")
    model = cleanup_model(ModelWrapper(str(path)))
    report = streamline(model)
    layers = [n for n in model.graph.node if n.op_type in LAYERS]
    assert layers
    for node in layers:
        tensors = [*node.output, *(i for i in node.input[:2] if node.op_type in {"Conv", "MatMul"})]
        assert all(model.get_tensor_datatype(t).is_integer() for t in tensors), node.name
    assert {title.split("(")[-1].rstrip(")") for title, fate in report.host.items() if fate.reason} <= host
    arrays = np.load(results)
    graph_input, output = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(graph_input)
    for sample, wanted in zip(arrays[x], arrays[y], strict=True):
        got = execute_onnx(model, {graph_input: sample.reshape(shape).astype(np.float32)})[output][0]
        if bits:
            np.testing.assert_array_equal(got, wanted)
        else:
            # one step of the integers moves the result by far more
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-5)
