"""Execution of a model file on .npy files, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import helper

from finn.core.errors import ConfigError, nearest
from finn.core.model_file import replaced
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.change_batchsize import ChangeBatchSize
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.raise_opset import NEWEST_OPSET, OLDEST_OPSET, raise_opset

PathLike = str | os.PathLike[str]

OUTPUT_MODE_IND = "tensor_index"
"""Output files are numbered like the outputs of the graph."""

OUTPUT_MODE_NAME = "tensor_name"
"""Output files have the names of the outputs."""


@dataclass(frozen=True)
class ExecProgress:
    """After a batch: how many of how many are done; of the samples compared with labels, how many are correct."""

    batch: int
    batches: int
    correct: int | None
    compared: int | None


@dataclass(frozen=True)
class ExecResult:
    """outputs: {output: array} of each batch; accuracy: the share of correct samples, None without labels; files: what
    was written."""

    outputs: list[dict[str, np.ndarray]]
    accuracy: float | None
    files: list[Path]


def exec_qonnx(
    qonnx_model_file: PathLike,
    *in_npy: PathLike,
    override_batchsize: int | None = None,
    override_opset: int | None = None,
    expose_intermediates: str | None = None,
    output_prefix: str = "out_",
    output_mode: str = OUTPUT_MODE_NAME,
    argmax_verify_npy: PathLike | None = None,
    save_modified_model: PathLike | None = None,
    input_pix2float: bool = False,
    input_zerocenter: bool = False,
    maxiters: int | None = None,
    output_nosave: bool = False,
    progress: Callable[[ExecProgress], None] | None = None,
) -> ExecResult:
    """Run a model on .npy files, one for each input of the graph; without any on one batch of zeros.

    The first axis of each file counts samples; it is a multiple of the batch size of the model, the same for all files.

    override_batchsize: run with this batch size. override_opset: import the standard operators at this version.
    expose_intermediates: texts, separated by commas; tensors whose name has one of them become outputs.
    output_prefix: the files are `<prefix><name or number>_batch<i>.npy`, whole or not at all; "/" in names becomes "_".
    output_mode: OUTPUT_MODE_NAME or OUTPUT_MODE_IND. argmax_verify_npy: the expected class of each sample, compared
    with the largest element of the first output. save_modified_model: where to save the model as it is run.
    input_pix2float: map 0..255 to 0..1, with input_zerocenter to -1..1. maxiters: stop after so many batches.
    output_nosave: write no output files. progress: called after each batch.

    ConfigError for settings and files that do not fit, before anything is run.
    """
    _check_options(output_mode, input_pix2float, input_zerocenter, maxiters)
    folder = Path(f"{output_prefix}x").parent
    if not output_nosave and not folder.is_dir():
        raise ConfigError(f"there is no folder '{folder}'", where="output_prefix", remedy="make it first")
    model = _prepared(ModelWrapper(qonnx_model_file), override_batchsize, override_opset, expose_intermediates)
    data = _inputs(model, in_npy)
    size = _batch_size(model, data)
    count = len(next(iter(data.values()))) // size if data else 1
    count = count if maxiters is None else min(count, maxiters)
    labels = None if argmax_verify_npy is None else _labels(argmax_verify_npy, count * size)
    names = _file_names(model, output_mode)
    if save_modified_model is not None:
        model.save(save_modified_model)
    outputs: list[dict[str, np.ndarray]] = []
    files: list[Path] = []
    correct = 0
    for i in range(count):
        part = slice(i * size, (i + 1) * size)
        batch = {name: _mapped(array[part], input_pix2float, input_zerocenter) for name, array in data.items()}
        outputs.append(execute_onnx(model, batch))
        if labels is not None:
            correct += _hits(outputs[-1][names[0][0]], labels[part])
        for name, title in () if output_nosave else names:
            files.append(_save(Path(f"{output_prefix}{title}_batch{i}.npy"), outputs[-1][name]))
        if progress is not None:
            compared = (i + 1) * size
            progress(ExecProgress(i + 1, count, *((None, None) if labels is None else (correct, compared))))
    return ExecResult(outputs, None if labels is None else correct / (count * size), files)


def _check_options(output_mode: str, pix2float: bool, zerocenter: bool, maxiters: int | None) -> None:
    modes = [OUTPUT_MODE_IND, OUTPUT_MODE_NAME]
    if output_mode not in modes:
        raise ConfigError(f"there is no output_mode '{output_mode}'", remedy=nearest(output_mode, modes))
    if zerocenter and not pix2float:
        raise ConfigError("input_zerocenter does nothing alone", remedy="give input_pix2float as well")
    if maxiters is not None and maxiters < 1:
        raise ConfigError(f"maxiters is {maxiters}", remedy="give a positive number, or None for all batches")


# ----------------------------------------------------------------------------------------------------------- the model


def _prepared(model: ModelWrapper, batch: int | None, opset: int | None, exposed: str | None) -> ModelWrapper:
    if opset is not None:
        _override_opset(model, opset)
    if batch is not None:
        model = model.transform(ChangeBatchSize(batch), make_deepcopy=False)
    if exposed is not None:
        model = model.transform(InferShapes(), make_deepcopy=False)
        _expose(model, [text for text in exposed.split(",") if text])
    return model


def _override_opset(model: ModelWrapper, version: int) -> None:
    """Import another version; on the way up nodes are adapted as far as the changes are known."""
    current = model.get_opset_imports().get("", version)
    if OLDEST_OPSET <= current < version:
        raise_opset(model, min(version, NEWEST_OPSET))
    for entry in model.model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = version


def _expose(model: ModelWrapper, texts: Sequence[str]) -> None:
    inner = [info for info in model.graph.value_info if model.find_producer(info.name) is not None]
    found = [info for info in inner if any(text in info.name for text in texts)]
    names = [info.name for info in inner]
    for text in texts:
        if not any(text in name for name in [*names, *(output.name for output in model.graph.output)]):
            what = f"no computed tensor has '{text}' in its name"
            raise ConfigError(what, where="expose_intermediates", remedy=nearest(text, names))
    model.graph.output.extend(found)


# ----------------------------------------------------------------------------------------------------------- the files


def _inputs(model: ModelWrapper, files: Sequence[PathLike]) -> dict[str, np.ndarray]:
    """The samples of each input. ConfigError if they do not fit the model."""
    names = [value.name for value in model.graph.input if not model.has_initializer(value.name)]
    if not files:
        return {name: _zeros(model, name) for name in names}
    if len(files) != len(names):
        what = f"{len(files)} files are given for {len(names)} inputs"
        raise ConfigError(what, where="in_npy", remedy=f"give one for each of: {', '.join(names)}")
    data = {name: _load(file) for name, file in zip(names, files, strict=True)}
    for (name, array), file in zip(data.items(), files, strict=True):
        shape = model.get_tensor_shape(name)
        if array.dtype.kind not in "fiub":
            what = f"it has elements of type {array.dtype}"
            raise ConfigError(what, where=os.fspath(file), remedy="save real numbers")
        if shape == []:
            raise ConfigError(f"input '{name}' has no axis that counts samples", remedy="call execute_onnx from Python")
        if array.ndim < 1 or (shape is not None and not _fits(array.shape[1:], shape[1:])):
            what = f"its shape is {list(array.shape)}, but input '{name}' has shape {shape}"
            raise ConfigError(what, where=os.fspath(file), remedy="the first axis counts samples, the others are fixed")
    lengths = {name: len(array) for name, array in data.items()}
    if len(set(lengths.values())) > 1:
        raise ConfigError(f"the files have different numbers of samples: {lengths}", where="in_npy")
    return data


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(w in (0, d) for d, w in zip(shape, wanted, strict=True))


def _zeros(model: ModelWrapper, name: str) -> np.ndarray:
    shape = model.get_tensor_shape(name)
    if shape is None or 0 in shape[1:]:
        raise ConfigError(f"the shape of input '{name}' is not known", remedy="give a file for each input")
    kind = model.get_tensor_elem_type(name)
    return np.zeros([dim or 1 for dim in shape], helper.tensor_dtype_to_np_dtype(kind))


def _load(file: PathLike) -> np.ndarray:
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError("this is no .npy file with an array", where=os.fspath(file), why=str(error)) from error


def _batch_size(model: ModelWrapper, data: Mapping[str, np.ndarray]) -> int:
    """Samples that are run together: what the model has; all of them if it does not say."""
    name, array = next(iter(data.items()), ("", np.zeros(1)))
    shape = model.get_tensor_shape(name) if name else None
    size = shape[0] if shape and shape[0] else len(array)
    if size < 1 or len(array) < 1 or len(array) % size:
        raise ConfigError(
            f"{len(array)} samples are no multiple of the batch size {size}",
            where="in_npy",
            remedy="set override_batchsize to a divisor of the number of samples",
        )
    return size


def _labels(file: PathLike, samples: int) -> np.ndarray:
    labels = _load(file)
    if labels.size != len(np.atleast_1d(labels)) or labels.dtype.kind not in "fiu" or (labels % 1).any():
        what = f"it has {labels.dtype} of shape {list(labels.shape)}, which are no labels"
        raise ConfigError(what, where=os.fspath(file), remedy="give the number of the class of each sample")
    if labels.size < samples:
        what = f"it has {labels.size} labels for {samples} samples"
        raise ConfigError(what, where=os.fspath(file), remedy="give one label for each sample")
    return labels.reshape(-1)


def _mapped(batch: np.ndarray, pix2float: bool, zerocenter: bool) -> np.ndarray:
    if not pix2float:
        return np.asarray(batch)
    x = batch.astype(np.float32) / np.float32(255)
    return np.asarray(np.float32(2) * x - np.float32(1) if zerocenter else x)


def _hits(output: np.ndarray, labels: np.ndarray) -> int:
    """How many samples of a batch have their largest element at the label."""
    return int(np.count_nonzero(output.reshape(len(labels), -1).argmax(axis=1) == labels))


def _file_names(model: ModelWrapper, mode: str) -> list[tuple[str, str]]:
    """(output, the part of the file name that stands for it)."""
    outputs = [value.name for value in model.graph.output]
    if mode == OUTPUT_MODE_IND:
        return [(name, str(i)) for i, name in enumerate(outputs)]
    titles = [name.replace("/", "_").replace(os.sep, "_") for name in outputs]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:
        what = f"two outputs would be written to files called '{twice}'"
        raise ConfigError(what, where="output_mode", remedy=f"use {OUTPUT_MODE_IND}")
    return list(zip(outputs, titles, strict=True))


def _save(path: Path, array: np.ndarray) -> Path:
    """Write the file whole or not at all."""
    try:
        with replaced(path) as file:
            np.save(file, array)
    except OSError as error:
        raise ConfigError("cannot write an output", where=os.fspath(path), why=error.strerror or str(error)) from error
    return path
