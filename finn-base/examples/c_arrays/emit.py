# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""C99 from a network of integers: one loop nest for each node, one static array for each tensor.

Arrays have the narrowest of C's integer types, by the data type annotations; sums are as wide as the analysis of the
weights asks for. Nothing is allocated and nothing is called, except memcpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from finn.analysis.ranges import Range, partial_sum_bound
from finn.core.datatype import BaseDataType
from finn.core.errors import UnsupportedError
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general import Im2Col

HEAD = "/* Made from the network {name}. */\n"
OPERATORS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/"}
Arrays = Mapping[str, np.ndarray]


def header(model: ModelWrapper) -> str:
    """net.h: what there is to call."""
    shapes = [f"   {v.name}: {model.get_tensor_shape(v.name)}\n" for v in (*model.graph.input, *model.graph.output)]
    head = HEAD.format(name=model.graph.name)
    return f"""{head}#ifndef NET_H
#define NET_H
#include <stdint.h>

/* One frame; the arrays have the shapes
{"".join(shapes)}   with the last axis running fastest. */
void net({_parameters(model)});

#endif
"""


def source(model: ModelWrapper) -> str:
    """net.c: constants, buffers, and the loops. UnsupportedError for what has no C here."""
    arrays = [_constant(model, tensor.name) for tensor in model.graph.initializer]
    given = {value.name for value in (*model.graph.input, *model.graph.output)}
    buffers, loops = [], []
    for node in model.graph.node:
        if node.op_type not in LOOPS:
            raise UnsupportedError(
                f"there is no C for {node.op_type}", where=f"node {node.name}", remedy=f"use {', '.join(sorted(LOOPS))}"
            )
        for name in node.output:
            if name not in given and model.find_consumers(name):
                buffers.append(f"static {c_type(model, name)} {name}[{size(model, name)}];\n")
        loops.append(f"\n  /* {node.name} */\n" + _indented(LOOPS[node.op_type](model, node)))
    return (
        f'{HEAD.format(name=model.graph.name)}#include "net.h"\n#include <string.h>\n\n'
        f"{''.join(arrays)}\n{''.join(buffers)}\nvoid net({_parameters(model)}) {{{''.join(loops)}}}\n"
    )


def self_test(model: ModelWrapper, frames: Sequence[Arrays], answers: Sequence[Arrays]) -> str:
    """test_net.c: a main that gives 0 if the network answers each frame as given."""
    blocks = []
    for number, (frame, answer) in enumerate(zip(frames, answers, strict=True)):
        given = "".join(_array(c_type(model, n), f"{n}_{number}", frame[n]) for n in frame)
        wanted = "".join(_array(c_type(model, n), f"{n}_{number}", answer[n]) for n in answer)
        blocks.append(given + wanted)
    outputs = [value.name for value in model.graph.output]
    buffers = "".join(f"  static {c_type(model, n)} {n}[{size(model, n)}];\n" for n in outputs)
    names = [value.name for value in model.graph.input]
    calls = "".join(
        f"  net({', '.join([*(f'{n}_{i}' for n in names), *outputs])});\n"
        + "".join(f"  wrong += memcmp({n}, {n}_{i}, sizeof {n}) != 0;\n" for n in outputs)
        for i in range(len(frames))
    )
    return f"""{HEAD.format(name=model.graph.name)}#include "net.h"
#include <stdio.h>
#include <string.h>

{"".join(blocks)}
int main(void) {{
{buffers}  int wrong = 0;
{calls}  printf("%d of {len(frames) * len(outputs)} outputs are wrong\\n", wrong);
  return wrong != 0;
}}
"""


# -------------------------------------------------------------------------------------------------- types and arrays


def integer_type(low: float, high: float) -> str:
    """The narrowest type of stdint.h for low ... high."""
    for bits in (8, 16, 32, 64):
        if low >= 0 and high < 2**bits:
            return f"uint{bits}_t"
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return f"int{bits}_t"
    raise UnsupportedError(
        f"integers reach from {low:g} to {high:g}", remedy="C99 has 64 bits; use narrower data types"
    )


def c_type(model: ModelWrapper, name: str) -> str:
    """int64_t for ONNX's own integers, the narrowest type for annotated ones, float for the rest."""
    if model.get_tensor_elem_type(name) == TensorProto.INT64:
        return "int64_t"
    datatype: BaseDataType = model.get_tensor_datatype(name)
    return integer_type(datatype.min(), datatype.max()) if datatype.is_integer() else "float"


def shape_of(model: ModelWrapper, name: str) -> list[int]:
    return model.get_tensor_shape(name) or []


def size(model: ModelWrapper, name: str) -> int:
    return prod(shape_of(model, name))


def _constant(model: ModelWrapper, name: str) -> str:
    value = np.asarray(model.get_initializer(name))
    reader = model.find_consumer(name)
    if reader is not None and reader.op_type in ("Layer", "MatMul"):
        value = value.T if name == reader.input[1] else value  # sums run along rows
    elif reader is not None and reader.op_type in OPERATORS:
        value = np.broadcast_to(value, shape_of(model, reader.output[0]))
    elif reader is not None and reader.op_type != "MultiThreshold":
        return ""  # it is an attribute in disguise, such as a shape
    return _array(c_type(model, name), name, value)


def _array(kind: str, name: str, value: np.ndarray) -> str:
    flat = value.reshape(-1).tolist()
    texts = [float(v).hex() + "f" for v in flat] if kind == "float" else [str(int(v)) for v in flat]
    lines = [", ".join(texts[i : i + 16]) for i in range(0, len(texts), 16)]
    return f"static const {kind} {name}[{len(texts)}] = {{\n  " + ",\n  ".join(lines) + "};\n"


def _parameters(model: ModelWrapper) -> str:
    given = [f"const {c_type(model, v.name)} {v.name}[{size(model, v.name)}]" for v in model.graph.input]
    made = [f"{c_type(model, v.name)} {v.name}[{size(model, v.name)}]" for v in model.graph.output]
    return ", ".join(given + made)


def _indented(code: str) -> str:
    return "".join(f"  {line}\n" if line else "\n" for line in code.strip("\n").split("\n"))


# -------------------------------------------------------------------------------------------------------------- loops


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def counting(value: str, table: str, count: int, row: str, node: NodeProto) -> str:
    """`y`, the level of `value`: scale * (thresholds that it reaches) + bias."""
    scale, bias = (int(attribute(node, name, default)) for name, default in (("out_scale", 1), ("out_bias", 0)))
    step = f"y += {scale} * ({value} >= {table}[({row}) * {count} + t]);"
    return f"int32_t y = {bias};\n  for (int t = 0; t < {count}; t++) {step}"


def product(model: ModelWrapper, node: NodeProto) -> str:
    """Layer and MatMul: x (R, K), weights (M, K), thresholds (M or 1, T)."""
    x, w, out = node.input[0], node.input[1], node.output[0]
    depth, columns = shape_of(model, w)
    weights = np.asarray(model.get_initializer(w)).astype(np.int64)
    bound = partial_sum_bound(Range.of(model.get_tensor_datatype(x)), weights)
    kind = integer_type(-max(bound, 2**15), bound)  # C computes in int anyway
    finish = f"{out}[r * {columns} + m] = ({c_type(model, out)})sum;"
    if node.op_type == "Layer":
        rows, count = shape_of(model, node.input[2])
        level = counting("sum", node.input[2], count, "m" if rows > 1 else "0", node)
        finish = f"{level}\n  {out}[r * {columns} + m] = ({c_type(model, out)})y;"
    return f"""
for (int r = 0; r < {size(model, x) // depth}; r++) for (int m = 0; m < {columns}; m++) {{
  {kind} sum = 0;
  for (int k = 0; k < {depth}; k++) sum += ({kind}){x}[r * {depth} + k] * {w}[m * {depth} + k];
  {finish}
}}"""


def multi_threshold(model: ModelWrapper, node: NodeProto) -> str:
    x, table, out = node.input[0], node.input[1], node.output[0]
    shape, (rows, count) = shape_of(model, x), shape_of(model, table)
    last = attribute(node, "data_layout", b"NCHW").decode().endswith("C")
    inner = 1 if last else prod(shape[2:])
    channel = f"i / {inner} % {shape[-1] if last else shape[1]}" if rows > 1 else "0"
    return f"""
for (int i = 0; i < {prod(shape)}; i++) {{
  {counting(f"{x}[i]", table, count, channel, node)}
  {out}[i] = ({c_type(model, out)})y;
}}"""


def transpose(model: ModelWrapper, node: NodeProto) -> str:
    shape = shape_of(model, node.input[0])
    order = list(attribute(node, "perm", range(len(shape))[::-1]))
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    loops = " ".join(f"for (int i{axis} = 0; i{axis} < {shape[axis]}; i{axis}++)" for axis in order)
    place = " + ".join(f"i{axis} * {stride}" for axis, stride in enumerate(strides))
    return f"{{\n  int n = 0;\n  {loops} {node.output[0]}[n++] = {node.input[0]}[{place}];\n}}"


def copied(model: ModelWrapper, node: NodeProto) -> str:
    return f"memcpy({node.output[0]}, {node.input[0]}, sizeof {node.input[0]}[0] * {size(model, node.input[0])});"


def im2col(model: ModelWrapper, node: NodeProto) -> str:
    """y[oh, ow, i, j, c] = x[oh sh + i dh - top, ow sw + j dw - left, c], the padding outside."""
    op = Im2Col(node)
    (height, width, channels), window = op.image_shape(), op.window()
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.strides, window.dilations
    (top, _), (left, _) = window.axis_pads
    rows, columns = window.counts((height, width))
    x, out, pad = node.input[0], node.output[0], op.get_nodeattr("pad_value")
    return f"""
{{
  int n = 0;
  for (int oh = 0; oh < {rows}; oh++) for (int ow = 0; ow < {columns}; ow++)
  for (int i = 0; i < {kh}; i++) for (int j = 0; j < {kw}; j++) {{
    const int h = oh * {sh} + i * {dh} - {top}, w = ow * {sw} + j * {dw} - {left};
    const int inside = h >= 0 && h < {height} && w >= 0 && w < {width};
    for (int c = 0; c < {channels}; c++)
      {out}[n++] = inside ? {x}[(h * {width} + w) * {channels} + c] : {pad};
  }}
}}"""


def max_pool(model: ModelWrapper, node: NodeProto) -> str:
    """y[c, oh, ow] = max over i, j of x[c, oh sh + i - top, ow sw + j - left] inside of the image."""
    _, channels, height, width = shape_of(model, node.input[0])
    _, _, rows, columns = shape_of(model, node.output[0])
    plain = attribute(node, "auto_pad", b"NOTSET") == b"NOTSET" and set(attribute(node, "dilations", [1])) == {1}
    if not plain or len(node.output) > 1:
        raise UnsupportedError("it has more than kernel, strides and pads", where=f"node {node.name} (MaxPool)")
    kh, kw = attribute(node, "kernel_shape", ())
    (sh, sw), (top, left) = attribute(node, "strides", [1, 1]), attribute(node, "pads", [0] * 4)[:2]
    x, out, kind = node.input[0], node.output[0], c_type(model, node.output[0])
    least = int(model.get_tensor_datatype(x).min())
    return f"""
{{
  int n = 0;
  for (int c = 0; c < {channels}; c++) for (int oh = 0; oh < {rows}; oh++) for (int ow = 0; ow < {columns}; ow++) {{
    {kind} most = {least};
    for (int i = 0; i < {kh}; i++) for (int j = 0; j < {kw}; j++) {{
      const int h = oh * {sh} + i - {top}, w = ow * {sw} + j - {left};
      if (h < 0 || h >= {height} || w < 0 || w >= {width}) continue;
      const {kind} v = {x}[(c * {height} + h) * {width} + w];
      if (v > most) most = v;
    }}
    {out}[n++] = most;
  }}
}}"""


def arg_max(model: ModelWrapper, node: NodeProto) -> str:
    """ArgMax along the last axis, and the index of TopK of one element: the first of equal ones."""
    x, out = node.input[0], node.output[-1]
    shape = shape_of(model, x)
    if node.op_type == "TopK":
        k = model.get_initializer(node.input[1])
        plain = k is not None and k.item() == 1 and attribute(node, "largest", 1) and len(node.output) == 2
        plain = plain and not (model.find_consumers(node.output[0]) or model.is_graph_output(node.output[0]))
    else:
        plain = not attribute(node, "select_last_index", 0)
    if not plain or attribute(node, "axis", -1 if node.op_type == "TopK" else 0) not in (-1, len(shape) - 1):
        raise UnsupportedError(
            "only the index of the first maximum along the last axis is supported", where=f"node {node.name}"
        )
    return f"""
for (int r = 0; r < {prod(shape[:-1])}; r++) {{
  int best = 0;
  for (int i = 1; i < {shape[-1]}; i++)
    if ({x}[r * {shape[-1]} + i] > {x}[r * {shape[-1]} + best]) best = i;
  {out}[r] = best;
}}"""


def elementwise(model: ModelWrapper, node: NodeProto) -> str:
    """Of the float end: the same operations in the same order as in the model, none of them fused."""
    a, b, out = node.input[0], node.input[1], node.output[0]
    if not model.has_initializer(b) or shape_of(model, a) != shape_of(model, out):
        raise UnsupportedError("its second input has to be a constant", where=f"node {node.name} ({node.op_type})")
    return f"for (int i = 0; i < {size(model, out)}; i++) {out}[i] = (float){a}[i] {OPERATORS[node.op_type]} {b}[i];"


def relu(model: ModelWrapper, node: NodeProto) -> str:
    x, out = node.input[0], node.output[0]
    return f"for (int i = 0; i < {size(model, out)}; i++) {out}[i] = {x}[i] > 0 ? {x}[i] : 0;"


LOOPS: dict[str, Callable[[ModelWrapper, NodeProto], str]] = {
    **dict.fromkeys(("Layer", "MatMul"), product),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), copied),
    **dict.fromkeys(("ArgMax", "TopK"), arg_max),
    **dict.fromkeys(OPERATORS, elementwise),
    "Im2Col": im2col,
    "MaxPool": max_pool,
    "MultiThreshold": multi_threshold,
    "Relu": relu,
    "Transpose": transpose,
}
"""The C of each operator."""
