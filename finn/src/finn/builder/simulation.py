"""Execute the network as it is at a step: in Python, layer by layer, or as simulated RTL, host part included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from finn.builder import products, verification
from finn.builder.build_dataflow_config import DataflowBuildConfig, VerificationStepType
from finn.builder.errors import BuildError, VerificationError
from finn.builder.streamlining import Ends
from finn.builder.verification import Outcome
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import Instance, evaluate, instances, make_model
from finn.dataflow.partition import Partition
from finn.report.simulation import Accuracy, rtlsim_performance
from finn.rtl.sim import Simulator
from finn.rtl.stitch import Design, stitch
from finn.rtl.testbench import write_testbench as write_files

STEADY_FRAMES = 10
"""Frames that are simulated at least: the steady state cannot be seen in fewer."""
TESTBENCH_FRAMES = 4
SEED = 0

Run = Callable[[np.ndarray], Outcome]


def save_host(split: Partition, cfg: DataflowBuildConfig) -> None:
    """Save what stays on the host: with one node in the place of the layers, and its parts before and after them.

    That node names the graph of layers, which is saved beside it, before folding.
    """
    products.write_model(cfg.path("intermediate_models", "supported_op_partitions", "partition_0.onnx"), split.dataflow)
    for name, model in (("parent", split.parent), ("before", split.before), ("after", split.after)):
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


def by_layers(model: ModelWrapper, cfg: DataflowBuildConfig) -> Run:
    """Execute the layers of `model` by what they mean on integers."""

    def hardware(x: np.ndarray) -> np.ndarray:
        return evaluate(model, x)[model.get_first_global_out()]

    return _whole(model, cfg, hardware)


def node_by_node(model: ModelWrapper, cfg: DataflowBuildConfig) -> Run:
    """Simulate each layer's RTL alone. Raises `VerificationError` for the first that differs from its `execute`."""

    def run(inputs: np.ndarray) -> Outcome:
        with ExitStack() as stack:
            alone = [
                (i, stack.enter_context(Simulator(stitch(make_model([(i.name, i.layer)]))))) for i in instances(model)
            ]

            def hardware(x: np.ndarray) -> np.ndarray:
                values = {model.get_first_global_in(): x}
                for i, simulator in alone:
                    given = [values[t] for t in i.inputs]
                    values |= zip(i.outputs, _same(i, given, simulator.run(*given).outputs), strict=True)
                return values[model.get_first_global_out()]

            return _whole(model, cfg, hardware)(inputs)

    return run


def stitched(model: ModelWrapper, cfg: DataflowBuildConfig) -> Run:
    """Simulate the whole design; with waveforms of the last sample if `cfg` asks for them."""
    trace = cfg.verify_save_rtlsim_waveforms

    def run(inputs: np.ndarray) -> Outcome:
        with Simulator(stitch(model), trace=trace) as simulator, _waveform(cfg, trace) as place:
            return _whole(model, cfg, lambda x: simulator.run(x, trace_file=place).outputs[0])(inputs)

    return run


@contextmanager
def _waveform(cfg: DataflowBuildConfig, trace: bool) -> Iterator[Path | None]:
    """Where to write the waveforms of the verification."""
    if not trace:
        yield None
        return
    name = f"verify_{VerificationStepType.STITCHED_IP_RTLSIM.value}.fst"
    with products.file(cfg.path("verification_output", name)) as place:
        yield place


def performance(model: ModelWrapper, cfg: DataflowBuildConfig) -> Mapping[str, int | float]:
    """rtlsim_performance.json of the design, fed with random frames."""
    design = stitch(model)
    frames = max(cfg.rtlsim_batch_size, STEADY_FRAMES)
    with Simulator(design) as simulator:
        result = simulator.run(random_frames(design, frames))
    first, last = design.inputs[0].stream, design.outputs[0].stream
    return rtlsim_performance(result, frames, cfg.synth_clk_period_ns, first, last)


def accuracy(model: ModelWrapper, cfg: DataflowBuildConfig) -> Mapping[str, int | float | str]:
    """accuracy.json: the design simulated on validation_dataset."""
    data = verification.labelled(cfg, host(cfg))
    with Simulator(stitch(model)) as simulator:
        outcome = _whole(model, cfg, lambda x: simulator.run(x).outputs[0])(data.inputs)
    return Accuracy.of(outcome.outputs, data.expected).report(Path(str(cfg.validation_dataset)).name)


def write_testbench(design: Design, model: ModelWrapper, directory: Path) -> None:
    """Write a self-checking testbench with random frames and what the layers mean for them."""
    x = random_frames(design, TESTBENCH_FRAMES)
    write_files(design, directory, x, evaluate(model, x)[model.get_first_global_out()])


def _whole(model: ModelWrapper, cfg: DataflowBuildConfig, hardware: Callable[[np.ndarray], np.ndarray]) -> Run:
    """The host part with `hardware` in the place of the layers of `model`."""
    parts = [ModelWrapper(str(path)) if path.is_file() else None for path in _host_files(cfg)]
    split = Partition(host(cfg), model, *parts)
    ends = Ends.of(split.parent)
    return lambda inputs: Outcome(ends.meant(split.run(ends.given(inputs), hardware)))


def _host_files(cfg: DataflowBuildConfig) -> tuple[Path, Path]:
    return _host_file(cfg, "before"), _host_file(cfg, "after")


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


def random_frames(design: Design, frames: int) -> np.ndarray:
    """Legal inputs of the design, (frames, *shape without batch); always the same ones."""
    stream = design.inputs[0].stream
    generator = np.random.default_rng(SEED)
    shape = (frames, *stream.shape[1:])
    low, high = int(stream.dtype.min()), int(stream.dtype.max())
    if stream.dtype.name == "BIPOLAR":
        return generator.choice([low, high], shape)
    return generator.integers(low, high, shape, endpoint=True)
