"""Tensors as words of bits: hexadecimal text, Python integers, bytes, C++ initializers.

A word holds the elements of the last axis. Element 0 stands in the most significant bits (reverse: in the least
significant ones, which is what hardware streams have), and the word is padded with zeros above. An element is coded as

- integers: two's complement in `bitwidth()` bits; BIPOLAR: one bit, 0 for -1 and 1 for +1;
- FIXED<w,i>: the integer value * 2^(w-i), in two's complement;
- FLOAT32, FLOAT16: IEEE 754; FLOAT<e,m,b>: sign, exponent, mantissa.

Unpacked values are in the container that holds every value of their type exactly: float32 for integers up to 2^24,
float64 up to 2^53, then int64 or uint64, and Python integers beyond 64 bits.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.core.datatype import ArbPrecFloatType, BaseDataType, FixedPointType
from finn.util.basic import container_dtype, roundup_to_integer_multiple
from finn.util.errors import PackingError

Bytes = npt.NDArray[np.uint8]
_HEX_DIGIT_BITS = 4

# --------------------------------------------------------------------------------------------------------------- text


def array2hexstring(
    array: npt.ArrayLike, dtype: BaseDataType, pad_to_nbits: int, prefix: str = "0x", reverse: bool = False
) -> str:
    """One word, the elements of a 1-D array, as hexadecimal text of (at least) pad_to_nbits bits.

    PackingError if a value is not of the type, or if the elements need more bits.

    >>> from finn.core.datatype import DataType
    >>> array2hexstring([1, 1, 1, 0], DataType["BINARY"], 4)
    '0xe'
    >>> array2hexstring([1, 1, 1, 0], DataType["BINARY"], 8, reverse=True)
    '0x07'
    """
    values = _as_array(array, dtype)
    if values.ndim != 1:
        raise PackingError(f"one word is made from 1-D arrays, not from shape {values.shape}")
    return str(pack_innermost_dim_as_hex_string(values, dtype, pad_to_nbits, reverse, prefix)[()])


def pack_innermost_dim_as_hex_string(
    ndarray: npt.ArrayLike, dtype: BaseDataType, pad_to_nbits: int, reverse_inner: bool = False, prefix: str = "0x"
) -> np.ndarray:
    """(..., n) -> an array (...) of words as text, see `array2hexstring`."""
    values = _as_array(ndarray, dtype)
    packed = _pack(values, dtype, max(pad_to_nbits, _HEX_DIGIT_BITS), reverse_inner)
    digits = -(-max(pad_to_nbits, _HEX_DIGIT_BITS) // _HEX_DIGIT_BITS)
    text, step = packed.tobytes().hex(), 2 * packed.shape[-1]
    words = [prefix + text[end - digits : end] for end in range(step, len(text) + 1, step)]
    return np.array(words, dtype=np.str_).reshape(values.shape[:-1])


def unpack_innermost_dim_from_hex_string(
    ndarray: np.ndarray, dtype: BaseDataType, out_shape: Sequence[int], packedBits: int, reverse_inner: bool = False
) -> np.ndarray:
    """The inverse of `pack_innermost_dim_as_hex_string`: words of packedBits bits, as text, to the shape out_shape.

    The elements are in the least significant bits of the words. PackingError if the words are no hexadecimal text, too
    long, too short for out_shape[-1] elements, or not as many as out_shape has rows.
    """
    words = np.asarray(ndarray)
    if words.dtype.kind not in "US":
        raise PackingError(f"words to unpack are texts, not {words.dtype}")
    texts = [word.decode("ascii") if isinstance(word, bytes) else word for word in words.ravel().tolist()]
    try:
        integers = [int(text, 16) for text in texts]
    except ValueError as error:
        raise PackingError("a word to unpack is no hexadecimal text", why=str(error)) from error
    return _unpack_integers(integers, dtype, out_shape, packedBits, reverse_inner)


def hexstring2npbytearray(hexstring: str, remove_prefix: str = "0x") -> Bytes:
    """Two hexadecimal digits per byte, the first digits first. PackingError for other text.

    >>> hexstring2npbytearray("0x0f01").tolist()
    [15, 1]
    """
    try:
        return np.frombuffer(bytearray.fromhex(hexstring.removeprefix(remove_prefix)), dtype=np.uint8)
    except ValueError as error:
        raise PackingError(f"'{hexstring}' has no bytes", why=str(error), remedy="use two digits per byte") from error


def npbytearray2hexstring(npbytearray: npt.ArrayLike, prefix: str = "0x") -> str:
    """The inverse of `hexstring2npbytearray`."""
    return prefix + np.asarray(npbytearray, dtype=np.uint8).tobytes().hex()


def numpy_to_hls_code(
    ndarray: npt.ArrayLike,
    dtype: BaseDataType,
    hls_var_name: str,
    pack_innermost_dim: bool = True,
    no_decl: bool = False,
) -> str:
    """The declaration `type name[d0][d1] = {...};` of a C++ array with these values.

    pack_innermost_dim: the last axis becomes words `ap_uint<bits>("0x..", 16)` of whole hexadecimal digits, element 0
    in the most significant ones. no_decl: only `{...};`.
    """
    array = _as_array(ndarray, dtype)
    if pack_innermost_dim:
        if array.ndim == 0:
            raise PackingError("a scalar has no innermost dimension to pack")
        bits = max(roundup_to_integer_multiple(array.shape[-1] * dtype.bitwidth(), _HEX_DIGIT_BITS), _HEX_DIGIT_BITS)
        hls_type = f"ap_uint<{bits}>"
        array = pack_innermost_dim_as_hex_string(array, dtype, bits)
        texts = [f'{hls_type}("{word}", 16)' for word in array.ravel().tolist()]
    else:
        _check(array, dtype)
        hls_type = dtype.get_hls_datatype_str()
        texts = [_literal(value, dtype, hls_type) for value in array.ravel()]
    body = _braces(texts, array.shape)
    return f"{body};" if no_decl else f"{hls_type} {hls_var_name}{''.join(f'[{n}]' for n in array.shape)} = \n{body};"


def _literal(value: Any, dtype: BaseDataType, hls_type: str) -> str:
    if not dtype.is_integer():
        return str(value)
    # A literal of C++ has at most 64 bits, its sign not included.
    return str(int(value)) if dtype.bitwidth() < 64 else f'{hls_type}("{int(value)}", 10)'


def _braces(texts: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return texts[0]
    if len(shape) == 1:
        return "{" + ", ".join(texts) + "}"
    step = len(texts) // shape[0] if shape[0] else 0
    rows = [_braces(texts[row * step : (row + 1) * step], shape[1:]) for row in range(shape[0])]
    return "{" + ",\n".join(rows) + "}"


# ---------------------------------------------------------------------------------------------------------- simulation


def npy_to_rtlsim_input(
    input_file: str | os.PathLike[str] | np.ndarray,
    input_dtype: BaseDataType,
    pad_to_nbits: int,
    reverse_inner: bool = True,
) -> list[int]:
    """An array (..., n), or the .npy file that holds it, as words of pad_to_nbits bits, in C order.

    PackingError if there is no such file.
    """
    if isinstance(input_file, np.ndarray):
        values = input_file
    elif Path(input_file).is_file():
        values = np.load(input_file)
    else:
        raise PackingError("there is no such .npy file", where=str(input_file))
    packed = _pack(_as_array(values, input_dtype), input_dtype, max(pad_to_nbits, 1), reverse_inner)
    data, step = packed.tobytes(), packed.shape[-1]
    return [int.from_bytes(data[start : start + step], "big") for start in range(0, len(data), step)]


def rtlsim_output_to_npy(
    output: Sequence[int],
    path: str | os.PathLike[str] | None,
    dtype: BaseDataType,
    shape: Sequence[int],
    packedBits: int,
    targetBits: int,
    reverse_inner: bool = True,
) -> np.ndarray:
    """The inverse of `npy_to_rtlsim_input`: words of packedBits bits to an array. path: also save it there, as .npy.

    targetBits: bits of one element, those of dtype. PackingError if the words do not fit shape.
    """
    if targetBits != dtype.bitwidth():
        raise PackingError(f"elements of {targetBits} bits are no {dtype}, which has {dtype.bitwidth()}")
    array = _unpack_integers([int(word) for word in output], dtype, shape, packedBits, reverse_inner)
    if path is not None:
        np.save(path, array)
    return array


# -------------------------------------------------------------------------------------------------------------- bytes


def finnpy_to_packed_bytearray(
    ndarray: npt.ArrayLike,
    dtype: BaseDataType,
    reverse_inner: bool = False,
    reverse_endian: bool = False,
    fast_mode: bool = False,
) -> Bytes:
    """(..., n) -> uint8 (..., bytes of a word). A word is padded to whole bytes; its first byte is the uppermost one.

    reverse_endian: its first byte is the lowest one. Drivers use this together with reverse_inner. fast_mode: values
    are taken to be of their type without a check.
    """
    values = _as_array(ndarray, dtype)
    if values.ndim == 0:
        raise PackingError("a scalar has no innermost dimension to pack")
    bits = roundup_to_integer_multiple(values.shape[-1] * dtype.bitwidth(), 8)
    packed = _pack(values, dtype, bits, reverse_inner, check=not fast_mode)
    return packed[..., ::-1] if reverse_endian else packed


def packed_bytearray_to_finnpy(
    packed_bytearray: Bytes,
    dtype: BaseDataType,
    output_shape: Sequence[int] | None = None,
    reverse_inner: bool = False,
    reverse_endian: bool = False,
    fast_mode: bool = False,
) -> np.ndarray:
    """The inverse of `finnpy_to_packed_bytearray`.

    output_shape: needed if words are padded; None takes as many elements as the bytes hold. fast_mode: accepted for
    symmetry. PackingError if the bytes do not fit the shape.
    """
    if not isinstance(packed_bytearray, np.ndarray) or packed_bytearray.dtype != np.uint8 or not packed_bytearray.ndim:
        raise PackingError("bytes to unpack are a uint8 array of at least one dimension")
    bits, width = packed_bytearray.shape[-1] * 8, dtype.bitwidth()
    if output_shape is None:
        if bits % width:
            raise PackingError(f"{bits} bits are no whole number of {dtype}", remedy="give output_shape")
        output_shape = (*packed_bytearray.shape[:-1], bits // width)
    return _unpack(
        packed_bytearray[..., ::-1] if reverse_endian else packed_bytearray, dtype, output_shape, reverse_inner
    )


# ------------------------------------------------------------------------------------------------------------ words


def _as_array(values: npt.ArrayLike, dtype: BaseDataType) -> np.ndarray:
    """Arrays as they are. NumPy would make float64 of a list that mixes small integers with some beyond 63 bits."""
    exact = not isinstance(values, np.ndarray) and dtype.is_integer() and dtype.bitwidth() > 53
    return np.asarray(values, dtype=object) if exact else np.asarray(values)


def _check(values: np.ndarray, dtype: BaseDataType) -> None:
    inside = np.asarray(dtype.allowed(np.atleast_1d(values)))
    if not inside.all():
        raise PackingError(f"the value {np.atleast_1d(values)[~inside][0]} is no {dtype}")


def _pack(values: np.ndarray, dtype: BaseDataType, word_bits: int, reverse: bool, check: bool = True) -> Bytes:
    """(..., n) -> (..., bytes), big-endian, the elements right-aligned."""
    elements = values.shape[-1]
    used = elements * dtype.bitwidth()
    if used > word_bits:
        raise PackingError(f"{elements} elements of {dtype} need {used} bits, the word has {word_bits}")
    if check:
        _check(values, dtype)
    if reverse:
        values = values[..., ::-1]
    raw = _codes_to_bytes(values, dtype)  # (..., n, bytes of an element)
    if dtype.bitwidth() % 8:
        bits = np.unpackbits(raw, axis=-1)[..., -dtype.bitwidth() :].reshape(*values.shape[:-1], used)
        gap = np.zeros((*values.shape[:-1], -used % 8), dtype=np.uint8)
        packed = np.packbits(np.concatenate([gap, bits], axis=-1), axis=-1)
    else:
        packed = raw[..., raw.shape[-1] - dtype.bitwidth() // 8 :].reshape(*values.shape[:-1], used // 8)
    missing = -(-word_bits // 8) - packed.shape[-1]
    if not missing:
        return packed
    return np.concatenate([np.zeros((*packed.shape[:-1], missing), dtype=np.uint8), packed], axis=-1)


def _unpack_integers(
    words: list[int], dtype: BaseDataType, shape: Sequence[int], word_bits: int, reverse: bool
) -> np.ndarray:
    size = -(-word_bits // 8)
    if any(word < 0 or word.bit_length() > word_bits for word in words):
        wide = next(word for word in words if word < 0 or word.bit_length() > word_bits)
        raise PackingError(f"the word {wide:#x} has more than {word_bits} bits")
    packed = np.frombuffer(b"".join(word.to_bytes(size, "big") for word in words), dtype=np.uint8)
    return _unpack(packed.reshape(len(words), size), dtype, shape, reverse, word_bits)


def _unpack(
    packed: Bytes, dtype: BaseDataType, shape: Sequence[int], reverse: bool, word_bits: int | None = None
) -> np.ndarray:
    """The inverse of `_pack`: (..., bytes) -> shape, whose last axis are the elements of a word."""
    shape = tuple(int(n) for n in shape)
    if not shape:
        raise PackingError("a scalar has no innermost dimension to unpack to")
    rows, elements, width = int(np.prod(shape[:-1])), shape[-1], dtype.bitwidth()
    packed = packed.reshape(int(np.prod(packed.shape[:-1])), packed.shape[-1])
    used, available = elements * width, packed.shape[-1] * 8 if word_bits is None else word_bits
    if len(packed) != rows or used > available:
        raise PackingError(
            f"{len(packed)} words of {available} bits do not fit the shape {shape} of {dtype}",
            remedy=f"give {rows} words of at least {used} bits",
        )
    if width % 8:
        bits = np.unpackbits(packed, axis=-1)[:, packed.shape[-1] * 8 - used :].reshape(rows, elements, width)
        sign = bits[..., :1] if _is_twos_complement(dtype) else np.zeros_like(bits[..., :1])
        raw = np.packbits(np.concatenate([np.repeat(sign, -width % 8, axis=-1), bits], axis=-1), axis=-1)
    else:
        raw = packed[:, packed.shape[-1] - used // 8 :].reshape(rows, elements, width // 8)
    values = _codes_from_bytes(raw, dtype)
    return np.ascontiguousarray(values[:, ::-1] if reverse else values).reshape(shape)


# ------------------------------------------------------------------------------------------------------------- elements


def _is_twos_complement(dtype: BaseDataType) -> bool:
    return dtype.is_fixed_point() or (dtype.is_integer() and dtype.signed() and dtype != "BIPOLAR")


def _storage(dtype: BaseDataType) -> str:
    """The narrowest big-endian NumPy type that holds a code; "" beyond 64 bits."""
    size = next((size for size in (1, 2, 4, 8) if dtype.bitwidth() <= 8 * size), 0)
    return f">{'i' if _is_twos_complement(dtype) else 'u'}{size}" if size else ""


def _codes_to_bytes(values: np.ndarray, dtype: BaseDataType) -> Bytes:
    """(...) -> (..., bytes), the codes of the values, big-endian, extended to the width of `_storage`."""
    if dtype in ("FLOAT32", "FLOAT16"):
        codes = values.astype(">f4" if dtype == "FLOAT32" else ">f2")
    elif isinstance(dtype, ArbPrecFloatType):
        codes = dtype.to_codes(values).astype(_storage(dtype))
    else:
        if dtype == "BIPOLAR":
            values = values > 0
        elif isinstance(dtype, FixedPointType):
            values = np.ldexp(values.astype(np.float64), dtype.frac_bits())
        if not _storage(dtype):
            size = -(-dtype.bitwidth() // 8)
            data = b"".join(int(v).to_bytes(size, "big", signed=dtype.signed()) for v in values.ravel().tolist())
            return np.frombuffer(data, dtype=np.uint8).reshape(*values.shape, size)
        codes = values.astype(_storage(dtype), copy=False)
    return np.ascontiguousarray(codes).view(np.uint8).reshape(*values.shape, codes.itemsize)


def _codes_from_bytes(raw: Bytes, dtype: BaseDataType) -> np.ndarray:
    """The inverse of `_codes_to_bytes`, from codes that fill whole bytes. Values are in their container."""
    container = container_dtype(dtype)
    if dtype in ("FLOAT32", "FLOAT16"):
        return np.ascontiguousarray(raw).view(f">f{raw.shape[-1]}")[..., 0].astype(container)
    signed = _is_twos_complement(dtype)
    storage = _storage(dtype)
    if not storage:
        integers = [int.from_bytes(code, "big", signed=signed) for code in raw.reshape(-1, raw.shape[-1])]
        codes = np.array(integers, dtype=object).reshape(raw.shape[:-1])
    else:
        missing = np.dtype(storage).itemsize - raw.shape[-1]
        fill = np.where(signed & (raw[..., :1] > 127), np.uint8(255), np.uint8(0))
        whole = np.concatenate([np.repeat(fill, missing, axis=-1), raw], axis=-1)
        codes = np.ascontiguousarray(whole).view(storage)[..., 0]
    if isinstance(dtype, ArbPrecFloatType):
        return dtype.from_codes(codes).astype(container)
    if isinstance(dtype, FixedPointType):
        return np.ldexp(codes.astype(np.float64), -dtype.frac_bits()).astype(container)
    return (codes.astype(container) * 2 - 1) if dtype == "BIPOLAR" else codes.astype(container)
