"""Random integer graphs through everything: lowering, cutting, folding, FIFOs, schedules and stitched RTL.

Each stage is held against the ONNX execution of the graph, exactly. Several networks stand side by side in one design,
because compiling a simulator is what takes time. The default run tries a few, `make sweep` more.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integer_networks import HOST, networks
from onnx import TensorProto, helper
from strategies.common import integers

from finn.core.datatype import DataType
from finn.core.domains import CHANNELS_LAST
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow import timing
from finn.dataflow.candidates import Candidates
from finn.dataflow.fifo import insert_fifos, insert_width_converters, size_fifos
from finn.dataflow.folding import set_folding
from finn.dataflow.graph import DataflowError, Instance, evaluate, instances, is_layer, layers, make_graph, set_layer
from finn.dataflow.layer import IntArray, Layer, Stream
from finn.dataflow.layers.width_converter import meeting
from finn.dataflow.lowering import lower
from finn.dataflow.lowering.streams import SHAPES
from finn.dataflow.optimizer import STREAM_WIDTH_MAX
from finn.dataflow.partition import Partition, create_dataflow_partition
from finn.rtl import Simulator, stitch

SWEEP = int(os.environ.get("FINN_SWEEP", "40"))
FEW = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=25 * SWEEP, derandomize=False)
FEW_IN_RTL = settings(FEW, max_examples=3)
MANY_IN_RTL = settings(FEW, max_examples=SWEEP, derandomize=False)

GROUP = 3
FRAMES = 6
ATTEMPTS = 50
seeds = st.integers(0, 2**32 - 1)


def samples(model: ModelWrapper, count: int, rng: np.random.Generator) -> np.ndarray:
    shape = tuple(model.get_tensor_shape("x") or ())
    return integers(model.get_tensor_datatype("x"), (count, *shape[1:]), rng).astype(np.float32)


def executed(model: ModelWrapper, x: np.ndarray) -> dict[str, np.ndarray]:
    runs = [execute_onnx(model, {"x": sample[None]}) for sample in x]
    return {name: np.concatenate([r[name] for r in runs]) for name in runs[0]}


def staged(split: Partition, x: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, IntArray]]:
    """All outputs of the network with each accelerator evaluated; and what each stream of each accelerator holds."""
    held: dict[str, IntArray] = {}

    def accelerator(k: int, frames: Sequence[IntArray]) -> list[IntArray]:
        nonlocal held
        stage = split.stage(k)
        by_name = dict(zip(split.accelerators[k].input, frames, strict=True))
        found = evaluate(stage, *(by_name[t.name] for t in stage.graph.input))
        held |= found
        return [found[t] for t in split.accelerators[k].output]

    results = {}
    outputs = list(split.parent.graph.output)
    for target in outputs:  # `run` gives the first
        del split.parent.graph.output[:]
        split.parent.graph.output.extend([target, *(t for t in outputs if t is not target)])
        results[target.name] = split.run(x, accelerator)
    return results, held


def check_lowering(model: ModelWrapper, seed: int) -> None:
    """The graph, its lowered form, and its stages on host and accelerators mean the same."""
    x = samples(model, 2, np.random.default_rng(seed))
    before = executed(model, x)
    kinds = {n.op_type for n in model.graph.node}
    if kinds <= {*HOST, *SHAPES}:
        with pytest.raises(DataflowError, match="no part of the network became hardware"):
            lower(model)
        return
    report = lower(model)
    after = executed(model, x)
    found, _ = staged(create_dataflow_partition(copy.deepcopy(model)), x)
    for name, y in before.items():
        np.testing.assert_array_equal(after[name], y, name)
        np.testing.assert_array_equal(found[name], y, name)
    for node in (n for n in model.graph.node if n.name in report.host):
        assert node.op_type in (*HOST, *SHAPES)
        none = f"there is no hardware layer for {node.op_type}"
        border = "at the border of the layers the host gives tensors their shapes"
        assert report.host[node.name] == (border if node.op_type in SHAPES else none)
        if node.op_type in SHAPES:  # between two layers it is no work
            producer, readers = model.find_producer(node.input[0]), model.find_consumers(node.output[0])
            assert producer is None or not is_layer(producer) or not readers or not all(map(is_layer, readers))


@FEW
@given(networks(), seeds)
def test_lowering(model: ModelWrapper, seed: int) -> None:
    check_lowering(model, seed)


@settings(FEW, max_examples=50)
@given(networks(host=True), seeds)
def test_host_between_accelerators(model: ModelWrapper, seed: int) -> None:
    check_lowering(model, seed)


@pytest.mark.slow
@MANY
@given(st.booleans().flatmap(lambda host: networks(host=host)), seeds)
def test_lowering_sweep(model: ModelWrapper, seed: int) -> None:
    check_lowering(model, seed)


# Foldings


def random_folding(placed: Sequence[Instance], rng: np.random.Generator) -> dict[str, Layer]:
    """Layers by name in a random folding in which each stream can be sent in a form that its reader accepts.

    Where streams get other shapes, few do: each attempt leaves more layers at their slowest, with one lane per stream.
    """
    choices = {i.name: Candidates(i.layer, None, STREAM_WIDTH_MAX).layers for i in placed}
    for attempt in range(ATTEMPTS + 1):
        found: dict[str, Layer] = {}
        sent: dict[str, Stream] = {}
        for i in placed:
            given = [(sent[t], k) for k, t in enumerate(i.inputs) if t in sent]
            legal = [c for c in choices[i.name] if all(meeting(s, c.inputs[k]) is not None for s, k in given)]
            if not legal:
                break
            slow = rng.random() < attempt / ATTEMPTS
            found[i.name] = legal[-1 if slow else rng.integers(len(legal))]
            sent |= zip(i.outputs, found[i.name].outputs, strict=True)
        if len(found) == len(placed):
            return found
    raise AssertionError(f"no legal folding in {ATTEMPTS + 1} attempts")


def accelerated(model: ModelWrapper) -> Partition | None:
    """Its layers, if it has any."""
    try:
        lower(model)
    except DataflowError:
        return None
    return create_dataflow_partition(model)


def check_target(model: ModelWrapper, seed: int) -> None:
    """The time of a random legal folding can be met, and what meets it is legal and means the same."""
    rng = np.random.default_rng(seed)
    x = samples(model, 1, rng)
    before = executed(model, x)
    split = accelerated(model)
    if split is None:
        return
    target = max(layer.cycles for layer in random_folding(instances(split.dataflow), rng).values())
    found = set_folding(split.dataflow, target)
    assert found.met
    assert found.cycles == max(layer.cycles for layer in layers(split.dataflow).values()) <= target
    insert_width_converters(split.dataflow)
    for name, y in staged(split, x)[0].items():
        np.testing.assert_array_equal(y, before[name], name)


@settings(FEW, max_examples=40)
@given(networks(), seeds)
def test_target(model: ModelWrapper, seed: int) -> None:
    check_target(model, seed)


@pytest.mark.slow
@MANY
@given(networks(host=True), seeds)
def test_target_sweep(model: ModelWrapper, seed: int) -> None:
    check_target(model, seed)


# RTL


def built(dataflow: ModelWrapper, rng: np.random.Generator) -> ModelWrapper:
    """In a random folding, with width converters and FIFOs."""
    for name, layer in random_folding(instances(dataflow), rng).items():
        set_layer(dataflow, name, layer)
    insert_width_converters(dataflow)
    insert_fifos(dataflow, size_fifos(dataflow).depths)
    return dataflow


def renamed(i: Instance, prefix: str) -> Instance:
    inputs, outputs = (tuple(f"{prefix}{t}" for t in side) for side in (i.inputs, i.outputs))
    return replace(i, name=f"{prefix}{i.name}", inputs=inputs, outputs=outputs)


def check_rtl(models: Sequence[ModelWrapper], seed: int) -> None:
    """Each network, beat for beat: values, and the cycles in which frames begin and end at each port."""
    rng = np.random.default_rng(seed)
    placed: list[Instance] = []
    values: dict[str, IntArray] = {}
    for k, model in enumerate(models):
        x = samples(model, FRAMES, rng)
        before = executed(model, x)
        split = accelerated(model)
        if split is None:
            continue
        built(split.dataflow, rng)
        results, held = staged(split, x)
        for name, y in results.items():
            np.testing.assert_array_equal(y, before[name], name)
        placed += [renamed(i, f"n{k}_") for i in instances(split.dataflow)]
        values |= {f"n{k}_{name}": y for name, y in held.items()}
    if placed:
        simulated(make_graph(placed), values, rng)


def simulated(model: ModelWrapper, values: dict[str, IntArray], rng: np.random.Generator) -> None:
    said = timing.of_graph(model, FRAMES)
    design = stitch(model)
    inputs = [values[p.tensor] for p in design.inputs]
    with Simulator(design, assertions=True) as simulator:
        free = simulator.run(*inputs)
        gaps, pauses = rng.choice([0, 0.3, 0.6], 2)
        stalled = simulator.run(*inputs, input_gaps=gaps, back_pressure=pauses, seed=int(rng.integers(1 << 31)))
    for port, y, z in zip(design.outputs, free.outputs, stalled.outputs, strict=True):
        expected = values[port.tensor].reshape(y.shape)
        np.testing.assert_array_equal(y, expected, f"{port.tensor} without stalls")
        np.testing.assert_array_equal(z, expected, f"{port.tensor} with stalls")
    for ports, passages in ((design.inputs, free.entered), (design.outputs, free.left)):
        for port, passage in zip(ports, passages, strict=True):
            np.testing.assert_array_equal(passage.first, said.passed[port.tensor][:, 0], port.tensor)
            np.testing.assert_array_equal(passage.last, said.passed[port.tensor][:, -1], port.tensor)
    assert free.fifo_high_water == said.high_water


@FEW_IN_RTL
@given(st.lists(networks(), min_size=GROUP, max_size=GROUP), seeds)
def test_rtl(models: list[ModelWrapper], seed: int) -> None:
    check_rtl(models, seed)


@pytest.mark.slow
@MANY_IN_RTL
@given(st.lists(networks(host=True), min_size=GROUP, max_size=GROUP), seeds)
def test_rtl_sweep(models: list[ModelWrapper], seed: int) -> None:
    check_rtl(models, seed)


# Long networks


def test_a_chain_of_300_convolutions() -> None:
    """Lowering takes time in proportion to the number of nodes: this takes seconds."""
    count, axes = 300, {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1]}
    rng = np.random.default_rng(0)
    nodes = []
    for k in range(count):
        source = f"t{k}" if k else "x"
        nodes.append(helper.make_node("Conv", [source, f"w{k}"], [f"a{k}"], domain=CHANNELS_LAST, group=1, **axes))
        at = {"out_dtype": "UINT2", "data_layout": "NHWC"}
        domain = "finn.custom_op.general"
        nodes.append(helper.make_node("MultiThreshold", [f"a{k}", f"T{k}"], [f"t{k + 1}"], domain=domain, **at))
    ends = [helper.make_tensor_value_info(t, TensorProto.FLOAT, [1, 4, 4, 2]) for t in ("x", f"t{count}")]
    opsets = [helper.make_opsetid(*pair) for pair in (("", 18), (CHANNELS_LAST, 10), (domain, 1))]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:])
    model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    for k in range(count):
        model.set_initializer(f"w{k}", rng.integers(-2, 2, (2, 3, 3, 2)).astype(np.float32))
        model.set_initializer(f"T{k}", np.sort(rng.integers(-9, 9, (2, 3)), axis=1).astype(np.float32))
        for name, kind in ((f"a{k}", "INT8"), (f"t{k + 1}", "UINT2")):
            model.set_tensor_shape(name, [1, 4, 4, 2])
            model.set_tensor_datatype(name, DataType[kind])
    model.set_tensor_datatype("x", DataType["UINT2"])
    x = rng.integers(0, 4, (1, 4, 4, 2)).astype(np.float32)
    before = execute_onnx(model, {"x": x})
    lower(model)
    np.testing.assert_array_equal(execute_onnx(model, {"x": x})[f"t{count}"], before[f"t{count}"])
    kinds = [n.op_type for n in model.graph.node]
    assert kinds == ["FMPadding", "ConvolutionInputGenerator", "MVAU"] * count
