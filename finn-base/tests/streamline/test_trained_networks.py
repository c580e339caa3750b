"""Networks trained with Brevitas, of many topologies and from both exporters, become integer and compute the same.

"The same" means: all integers behind every quantizer are equal, and so are the scores where all scales are powers of
two; where they are not, the scores are floats that differ by the rounding of float32. The pictures in the archives are
such that no activation is nearly a tie, so this holds for everybody who computes in float32; see the README of the
models.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline import InputFormat, StreamlineOptions, StreamlineReport, TensorFact, streamline
from finn.util.cleanup import cleanup_model

MODELS = Path(__file__).resolve().parents[1] / "models"
BATCH = 4  # those of the newer exporter have it in their shapes
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
QUANTIZERS = ("BipolarQuant", "Quant", "Trunc")
POWERS_OF_TWO = {"encoder_no_norm_w6a6", "resnet18_w3a4", "vgg_w2a2"}

ATTENTION = Counter({"Softmax": 1, "Div": 1})  # Div is the 1 / sqrt(d) of its argument
LAYER_NORM = Counter({"Pow": 2, "ReduceMean": 2, "Add": 2, "Sqrt": 2, "Div": 2})
HOST = {
    "encoder_batch_norm_w4a6": ATTENTION,
    "encoder_layer_norm_w8a8": ATTENTION + LAYER_NORM,
    "encoder_layer_norm_w8a8_dynamo": ATTENTION + Counter({"LayerNormalization": 2}),
    "encoder_no_norm_w6a6": ATTENTION,
    "mobilenet_v1_w4a4": Counter(),
    "mobilenet_v1_w4a4_dynamo": Counter(),
    "mobilenet_v2_w5a5": Counter(),
    "resnet18_w3a4": Counter(),
    "resnet8_w4a4": Counter(),
    "resnet8_w4a4_dynamo": Counter(),
    "speech_w3a3": Counter(),
    "speech_w3a3_dynamo": Counter(),
    "unet_transposed_w3a3": Counter(),
    "unet_w4a4": Counter(),
    "unet_w4a4_dynamo": Counter(),
    "vgg_w1a1": Counter(),
    "vgg_w2a2": Counter(),
    "yolo_w4a4": Counter(),
    "yolo_w4a4_dynamo": Counter(),
}
"""What computes floats, by operator: nothing else may."""

every = pytest.mark.parametrize("name", HOST)


@lru_cache
def archive(name: str) -> dict[str, Any]:
    with np.load(MODELS / f"{name.removesuffix('_dynamo')}.npz") as arrays:
        return dict(arrays)


def normalised(name: str) -> np.ndarray:
    arrays = archive(name)
    return (arrays["x"].astype(np.float32) * arrays["scale"] - arrays["mean"]) / arrays["std"]


def exported(name: str) -> ModelWrapper:
    return ModelWrapper(str(MODELS / f"{name}.onnx"))


def cleaned(name: str) -> ModelWrapper:
    """Of batch 4."""
    return cleanup_model(exported(name), override_inpsize=None if name.endswith("_dynamo") else BATCH)


def run(model: ModelWrapper, x: np.ndarray) -> list[dict[str, Any]]:
    """All tensors, for each batch of the size that the model has."""
    entry = next(i.name for i in model.graph.input if not model.has_initializer(i.name))
    batches = np.split(x, len(x) // model.get_tensor_shape(entry)[0])
    return [execute_onnx(model, {entry: batch}, return_full_exec_context=True) for batch in batches]


def scores(model: ModelWrapper, x: np.ndarray) -> np.ndarray:
    return np.concatenate([context[model.graph.output[0].name] for context in run(model, x)])


def assert_same_scores(name: str, got: np.ndarray) -> None:
    expected = archive(name)["scores"]
    if name.removesuffix("_dynamo") in POWERS_OF_TWO:
        np.testing.assert_array_equal(got, expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * max(1.0, np.abs(expected).max()))


@lru_cache
def streamlined(name: str) -> tuple[ModelWrapper, StreamlineReport]:
    model = cleaned(name)
    return model, streamline(model)


# ------------------------------------------------------------------------------------------- what PyTorch computes


def test_all_models_are_here() -> None:
    """Those of the other archives there are of another kind."""
    archives = {p.stem for p in MODELS.glob("*.npz") if not p.stem.startswith("qdq_")}
    assert {name.removesuffix("_dynamo") for name in HOST} == archives


@every
def test_scores_are_real(name: str) -> None:
    """Networks that learned nothing would have little to say about integers."""
    arrays = archive(name)
    found, y = arrays["scores"], arrays["y"]
    if y.ndim == 2:  # of the detector
        found, y = found[:, :, 0], y[:, 0]
    assert np.mean(found.argmax(1) == y) > 0.6


@every
def test_execution_is_that_of_pytorch_as_exported(name: str) -> None:
    assert_same_scores(name, scores(exported(name), normalised(name)))


@every
def test_execution_is_that_of_pytorch_once_clean(name: str) -> None:
    assert_same_scores(name, scores(cleaned(name), normalised(name)))


# --------------------------------------------------------------------------------------------------- integer graphs


def integer_tensors(model: ModelWrapper) -> set[str]:
    return {t for t in model.get_all_tensor_names() if model.get_tensor_datatype(t).is_integer()}


def middle(model: ModelWrapper) -> list[onnx.NodeProto]:
    """The nodes that integers enter, or what was made of them, and from which a way leads to a layer or thresholds."""
    integer, nodes = integer_tensors(model), list(model.graph.node)
    behind: set[str] = set()
    for node in nodes:
        if integer.intersection(node.output) or behind.intersection(node.input):
            behind.update(node.output)
    ahead: set[str] = set()
    for node in reversed(nodes):
        if node.op_type in (*LAYERS, "MultiThreshold") or ahead.intersection(node.output):
            ahead.update(node.input)
    return [n for n in nodes if behind.intersection(n.input) and ahead.intersection(n.output)]


@every
def test_the_graph_is_integer(name: str) -> None:
    model, report = streamlined(name)
    onnx.checker.check_model(model.model)
    assert Counter(title.rsplit("(", 1)[1].rstrip(")") for title in report.host) == HOST[name], report
    layers, integer = [n for n in model.graph.node if n.op_type in LAYERS], integer_tensors(model)
    assert len(layers) == sum(n.op_type in LAYERS for n in cleaned(name).graph.node)
    for node in layers:
        assert integer.issuperset([*node.input, *node.output]), node.name
    islands = Counter(n.op_type for n in middle(model) if not integer.issuperset(n.output))
    assert islands.keys() <= (HOST[name].keys() | {"Mul", "Reshape", "Sub"} if HOST[name] else set()), islands


@every
def test_channels_are_last_all_the_way(name: str) -> None:
    """Only attention moves axes: to have heads in front of tokens, and back."""
    moved = [tuple(n.attribute[0].ints) for n in middle(streamlined(name)[0]) if n.op_type == "Transpose"]
    heads = [(0, 2, 1, 3), (0, 2, 1, 3), (0, 2, 1, 3), (0, 2, 3, 1)]
    if name == "speech_w3a3_dynamo":  # averages the sequence as an image of one row, (N, C, 1, T)
        assert len(moved) <= 1
    else:
        assert sorted(moved) == (heads if name.startswith("encoder") else [])


@every
def test_scores_are_those_of_pytorch(name: str) -> None:
    assert_same_scores(name, scores(streamlined(name)[0], normalised(name)))


@every
def test_integers_behind_the_quantizers_are_equal(name: str) -> None:
    """Of all but the few whose integers are made elsewhere: on the branches of a Concat, behind a Flatten."""
    model, report = streamlined(name)
    original, x = cleaned(name), normalised(name)
    graph = original.graph
    quantizers = [n for n in graph.node if n.op_type in QUANTIZERS and not original.has_initializer(n.input[0])]
    facts = {n.output[0]: report.tensors[n.output[0]] for n in quantizers if n.output[0] in report.tensors}
    for before, after in zip(run(original, x), run(model, x), strict=True):
        compared = {t: fact for t, fact in facts.items() if fact.integers in after}
        assert len(compared) > 0.8 * len(quantizers)
        for tensor, fact in compared.items():
            q = after[fact.integers]
            assert fact.datatype.allowed(q).all(), tensor
            assert any(np.array_equal(q, found) for found in integers(before[tensor], fact)), tensor


def integers(x: np.ndarray, fact: TensorFact) -> list[np.ndarray]:
    """q of x == scale * q + bias, with the channels where they are and with the channels last."""
    if x.ndim == 2 or fact.scale.ndim > 1:
        moved = [x]
    else:
        moved = [np.moveaxis(x, 1, -1), *([x] if fact.scale.size == 1 else [])]
    steps = [(y - fact.bias) / fact.scale for y in moved]
    for found in steps:
        np.testing.assert_allclose(found, np.rint(found), atol=1e-3)
    return [np.rint(found) for found in steps]


@pytest.mark.parametrize("name", [name for name in HOST if not name.endswith("_dynamo")])
def test_integers_of_the_sensor_may_enter(name: str) -> None:
    """Normalisation is part of the first thresholds then."""
    arrays, model = archive(name), cleaned(name)
    datatype = {"uint8": "UINT8", "int8": "INT8"}[arrays["x"].dtype.name]
    parameters = {k: float(arrays[k]) for k in ("scale", "mean", "std")}
    streamline(model, StreamlineOptions(inputs={"": InputFormat(datatype, **parameters)}))
    assert model.get_tensor_datatype(model.graph.input[0].name).name == datatype
    first = model.get_nodes_by_op_type("MultiThreshold")[0]
    assert integer_tensors(model).issuperset([*first.input, *first.output])
    assert_same_scores(name, scores(model, arrays["x"].astype(np.float32)))


@every
def test_no_cleaning_is_needed(name: str) -> None:
    model = exported(name)
    report = streamline(model)
    assert Counter(title.rsplit("(", 1)[1].rstrip(")") for title in report.host) == HOST[name], report
    assert_same_scores(name, scores(model, normalised(name)))
