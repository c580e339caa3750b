"""Transformations leave the same graph as in qonnx, or one that computes the same, and cleanup gives the same names."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from .peer import Ours, Peer, PeerError  # noqa: TID252 - test helpers are no installed package
from .published import transformations  # noqa: TID252
from .samples import LARGE, SAMPLES  # noqa: TID252

SMALL = tuple(name for name in SAMPLES if name not in LARGE | {"CNV"})
INFER = "transformation.infer_datatypes.InferDataTypes"
NAMED = [
    "transformation.infer_shapes.InferShapes",
    INFER,
    "transformation.general.GiveUniqueNodeNames",
    "transformation.general.GiveReadableTensorNames",
]
"""What makes graphs comparable whose new tensors have names of their own."""

WHOLE = frozenset({"nodes", "shapes", "datatypes", "layouts", "sparsity", "constants"})
ORDER = "the order of nodes within a level follows where new nodes were put in; the same function is computed"
APART: dict[str, tuple[frozenset[str], str]] = {
    "batchnorm_to_affine.BatchNormToAffine": (frozenset({"constants"}), "ours are rounded once, from float64"),
    "bipolar_to_xnor.ConvertBipolarMatMulToXnorPopcount": (frozenset({"datatypes"}), "ours are narrower"),
    "change_batchsize.ChangeBatchSize": (frozenset({"shapes"}), "ours changes every output"),
    "composed.ComposedTransformation": (WHOLE, "qonnx removes identities even if no transformation fires"),
    "extract_quant_scale_zeropt.ExtractQuantScaleZeroPt": (WHOLE, ORDER),
    "gemm_to_matmul.GemmToMatMul": (WHOLE, "constants are transposed and scaled at once"),
    "lower_convs_to_matmul.LowerConvsToMatMul": (WHOLE, "qonnx writes batch 1; " + ORDER),
    "qonnx_to_qcdq.QuantToQCDQ": (WHOLE, "qonnx writes Constant nodes in place of initializers"),
    "resize_conv_to_deconv.ResizeConvolutionToDeconvolution": (WHOLE, "attributes that are the default are left out"),
    "subpixel_to_deconv.SubPixelToDeconvolution": (WHOLE, "another order of the same kernel and pads"),
    "infer_data_layouts.InferDataLayouts": (frozenset({"layouts"}), "ours guesses none for weights; 3-D data is NCW"),
    "change_3d_tensors_to_4d.Change3DTo4DTensors": (WHOLE, "qonnx declines for some operators"),
    "insert_topk.InsertTopK": (frozenset({"datatypes"}), "k is annotated with the type of the data in qonnx"),
    "insert.InsertIdentityOnAllTopLevelIO": (WHOLE, ORDER),
    "insert.InsertIdentity": (WHOLE, ORDER),
    "quantize_graph.QuantizeGraph": (WHOLE, ORDER),
    **{
        f"channels_last.{name}": (WHOLE, "qonnx stops at some forks, constants and shapes; the same is computed")
        for name in (
            "ConvertToChannelsLastAndClean", "InsertChannelsLastDomainsAndTrafos", "MoveChanLastUpstream",
            "MoveChanFirstDownstream", "AbsorbChanFirstIntoMatMul", "MoveOpPastFork", "MoveAddPastFork",
            "MoveMulPastFork", "MoveLinearPastFork", "MoveTransposePastFork",
            "RemoveConsecutiveChanFirstAndChanLastTrafos",
        )
    },
}  # fmt: skip
"""What of a graph is not compared, because both are right; execution is compared always."""

RENAMES = frozenset({"general.GiveUniqueNodeNames", "general.GiveReadableTensorNames"})
"""Compared as they are, without giving names again. (GiveUniqueTensorNames numbers in another order.)"""


def left_fields(name: str) -> frozenset[str]:
    return WHOLE - APART[name][0] if name in APART else WHOLE


@functools.cache
def prepared(sample: str) -> bytes:
    """A sample, cleaned up, with all data types."""
    data, _ = Ours().cleanup(SAMPLES[sample]().SerializeToString(), {})
    return bytes(Ours().transform(data, [INFER])[0])


def feed(data: bytes, batch: int | None = None) -> dict[str, np.ndarray]:
    """Small integers for every input; of 0 and 1 if it is annotated so."""
    model = onnx.load_model_from_string(data)
    rng = np.random.default_rng(1)
    constants = {t.name for t in model.graph.initializer}
    found = {}
    for value in model.graph.input:
        if value.name not in constants:
            shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
            shape[0] = batch or shape[0]
            found[value.name] = rng.integers(0, 8, shape).astype(np.float32)
    return found


def outputs(side: Any, data: bytes) -> list[np.ndarray]:
    return list(side.execute(data, feed(data)).values())


def same_graph(said: dict[str, Any], told: dict[str, Any], fields: frozenset[str]) -> None:
    for side in (said, told):
        for name, masks in side["sparsity"].items():  # qonnx leaves empty masks
            kept = {axis: channels for axis, channels in (masks or {}).items() if channels}
            side["sparsity"][name] = kept
    for field in sorted(fields):
        assert said[field] == told[field], field


def compared(name: str, sample: str, peer: Peer) -> None:
    data, dotted = prepared(sample), [f"transformation.{name}"]
    try:
        theirs, told = peer.transform(data, dotted)
    except PeerError:
        if (name, sample) not in THEY_FAIL:
            with pytest.raises(Exception):  # noqa: B017, PT011 - both refuse
                Ours().transform(data, dotted)
        return
    ours, said = Ours().transform(data, dotted)
    if name not in RENAMES:
        (ours, said), (theirs, told) = Ours().transform(ours, NAMED), peer.transform(theirs, NAMED)
    same_graph(said, told, left_fields(name))
    expected = outputs(Ours(), data if (name, sample) in THEY_ARE_WRONG else theirs)
    for mine, other in zip(outputs(Ours(), ours), expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


THEY_ARE_WRONG = frozenset(
    {
        ("gemm_to_matmul.GemmToMatMul", "dense"),
        ("general.MovePadAttributeToTensor", "pads"),
        ("subpixel_to_deconv.SubPixelToDeconvolution", "subpixels"),
    }
)
"""Documented: qonnx's result does not run or computes something else. Ours is compared with the model before."""

THEY_FAIL = frozenset(
    {
        ("lower_convs_to_matmul.LowerConvsToMatMul", "lines"),
        ("subpixel_to_deconv.SubPixelToDeconvolution", "upsampled"),
        ("rebalance_conv.RebalanceIm2Col", "wide im2col"),
        ("channels_last.MoveAddPastFork", "forks"),
        ("channels_last.MoveLinearPastFork", "forks"),
        *(
            ("pruning.PruneChannels", s)
            for s in ("biased conv", "classifier", "constant parts", "dense", "qcdq", "upsampled", "CNV")
        ),
    }
)
"""qonnx raises an error, ours does the work; its own tests compare it with execution."""

ONLY: dict[str, tuple[str, ...]] = {
    "fixedpt_quantize.FixedPointQuantizeParamsFromDict": ("affine", "constant parts", "doubles", "forks"),
    "change_3d_tensors_to_4d.Change3DTo4DTensors": ("conv",),
    "pruning.ApplyMasks": ("affine", "conv", "dense", "forks", "scores"),
    "pruning.PropagateMasks": ("affine", "average"),
    "pruning.PruneChannels": ("conv", "conv batch", "depthwise conv", "forks", "lines", "quantized", "subpixels"),
    "insert.InsertIdentity": ("biased conv", "classifier", "conv", "dense", "forks", "lines", "quantized", "TFC"),
}
"""Samples on which a transformation with arguments of its own can work. Elsewhere qonnx ignores wrong names, declines
(Change3DTo4DTensors), does not end (PropagateMasks on a convolution) or leaves shapes that contradict the weights
(PruneChannels)."""

USUAL = ("affine", "classifier", "dense", "forks")
ACTS: dict[str, tuple[str, ...]] = {
    "bipolar_to_xnor.ConvertBipolarMatMulToXnorPopcount": ("bipolar",),
    "change_datalayout.ChangeDataLayoutQuantAvgPool2d": ("average",),
    "channels_last.ConvertToChannelsLastAndClean": ("conv batch", "depthwise conv", "average", "lines"),
    "channels_last.InsertChannelsLastDomainsAndTrafos": ("conv batch", "lines"),
    "composed.ComposedTransformation": ("pads",),
    "double_to_single_float.DoubleToSingleFloat": ("doubles",),
    "extract_conv_bias.ExtractBiasFromConv": ("biased conv",),
    "extract_quant_scale_zeropt.ExtractQuantScaleZeroPt": ("quantized", "zero points"),
    "fold_constants.FoldConstants": ("constant parts", "qcdq"),
    "fold_constants.FoldConstantsFiltered": ("constant parts",),
    "general.MovePadAttributeToTensor": ("pads",),
    "general.RemoveStaticGraphInputs": ("static inputs",),
    "infer_data_layouts.InferDataLayouts": ("transposes", "average"),
    "infer_datatypes.InferDataTypes": ("quantized", "zero points", "qcdq", "average", "bipolar"),
    "infer_shapes.InferShapes": ("wide im2col", "average", "transposes"),
    "insert_topk.InsertTopK": ("scores",),
    "lower_convs_to_matmul.LowerConvsToMatMul": (
        "scaled conv",
        "conv",
        "conv batch",
        "biased conv",
        "depthwise conv",
        "upsampled",
    ),
    "make_input_chanlast.MakeInputChannelsLast": ("conv batch",),
    "qcdq_to_qonnx.QCDQToQuant": ("qcdq",),
    "qonnx_to_qcdq.QuantToQCDQ": ("quantized",),
    "quantize_graph.QuantizeGraph": ("conv batch", "transposes"),
    "rebalance_conv.RebalanceIm2Col": ("wide im2col",),
    "remove.RemoveIdentityOps": ("pads",),
    "resize_conv_to_deconv.ResizeConvolutionToDeconvolution": ("upsampled",),
    "subpixel_to_deconv.SubPixelToDeconvolution": ("subpixels",),
    **{f"channels_last.Move{what}PastFork": ("moved fork",) for what in ("Op", "Add", "Mul", "Linear", "Transpose")},
}
"""Samples that a transformation is made for, besides the usual ones."""

CASES = [(name, s) for name in transformations() for s in ONLY.get(name, USUAL + ACTS.get(name, ()))]


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_transformation(name: str, sample: str, peer: Peer) -> None:
    compared(name, sample, peer)


OTHERS = [(n, s) for n in transformations() if n not in ONLY for s in SAMPLES if (n, s) not in set(CASES)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sample"), OTHERS)
def test_transformation_of_other_samples(name: str, sample: str, peer: Peer) -> None:
    compared(name, sample, peer)


OPTIONS: list[dict[str, Any]] = [{}, {"preserve_qnt_ops": False}, {"extract_conv_bias": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("sample", [name for name in (*SMALL, "CNV") if name != "forks"])
def test_cleanup(sample: str, options: dict[str, Any], peer: Peer) -> None:
    """Cleanup is equal in everything: nodes, names, shapes, data types, constants bit for bit. (Documented: qonnx keeps
    the node of `forks` that nothing reads.)"""
    data = SAMPLES[sample]().SerializeToString()
    (ours, said), (theirs, told) = Ours().cleanup(data, options), peer.cleanup(data, options)
    same_graph(said, told, WHOLE)
    for mine, other in zip(outputs(Ours(), ours), outputs(peer, theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


PUBLISHED = ["TFC_1W1A", "TFC_2W2A", "kwsmlp_w3a3", "brevitas_tfc_w2a2i8_fashion", "brevitas_resblock_w4a4"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_network(name: str, shared: Path, peer: Peer) -> None:
    data = (shared / "models" / f"{name}.onnx").read_bytes()
    (ours, said), (theirs, told) = Ours().cleanup(data, {}), peer.cleanup(data, {})
    same_graph(said, told, WHOLE)
    x = feed(ours)
    for mine, other in zip(Ours().execute(ours, x).values(), peer.execute(theirs, x).values(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


def test_what_is_left_apart_exists() -> None:
    assert APART.keys() | ONLY.keys() | ACTS.keys() | {name for name, _ in THEY_FAIL} <= set(transformations())
