"""Verification: each sample is compared and saved; what differs fails the build at its end."""

from typing import Any

import numpy as np
import onnx
import pytest

from finn.builder.build_dataflow import build_dataflow_directory

SAMPLES = 3
STEPS = ["finn_onnx_python", "initial_python", "streamlined_python"]


@pytest.fixture
def verified(build_dir: Any) -> Any:
    """A build directory with samples that agree."""
    build_dir.write(verify_steps=STEPS, verification_atol=0.0, stop_step="step_streamline")
    build_dir.write_samples(SAMPLES)
    return build_dir


def saved(build_dir: Any) -> list[str]:
    return sorted(path.name for path in (build_dir.out / "verification_output").iterdir())


def test_samples_that_agree(verified: Any) -> None:
    assert build_dataflow_directory(str(verified.path)) == 0
    assert saved(verified) == [f"verify_{step}_{k}_SUCCESS.npy" for step in sorted(STEPS) for k in range(SAMPLES)]
    output = np.load(verified.out / "verification_output" / "verify_streamlined_python_1_SUCCESS.npy")
    expected = np.load(verified.path / "expected_output.npy")
    np.testing.assert_array_equal(output, expected[1:2])


def test_sample_that_differs(verified: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = verified.path / "expected_output.npy"
    expected = np.load(path)
    expected[1, 2] += 3
    np.save(path, expected)
    verified.write(verify_steps=["streamlined_python"])
    assert build_dataflow_directory(str(verified.path)) == -1
    shown = capsys.readouterr()
    assert shown.out == (
        "Note: verification of streamlined_python FAILED: 1 of 3 samples differ; "
        "first: sample 1; largest difference: 3\n"
    )
    assert shown.err.startswith("Error: verification failed: streamlined_python\n")
    assert [name.rsplit("_", 2)[1:] for name in saved(verified)] == [
        ["0", "SUCCESS.npy"],
        ["1", "FAIL.npy"],
        ["2", "SUCCESS.npy"],
    ]
    assert (verified.out / "intermediate_models" / "step_streamline.onnx").is_file()


def test_results_of_an_earlier_run_are_forgotten(verified: Any) -> None:
    path = verified.path / "expected_output.npy"
    expected = np.load(path)
    np.save(path, expected + 1)
    assert build_dataflow_directory(str(verified.path)) == -1
    np.save(path, expected)
    assert build_dataflow_directory(str(verified.path)) == 0
    assert not [name for name in saved(verified) if "FAIL" in name]


def test_tolerance(verified: Any) -> None:
    path = verified.path / "expected_output.npy"
    np.save(path, np.load(path) + 0.25)
    verified.write(verification_atol=0.5)
    assert build_dataflow_directory(str(verified.path)) == 0


def test_every_tensor_if_asked(verified: Any) -> None:
    verified.write(verify_save_full_context=True, verify_steps=["initial_python"])
    assert build_dataflow_directory(str(verified.path)) == 0
    with np.load(verified.out / "verification_output" / "verify_initial_python_0_SUCCESS.npz") as context:
        assert {"global_in", "global_out"} < set(context)


def test_samples_of_another_shape_with_as_many_elements(verified: Any) -> None:
    np.save(verified.path / "input.npy", np.load(verified.path / "input.npy").reshape(SAMPLES, 1, 2, 4))
    assert build_dataflow_directory(str(verified.path)) == 0


def test_verification_whose_step_does_not_run_is_named(verified: Any, capsys: pytest.CaptureFixture[str]) -> None:
    verified.write(stop_step="step_tidy_up")
    assert build_dataflow_directory(str(verified.path)) == 0
    text = "Note: streamlined_python was not verified: its step is not among the steps of this build\n"
    assert capsys.readouterr().out == text


def test_several_samples_at_once(verified: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The exporter of PyTorch keeps the batch size of the example: it has to be 1, whether it is verified or not."""
    path = verified.path / "model.onnx"
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(model, path)
    assert build_dataflow_directory(str(verified.path)) == -1
    assert capsys.readouterr().err == (
        "Error: the network takes 4 samples at once\n"
        "  where: input 'x'\n"
        "  why: hardware takes one after the other\n"
        "  remedy: export the network with batch size 1\n"
    )
    verified.write(verify_steps=[], stop_step=None)
    assert build_dataflow_directory(str(verified.path)) == -1
    shown = capsys.readouterr().err
    assert shown.startswith("Error: no part of the network became hardware\n")
    assert "  remedy: export the network with batch size 1\n" in shown
