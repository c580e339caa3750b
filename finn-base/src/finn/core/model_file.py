"""Reading and writing of ONNX files: whole or not at all, of any size, in a version that onnxruntime reads."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError, Message
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from finn.core.errors import ModelError
from finn.core.index import subgraphs

PROTOBUF_LIMIT_BYTES = 2**31 - 1
"""What one protobuf message may have."""

_IR_VERSION = 10  # what every onnxruntime since 1.18 loads; onnx itself writes its newest
_IR_OF_TYPE: dict[int, int] = {
    TensorProto.FLOAT4E2M1: 11,
    TensorProto.FLOAT8E8M0: 12,
    TensorProto.UINT2: 13,
    TensorProto.INT2: 13,
}
"""Element types that came later, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto"""
_EXTERNAL_FROM_BYTES = 1024
_ALIGNMENT = 4096  # so that the data can be mapped into memory


def load(source: str | os.PathLike[str] | bytes | ModelProto) -> ModelProto:
    """A model from a path (with its external data), serialized bytes, or as it is.

    ModelError for files that are missing, truncated, empty or no ONNX models.
    """
    if isinstance(source, ModelProto):
        return source
    where = "serialized model" if isinstance(source, bytes) else os.fspath(source)
    try:
        proto = onnx.load_model_from_string(source) if isinstance(source, bytes) else onnx.load(where)
    except OSError as error:
        raise ModelError(f"cannot read the model: {error.strerror or error}", where=where) from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            "this is no ONNX model, or only a part of one",
            where=where,
            why=str(error),
            remedy="export or copy the .onnx file again",
        ) from error
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ModelError(
            "cannot read the external data of the model",
            where=where,
            why=str(error),
            remedy="keep the data files beside the .onnx file",
        ) from error
    broken = next((text for text in _texts(proto) if isinstance(text, bytes)), None)
    if broken is not None:
        raise ModelError(
            "the file is damaged",
            where=where,
            why=f"a name in it is no text: {broken!r}",
            remedy="export or copy the .onnx file again",
        )
    _check_sizes(proto.graph, where)
    if not (proto.ir_version and len(proto.graph.node) + len(proto.graph.output)):
        raise ModelError("the file holds no ONNX graph", where=where, remedy="export or copy the .onnx file again")
    return proto


def _check_sizes(graph: GraphProto, where: str) -> None:
    """Refuse constants that claim more elements than their bytes can hold, before a library makes room for them."""
    for tensor in graph.initializer:
        claimed = math.prod(tensor.dims)
        if any(dim < 0 for dim in tensor.dims) or claimed > 8 * _message_bytes(tensor):
            raise ModelError(
                f"its data do not fill its shape {list(tensor.dims)}", where=f"{where}: tensor '{tensor.name}'",
                remedy="export or copy the .onnx file again",
            )  # fmt: skip


def _message_bytes(tensor: TensorProto) -> int:
    if tensor.data_location == TensorProto.EXTERNAL:
        return PROTOBUF_LIMIT_BYTES**2  # somewhere else
    try:
        return tensor.ByteSize()
    except EncodeError:  # from a data file, more than a message can have
        return len(tensor.raw_data)


def _texts(model: ModelProto) -> Iterator[str | bytes]:
    """Every name in the model; bytes where it is no text, which the parser of ONNX files lets pass."""
    yield from _fields(model.opset_import)
    yield from _fields(model.metadata_props)
    yield from _texts_of(model.graph)


def _texts_of(graph: GraphProto) -> Iterator[str | bytes]:
    for node in graph.node:
        yield from node.input
        yield from node.output
        yield from _fields(node.attribute)
        for body in subgraphs(node):
            yield from _texts_of(body)
    for info in (*graph.input, *graph.output, *graph.value_info):
        yield from _fields(info.type.tensor_type.shape.dim)
    for annotation in graph.quantization_annotation:
        yield from _fields(annotation.quant_parameter_tensor_names)
    for container in (
        graph.node, graph.initializer, graph.input, graph.output, graph.value_info,
        graph.quantization_annotation, graph.metadata_props,
    ):  # fmt: skip
        yield from _fields(container)


_TEXT = ("name", "op_type", "domain", "dim_param", "tensor_name", "key", "value")


def _fields(messages: Iterable[Message]) -> Iterator[str | bytes]:
    fields: tuple[str, ...] | None = None
    for message in messages:
        if fields is None:
            fields = tuple(field for field in _TEXT if field in message.DESCRIPTOR.fields_by_name)
        for field in fields:
            yield getattr(message, field)


def normalise_ir_version(model: ModelProto) -> None:
    """Set the version of the file format to one that onnxruntime loads: 4 (constants are no inputs) to 10.

    Newer ones only for models with element types that came later.
    """
    if 4 <= model.ir_version <= _IR_VERSION:
        return
    newest = max((_IR_OF_TYPE.get(kind, 0) for kind in _element_types(model.graph)), default=0)
    model.ir_version = max(min(max(model.ir_version, 4), _IR_VERSION), newest)


def make_dense(graph: GraphProto) -> None:
    """Sparse constants become usual ones, which is what everything here reads. ModelError if one contradicts itself."""
    for sparse in graph.sparse_initializer:
        dims, name = list(sparse.dims), sparse.values.name
        try:
            values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
            places = tuple(indices.T) if indices.ndim == 2 else np.unravel_index(indices, dims)
            dense = np.zeros(dims, values.dtype)
            dense[places] = values
        except (IndexError, KeyError, MemoryError, TypeError, ValueError) as error:
            raise ModelError("the sparse constant is damaged", where=f"tensor '{name}'", why=str(error)) from error
        graph.initializer.append(numpy_helper.from_array(dense, name))
    del graph.sparse_initializer[:]


def _element_types(graph: GraphProto) -> Iterator[int]:
    for tensor in graph.initializer:
        yield tensor.data_type
    for info in (*graph.input, *graph.output, *graph.value_info):
        yield info.type.tensor_type.elem_type
    for node in graph.node:
        for body in subgraphs(node):
            yield from _element_types(body)


def save(model: ModelProto, path: Path) -> None:
    """Write the model to `path`. Beyond 2 GiB the constants go to `<name>.data` beside it.

    ModelError if it cannot be written; then nothing has changed.
    """
    try:
        if model_bytes(model) > PROTOBUF_LIMIT_BYTES:
            _save_with_data(model, path)
        else:
            with replaced(path) as file:
                file.write(model.SerializeToString())
    except OSError as error:
        raise ModelError(f"cannot write the model: {error.strerror or error}", where=os.fspath(path)) from error


def tensor_bytes(tensor: TensorProto) -> int:
    """Bytes of the data of a tensor. Its message may be too large to be asked for its size."""
    if tensor.data_type in (TensorProto.STRING, TensorProto.UNDEFINED):
        return tensor.ByteSize()
    return math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize


def model_bytes(model: ModelProto) -> int:
    """About the size of a model: its constants, which is all that can be large, and a margin for the rest."""
    return sum(map(tensor_bytes, model.graph.initializer)) + len(model.graph.node) * 64


def _save_with_data(model: ModelProto, path: Path) -> None:
    data_path = path.with_name(path.name + ".data")
    skeleton = _without_constants(model)
    with replaced(data_path) as data:
        for tensor in model.graph.initializer:
            skeleton.graph.initializer.append(_externalised(tensor, data, data_path.name))
    with replaced(path) as file:
        file.write(skeleton.SerializeToString())


def _without_constants(model: ModelProto) -> ModelProto:
    """A copy of everything but the initializers, made without copying them."""
    skeleton = ModelProto()
    _copy_fields(model, skeleton, leave="graph")
    _copy_fields(model.graph, skeleton.graph, leave="initializer")
    return skeleton


def _copy_fields(source: Message, target: Message, leave: str) -> None:
    for descriptor, value in source.ListFields():
        if descriptor.name == leave:
            continue
        if isinstance(value, str | int | float | bytes):
            setattr(target, descriptor.name, value)
        else:  # repeated
            getattr(target, descriptor.name).extend(value)


def _externalised(tensor: TensorProto, data: BinaryIO, location: str) -> TensorProto:
    """The tensor with its data moved to the end of `data`; small ones stay as they are."""
    if len(tensor.raw_data) < _EXTERNAL_FROM_BYTES:
        return tensor
    data.write(b"\0" * (-data.tell() % _ALIGNMENT))
    moved = TensorProto(name=tensor.name, data_type=tensor.data_type, doc_string=tensor.doc_string)
    moved.dims.extend(tensor.dims)
    moved.data_location = TensorProto.EXTERNAL
    offset, length = data.tell(), data.write(tensor.raw_data)
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        moved.external_data.add(key=key, value=value)
    return moved


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once the block has ended well. Links stay; devices are written to."""
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
