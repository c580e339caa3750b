"""Execute the network as it is after a step, and compare with what the user expects."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from finn.builder import products
from finn.builder.build_dataflow_config import DataflowBuildConfig, VerificationStepType
from finn.builder.errors import VerificationError
from finn.core.modelwrapper import ModelWrapper

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What an execution gave: outputs, samples along axis 0, and every tensor of each sample if they were asked for."""

    outputs: np.ndarray
    contexts: list[dict[str, np.ndarray]] = field(default_factory=list)


@dataclass(frozen=True)
class Samples:
    """Inputs (N, *input shape without batch) and the outputs expected for them (N, *output shape without batch)."""

    inputs: np.ndarray
    expected: np.ndarray

    @classmethod
    def of(cls, cfg: DataflowBuildConfig, model: ModelWrapper) -> Samples:
        """Load them. Raises `VerificationError` if they cannot be read or do not fit `model`."""
        pair = cfg._resolve_verification_io_pair()
        if pair is None:
            raise VerificationError("nothing is to be verified", remedy="set verify_steps")
        _require_one(model)
        inputs = fit(pair[0], model, model.get_first_global_in(), f"verify_input_npy: {cfg.verify_input_npy}")
        where = f"verify_expected_output_npy: {cfg.verify_expected_output_npy}"
        expected = fit(pair[1], model, model.get_first_global_out(), where)
        if len(inputs) != len(expected):
            raise VerificationError(
                f"{len(inputs)} inputs, but {len(expected)} expected outputs",
                where=f"{cfg.verify_input_npy}, {cfg.verify_expected_output_npy}",
                remedy="give as many samples along axis 0 in both",
            )
        return cls(inputs, expected)


def labelled(cfg: DataflowBuildConfig, model: ModelWrapper) -> Samples:
    """The samples of validation_dataset with their labels, (N,). Raises `VerificationError` if they do not fit."""
    where = f"validation_dataset: {cfg.validation_dataset}"
    try:
        with np.load(str(cfg.validation_dataset), allow_pickle=False) as arrays:
            x, y = arrays["x"], arrays["y"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        remedy = "write it with numpy.savez(file, x=samples, y=labels)"
        raise VerificationError("cannot read the data set", where=where, why=str(error), remedy=remedy) from error
    _require_one(model)
    inputs = fit(x, model, model.get_first_global_in(), where)
    if y.shape not in ((len(x),), (len(x), 1)):
        what = f"{len(x)} samples, but labels of shape {y.shape}"
        raise VerificationError(what, where=where, remedy=f"give labels of shape ({len(x)},)")
    return Samples(inputs, y.reshape(-1))


def _require_one(model: ModelWrapper) -> None:
    """Raise `VerificationError` if the network takes several samples at once."""
    name = model.get_first_global_in()
    batch = (model.get_tensor_shape(name) or [1])[0]
    if batch > 1:
        raise VerificationError(
            f"the network takes {batch} samples at once", where=f"input {name!r}",
            why="hardware takes one after the other", remedy="export the network with batch size 1",
        )  # fmt: skip


def fit(array: np.ndarray, model: ModelWrapper, tensor: str, where: str) -> np.ndarray:
    """`array` (N, …) as (N, *shape of `tensor` without batch). Raises `VerificationError` if it does not fit.

    If the model has no static shape for `tensor`, that of `array` is taken.
    """
    shape = tuple(model.get_tensor_shape(tensor) or ())
    if array.ndim and not all(shape):
        shape = (0, *array.shape[1:])  # the model does not say it yet; shape inference will
    expected = f"(N, {', '.join(map(str, shape[1:]))})"
    remedy = f"give N >= 1 samples along axis 0, shape {expected}, as the tensor {tensor!r} has them"
    if array.ndim == 0 or len(array) == 0 or array[0].size != np.prod(shape[1:], dtype=int):
        raise VerificationError(f"the array has shape {array.shape}, expected {expected}", where=where, remedy=remedy)
    if array.dtype.kind not in "biuf":
        raise VerificationError(f"the array holds {array.dtype}, not numbers", where=where, remedy=remedy)
    if array.shape[1:] != shape[1:]:
        log.info("%s: shape %s is read as %s", where, array.shape, expected)
    return array.reshape(len(array), *shape[1:])


def verify(
    step: VerificationStepType,
    run: Callable[[np.ndarray], Outcome],
    model: ModelWrapper,
    cfg: DataflowBuildConfig,
) -> None:
    """If `step` is to be verified, compare `run` with the expected outputs and save the outputs of each sample.

    run : inputs (N, …) -> Outcome. model : gives the shapes of the network's input and output.
    A difference is reported and does not end the build; `failed` finds it.
    """
    if step not in (cfg.verify_steps or []):
        return
    samples = Samples.of(cfg, model)
    outcome = run(samples.inputs)
    outputs = np.asarray(outcome.outputs)
    if outputs.size != samples.expected.size:
        raise VerificationError(
            f"the network gives outputs of shape {outputs.shape}, {samples.expected.shape} are expected",
            where=f"verification of {step.value}",
            remedy="give the outputs of this network in verify_expected_output_npy",
        )
    outputs = outputs.reshape(samples.expected.shape)
    close = np.isclose(samples.expected, outputs, atol=cfg.verification_atol)
    good = close.reshape(len(close), -1).all(axis=1)
    _save(step, outcome, outputs, good, cfg)
    if good.all():
        log.info("verification of %s: %d samples agree", step.value, len(good))
    else:
        first = int(np.argmin(good))
        error = float(np.abs(outputs.astype(float) - samples.expected.astype(float)).max())
        text = "verification of %s FAILED: %d of %d samples differ; first: sample %d; largest difference: %g"
        log.warning(text, step.value, int((~good).sum()), len(good), first, error)


def failed(cfg: DataflowBuildConfig) -> list[str]:
    """The verification steps of which a saved sample differs."""
    directory = cfg.path("verification_output")
    return [step.value for step in cfg.verify_steps or [] if any(directory.glob(f"verify_{step.value}_*_FAIL.np[yz]"))]


def missing(cfg: DataflowBuildConfig) -> list[str]:
    """The verification steps that are asked for and of which no sample is saved."""
    directory = cfg.path("verification_output")
    return [s.value for s in cfg.verify_steps or [] if not any(directory.glob(f"verify_{s.value}_*.np[yz]"))]


def forget(cfg: DataflowBuildConfig, step: VerificationStepType) -> None:
    """Remove what an earlier run of `step` saved."""
    for old in cfg.path("verification_output").glob(f"verify_{step.value}_*.np[yz]"):
        old.unlink()


def _save(
    step: VerificationStepType, outcome: Outcome, outputs: np.ndarray, good: np.ndarray, cfg: DataflowBuildConfig
) -> None:
    forget(cfg, step)
    for sample, agrees in enumerate(good):
        name = f"verify_{step.value}_{sample}_{'SUCCESS' if agrees else 'FAIL'}"
        if cfg.verify_save_full_context and outcome.contexts:
            products.write_arrays(cfg.path("verification_output", f"{name}.npz"), outcome.contexts[sample])
        else:
            products.write_array(cfg.path("verification_output", f"{name}.npy"), outputs[sample : sample + 1])
