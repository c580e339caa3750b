"""Files: whole or not at all, of any size, with external data, in a version that onnxruntime loads."""

import os
import threading
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto, TensorProto, helper

from finn.core import model_file
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx


@pytest.fixture
def model(build) -> ModelWrapper:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Add", ["x", "big"], ["s"]),
        helper.make_node("Mul", ["s", "small"], ["y"]),
    ]
    big = np.random.default_rng(0).standard_normal((64, 32)).astype(np.float32)
    model: ModelWrapper = build(nodes, {"x": [64, 32]}, ["y"], {"big": big, "small": np.float32(2)}, {"x": "INT8"})
    model.set_metadata_prop("key", "value")
    return model


def same(a: ModelWrapper, b: ModelWrapper) -> None:
    x = {"x": np.ones((64, 32), np.float32)}
    np.testing.assert_array_equal(execute_onnx(a, x)["y"], execute_onnx(b, x)["y"])
    assert b.get_metadata_prop("key") == "value"
    assert str(b.get_tensor_datatype("x")) == "INT8"


def test_large_models_have_a_data_file(model: ModelWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "PROTOBUF_LIMIT_BYTES", 5000)
    before = model.model.SerializeToString(deterministic=True)
    model.save(tmp_path / "net.onnx")
    assert model.model.SerializeToString(deterministic=True) == before, "saving must not empty the model"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.onnx", "net.onnx.data"]
    assert (tmp_path / "net.onnx").stat().st_size < 2000
    same(model, ModelWrapper(tmp_path / "net.onnx"))
    ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    proto = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    with pytest.raises(ModelError, match="tensor 'big': its data is in another file"):
        ModelWrapper(proto).get_initializer("big")
    (tmp_path / "net.onnx.data").unlink()
    with pytest.raises(ModelError, match="cannot read the external data"):
        ModelWrapper(tmp_path / "net.onnx")


@pytest.mark.slow
def test_more_than_two_gibibytes(tmp_path: Path, build) -> None:  # type: ignore[no-untyped-def]
    nodes = [helper.make_node("Gather", ["table", "i"], ["row"]), helper.make_node("Add", ["x", "row"], ["y"])]
    large = np.zeros((33, 2**24), np.float32)
    large[32, -1] = 7
    model = build(nodes, {"x": [1, 1]}, ["y"], {"table": large, "i": np.array([32])})
    del large
    model.save(tmp_path / "net.onnx")
    loaded = ModelWrapper(tmp_path / "net.onnx")
    assert execute_onnx(loaded, {"x": np.ones((1, 1), np.float32)})["y"][0, -1] == 8


def test_a_failed_save_leaves_the_old_file(model: ModelWrapper, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"precious")
    model.graph.node[0].input[0] = "x" * 10

    def broken(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_file.os, "replace", lambda *_: broken(None))
        with pytest.raises(ModelError, match="cannot write the model: No space left on device"):
            model.save(path)
    assert path.read_bytes() == b"precious"
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]
    with pytest.raises(ModelError, match="cannot write the model: No such file or directory"):
        model.save(tmp_path / "no" / "net.onnx")


@pytest.mark.parametrize(("given", "expected"), [(3, 4), (4, 4), (8, 8), (10, 10), (14, 10), (99, 10)])
def test_versions_become_loadable(model: ModelWrapper, given: int, expected: int, tmp_path: Path) -> None:
    proto = ModelProto()
    proto.CopyFrom(model.model)
    proto.ir_version = given
    wrapped = ModelWrapper(proto)
    assert wrapped.model.ir_version == expected
    wrapped.save(tmp_path / "net.onnx")
    ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])


def test_newer_element_types_keep_newer_versions(model: ModelWrapper) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("t", TensorProto.INT2, [1]))
    model.model.ir_version = 14
    assert ModelWrapper(model.model).model.ir_version == 13


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()])
def test_opsets_from_nine_to_the_newest(build, opset: int) -> None:  # type: ignore[no-untyped-def]
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Quant", ["r", "s", "z", "b"], ["y"], domain="qonnx.custom_op.general", signed=1, narrow=0),
    ]
    constants = {"s": np.float32(0.5), "z": np.float32(0), "b": np.float32(3)}
    model = build(nodes, {"x": [1, 3]}, ["y"], constants, opset=opset)
    x = np.array([[-1, 0.6, 9]], np.float32)
    assert execute_onnx(model, {"x": x})["y"].tolist() == [[0, 0.5, 1.5]]


def test_constants_that_claim_too_much_are_refused(model: ModelWrapper) -> None:
    model.graph.initializer[0].dims[0] = 2**40
    with pytest.raises(ModelError, match=r"tensor 'big': its data do not fill its shape \[1099511627776, 32\]"):
        ModelWrapper(model.model.SerializeToString())
    model.graph.initializer[0].dims[0] = -64
    with pytest.raises(ModelError, match="its data do not fill its shape"):
        ModelWrapper(model.model.SerializeToString())


def test_annotations_are_text_and_no_code(model: ModelWrapper, tmp_path: Path) -> None:
    attack = f"__import__('pathlib').Path({str(tmp_path / 'owned')!r}).touch()"
    for key, look in (
        ("tensor_layout", model.get_tensor_layout),
        ("tensor_sparsity", model.get_tensor_sparsity),
        ("finn_datatype", model.get_tensor_datatype),
    ):
        model.set_annotation("x", key, attack)
        with pytest.raises(ModelError, match="annotation"):
            look("x")
        model.set_annotation("x", key, None)
    assert not list(tmp_path.iterdir())


def test_links_and_devices_are_kept(model: ModelWrapper, tmp_path: Path) -> None:
    """`-o /dev/null` must not put a file in place of the device, not even for the superuser."""
    (tmp_path / "real.onnx").touch()
    link = tmp_path / "link.onnx"
    link.symlink_to("real.onnx")
    model.save(link)
    assert link.is_symlink()
    assert ModelWrapper(tmp_path / "real.onnx").model == model.model
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()), daemon=True)
    received: list[bytes] = []
    reader.start()
    model.save(tmp_path / "pipe")
    reader.join(10)
    assert (tmp_path / "pipe").is_fifo()
    assert ModelWrapper(received[0]).model == model.model
    with pytest.raises(ModelError, match="cannot write the model: Is a directory"):
        model.save(tmp_path)


@pytest.mark.parametrize("linear", [True, False])
def test_sparse_constants_become_dense(build, linear: bool) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Add", ["x", "sp"], ["y"])], {"x": [2, 3]}, ["y"])
    values = helper.make_tensor("sp", TensorProto.FLOAT, [2], [5.0, 7.0])
    indices = [1, 5] if linear else [0, 1, 1, 2]
    places = helper.make_tensor("", TensorProto.INT64, [2] if linear else [2, 2], indices)
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2, 3]))
    loaded = ModelWrapper(model.model.SerializeToString())
    assert loaded.get_initializer("sp").tolist() == [[0, 5, 0], [0, 0, 7]]  # type: ignore[union-attr]
    assert execute_onnx(loaded, {"x": np.ones((2, 3), np.float32)})["y"].tolist() == [[1, 6, 1], [1, 1, 8]]
    model.graph.sparse_initializer[0].indices.CopyFrom(helper.make_tensor("", TensorProto.INT64, [2], [1, 99]))
    with pytest.raises(ModelError, match="tensor 'sp': the sparse constant is damaged"):
        ModelWrapper(model.model.SerializeToString())
