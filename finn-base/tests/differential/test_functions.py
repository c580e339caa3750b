"""Functions and methods return the same in qonnx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import both  # noqa: TID252 - test helpers are no installed package
from .peer import Ours, Peer  # noqa: TID252
from .samples import SAMPLES  # noqa: TID252
from .test_transformations import prepared  # noqa: TID252

SETTINGS = settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
SMALL = ["affine", "average", "bipolar", "conv", "dense", "depthwise conv", "forks", "quantized", "TFC"]


def same(ours: Any, theirs: Any) -> None:
    """Equal, arrays bit for bit, numbers as numbers."""
    if isinstance(ours, np.ndarray) or isinstance(theirs, np.ndarray):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            same(ours[key], theirs[key])
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            same(mine, other)
    else:
        assert ours == theirs


def called(peer: Peer, name: str, arguments: list[Any], named: dict[str, Any] | None = None) -> None:
    same(Ours().call(name, arguments, named), peer.call(name, arguments, named))


DATATYPES = st.sampled_from(["BIPOLAR", "TERNARY", "INT2", "INT4", "INT8", "UINT1", "UINT3", "UINT8"])


@SETTINGS
@given(shape=st.tuples(st.integers(1, 5), st.integers(1, 4)), seed=st.integers(0, 999), name=DATATYPES)
def test_accumulator_ranges(shape: tuple[int, int], seed: int, name: str, peer: Peer) -> None:
    matrix = np.random.default_rng(seed).integers(-8, 8, shape).astype(np.float32)
    called(peer, "util.basic.calculate_matvec_accumulator_range", [matrix, {"datatype": name}])
    low, high = (np.full(shape[1], v, np.float32) for v in (-2, 3))
    called(peer, "util.range_analysis.calculate_matvec_accumulator_extremum", [matrix, low, high])


SIGNED = st.sampled_from(["BIPOLAR", "TERNARY", "INT2", "INT5", "INT8"]).map(lambda name: {"datatype": name})


@SETTINGS
@given(a=SIGNED, b=SIGNED, length=st.integers(1, 100))
def test_ranges_of_dot_products(a: dict[str, str], b: dict[str, str], length: int, peer: Peer) -> None:
    called(peer, "util.basic.calculate_signed_dot_prod_range", [a, b, length])


@SETTINGS
@given(
    x=st.integers(1, 500),
    factor=st.integers(1, 70),
    k=st.integers(1, 4),
    stride=st.integers(1, 4),
    pad=st.integers(0, 3),
)
def test_sizes(x: int, factor: int, k: int, stride: int, pad: int, peer: Peer) -> None:
    called(peer, "util.basic.roundup_to_integer_multiple", [x, factor])
    called(peer, "custom_op.general.im2col.compute_conv_output_dim", [x + 8, k, stride, 2 * pad, 1 + pad % 2])
    called(peer, "custom_op.general.maxpoolnhwc.compute_pool_output_dim", [x + 8, k, stride, 0, 0])
    for mode in ("VALID", "SAME_UPPER", "SAME_LOWER"):
        called(peer, "util.basic.auto_pad_to_explicit_padding", [mode, x + 8, factor + 8, k, k, 1, 1, 2])


@SETTINGS
@given(rows=st.integers(1, 4), parts=st.integers(1, 4), pads=st.tuples(*[st.sampled_from([-1, 2, 3, 5])] * 2),
       spread=st.booleans())  # fmt: skip
def test_arrangement(rows: int, parts: int, pads: tuple[int, int], spread: bool, peer: Peer) -> None:
    matrix = np.arange(rows * parts * 3, dtype=np.float32).reshape(-1, 3)
    called(peer, "util.basic.interleave_matrix_outer_dim_from_partitions", [matrix, parts])
    called(peer, "util.basic.pad_tensor_to_multiple_of", [matrix, list(pads), 7, spread])


@SETTINGS
@given(bits=st.integers(1, 16), signed=st.booleans(), narrow=st.booleans(), e=st.integers(2, 6), m=st.integers(0, 6))
def test_bounds(bits: int, signed: bool, narrow: bool, e: int, m: int, peer: Peer) -> None:
    for which in ("min_int", "max_int"):
        called(peer, f"custom_op.general.quant.{which}", [signed, narrow, bits])
    called(peer, "custom_op.general.floatquant.compute_default_exponent_bias", [e])
    called(peer, "custom_op.general.floatquant.compute_max_val", [e, m])


def test_opsets(peer: Peer) -> None:
    for name in ("get_preferred_onnx_opset", "get_preferred_qonnx_opset", "get_num_default_workers",
                 "get_execution_error_thresh", "get_sanitize_quant_tensors"):  # fmt: skip
        called(peer, f"util.basic.{name}", [])


@pytest.mark.parametrize("sample", SMALL)
@pytest.mark.parametrize("name", ["is_linear", "all_tensors_f32", "nodes_topologically_sorted"])
def test_topology(name: str, sample: str, peer: Peer) -> None:
    called(peer, f"analysis.topology.{name}", [{"model": prepared(sample)}])


@pytest.mark.parametrize("sample", SMALL)
def test_fanouts(sample: str, peer: Peer) -> None:
    arguments = "analysis.topology.get_per_tensor_fanouts", [{"model": prepared(sample)}]
    ours, theirs = Ours().call(*arguments), peer.call(*arguments)
    assert ours == {name: fanout for name, fanout in theirs.items() if name}


@pytest.mark.parametrize("sample", ["conv", "dense", "depthwise conv", "scores", "TFC", "CNV"])
@pytest.mark.parametrize("sparse", [True, False])
def test_inference_cost(sample: str, sparse: bool, peer: Peer) -> None:
    data = SAMPLES[sample]().SerializeToString()
    (ours, _), (theirs, _) = Ours().cleanup(data, {}), peer.cleanup(data, {})
    named = {"discount_sparsity": sparse, "cost_breakdown": True}
    same(
        Ours().call("util.inference_cost.inference_cost", [{"model": ours}], named),
        peer.call("util.inference_cost.inference_cost", [{"model": theirs}], named),
    )


@pytest.mark.parametrize("sample", ["affine", "conv", "scores", "quantized"])
def test_range_analysis(sample: str, peer: Peer) -> None:
    """What qonnx has a range for; it skips operators that ours knows."""
    arguments = [
        "util.range_analysis.range_analysis",
        [{"model": prepared(sample)}],
        {"irange": "0,7", "report_mode": "range"},
    ]
    ours, theirs = Ours().call(*arguments), peer.call(*arguments)
    assert theirs
    for name, bounds in theirs.items():
        np.testing.assert_allclose(ours[name], bounds, rtol=1e-6)


QUESTIONS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "get_tensor_shape": lambda tensor: tensor,
    "get_tensor_datatype": lambda tensor: tensor,
    "get_tensor_layout": lambda tensor: tensor,
    "get_tensor_sparsity": lambda tensor: tensor,
    "get_initializer": lambda tensor: tensor,
    "find_producer": lambda tensor: tensor,
    "find_consumers": lambda tensor: tensor,
    "find_consumer": lambda tensor: tensor,
    "get_tensor_fanout": lambda tensor: tensor,
    "find_direct_successors": lambda tensor: [{"node": 0}],
    "find_direct_predecessors": lambda tensor: [{"node": 1}],
    "is_fork_node": lambda tensor: [{"node": 0}],
    "is_join_node": lambda tensor: [{"node": -1}],
    "get_all_tensor_names": lambda tensor: [],
    "get_first_global_in": lambda tensor: [],
    "get_first_global_out": lambda tensor: [],
    "make_empty_exec_context": lambda tensor: [],
    "check_all_tensor_shapes_specified": lambda tensor: [],
    "get_metadata_prop": lambda tensor: ["key"],
    "get_nodes_by_op_type": lambda tensor: ["Add"],
    "get_finn_nodes": lambda tensor: [],
    "get_non_finn_nodes": lambda tensor: [],
    "get_node_index": lambda tensor: [{"node": 1}],
    "get_node_from_name": lambda tensor: ["Relu_0"],
}
"""Questions to a model: {method: its arguments, given a list with one tensor}."""


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("sample", ["affine", "dense", "forks"])
def test_questions_to_models(name: str, sample: str, peer: Peer) -> None:
    data = prepared(sample)
    for tensor in ("global_in", "global_out", "Relu_0_out0"):
        arguments = QUESTIONS[name]([tensor])
        (ours, _), (theirs, _) = Ours().method(data, name, arguments), peer.method(data, name, arguments)
        if name == "get_all_tensor_names":
            ours, theirs = sorted(ours), sorted(theirs)
        same(ours, theirs)


EDITS: dict[str, list[Any]] = {
    "set_tensor_shape": ["Relu_0_out0", [2, 3, 4, 4]],
    "set_tensor_layout": ["Relu_0_out0", ["N", "C", "H", "W"]],
    "set_tensor_sparsity": ["Relu_0_out0", {"dw": {"kernel_shape": [3, 3]}}],
    "set_tensor_datatype": ["Relu_0_out0", {"datatype": "INT4"}],
    "set_initializer": ["Relu_0_out0", np.ones((2, 3), np.float32)],
    "del_initializer": ["Add_0_param0"],
    "rename_tensor": ["Relu_0_out0", "renamed"],
    "set_metadata_prop": ["key", "value"],
    "cleanup": [],
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("sample", ["forks"])
def test_edits_of_models(name: str, sample: str, peer: Peer) -> None:
    data = prepared(sample)
    assert Ours().method(data, name, EDITS[name])[1] == peer.method(data, name, EDITS[name])[1]


@pytest.mark.parametrize("sample", ["affine", "dense", "quantized", "conv", "forks", "qcdq"])
def test_execution_of_every_tensor(sample: str, peer: Peer) -> None:
    data = prepared(sample)
    shape = both.load("finn", data).get_tensor_shape("global_in")
    x = {"global_in": np.random.default_rng(0).integers(-4, 5, shape).astype(np.float32)}
    ours, theirs = Ours().execute(data, x, True), peer.execute(data, x, True)
    assert ours.keys() == theirs.keys() - {""}
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-6, atol=1e-6, err_msg=name)
