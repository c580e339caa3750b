"""Execute the network as it is at a step: in Python, layer by layer, or as simulated RTL, host part included."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from finn.builder import products, verification
from finn.builder.build_dataflow_config import DataflowBuildConfig, VerificationStepType
from finn.builder.design import design as design_of
from finn.builder.errors import BuildError, VerificationError
from finn.builder.streamlining import Ends
from finn.builder.verification import Outcome
from finn.core.datatype import BaseDataType
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.fifo import insert_width_converters
from finn.dataflow.graph import Instance, evaluate, given, instances, make_model
from finn.dataflow.partition import Accelerator, Partition
from finn.hls import CppSimulator
from finn.report.simulation import Accuracy, rtlsim_performance
from finn.rtl.sim import Simulator
from finn.rtl.stitch import Design
from finn.rtl.testbench import write_testbench as write_files

STEADY_FRAMES = 10
"""Frames that are simulated at least: the steady state cannot be seen in fewer."""
TESTBENCH_FRAMES = 4
SEED = 0

Run = Callable[[np.ndarray], Outcome]


def save_host(split: Partition, cfg: DataflowBuildConfig) -> None:
    """Save what stays on the host: with one node in the place of each accelerator, and its parts around them.

    Those nodes name the graphs of layers, which are saved beside it, before folding.
    """
    for k in range(len(split.accelerators)):
        file = cfg.path("intermediate_models", "supported_op_partitions", f"partition_{k}.onnx")
        products.write_model(file, split.stage(k))
    products.write_model(_host_file(cfg, "parent"), split.parent)
    names = ["before", *(f"between_{k}" for k in range(len(split.hosts) - 2)), "after"]
    for name, model in zip(names, split.hosts, strict=True):
        path = _host_file(cfg, name)
        if model is None:
            path.unlink(missing_ok=True)
        else:
            products.write_model(path, model)


def host(cfg: DataflowBuildConfig) -> ModelWrapper:
    """The network with one node in the place of the layers. Raises `BuildError` if it was not saved."""
    path = _host_file(cfg, "parent")
    if not path.is_file():
        remedy = "run step_create_dataflow_partition in this output directory"
        raise BuildError("the host part of the network is missing", where=str(path), remedy=remedy)
    return ModelWrapper(str(path))


def _host_file(cfg: DataflowBuildConfig, name: str) -> Path:
    return cfg.path("intermediate_models", f"dataflow_{name}.onnx")


def in_python(model: ModelWrapper, cfg: DataflowBuildConfig) -> Run:
    """Execute `model` itself, sample by sample."""

    def run(inputs: np.ndarray) -> Outcome:
        name, output = model.get_first_global_in(), model.get_first_global_out()
        context, ends = cfg.verify_save_full_context, Ends.of(model)
        found = [
            execute_onnx(model, {name: _sample(model, x)}, return_full_exec_context=context) for x in ends.given(inputs)
        ]
        return Outcome(ends.meant(np.concatenate([each[output] for each in found])), found if context else [])

    return run


def in_cpp(model: ModelWrapper, cfg: DataflowBuildConfig) -> Run:
    """Execute the layers of `model` in C++, with the width converters that they need."""
    split = _split(model, cfg)
    stages = [copy.deepcopy(split.stage(k)) for k in range(len(split.accelerators))]
    for stage in stages:
        insert_width_converters(stage)
    simulators = [CppSimulator(stage) for stage in stages]

    def hardware(k: int, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return list(simulators[k].run(*inputs))

    return _whole(split, hardware)


def node_by_node(model: ModelWrapper, cfg: DataflowBuildConfig) -> Run:
    """Simulate each layer's RTL alone. Raises `VerificationError` for the first that differs from its `execute`."""
    split = _split(model, cfg)

    def hardware(k: int, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        stage = split.stage(k)
        values = dict(zip((t.name for t in stage.graph.input), inputs, strict=True))
        for i in instances(stage):
            with Simulator(design_of(make_model([(i.name, i.layer)]), cfg)) as simulator:
                frames = given(i, values)
                values |= zip(i.outputs, _same(i, frames, simulator.run(*frames).outputs), strict=True)
        return [values[t.name] for t in stage.graph.output]

    return _whole(split, hardware)


def stitched(model: ModelWrapper, cfg: DataflowBuildConfig) -> Run:
    """Simulate the whole design; with waveforms of the last sample if `cfg` asks for them."""
    trace = cfg.verify_save_rtlsim_waveforms
    split = _split(model, cfg)

    def run(inputs: np.ndarray) -> Outcome:
        with Simulator(design_of(model, cfg), trace=trace) as simulator:

            def hardware(k: int, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
                with _waveform(cfg, trace, k) as place:
                    return _stage(simulator, split, k, frames, place)

            return _whole(split, hardware)(inputs)

    return run


def _stage(
    simulator: Simulator, split: Partition, k: int, frames: Sequence[np.ndarray], trace_file: Path | None = None
) -> list[np.ndarray]:
    """What accelerator `k` of the design makes of its frames; those of the others are of their least values."""
    node, graph, design = split.accelerators[k], split.dataflow.graph, simulator.design
    given = dict(zip(node.input, frames, strict=True))
    inputs = []
    for value, port in zip(graph.input, design.inputs, strict=True):
        idle = np.full((len(frames[0]), *port.stream.shape[1:]), int(port.stream.dtype.min()))
        inputs.append(given.get(value.name, idle))
    outputs = simulator.run(*inputs, trace_file=trace_file).outputs
    made = dict(zip((value.name for value in graph.output), outputs, strict=True))
    return [made[name] for name in node.output]


@contextmanager
def _waveform(cfg: DataflowBuildConfig, trace: bool, k: int) -> Iterator[Path | None]:
    """Where to write the waveforms of the verification of accelerator `k`."""
    if not trace:
        yield None
        return
    number = f"_{k}" if k else ""
    name = f"verify_{VerificationStepType.STITCHED_IP_RTLSIM.value}{number}.fst"
    with products.file(cfg.path("verification_output", name)) as place:
        yield place


def performance(model: ModelWrapper, cfg: DataflowBuildConfig) -> Mapping[str, int | float]:
    """rtlsim_performance.json of the design, fed with random frames."""
    design = design_of(model, cfg)
    frames = max(cfg.rtlsim_batch_size, STEADY_FRAMES)
    with Simulator(design) as simulator:
        result = simulator.run(*random_frames(design, frames))
    inputs, outputs = ([port.stream for port in side] for side in (design.inputs, design.outputs))
    return rtlsim_performance(result, frames, cfg.synth_clk_period_ns, inputs, outputs)


def accuracy(model: ModelWrapper, cfg: DataflowBuildConfig) -> Mapping[str, int | float | str]:
    """accuracy.json: the design simulated on validation_dataset."""
    data = verification.labelled(cfg, host(cfg))
    split = _split(model, cfg)
    with Simulator(design_of(model, cfg)) as simulator:
        outcome = _whole(split, lambda k, x: _stage(simulator, split, k, x))(data.inputs)
    return Accuracy.of(outcome.outputs, data.expected).report(Path(str(cfg.validation_dataset)).name)


def write_testbench(design: Design, model: ModelWrapper, directory: Path) -> None:
    """Write a self-checking testbench with random frames and what the layers mean for them."""
    frames = random_frames(design, TESTBENCH_FRAMES)
    values = evaluate(model, *frames)
    write_files(design, directory, frames, [values[p.tensor] for p in design.outputs])


def _split(model: ModelWrapper, cfg: DataflowBuildConfig) -> Partition:
    """`model` in the place of the accelerators of the network."""
    return Partition(host(cfg), model)


def _whole(split: Partition, hardware: Accelerator) -> Run:
    """The host's part with `hardware` in the place of the layers."""
    ends = Ends.of(split.parent)
    return lambda inputs: Outcome(ends.meant(split.run(ends.given(inputs), hardware)))


def _sample(model: ModelWrapper, x: np.ndarray) -> np.ndarray:
    """One sample as the input of `model`: with batch axis, in the type that the input declares."""
    declared = model.get_tensor_valueinfo(model.get_first_global_in())
    kind = declared.type.tensor_type.elem_type if declared is not None else onnx.TensorProto.FLOAT
    return x[np.newaxis].astype(helper.tensor_dtype_to_np_dtype(kind))


def _same(i: Instance, given: list[np.ndarray], outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    for meant, found in zip(i.layer.results(*given), outputs, strict=True):
        if not np.array_equal(meant.reshape(-1), found.reshape(-1)):
            wrong = int(np.sum(meant.reshape(-1) != found.reshape(-1)))
            raise VerificationError(
                f"the RTL of {i.name} differs from its meaning in {wrong} of {meant.size} values",
                where=f"node {i.name}: {type(i.layer).__name__} {i.layer.config()}",
                why="the SystemVerilog module or its parameters are wrong",
                remedy="report it with the intermediate models; another folding of this layer may work",
            )
    return outputs


def random_frames(design: Design, frames: int) -> list[np.ndarray]:
    """Legal inputs of the design, (frames, *shape without batch) each; always the same ones."""
    generator = np.random.default_rng(SEED)
    return [_random(p.stream.dtype, (frames, *p.stream.shape[1:]), generator) for p in design.inputs]


def _random(dtype: BaseDataType, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    low, high = int(dtype.min()), int(dtype.max())
    if dtype.name == "BIPOLAR":
        return generator.choice([low, high], shape)
    return generator.integers(low, high, shape, endpoint=True)
