"""Layers refuse what does not fit together, in these words; and schedules at their edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import helper

from finn.core.datatype import DataType
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import DataflowError, instances, layer_of, make_model, set_layer
from finn.dataflow.layer import Layer, LayerError
from finn.dataflow.layers.elementwise import Elementwise
from finn.dataflow.layers.fifo import StreamingFIFO
from finn.dataflow.layers.global_acc_pool import GlobalAccPool
from finn.dataflow.layers.label_select import LabelSelect
from finn.dataflow.layers.mvau import MVAU
from finn.dataflow.layers.thresholding import Thresholding
from finn.dataflow.layers.vvau import VVAU
from finn.dataflow.layers.width_converter import StreamingDataWidthConverter

INT2, INT4, UINT2, BIPOLAR = (DataType[name] for name in ("INT2", "INT4", "UINT2", "BIPOLAR"))
W = np.ones((8, 6), np.int64)
T = np.array([[0, 1, 2]])


def mvau(**changes: object) -> MVAU:
    values: dict[str, object] = {
        "shape": (1, 8), "input_dtype": INT4, "weights": W, "weight_dtype": INT2, "output_dtype": DataType["INT8"],
    }  # fmt: skip
    return MVAU(**(values | changes))  # type: ignore[arg-type]


ERRORS: dict[str, tuple[Callable[[], Layer], str]] = {
    "SIMD": (
        lambda: mvau(SIMD=3),
        "MVAU: SIMD=3 does not divide MW=8 (each cycle has to do the same number of MW elements). "
        "Remedy: use one of 1, 2, 4, 8",
    ),
    "PE of 0": (
        lambda: mvau(PE=0),
        "MVAU: PE=0 does not divide MH=6 (each cycle has to do the same number of MH elements). "
        "Remedy: use one of 1, 2, 3, 6",
    ),
    "PE of True": (
        lambda: mvau(PE=True),
        "MVAU: PE=True is no integer. Remedy: use one of 1, 2, 3, 6",
    ),
    "style": (
        lambda: mvau(ram_style="bram"),
        "MVAU: ram_style='bram' (it is not one of the choices). "
        "Remedy: use one of 'auto', 'block', 'distributed', 'ultra'",
    ),
    "style of constants": (
        lambda: mvau(ram_style="ultra"),
        "MVAU: ram_style='ultra' without runtime_writeable_weights=1 (UltraRAM has no initial contents). "
        "Remedy: use another ram_style, or runtime_writeable_weights=1 and write the weights first",
    ),
    "writable weights of others": (
        lambda: mvau(mem_mode="external", runtime_writeable_weights=1),
        "MVAU: runtime_writeable_weights=1 with mem_mode='external' (there is no memory that could be written). "
        "Remedy: use mem_mode='internal_decoupled'",
    ),
    "windows": (
        lambda: VVAU((1, 9), INT4, W, INT2, DataType["INT8"]),
        "VVAU: input (1, 9) and weights (8, 6) (the last axis of the input has one element for each weight)",
    ),
    "matrix": (
        lambda: mvau(shape=(1, 7)),
        "MVAU: input (1, 7) and weights (8, 6) (the last axis of the input is the first of the weights)",
    ),
    "weights": (lambda: mvau(weights=3 * W), "MVAU: weights outside INT2. Remedy: annotate their true type"),
    "bipolar weights": (
        lambda: mvau(weights=0 * W, weight_dtype=BIPOLAR),
        "MVAU: weights outside BIPOLAR. Remedy: annotate their true type",
    ),
    "accumulator": (
        lambda: mvau(output_dtype=INT4),
        "MVAU: output type INT4 is narrower than the accumulator INT7. Remedy: use the accumulator's type",
    ),
    "sums of too many bits": (
        lambda: mvau(input_dtype=DataType["INT32"], weights=W << 30, weight_dtype=DataType["INT32"], thresholds=T),
        "MVAU: sums of more than 62 bits. Remedy: use narrower inputs or weights",
    ),
    "sums of too many values": (
        lambda: GlobalAccPool((1, 64, 64, 2), DataType["INT60"], "sum"),
        "sums of 4096 values of INT60 (they have more than 62 bits). Remedy: use narrower values",
    ),
    "results of too many bits": (
        lambda: Elementwise((1, 4), (1, 4), "Sub", DataType["INT63"], DataType["INT63"]),
        "Sub: results of more than 62 bits. Remedy: use narrower operands",
    ),
    "too many thresholds": (
        lambda: Thresholding((1, 2), DataType["INT16"], np.arange(1024)[None], DataType["UINT11"]),
        "1024 thresholds per channel (the search has 10 stages at most, for 1023). Remedy: quantize to fewer bits",
    ),
    "rows of thresholds": (
        lambda: mvau(thresholds=np.repeat(T, 5, 0), output_dtype=UINT2),
        "MVAU: thresholds for 5 channels, the matrix has 6",
    ),
    "order of thresholds": (
        lambda: mvau(thresholds=T[:, ::-1], output_dtype=UINT2),
        "thresholds of shape (1, 3) (they have to be a matrix (channels, steps) that ascends along the steps). "
        "Remedy: sort them, or let streamlining make them",
    ),
    "output": (
        lambda: Thresholding((1, 6), INT4, T, INT2),
        "output type INT2 for results 0 to 3 (it cannot hold all of them). Remedy: use UINT2",
    ),
    "channels": (
        lambda: Thresholding((1, 6), INT4, np.repeat(T, 2, 0), UINT2),
        "Thresholding: thresholds for 2 channels, input has 6. "
        "Remedy: give one row for all channels or one row per channel",
    ),
    "K": (lambda: LabelSelect((1, 6), INT4, 7), "LabelSelect: K=7 of 6 labels. Remedy: use 1 to 6"),
    "K of 0": (lambda: LabelSelect((1, 6), INT4, 0), "LabelSelect: K=0 of 6 labels. Remedy: use 1 to 6"),
    "lanes": (
        lambda: StreamingDataWidthConverter((1, 6), INT4, 2, 4),
        "StreamingDataWidthConverter: 2 to 4 elements of 6 (a beat would hold parts of two vectors)",
    ),
    "depth": (
        lambda: StreamingFIFO((1, 6), INT4, 2, 1),
        "StreamingFIFO: depth=1. Remedy: use 2 or more, 3 for one beat per cycle",
    ),
    "depth as text": (
        lambda: StreamingFIFO((1, 6), INT4, 2, "8"),  # type: ignore[arg-type]
        "StreamingFIFO: depth='8'. Remedy: use 2 or more, 3 for one beat per cycle",
    ),
    "depths": (
        lambda: mvau(inFIFODepths=()),
        "MVAU: inFIFODepths=[] (it is not a list of one depth in beats per stream). Remedy: write for example [2]",
    ),
    "depths as text": (
        lambda: mvau().with_config(outFIFODepths=["2"]),
        "MVAU: outFIFODepths=['2'] (it is not a list of one depth in beats per stream). Remedy: write for example [2]",
    ),
    "attribute": (
        lambda: LabelSelect((1, 6), INT4).with_config(SIMD=2),
        "LabelSelect has no configurable attribute 'SIMD'. "
        "Remedy: use inFIFODepths, outFIFODepths, preferred_impl_style, PE",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused(name: str) -> None:
    make, message = ERRORS[name]
    with pytest.raises(LayerError) as error:
        _ = make().outputs
    assert str(error.value) == message


def test_unknown_layer() -> None:
    node = helper.make_node("Convolution", ["x"], ["y"], "conv", domain="finn.dataflow")
    with pytest.raises(DataflowError, match=r"node conv: finn\.dataflow has no layer Convolution"):
        layer_of(node, {})


def test_foreign_node() -> None:
    model = make_model([("MVAU_0", mvau())])
    model.graph.node[0].domain = ""
    with pytest.raises(DataflowError, match="node MVAU_0: MVAU is not a hardware layer"):
        instances(ModelWrapper(model.model))


def test_layer_without_node() -> None:
    with pytest.raises(DataflowError, match="there is no node MVAU_1"):
        set_layer(make_model([("MVAU_0", mvau())]), "MVAU_1", mvau())
