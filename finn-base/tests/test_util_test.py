"""Published networks: names, inputs, downloads from a server on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from finn.core.datatype import DataType
from finn.core.errors import ConfigError, ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.util import test as zoo


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path, build, monkeypatch) -> Iterator[Path]:  # type: ignore[no-untyped-def]
    """A folder whose Mul.onnx is the published network "Mul"."""
    folder = tmp_path / "server"
    folder.mkdir()
    nodes = [helper.make_node("Mul", ["x", "s"], ["y"])]
    build(nodes, {"x": [2, 3]}, ["y"], {"s": np.float32(3)}).save(folder / "Mul.onnx")
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    for name in ("Mul", "Gone"):
        url = f"http://127.0.0.1:{http.server_address[1]}/{name}.onnx"
        details = {"description": "", "url": url, "shape": [2, 3], "range": [-1, 1]}
        monkeypatch.setitem(zoo.test_model_details, name, details)
    yield folder
    http.shutdown()
    http.server_close()
    thread.join()


def test_the_table() -> None:
    assert {"FINN-CNV_W1A1", "FINN-TFC_W2A2", "RadioML_VGG10", "MobileNetv1-w4a4"} <= zoo.test_model_details.keys()
    for details in zoo.test_model_details.values():
        assert details["url"].startswith("https://")
        assert details["url"].endswith(".onnx")
        assert details["range"][0] < details["range"][1]


@pytest.mark.parametrize(
    ("name", "first", "last", "other"),
    [
        ("FINN-TFC_W2A2", [0.37454012, 0.9507143, 0.7319939], 0.34569600224494934, 0.07630828768014908),
        ("RadioML_VGG10", [-0.25091976, 0.90142864, 0.4639879], 0.4156701862812042, -0.847383439540863),
        ("rn18_w4a4_a2q_16b", [-0.2952758, 1.8750777, 1.051194], 0.5916907787322998, -1.418666124343872),
    ],
)
def test_inputs_are_those_of_qonnx(name: str, first: list[float], last: float, other: float) -> None:
    """Recorded from qonnx 1.0.0, seeds 42 and 7."""
    values = zoo.get_random_input(name)
    assert values.shape == tuple(zoo.test_model_details[name]["shape"])
    np.testing.assert_array_equal(values.ravel()[:3], np.array(first, np.float32))
    assert float(values.ravel()[-1]) == last
    assert float(zoo.get_random_input(name, seed=7).ravel()[0]) == other


def test_inputs_of_any_model(build) -> None:  # type: ignore[no-untyped-def]
    model = build([helper.make_node("Neg", ["x"], ["y"])], {"x": [2, 50]}, ["y"], datatypes={"x": "INT3"})
    value, output = zoo.get_golden_in_and_output(model, seed=3)
    assert value.shape == (2, 50)
    assert DataType["INT3"].allowed(value).all()
    np.testing.assert_array_equal(output, -value)
    np.testing.assert_array_equal(value, zoo.get_random_input(model, seed=3))
    assert not np.array_equal(value, zoo.get_random_input(model))
    model.set_tensor_shape("x", [0, 50])
    with pytest.raises(ModelError, match="input 'x': its shape is not fixed"):
        zoo.get_random_input(model)


def test_downloads(server: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dl"
    folder.mkdir()
    path = zoo.download_model("Mul", dl_dir=folder)
    assert path == str(folder / "Mul.onnx")
    assert Path(path).read_bytes() == (server / "Mul.onnx").read_bytes()
    clean = zoo.download_model("Mul", dl_dir=str(folder), do_cleanup=True, return_modelwrapper=True)
    assert isinstance(clean, ModelWrapper)
    assert clean.get_first_global_in() == "global_in"
    assert sorted(item.name for item in folder.iterdir()) == ["Mul.onnx", "Mul_clean.onnx"]
    (server / "Mul.onnx").unlink()  # what is there is not fetched again
    assert zoo.download_model("Mul", dl_dir=folder) == path


def test_golden_outputs(server: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(zoo.download_model.__kwdefaults__, "dl_dir", tmp_path)
    value, output = zoo.get_golden_in_and_output("Mul", seed=5)
    np.testing.assert_array_equal(value, zoo.get_random_input("Mul", seed=5))
    np.testing.assert_array_equal(output, value * np.float32(3))


def test_downloads_that_fail(server: Path, tmp_path: Path) -> None:
    with pytest.raises(zoo.DownloadError, match=r"cannot fetch http://127\.0\.0\.1:[0-9]+/Gone\.onnx .*404") as caught:
        zoo.download_model("Gone", dl_dir=tmp_path)
    assert caught.value.remedy == "put the file there"
    with pytest.raises(zoo.DownloadError, match="No such file or directory"):
        zoo.download_model("Mul", dl_dir=tmp_path / "nowhere")
    assert [item.name for item in tmp_path.iterdir()] == ["server"]
    with pytest.raises(
        ConfigError, match=r"there is no published network 'FINN-TFC_W2A3'.*did you mean 'FINN-TFC_W2A2'"
    ):
        zoo.download_model("FINN-TFC_W2A3", dl_dir=tmp_path)


def test_command_line(server: Path, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("sys.argv", ["qonnx-download-model", "Mul", "--dl-dir", str(tmp_path), "--do-cleanup"])
    zoo.qonnx_download_model()
    assert capsys.readouterr().out == f"{tmp_path}/Mul_clean.onnx\n"
    monkeypatch.setattr("sys.argv", ["qonnx-download-model", "Gone", "--dl-dir", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"error: .*cannot fetch"):
        zoo.qonnx_download_model()
