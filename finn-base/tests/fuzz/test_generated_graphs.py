"""Every transformation on generated graphs: the results stay the same, or one of our errors says why not."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import finn.transformation
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.base import Transformation
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes
from finn.util.cleanup import cleanup_model

from .generated import graphs  # noqa: TID252 - test helpers are no installed package

NEW_INTERFACE = {
    "Change3DTo4DTensors": "adds an axis to inputs and outputs",
    "ExposeIntermediateTensorsLambda": "returns inner tensors as well",
    "InsertTopK": "returns the classes instead of the scores",
    "MakeInputChannelsLast": "takes the input in another layout",
}
"""Transformations that change what a model takes or gives, and how."""


def transformations() -> list[type[Transformation]]:
    """All of the package that need no arguments."""
    found: dict[str, type[Transformation]] = {}
    for module in pkgutil.walk_packages(finn.transformation.__path__, "finn.transformation."):
        for name, kind in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(kind) and issubclass(kind, Transformation) and not inspect.isabstract(kind):
                required = [
                    p for p in list(inspect.signature(kind.__init__).parameters.values())[1:]
                    if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)
                ]  # fmt: skip
                if not required:
                    found[name] = kind
    return [found[name] for name in sorted(found)]


def run(model: ModelWrapper, seed: int = 0) -> list[np.ndarray]:
    """The outputs, in float64, for integers at the inputs."""
    rng = np.random.default_rng(seed)
    names = [value.name for value in model.graph.input]
    inputs = {name: rng.integers(-4, 5, model.get_tensor_shape(name)).astype(np.float32) for name in names}
    return list(execute_onnx(model, inputs, precision="float64").values())


def check_annotations(model: ModelWrapper) -> None:
    """Shapes and data types that are written down are those of the values."""
    rng = np.random.default_rng(1)
    names = [value.name for value in model.graph.input]
    inputs = {name: rng.integers(-4, 5, model.get_tensor_shape(name)).astype(np.float32) for name in names}
    values = execute_onnx(model, inputs, return_full_exec_context=True, precision="float64")
    for name in model.get_all_tensor_names():
        shape = model.get_tensor_shape(name)
        assert shape is None or 0 in shape or shape == list(values[name].shape), name
        allowed = model.get_tensor_datatype(name).allowed(np.atleast_1d(values[name]))
        assert np.all(allowed), (name, model.get_tensor_datatype(name))


def unchanged(model: ModelWrapper, kind: type[Transformation]) -> None:
    expected = run(model)
    before = model.model.SerializeToString(deterministic=True)
    try:
        after = model.transform(kind())
    except FinnError:
        return
    finally:
        assert model.model.SerializeToString(deterministic=True) == before, "the original is left alone"
    if kind.__name__ not in NEW_INTERFACE:
        for x, y in zip(expected, run(after), strict=True):
            np.testing.assert_array_equal(x, y)
    check_annotations(after)


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
quick = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(model=graphs())
@pytest.mark.parametrize("kind", transformations(), ids=lambda kind: kind.__name__)
def test_transformation(kind: type[Transformation], model: ModelWrapper) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        unchanged(model.transform(InferShapes()).transform(InferDataTypes()), kind)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(model=graphs())
@pytest.mark.parametrize("kind", transformations(), ids=lambda kind: kind.__name__)
def test_transformation_at_length(kind: type[Transformation], model: ModelWrapper) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        unchanged(model.transform(InferShapes()).transform(InferDataTypes()), kind)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(model=graphs())
def test_execution_and_clean_up(model: ModelWrapper) -> None:
    """float32 in sessions equals float64 in NumPy on these exact values, before and after the clean-up."""
    expected = run(model)
    clean = cleanup_model(model)
    for x, y in zip(expected, run(clean), strict=True):
        np.testing.assert_array_equal(x, y)
    check_annotations(clean.transform(InferDataTypes()))
    names = [value.name for value in model.graph.input]
    rng = np.random.default_rng(0)
    inputs = {name: rng.integers(-4, 5, model.get_tensor_shape(name)).astype(np.float32) for name in names}
    for x, y in zip(expected, execute_onnx(model, inputs).values(), strict=True):
        assert y.dtype == np.float32
        if np.abs(x).max(initial=0) < 2**18:
            np.testing.assert_array_equal(x, y)


def test_the_list_is_found() -> None:
    names = {kind.__name__ for kind in transformations()}
    assert {"FoldConstants", "BatchNormToAffine", "Streamline", "LowerConvsToMatMul"} <= names
    assert set(NEW_INTERFACE) <= names
