"""Execution of model files on .npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from finn.core.errors import ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_shapes import InferShapes
from finn.util.exec_qonnx import OUTPUT_MODE_IND, OUTPUT_MODE_NAME, ExecProgress, exec_qonnx

from .helpers import f32, make, quant, run_ort  # noqa: TID252 - helpers are no package

SAMPLES = np.arange(18, dtype=np.float32).reshape(6, 3)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with net.onnx (relu, quantizer, add; batch size 1), x.npy of 6 samples, pixels.npy, labels.npy."""
    nodes = [
        helper.make_node("Relu", ["x"], ["net/relu"]),
        quant(x="net/relu", y="q"),
        helper.make_node("Add", ["q", "c"], ["y"]),
    ]
    constants = {"s": f32(0.5), "z": f32(0), "b": f32(6), "c": f32([[3, 0, 1]])}
    make(nodes, {"x": [1, 3]}, constants, opset=11).transform(InferShapes()).save(tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", SAMPLES)
    np.save(tmp_path / "pixels.npy", np.array([[0, 128, 255]] * 2, np.uint8))
    np.save(tmp_path / "labels.npy", np.array([0, 2, 0, 0, 0, 1]))
    return tmp_path


def wanted(x: np.ndarray) -> np.ndarray:
    return np.clip(np.round(np.maximum(x, 0) / f32(0.5)), -32, 31) * f32(0.5) + f32([3, 0, 1])


def run(files: Path, *names: str, **options: Any) -> Any:
    options.setdefault("output_prefix", f"{files}/out_")
    return exec_qonnx(files / "net.onnx", *(files / name for name in names), **options)


@pytest.mark.parametrize("batch", [None, 1, 2, 3, 6])
def test_batches(files: Path, batch: int | None) -> None:
    result = run(files, "x.npy", override_batchsize=batch)
    size = batch or 1
    assert len(result.outputs) == 6 // size
    assert [path.name for path in result.files] == [f"out_y_batch{i}.npy" for i in range(6 // size)]
    for i, (outputs, path) in enumerate(zip(result.outputs, result.files, strict=True)):
        part = wanted(SAMPLES[i * size : (i + 1) * size])
        np.testing.assert_array_equal(outputs["y"], part)
        np.testing.assert_array_equal(np.load(path), part)
    assert result.accuracy is None
    assert not [path for path in files.iterdir() if path.name.startswith(".")]


def test_symbolic_batch_takes_all_samples(tmp_path: Path) -> None:
    make([helper.make_node("Neg", ["x"], ["y"])], {"x": ["n", 3]}, {}).save(tmp_path / "n.onnx")
    np.save(tmp_path / "x.npy", SAMPLES)
    result = exec_qonnx(tmp_path / "n.onnx", tmp_path / "x.npy", output_nosave=True)
    assert [outputs["y"].tolist() for outputs in result.outputs] == [(-SAMPLES).tolist()]


def test_accuracy_and_progress(files: Path) -> None:
    seen: list[ExecProgress] = []
    result = run(files, "x.npy", override_batchsize=2, argmax_verify_npy=files / "labels.npy", progress=seen.append)
    correct = wanted(SAMPLES).argmax(axis=1) == np.load(files / "labels.npy")
    assert 0 < correct.sum() < 6
    assert result.accuracy == correct.mean()
    hits = [int(correct[: 2 * (i + 1)].sum()) for i in range(3)]
    assert seen == [ExecProgress(i + 1, 3, hits[i], 2 * (i + 1)) for i in range(3)]
    short = run(files, "x.npy", argmax_verify_npy=files / "labels.npy", maxiters=2, output_nosave=True)
    assert short.accuracy == correct[:2].mean()
    assert len(short.outputs) == 2
    assert short.files == []
    assert len(run(files, "x.npy", maxiters=100).outputs) == 6
    run(files, "x.npy", progress=seen.append)
    assert seen[-1] == ExecProgress(6, 6, None, None)


def test_no_files_mean_zeros(files: Path) -> None:
    result = run(files)
    assert [outputs["y"].tolist() for outputs in result.outputs] == [[[3, 0, 1]]]


@pytest.mark.parametrize("zerocenter", [False, True])
def test_pixels(files: Path, zerocenter: bool) -> None:
    result = run(files, "pixels.npy", input_pix2float=True, input_zerocenter=zerocenter, override_batchsize=2)
    x = np.load(files / "pixels.npy").astype(np.float32) / f32(255)
    np.testing.assert_array_equal(result.outputs[0]["y"], wanted(f32(2) * x - f32(1) if zerocenter else x))


def test_intermediate_tensors_and_the_modified_model(files: Path) -> None:
    saved = files / "modified.onnx"
    options: dict[str, Any] = {"override_batchsize": 2, "expose_intermediates": "relu,q", "save_modified_model": saved}
    result = run(files, "x.npy", **options)
    assert list(result.outputs[0]) == ["y", "net/relu", "q"]
    np.testing.assert_array_equal(result.outputs[1]["net/relu"], SAMPLES[2:4])
    assert [path.name for path in result.files[:3]] == [
        "out_y_batch0.npy", "out_net_relu_batch0.npy", "out_q_batch0.npy",
    ]  # fmt: skip
    model = ModelWrapper(saved)
    assert model.get_tensor_shape("x") == [2, 3]
    assert execute_onnx(model, {"x": SAMPLES[:2]})["q"].tolist() == result.outputs[0]["q"].tolist()
    numbered = run(files, "x.npy", **options, output_mode=OUTPUT_MODE_IND, maxiters=1)
    assert [path.name for path in numbered.files] == [f"out_{i}_batch0.npy" for i in range(3)]


def test_override_opset(tmp_path: Path) -> None:
    """Upwards nodes are adapted; downwards the number is what a runtime is told."""
    nodes = [helper.make_node("Squeeze", ["x"], ["y"], axes=[1])]
    model = make(nodes, {"x": [2, 1, 3]}, {}, opset=11, custom=False)
    model.save(tmp_path / "m.onnx")
    x = SAMPLES[:2, None]
    np.save(tmp_path / "x.npy", x)
    for version in (13, 17, 12):
        saved = tmp_path / f"{version}.onnx"
        options: dict[str, Any] = {"save_modified_model": saved, "output_nosave": True, "override_opset": version}
        result = exec_qonnx(tmp_path / "m.onnx", tmp_path / "x.npy", **options)
        np.testing.assert_array_equal(result.outputs[0]["y"], x[:, 0])
        modified = ModelWrapper(saved)
        assert modified.get_opset_imports() == {"": version}
        np.testing.assert_array_equal(run_ort(modified, {"x": x})[0], x[:, 0])
    result = exec_qonnx(tmp_path / "17.onnx", tmp_path / "x.npy", output_nosave=True, override_opset=13)
    np.testing.assert_array_equal(result.outputs[0]["y"], x[:, 0])


def test_two_inputs(tmp_path: Path) -> None:
    make([helper.make_node("Sub", ["a", "b"], ["y"])], {"a": [2, 3], "b": [2, 3]}, {}).save(tmp_path / "m.onnx")
    np.save(tmp_path / "a.npy", SAMPLES)
    np.save(tmp_path / "b.npy", SAMPLES[::-1])
    result = exec_qonnx(tmp_path / "m.onnx", tmp_path / "a.npy", tmp_path / "b.npy", output_nosave=True)
    np.testing.assert_array_equal(np.concatenate([o["y"] for o in result.outputs]), SAMPLES - SAMPLES[::-1])
    np.save(tmp_path / "b.npy", SAMPLES[:4])
    with pytest.raises(ConfigError, match=r"in_npy: the files have different numbers of samples: {'a': 6, 'b': 4}"):
        exec_qonnx(tmp_path / "m.onnx", tmp_path / "a.npy", tmp_path / "b.npy")
    with pytest.raises(
        ConfigError, match=r"in_npy: 1 files are given for 2 inputs. Remedy: give one for each of: a, b"
    ):
        exec_qonnx(tmp_path / "m.onnx", tmp_path / "a.npy")


WRONG: dict[str, dict[str, Any]] = {
    "there is no output_mode 'tensor'. Remedy: did you mean 'tensor_name'?": {"output_mode": "tensor"},
    "input_zerocenter does nothing alone. Remedy: give input_pix2float as well": {"input_zerocenter": True},
    "maxiters is 0. Remedy: give a positive number, or None for all batches": {"maxiters": 0},
    "in_npy: 6 samples are no multiple of the batch size 4": {"override_batchsize": 4},
    "expose_intermediates: no computed tensor has 'rleu' in its name": {"expose_intermediates": "q,rleu"},
    "output_prefix: there is no folder": {"output_prefix": "/nowhere/out_"},
    "bsize is 0": {"override_batchsize": 0},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_settings(files: Path, message: str) -> None:
    before = sorted(path.name for path in files.iterdir())
    with pytest.raises(ConfigError) as error:
        run(files, "x.npy", **WRONG[message])
    assert str(error.value).startswith(message)
    assert sorted(path.name for path in files.iterdir()) == before


def test_wrong_files(files: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing.npy: this is no .npy file"):
        run(files, "missing.npy")
    with pytest.raises(ConfigError, match=r"net.onnx: this is no .npy file"):
        run(files, "net.onnx")
    np.save(files / "wide.npy", np.zeros((2, 4), np.float32))
    with pytest.raises(ConfigError, match=r"wide.npy: its shape is \[2, 4\], but input 'x' has shape \[1, 3\]"):
        run(files, "wide.npy")
    np.save(files / "few.npy", np.zeros(2))
    with pytest.raises(ConfigError, match=r"few.npy: it has 2 labels for 6 samples"):
        run(files, "x.npy", argmax_verify_npy=files / "few.npy")
    for labels in (np.array(["a"] * 6), np.zeros((6, 3)), np.full(6, 0.5)):
        np.save(files / "texts.npy", labels)
        with pytest.raises(ConfigError, match=r"texts.npy: it has .*, which are no labels"):
            run(files, "x.npy", argmax_verify_npy=files / "texts.npy")
    np.save(files / "complex.npy", np.zeros((6, 3), np.complex64))
    with pytest.raises(ConfigError, match=r"complex.npy: it has elements of type complex64"):
        run(files, "complex.npy")
    (files / "out_y_batch0.npy").mkdir()
    with pytest.raises(ConfigError, match=r"out_y_batch0.npy: cannot write an output"):
        run(files, "x.npy")
    with pytest.raises(ModelError, match="cannot read the model"):
        exec_qonnx(files / "other.onnx")


def test_an_input_without_samples(tmp_path: Path) -> None:
    make([helper.make_node("Relu", ["x"], ["y"])], {"x": []}, {}).save(tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", np.float32(1))
    with pytest.raises(ConfigError, match="input 'x' has no axis that counts samples"):
        exec_qonnx(tmp_path / "net.onnx", tmp_path / "x.npy")


def test_names_that_would_be_the_same_file(tmp_path: Path) -> None:
    nodes = [helper.make_node("Neg", ["x"], ["a/b"]), helper.make_node("Abs", ["x"], ["a_b"])]
    make(nodes, {"x": [2, 3]}, {}, outputs=("a/b", "a_b")).save(tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match=r"two outputs would be written to files called 'a_b'.*tensor_index"):
        exec_qonnx(tmp_path / "m.onnx", output_mode=OUTPUT_MODE_NAME, output_prefix=f"{tmp_path}/")
    result = exec_qonnx(tmp_path / "m.onnx", output_mode=OUTPUT_MODE_IND, output_prefix=f"{tmp_path}/")
    assert [path.name for path in result.files] == ["0_batch0.npy", "1_batch0.npy"]


def test_integer_inputs(tmp_path: Path) -> None:
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    make([node], {"x": [2, 3]}, {}, kind=TensorProto.UINT8).save(tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", SAMPLES.astype(np.uint8))
    result = exec_qonnx(tmp_path / "m.onnx", tmp_path / "x.npy", output_nosave=True)
    np.testing.assert_array_equal(np.concatenate([o["y"] for o in result.outputs]), SAMPLES)


def test_a_published_network(shared: Path, tmp_path: Path) -> None:
    golden = np.load(shared / "golden" / "TFC_2W2A.npz")
    np.save(tmp_path / "x.npy", golden["0"][:8])
    np.save(tmp_path / "labels.npy", golden["90"][:8].argmax(axis=1))
    model = shared / "models" / "TFC_2W2A.onnx"
    result = exec_qonnx(
        model, tmp_path / "x.npy", argmax_verify_npy=tmp_path / "labels.npy", output_nosave=True, override_batchsize=4
    )
    assert result.accuracy == 1.0
    np.testing.assert_allclose(
        np.concatenate([o["90"] for o in result.outputs]), golden["90"][:8], rtol=1e-5, atol=1e-5
    )
