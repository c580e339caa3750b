"""Where finn-base and qonnx 1.0 differ on purpose: what each gives, what is right, and who says so.

`python -m differential.differences` in the folder finn-base/tests writes docs/qonnx-differences.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

DOCUMENT = Path(__file__).parents[3] / "docs" / "qonnx-differences.md"
GENERAL = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Difference:
    """what: one sentence. example: an expression over find(name), np, helper, DataType and `model`, evaluated in both
    packages. theirs: its value there, "raised" for any error. right: computes the right value without finn-base. why:
    who says that it is right. model: what `model` is."""

    what: str
    example: str
    theirs: Any
    right: Callable[[], Any]
    why: str
    model: Callable[[], ModelProto] | None = None


def net(
    nodes: list[Any],
    inputs: dict[str, list[int]],
    outputs: list[str],
    constants: dict[str, Any] | None = None,
    datatypes: dict[str, str] | None = None,
    opset: int = 13,
) -> ModelProto:
    """A small model; the shapes of outputs are left to inference."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )  # fmt: skip
    for name, datatype in (datatypes or {}).items():
        entry = graph.quantization_annotation.add(tensor_name=name)
        entry.quant_parameter_tensor_names.add(key="finn_datatype", value=datatype)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(GENERAL, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(op, inputs, outputs, name=op, **attributes)


def windows() -> ModelProto:
    """Im2Col of two samples."""
    made = node("Im2Col", ["x"], ["y"], domain=GENERAL, stride=[1, 1], kernel_size=[2, 1], input_shape="(2,2,2,1)")
    return net([made], {"x": [2, 2, 2, 1]}, ["y"], datatypes={"x": "INT8"})


def padded_conv(strides: list[int]) -> ModelProto:
    made = node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=strides, kernel_shape=[3, 3], group=1,
                dilations=[1, 1])  # fmt: skip
    return net([made], {"x": [1, 1, 5, 5]}, ["y"], {"w": np.ones((1, 1, 3, 3), np.float32)})


def one(op: str, datatype: str, **attributes: Any) -> ModelProto:
    return net([node(op, ["x"], ["y"], **attributes)], {"x": [2, 3]}, ["y"], datatypes={"x": datatype})


def folding() -> ModelProto:
    nodes = [node("Add", ["a", "a"], ["b"]), node("Mul", ["b", "a"], ["c"]), node("Add", ["x", "c"], ["y"])]
    return net(nodes, {"x": [1]}, ["y"], {"a": np.ones(1, np.float32)})


def sum_of_self() -> ModelProto:
    return net([node("Add", ["x", "x"], ["y"])], {"x": [2]}, ["y"])


def sum_of_two() -> ModelProto:
    return net([node("Add", ["x", "z"], ["y"])], {"x": [2, 3], "z": [2, 3]}, ["y"])


def clipped() -> ModelProto:
    bounds = {"low": np.float32(20.5), "high": np.float32(30)}
    return net([node("Clip", ["x", "low", "high"], ["y"])], {"x": [2, 3]}, ["y"], bounds, {"x": "UINT4"})


def with_metadata() -> ModelProto:
    model = sum_of_self()
    model.metadata_props.add(key="exec_mode", value="rtlsim")
    return model


def padded() -> ModelProto:
    return net([node("Pad", ["x", "p", "v"], ["y"])], {"x": [2, 3]}, ["y"],
               {"p": np.array([0, 0, 0, 1]), "v": np.float32(300)}, {"x": "UINT4"})  # fmt: skip


def shared_weight() -> ModelProto:
    nodes = [node("Add", ["x", "w"], ["a"]), node("Mul", ["a", "w"], ["y"])]
    model = net(nodes, {"x": [2]}, ["y"], {"w": np.ones(2, np.float32)})
    entry = model.graph.quantization_annotation.add(tensor_name="w")
    entry.quant_parameter_tensor_names.add(key="tensor_layout", value="['N']")
    return model


def code_in_annotation() -> ModelProto:
    model = sum_of_self()
    entry = model.graph.quantization_annotation.add(tensor_name="x")
    entry.quant_parameter_tensor_names.add(key="tensor_layout", value="__import__('math').sqrt(4).hex()")
    return model


def subpixels() -> ModelProto:
    w = np.arange(8 * 2 * 9, dtype=np.float32).reshape(8, 2, 3, 3)
    conv = node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1], dilations=[1, 1], group=1)
    nodes = [conv, node("DepthToSpace", ["a"], ["y"], blocksize=2, mode="DCR")]
    return net(nodes, {"x": [1, 2, 2, 2]}, ["y"], {"w": w})


def gemm() -> ModelProto:
    made = node("Gemm", ["x", "w", "b"], ["y"], alpha=2.0, beta=0.5)
    return net([made], {"x": [2, 3]}, ["y"], {"w": np.ones((3, 2), np.float32), "b": np.ones(2, np.float32)})


def old_pad() -> ModelProto:
    return net([node("Pad", ["x"], ["y"], pads=[0, 1, 0, 1])], {"x": [2, 3]}, ["y"], opset=9)


def dead_node() -> ModelProto:
    return net([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["z"])], {"x": [2]}, ["y"])


def batch_of_two() -> ModelProto:
    made = node("Conv", ["x", "w"], ["y"], domain="qonnx.custom_op.channels_last", kernel_shape=[1, 1], strides=[1, 1],
                pads=[0] * 4, dilations=[1, 1], group=1)  # fmt: skip
    model = net([made], {"x": [2, 3, 3, 1]}, ["y"], {"w": np.ones((1, 1, 1, 1), np.float32)})
    model.opset_import.add(domain="qonnx.custom_op.channels_last", version=1)
    return model


def reference(model: ModelProto, x: np.ndarray) -> np.ndarray:
    return np.asarray(ReferenceEvaluator(model).run(None, {"x": x})[0])


def signs() -> set[float]:
    """The results of Sign."""
    return set(reference(one("Sign", "INT8"), np.array([[-3, 0, 3]] * 2, np.float32)).ravel().tolist())


def windows_by_loops() -> list[Any]:
    x = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)
    return [[[x[n, i, w, 0] for i in range(2)] for w in range(2)] for n in range(2)]


RUN = "find('core.onnx_exec.execute_onnx')"
SHAPED = "model.transform(find('transformation.infer_shapes.InferShapes')())"
TYPED = f"{SHAPED}.transform(find('transformation.infer_datatypes.InferDataTypes')()).get_tensor_datatype('y')"
X25 = "np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)"

DIFFERENCES = (
    Difference(
        "The sign of zero is zero, so that Sign has three results",
        TYPED, "BIPOLAR", lambda: "TERNARY" if signs() == {-1, 0, 1} else "BIPOLAR",
        "ONNX's reference evaluator gives 0 for Sign(0), which BIPOLAR does not have.", lambda: one("Sign", "INT8"),
    ),
    Difference(
        "An exponent bias of 0 is a bias of 0, not the default",
        "[DataType['FLOAT<4,3,0>'].max(), DataType['FLOAT<4,3,0>'].name]", [480.0, "FLOAT<4,3,7>"],
        lambda: [(2 - 2**-3) * 2.0 ** (2**4 - 1 - 0), "FLOAT<4,3,0>"],
        "(2 - 2^-m) 2^(2^e - 1 - bias), by hand.",
    ),
    Difference(
        "A fixed point type of four bits has 16 values",
        "DataType['FIXED<4,2>'].get_num_possible_values()", 4, lambda: len({i / 4 for i in range(-8, 8)}),
        "Counted: -2, -1.75, ... 1.75.",
    ),
    Difference(
        "FLOAT16 has the numbers that half precision has",
        "DataType['FLOAT16'].allowed(1 / 3)", True, lambda: float(np.float16(1 / 3)) == 1 / 3,
        "NumPy's float16.",
    ),
    Difference(
        "Names of no data type are KeyErrors of one kind",
        "find('core.datatype.resolve_datatype')('INT0').name", "INT0", lambda: "raised",
        "Integers of no bits do not exist.",
    ),
    Difference(
        "Im2Col keeps the samples of a batch apart",
        f"{RUN}({SHAPED}, {{'x': np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)}})['y'].reshape(2, 2, 2).tolist()",
        "another", windows_by_loops, "Written out as loops over samples and positions.", windows,
    ),
    Difference(
        "auto_pad depends on the stride",
        "find('util.basic.auto_pad_to_explicit_padding')('SAME_UPPER', 5, 5, 3, 3, 2, 2, 2)", [3, 3, 3, 3],
        lambda: [1, 1, 1, 1],
        "ONNX, Conv: pad = (ceil(5 / 2) - 1) 2 + 3 - 5 = 2 in all; the next difference executes it.",
    ),
    Difference(
        "A convolution with auto_pad and stride 2 is lowered to the same function",
        f"{RUN}({SHAPED}.transform(find('transformation.lower_convs_to_matmul.LowerConvsToMatMul')()), "
        f"{{'x': {X25}}})['y'].tolist()", "another",
        lambda: reference(padded_conv([2, 2]), np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)).tolist(),
        "ONNX's reference evaluator on the convolution itself.", lambda: padded_conv([2, 2]),
    ),
    Difference(
        "FoldConstants folds all constants in one pass",
        f"len(find('transformation.fold_constants.FoldConstants')().apply({SHAPED})[0].graph.node)", 2, lambda: 1,
        "Two of three nodes depend on constants alone.", folding,
    ),
    Difference(
        "Renaming a tensor renames every use of it",
        "[model.rename_tensor('x', 'z'), list(model.graph.node[0].input)][1]", ["z", "x"], lambda: ["z", "z"],
        "x does not exist any more.", sum_of_self,
    ),
    Difference(
        "Padding with 300 does not fit UINT4",
        TYPED, "UINT4", lambda: f"UINT{max(15, 300).bit_length()}",
        "300 is among the values. Ours takes the narrowest type with all of them.", padded,
    ),
    Difference(
        "compare_execution compares shapes",
        "find('core.onnx_exec.compare_execution')(model, "
        "find('core.modelwrapper.ModelWrapper')(helper.make_model(helper.make_graph("
        "[helper.make_node('Identity', ['x'], ['y'])], 'g', [helper.make_tensor_value_info('x', 1, [2])], "
        "[helper.make_tensor_value_info('y', 1, [2])]), opset_imports=[helper.make_opsetid('', 13)], ir_version=8)), "
        "{'x': np.zeros(2, np.float32)})",
        True, lambda: False, "(1, 2) is not (2,).",
        lambda: net([node("Unsqueeze", ["x", "a"], ["y"])], {"x": [2]}, ["y"], {"a": np.array([0])}),
    ),
    Difference(
        "An input that the model does not have is an error",
        f"{RUN}({SHAPED}, {{'X': np.ones(2, np.float32)}})['y'].tolist()", [0.0, 0.0], lambda: "raised",
        "The value of x is not known; qonnx computes with zeros.", sum_of_self,
    ),
    Difference(
        "Masks are propagated without loss where that is asked for",
        "find('transformation.pruning.update_node_mask')(model.graph.node[0], [{1: {1}}, {}], [{}], lossy=False)",
        "raised", lambda: [[{1: [1]}, {}], [{}]],
        "A sum of two tensors of which one is masked loses something if the other is: nothing spreads.", sum_of_two,
    ),
    Difference(
        "Clipping to bounds that are not whole gives values that are not",
        TYPED, "UINT4", lambda: "FLOAT32" if np.clip(3, 20.5, 30) != int(np.clip(3, 20.5, 30)) else "UINT4",
        "NumPy: 3 becomes 20.5.", clipped,
    ),
    Difference(
        "Metadata of models saved by finn-base and qonnx 0.x is read",
        "model.get_metadata_prop('exec_mode')", None, lambda: "rtlsim",
        "They wrote it to the model; qonnx 1.0 looks at the graph alone.", with_metadata,
    ),
    Difference(
        "Bit widths are positive",
        "DataType['UINT-3'].name", "UINT-3", lambda: "raised", "Integers of -3 bits do not exist.",
    ),
    Difference(
        "Copies of a shared parameter keep its layout",
        f"(lambda m: m.get_tensor_layout(m.graph.node[1].input[1]))({SHAPED}.transform("
        "find('transformation.general.GiveUniqueParameterTensors')()))", None, lambda: ["N"],
        "The copy has the values of the original, in the same order.", shared_weight,
    ),
    Difference(
        "Annotations are read, not run",
        "model.get_tensor_layout('x')", (2.0).hex(), lambda: "raised",
        "A file of numbers must not run code when it is looked at.", code_in_annotation,
    ),
    Difference(
        "The batch size is inferred for channels-last operators",
        f"{SHAPED}.get_tensor_shape('y')", [1, 3, 3, 1], lambda: [2, 3, 3, 1],
        "The kernel is 1 x 1: the shape is that of the input.", batch_of_two,
    ),
    Difference(
        "DepthToSpace with mode DCR and its convolution become a transposed convolution",
        f"{RUN}({SHAPED}.transform(find('transformation.subpixel_to_deconv.SubPixelToDeconvolution')()), "
        "{'x': np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)})['y'].tolist()", "another",
        lambda: reference(subpixels(), np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)).tolist(),
        "ONNX's reference evaluator on the model before. qonnx orders channels as mode CRD has it.", subpixels,
    ),
    Difference(
        "GemmToMatMul leaves float32 constants",
        f"sorted({{t.data_type for t in {SHAPED}.transform(find('transformation.gemm_to_matmul.GemmToMatMul')())"
        ".graph.initializer})", [1, 11], lambda: [TensorProto.FLOAT],
        "onnxruntime refuses a Mul of float32 by float64: the model of qonnx does not run.", gemm,
    ),
    Difference(
        "Pad with its pads as inputs needs opset 11",
        f"{SHAPED}.transform(find('transformation.general.MovePadAttributeToTensor')()).get_opset_imports()['']", 9,
        lambda: 11, "ONNX, Pad: pads are inputs since version 11. The model of qonnx does not run.", old_pad,
    ),
    Difference(
        "Cleanup removes nodes that nothing reads",
        "len(find('util.cleanup.cleanup_model')(model).graph.node)", 2, lambda: 1,
        "The output of Neg is neither read nor an output of the graph.", dead_node,
    ),
)  # fmt: skip
"""Every documented difference."""


def document() -> str:
    """docs/qonnx-differences.md."""
    parts = [
        "# Differences from qonnx 1.0\n\n"
        "Written by `python -m differential.differences` in finn-base/tests, from the examples that the differential "
        "tests run in both packages: `make differential`. Everything else that both have gives equal results there.\n"
    ]
    for difference in DIFFERENCES:
        theirs = "another value" if difference.theirs == "another" else f"`{difference.theirs!r}`"
        parts.append(
            f"\n## {difference.what}\n\n```python\n{difference.example}\n```\n\n"
            f"qonnx: {said(theirs)}. finn-base: {said(f'`{difference.right()!r}`')}. {difference.why}\n"
        )
    return "".join(parts)


def said(value: str) -> str:
    return "an error" if value == "`'raised'`" else value


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
