"""Random graphs for the tests of this folder."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes
from finn.util.basic import qonnx_make_model

GENERAL = "finn.custom_op.general"
BATCH, WIDTH = 2, 3


def value(name: str, shape: list[int | str] | None = None, kind: int = TensorProto.FLOAT):  # type: ignore[no-untyped-def]
    return helper.make_tensor_value_info(name, kind, [BATCH, WIDTH] if shape is None else shape)


@st.composite
def graphs(draw: st.DrawFn) -> ModelWrapper:
    """A graph of (2, 3) tensors: forks, joins, shared constants, several inputs and outputs, a custom operator, an If
    that captures tensors, outputs that are read as well. All values are small integers, so that sums are exact."""
    inputs = [f"x{i}" for i in range(draw(st.integers(1, 3)))]
    constants = {f"w{i}": np.arange(i, i + WIDTH, dtype=np.float32) - 1 for i in range(3)}
    constants |= {"t": np.array([[-1.0, 0.0, 2.0]], np.float32), "c": np.array(True)}
    known, nodes = list(inputs), []
    for i in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(["Relu", "Add", "Sub", "const", "MultiThreshold", "Split", "If"]))
        a, b = draw(st.sampled_from(known)), draw(st.sampled_from(known))
        w, out = draw(st.sampled_from(["w0", "w1", "w2"])), f"n{i}"
        if kind == "const":
            node = helper.make_node("Add", [a, w], [out])
        elif kind == "MultiThreshold":
            node = helper.make_node(kind, [a, "t"], [out], domain=GENERAL, out_dtype="UINT2")
        elif kind == "Split":  # two outputs, of which the second may stay unread
            node = helper.make_node("TopK", [a, "k"], [out, f"{out}_i"], axis=1, largest=1, sorted=1)
        elif kind == "If":
            node = helper.make_node("If", ["c"], [out], then_branch=branch(a, w), else_branch=branch(b, a))
        else:
            node = helper.make_node(kind, [a] if kind == "Relu" else [a, b], [out])
        node.name = f"N{i}"
        nodes.append(node)
        known.append(out)
    constants["k"] = np.array([WIDTH])
    made = known[len(inputs) :]
    outputs = sorted({made[-1], *draw(st.lists(st.sampled_from(made), max_size=2))})
    graph = helper.make_graph(nodes, "g", list(map(value, inputs)), list(map(value, outputs)))
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    imports = [helper.make_opsetid("", 13), helper.make_opsetid(GENERAL, 1), helper.make_opsetid("other.domain", 3)]
    model = ModelWrapper(qonnx_make_model(graph, opset_imports=imports)).transform(InferShapes(), cleanup=False)
    for name in draw(st.lists(st.sampled_from([*made, "w0", *inputs]), unique=True)):
        model.set_tensor_datatype(name, DataType["INT16"])
        model.set_tensor_layout(name, ["N", "C"])
        model.set_tensor_sparsity(name, {"dw": {"kernel_shape": [3, 3]}})
    model.set_metadata_prop("clk_ns", "5")
    return model


def branch(a: str, b: str):  # type: ignore[no-untyped-def]
    node = helper.make_node("Sub", [a, b], ["inner"], name="inner")
    return helper.make_graph([node], "branch", [], [value("inner")])


def feeds(model: ModelWrapper) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    names = [v.name for v in model.graph.input if not model.has_initializer(v.name)]
    return {name: rng.integers(-4, 5, (BATCH, WIDTH)).astype(np.float32) for name in names}


def annotations(model: ModelWrapper) -> dict[str, list[tuple[str, str]]]:
    found = {
        e.tensor_name: sorted((p.key, p.value) for p in e.quant_parameter_tensor_names)
        for e in model.graph.quantization_annotation
    }
    return {name: pairs for name, pairs in found.items() if pairs}


def shapes(model: ModelWrapper) -> dict[str, tuple[int, ...] | None]:
    with model.trusted_index():
        known = {name: model.get_tensor_shape(name) for name in model.get_all_tensor_names()}
    return {name: None if shape is None else tuple(shape) for name, shape in known.items()}
