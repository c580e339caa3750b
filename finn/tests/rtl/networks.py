"""Networks for the tests of this folder, cut into host and layers, with samples and the outputs to expect."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.lowering import lower
from finn.dataflow.partition import Partition, create_dataflow_partition
from finn.transformation.streamline import streamline
from finn.util.cleanup import cleanup_model

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("FINN_SHARED", ROOT.parent / "shared"))
TRAINED = ROOT / "finn-base" / "tests" / "models"
SAMPLES = 16


@dataclass(frozen=True)
class Network:
    """A network cut into host and layers; samples of its input, and the outputs to expect.

    exact : the outputs are the same bits; else they differ by the rounding of the scales behind the integers.
    """

    split: Partition
    inputs: np.ndarray
    expected: np.ndarray
    exact: bool = True


INEXACT = ("kwsmlp", "brevitas_")


def published(name: str) -> Network:
    """A published network with stored results: input first, output second or third."""
    path, stored = SHARED / "models" / f"{name}.onnx", SHARED / "golden" / f"{name}.npz"
    if not path.is_file() or not stored.is_file():
        pytest.skip(f"no {path}; set FINN_SHARED")
    with np.load(stored) as arrays:
        inputs, second, *_ = arrays.values()
        expected = arrays.get("logits", second)
    split, _ = cut(ModelWrapper(str(path)))
    return Network(split, inputs, expected, not name.startswith(INEXACT))


def trained(name: str) -> Network:
    """A network trained with the scripts of finn-examples, whose samples are stored beside it.

    What to expect is the execution of its integer graph, which the tests of finn-base hold against the original.
    """
    with np.load(TRAINED / f"{name.removesuffix('_dynamo')}.npz") as arrays:
        x = arrays["x"].astype(np.float32) * arrays["scale"]
        inputs = ((x - arrays["mean"]) / arrays["std"]).astype(np.float32)
    split, integers = cut(ModelWrapper(str(TRAINED / f"{name}.onnx")))
    return Network(split, inputs, executed(integers, inputs))


def example(name: str) -> Network:
    """A network of finn-examples; what to expect is its own ONNX execution."""
    folder = ROOT / "finn-examples" / "build" / name
    model = ModelWrapper(str(folder / "model.onnx"))
    inputs = np.load(folder / "input.npy")[:SAMPLES].astype(np.float32)
    return Network(cut(model)[0], inputs, executed(cleanup_model(model), inputs))


def executed(model: ModelWrapper, inputs: np.ndarray) -> np.ndarray:
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {source: x[None]})[sink] for x in inputs])


def cut(model: ModelWrapper) -> tuple[Partition, ModelWrapper]:
    """Cut into host and layers; and its integer graph."""
    model = cleanup_model(model)
    streamline(model)
    integers = copy.deepcopy(model)
    lower(model)
    return create_dataflow_partition(model), integers


@cache
def network(name: str) -> Network:
    if name.startswith("tfc_"):
        return example(name)
    return trained(name) if (TRAINED / f"{name}.onnx").is_file() else published(name)


def agree(net: Network, y: np.ndarray) -> None:
    """The integers `y` of the first samples mean what is expected."""
    count = min(len(y), len(net.expected))
    found = np.asarray(net.split.from_hardware(y[:count]))
    if net.exact:
        np.testing.assert_array_equal(found, net.expected[:count])
    else:  # one step of the integers moves the result by far more
        np.testing.assert_allclose(found, net.expected[:count], rtol=1e-5, atol=1e-5)
