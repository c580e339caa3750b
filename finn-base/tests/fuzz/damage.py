"""Damaged models: `python damage.py FIRST COUNT` loads, cleans, annotates and runs one for each seed.

A program of its own, because a crash of a C++ library would take the test runner along. It ends with 0 if every model
ended in a result or in a FinnError, and prints the others.
"""

from __future__ import annotations

import faulthandler
import random
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_datatypes import InferDataTypes
from finn.util.cleanup import cleanup_model

SECONDS = 20
"""One model must not take longer: then it counts as a hang."""

DOMAIN = "qonnx.custom_op.general"


def network() -> ModelProto:
    """A small quantized network with most kinds of things that a file can hold."""
    quant = {"domain": DOMAIN, "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    scale = helper.make_tensor("v", TensorProto.FLOAT, [], [0.5])
    nodes = [
        helper.make_node("Constant", [], ["s"], "constant", value=scale),
        helper.make_node("Quant", ["w", "s", "z", "b"], ["wq"], "weights", **quant),
        helper.make_node("Conv", ["x", "wq", "bias"], ["c"], "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "g", "bias", "bias", "g"], ["n"], "norm"),
        helper.make_node("Relu", ["n"], ["r"], "relu"),
        helper.make_node("Quant", ["r", "s", "z", "b"], ["q"], "activation", **quant),
        helper.make_node("MultiThreshold", ["q", "t"], ["m"], "mt", domain=DOMAIN, out_dtype="UINT2"),
        helper.make_node("Shape", ["m"], ["shape"], "shape"),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], "gather", axis=0),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["batch1"], "unsqueeze"),
        helper.make_node("Concat", ["batch1", "rest"], ["flat"], "concat", axis=0),
        helper.make_node("Reshape", ["m", "flat"], ["f"], "reshape"),
        helper.make_node("MatMul", ["f", "d"], ["p"], "dense"),
        helper.make_node("TopK", ["p", "k"], ["values", "y"], "top", axis=-1),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.standard_normal((2, 1, 3, 3)).astype(np.float32), "z": np.float32(0), "b": np.float32(4),
        "bias": np.ones(2, np.float32), "g": np.ones(2, np.float32), "t": np.ones((2, 3), np.float32),
        "zero": np.int64(0), "axes": np.array([0]), "rest": np.array([-1]), "k": np.array([1]),
        "d": np.ones((32, 4), np.float32),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=8))
    model.set_tensor_layout("x", ["N", "C", "H", "W"])
    model.set_tensor_sparsity("w", {"dw": {"kernel_shape": [3, 3]}})
    model.set_metadata_prop("key", "value")
    return model.model


Damage = Callable[[ModelProto, random.Random], None]
NAMES = ["", "x", "y", "w", "m", "q", "no such tensor"]
OPS = ["Relu", "Add", "If", "Loop", "Quant", "NoSuchOp", "Concat", "MatMul", "Conv", "Resize", "Squeeze", "Constant"]
NUMBERS = [0, 1, -1, 2, 7, 2**31, -(2**63), 2**63 - 1]
TEXTS = ["", "INT0", "__import__('os').abort()", "[" * 500, "{1: 2", "FIXED<1,2>", "NCHW", "NaN", "\x00"]


def node_input(model: ModelProto, r: random.Random) -> None:
    node = r.choice(model.graph.node)
    if len(node.input):
        node.input[r.randrange(len(node.input))] = r.choice([*NAMES, *(t for n in model.graph.node for t in n.output)])


def node_arity(model: ModelProto, r: random.Random) -> None:
    names = r.choice([r.choice(model.graph.node).input, r.choice(model.graph.node).output])
    if len(names) and r.random() < 0.5:
        del names[r.randrange(len(names))]
    else:
        names.append(r.choice(NAMES))


def node_kind(model: ModelProto, r: random.Random) -> None:
    node = r.choice(model.graph.node)
    if r.random() < 0.7:
        node.op_type = r.choice(OPS)
    else:
        node.domain = r.choice(["", "ai.onnx.ml", DOMAIN, "os", "no.such.domain", "finn.custom_op.channels_last"])


def node_order(model: ModelProto, r: random.Random) -> None:
    nodes = [n for n in model.graph.node]  # copies of the references, in order
    copies = [type(n)() for n in nodes]
    for copy, node in zip(copies, nodes, strict=True):
        copy.CopyFrom(node)
    r.shuffle(copies)
    del model.graph.node[:]
    model.graph.node.extend(copies[r.randrange(2) :] + copies[: r.randrange(2)])


def attribute(model: ModelProto, r: random.Random) -> None:
    node = r.choice([n for n in model.graph.node if len(n.attribute)] or list(model.graph.node))
    if not len(node.attribute):
        return
    a = r.choice(node.attribute)
    if r.random() < 0.3:
        a.type = r.choice(AttributeProto.AttributeType.values())
    elif r.random() < 0.3:
        a.name = r.choice(["axis", "pads", "value", "nonsense"])
    elif a.ints:
        a.ints[r.randrange(len(a.ints))] = r.choice(NUMBERS)
    elif a.HasField("s"):
        a.s = r.choice(TEXTS).encode() if r.random() < 0.7 else b"\xff\xfe"
    else:
        a.i = r.choice(NUMBERS)


def tensor(model: ModelProto, r: random.Random) -> None:
    t = r.choice(model.graph.initializer)
    action = r.randrange(5)
    if action == 0:
        t.data_type = r.choice([*TensorProto.DataType.values()])
    elif action == 1:
        t.dims.append(r.choice(NUMBERS))
    elif action == 2 and len(t.dims):
        t.dims[0] = r.choice(NUMBERS)
    elif action == 3:
        t.raw_data = t.raw_data[: r.randrange(len(t.raw_data) + 1)]
    else:
        t.name = r.choice(NAMES)


def value(model: ModelProto, r: random.Random) -> None:
    info = r.choice([*model.graph.input, *model.graph.output, *model.graph.value_info])
    kind = info.type.tensor_type
    action = r.randrange(4)
    if action == 0:
        kind.elem_type = r.choice([*TensorProto.DataType.values(), 99])
    elif action == 1 and len(kind.shape.dim):
        kind.shape.dim[0].dim_value = r.choice(NUMBERS)
    elif action == 2:
        info.name = r.choice(NAMES)
    else:
        info.type.Clear()


def annotation(model: ModelProto, r: random.Random) -> None:
    for entry in model.graph.quantization_annotation:
        for pair in entry.quant_parameter_tensor_names:
            if r.random() < 0.7:
                pair.value = r.choice(TEXTS)
    extra = model.graph.quantization_annotation.add(tensor_name=r.choice(["x", "q", "m"]))
    extra.quant_parameter_tensor_names.add(key="finn_datatype", value=r.choice([*TEXTS, "INT4", "BIPOLAR"]))


def opset(model: ModelProto, r: random.Random) -> None:
    if r.random() < 0.2:
        del model.opset_import[:]
    for entry in model.opset_import:
        entry.version = r.choice([-1, 0, 1, 6, 9, 11, 13, 18, 99])


def doubled(model: ModelProto, r: random.Random) -> None:
    container = r.choice([model.graph.node, model.graph.initializer, model.graph.input, model.graph.output])
    container.append(r.choice(container))


STRUCTURAL: tuple[Damage, ...] = (
    node_input, node_arity, node_kind, node_order, attribute, tensor, value, annotation, opset, doubled,
)  # fmt: skip


def damaged(data: bytes, r: random.Random) -> bytes:
    """The model with one to four things changed: in its structure, or in its bytes."""
    if r.random() < 0.7:
        model = ModelProto.FromString(data)
        for _ in range(r.choice([1, 1, 2, 4])):
            r.choice(STRUCTURAL)(model, r)
        return model.SerializeToString()
    changed = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 4])):
        place = r.randrange(len(changed))
        noise = bytes(r.randrange(256) for _ in range(r.randrange(1, 8)))
        changed[place : place + r.randrange(8)] = noise if r.random() < 0.5 else b""
    return bytes(changed)


def use(data: bytes) -> None:
    """What a compiler does first with a file."""
    model = cleanup_model(ModelWrapper(data))
    model = model.transform(InferDataTypes())
    for name in model.get_all_tensor_names():
        model.get_tensor_layout(name)
        model.get_tensor_sparsity(name)
    inputs = {}
    for info in model.graph.input:
        shape = model.get_tensor_shape(info.name) or []
        dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        inputs[info.name] = np.zeros([min(max(dim, 1), 64) for dim in shape], dtype)
    execute_onnx(model, inputs)


def outcome(data: bytes) -> str:
    """ "result", the name of a FinnError, or where another exception came from."""
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        use(data)
    except FinnError as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001  # that is what is looked for
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "finn" in frame.filename]
        return f"! {type(error).__name__}: {str(error)[:100]} at {ours[-1].filename}:{ours[-1].lineno}"
    finally:
        faulthandler.cancel_dump_traceback_later()
    return "result"


def main(first: int, count: int) -> int:
    faulthandler.enable()
    warnings.simplefilter("ignore")
    data = network().SerializeToString()
    counts: Counter[str] = Counter()
    for seed in range(first, first + count):
        sys.stdout.write(f"{seed}\n")  # the last line tells which model crashed
        sys.stdout.flush()
        found = outcome(damaged(data, random.Random(seed)))
        counts[found] += 1
        if found.startswith("!"):
            sys.stderr.write(f"seed {seed}: {found}\n")
    sys.stdout.write(f"{dict(counts)}\n")
    return int(any(name.startswith("!") for name in counts))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
