"""Small models of both formats, values on and next to ties, and onnxruntime on whole models."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes

DOMAIN = "finn.custom_op.general"


def f32(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32)


def make(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Sequence[int | str] | None],
    constants: Mapping[str, np.ndarray],
    *,
    outputs: Sequence[str] = ("y",),
    opset: int = 13,
    kind: int = TensorProto.FLOAT,
    datatypes: Mapping[str, str] | None = None,
    custom: bool = True,
) -> ModelWrapper:
    """A model whose inputs have the element type `kind`; outputs are float32 of unknown shape."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid(DOMAIN, 1)] if custom else [])]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=10))
    for name, datatype in (datatypes or {}).items():
        model.set_tensor_datatype(name, DataType[datatype])
    return model


def quant(
    signed: int = 1, narrow: int = 0, mode: str = "ROUND", x: str = "x", y: str = "y", op_type: str = "Quant"
) -> NodeProto:
    """A Quant that reads x, s, z, b."""
    return helper.make_node(
        op_type, [x, "s", "z", "b"], [y], domain=DOMAIN, signed=signed, narrow=narrow, rounding_mode=mode
    )


def qcdq(
    *, clip: bool = False, zeropt: bool = True, x: str = "x", y: str = "y", axis: int | None = None
) -> list[NodeProto]:
    """QuantizeLinear(x, s, z), Clip(lo, hi), DequantizeLinear(s, z)."""
    params = ["s", "z"] if zeropt else ["s"]
    attributes = {} if axis is None else {"axis": axis}
    nodes = [helper.make_node("QuantizeLinear", [x, *params], ["q"], **attributes)]
    if clip:
        nodes.append(helper.make_node("Clip", ["q", "lo", "hi"], ["c"]))
    return [*nodes, helper.make_node("DequantizeLinear", ["c" if clip else "q", *params], [y], **attributes)]


def run_ort(model: ModelWrapper | ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of the whole model in one onnxruntime session, with its default optimizations."""
    proto = model.model if isinstance(model, ModelWrapper) else model
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def check(model: ModelWrapper) -> None:
    """ONNX's own checker, shape inference included."""
    onnx.checker.check_model(model.transform(InferShapes()).model, full_check=True)


def hard_values(shape: Sequence[int], scale: np.ndarray, seed: int) -> np.ndarray:
    """float32 values of `shape` (channels on axis 1 of scale): integers, ties, their neighbours, beyond every range."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-300, 300, shape) + rng.choice([0.0, 0.5, 0.25], shape)
    with np.errstate(all="ignore"):
        x = (steps * scale.astype(np.float64)).astype(np.float32)
        for towards in (np.inf, -np.inf):
            x = np.where(rng.random(shape) < 0.3, np.nextafter(x, np.float32(towards)), x)
    special = np.asarray([np.inf, -np.inf, -0.0, 3e38, -3e38, 1e-45], np.float32)
    return np.where(rng.random(shape) < 0.05, rng.choice(special, shape), x).astype(np.float32)


def chain(count: int, zeropt: float = 0) -> ModelWrapper:
    """`count` quantizers, each with its own parameters, and a Relu behind each."""
    nodes, constants = [], {}
    for i in range(count):
        node = quant(x=f"t{i}", y=f"q{i}")
        for position, (name, value) in enumerate({"s": 0.5, "z": zeropt, "b": 4}.items(), start=1):
            node.input[position] = f"{name}{i}"
            constants[f"{name}{i}"] = f32(value)
        nodes += [node, helper.make_node("Relu", [f"q{i}"], [f"t{i + 1}"])]
    return make(nodes, {"t0": [2, 3]}, constants, outputs=[f"t{count}"])


def seconds(count: int, run: Callable[[ModelWrapper], Any]) -> float:
    """CPU time of `run` on a chain."""
    model = chain(count)
    start = time.process_time()
    run(model)
    return time.process_time() - start


def assert_linear(run: Callable[[ModelWrapper], Any]) -> None:
    """Eight times the nodes take less than three times eight times the time."""
    small, large = (min(seconds(count, run) for _ in range(3)) for count in (50, 400))
    assert large < 8 * 3 * small


def parameters(model: ModelWrapper) -> list[tuple[Any, ...]]:
    """What the quantizers of a model are, in graph order: scale, zero point, bits, signed, narrow, rounding mode."""
    found = []
    for node in model.graph.node:
        if node.op_type in ("Quant", "IntQuant"):
            constants = [model.get_initializer(name) for name in node.input[1:]]
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            arrays = [tuple(np.squeeze(c).ravel().tolist()) for c in constants if c is not None]
            found.append(
                (
                    *arrays,
                    attributes["signed"],
                    attributes["narrow"],
                    attributes.get("rounding_mode", b"ROUND").decode().upper(),
                )
            )
    return found
