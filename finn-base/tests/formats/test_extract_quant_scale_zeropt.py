"""Scale and zero point beside the quantizer: the same results bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.extract_quant_scale_zeropt import ExtractQuantScaleZeroPt, extract_scale_and_zero_point
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.proof import prove
from finn.util.cleanup import cleanup_model

from .helpers import assert_linear, chain, f32, hard_values, make, parameters, quant  # noqa: TID252 - helpers are no package

MODES = ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]


def test_both_sides_of_the_rule_are_equal() -> None:
    assert prove(extract_scale_and_zero_point) > 0


@given(
    st.sampled_from([(), (1,), (4, 1), (1, 4, 1), (3, 1, 1)]), st.sampled_from([(), (4, 1), (5,)]),
    st.integers(1, 8), st.booleans(), st.booleans(), st.sampled_from(MODES), st.sampled_from(["Quant", "IntQuant"]),
    st.sampled_from(["both", "scale", "zeropt"]), st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_same_results(
    s_shape: tuple[int, ...], z_shape: tuple[int, ...], bits: int, signed: bool, narrow: bool, mode: str, op_type: str,
    which: str, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    scale = np.exp2(rng.integers(-4, 4, s_shape)) * rng.choice([1, 0.1, 3], s_shape) if which != "zeropt" else 1
    zeropt = rng.integers(-4, 5, z_shape) if which != "scale" else 0
    node = quant(int(signed), int(narrow), mode, op_type=op_type)
    model = make([node], {"x": [3, 4, 5]}, {"s": f32(scale), "z": f32(zeropt), "b": f32(bits)})
    after = model.transform(ExtractQuantScaleZeroPt())
    x = hard_values((3, 4, 5), np.broadcast_to(f32(scale), (3, 4, 5)), seed)
    x = np.where(np.isfinite(x), x, 7).astype(np.float32)
    np.testing.assert_array_equal(execute_onnx(after, {"x": x})["y"], execute_onnx(model, {"x": x})["y"])
    (found,) = parameters(after)
    assert found[:2] == ((1.0,), (0.0,))
    scaled, shifted = bool(np.any(f32(scale) != 1)), bool(np.any(f32(zeropt) != 0))
    wanted = ["Div"] * scaled + ["Add"] * shifted + [op_type] + ["Sub"] * shifted + ["Mul"] * scaled
    assert [n.op_type for n in after.graph.node] == wanted
    integers = next(n.output[0] for n in after.graph.node if n.op_type == op_type)
    inferred = after.transform(InferDataTypes())
    assert after.get_tensor_datatype(integers).is_integer() or not (scaled or shifted)
    assert inferred.get_tensor_datatype(integers).is_integer()
    again = after.transform(ExtractQuantScaleZeroPt())
    assert again.model == after.model


def test_computed_parameters_stay_computed() -> None:
    inputs: dict[str, Any] = {"x": [2, 3], "s": [3], "z": []}
    model = make([quant()], inputs, {"b": f32(4)})
    after = model.transform(ExtractQuantScaleZeroPt())
    feeds = {"x": hard_values((2, 3), f32(0.5), 0), "s": f32([0.5, 1, 0.3]), "z": f32(2)}
    feeds["x"] = np.where(np.isfinite(feeds["x"]), feeds["x"], 1).astype(np.float32)
    np.testing.assert_array_equal(execute_onnx(after, feeds)["y"], execute_onnx(model, feeds)["y"])
    assert parameters(after)[0][:2] == ((1.0,), (0.0,))


@pytest.mark.parametrize(("scale", "zeropt"), [(1, 0), ([1, 1, 1], [0, 0, 0]), (0, 0), ([1, 0, 2], 3)])
def test_nothing_to_extract(scale: Any, zeropt: Any) -> None:
    model = make([quant()], {"x": [2, 3]}, {"s": f32(scale), "z": f32(zeropt), "b": f32(4)})
    before = model.model.SerializeToString()
    model.transform(ExtractQuantScaleZeroPt(), make_deepcopy=False)
    assert model.model.SerializeToString() == before


def test_weights_and_real_network(shared: Path) -> None:
    model = cleanup_model(ModelWrapper(shared / "models" / "TFC_2W2A.onnx"))
    after = model.transform(ExtractQuantScaleZeroPt())
    assert {p[:2] for p in parameters(after)} == {((1.0,), (0.0,))}
    x = {"global_in": np.load(shared / "golden" / "TFC_2W2A.npz")["0"][:1].astype(np.float32)}
    np.testing.assert_array_equal(execute_onnx(after, x)["global_out"], execute_onnx(model, x)["global_out"])


def test_time_is_linear() -> None:
    assert_linear(lambda model: model.transform(ExtractQuantScaleZeroPt()))
    after = chain(5).transform(ExtractQuantScaleZeroPt())
    assert [node.op_type for node in after.graph.node] == ["Div", "Quant", "Mul", "Relu"] * 5


@pytest.mark.parametrize(("x", "scale"), [(TensorProto.FLOAT16, np.float16), (TensorProto.FLOAT, np.float64)])
def test_float_types_that_do_not_fit(x: int, scale: Any) -> None:
    """Quant computes float16 in float32, and float32 with a float64 scale in float32: Div and Mul would not."""
    model = make([quant()], {"x": [2, 3]}, {"s": scale(0.5), "z": f32(0), "b": f32(4)}, kind=x)
    before = model.model.SerializeToString()
    model.transform(ExtractQuantScaleZeroPt(), make_deepcopy=False)
    assert model.model.SerializeToString() == before
