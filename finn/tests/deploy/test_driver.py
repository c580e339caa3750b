# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The driver on simulated devices: the same answers on each, under every way to call it; time-outs, no hangs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from finn.builder import accelerator
from finn.builder.accelerator import load
from finn.core.datatype import DataType
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.dataflow.graph import make_model
from finn.dataflow.layer import Layer
from finn.dataflow.layers.duplicate_streams import DuplicateStreams
from finn.dataflow.layers.elementwise import Elementwise
from finn.deploy import Accelerator, DeployError, DeviceBusy, DeviceTimeout
from finn.deploy.simulated import PLATFORMS, platform
from finn.util.errors import PackingError

EXAMPLES = Path(__file__).resolve().parents[3] / "finn-examples" / "build"
TFC, RESNET = EXAMPLES / "tfc_w1a1_mnist", EXAMPLES / "resnet8_w4a4_digits"
ALL = pytest.mark.parametrize("name", list(PLATFORMS))


def digits() -> np.ndarray:
    return np.load(TFC / "input.npy").reshape(-1, 784)


def labels() -> np.ndarray:
    return np.load(TFC / "expected_output.npy").reshape(-1, 1)


def of_layer(layer: Layer, name: str) -> Accelerator:
    return Accelerator(platform(name)(make_model([("layer", layer)]), clk_ns=5.0))


@ALL
def test_answers_are_those_of_the_network(name: str) -> None:
    accel = load(TFC, name)
    found = accel.execute(digits())
    np.testing.assert_array_equal(found, labels())
    assert found.dtype == np.int64
    assert (accel.platform, accel.fclk_mhz, accel.num_inputs, accel.num_outputs) == (name, 100.0, 1, 1)
    np.testing.assert_array_equal(accel.execute(digits().reshape(-1, 1, 28, 28)), labels())  # as the network has them
    np.testing.assert_array_equal(accel.predict(digits().reshape(-1, 1, 28, 28)), labels())


def test_shapes_of_the_published_driver() -> None:
    accel = load(TFC, "python")
    assert (accel.idt(), accel.odt(0)) == (DataType["UINT8"], DataType["UINT4"])
    assert (accel.ishape_normal(), accel.oshape_normal()) == ((1, 784), (1, 1))
    accel.batch_size = 4
    assert (accel.ishape_folded(), accel.ishape_packed()) == ((4, 49, 16), (4, 49, 16))
    assert (accel.oshape_folded(), accel.oshape_packed()) == ((4, 1, 1), (4, 1, 1))
    assert accel.fold_input(digits()[:4]).shape == accel.ishape_folded()


@ALL
def test_the_single_actions_are_an_execution(name: str) -> None:
    accel, x = load(TFC, name), digits()[:5]
    accel.batch_size = 5
    accel.copy_input_data_to_device(accel.pack_input(accel.fold_input(x)))
    packed = np.zeros(accel.oshape_packed(), np.uint8)
    for asynch in (False, True):
        accel.execute_on_buffers(asynch=asynch)
        if asynch:
            accel.wait_until_finished()
        accel.copy_output_data_from_device(packed)
        np.testing.assert_array_equal(accel.unfold_output(accel.unpack_output(packed)), labels()[:5])


@pytest.mark.parametrize("batch_size", [1, 7, 20, 100])
def test_any_number_of_frames_in_any_batches(batch_size: int) -> None:
    accel = load(TFC, "rtlsim")
    accel.batch_size = batch_size
    for count in (1, 7, 20):
        np.testing.assert_array_equal(accel.execute(digits()[:count]), labels()[:count])
    assert accel.batch_size == batch_size


def test_a_part_of_the_buffers() -> None:
    accel = load(TFC, "cppsim")
    accel.batch_size = 6
    accel.copy_input_data_to_device(accel.pack_input(accel.fold_input(digits()[:4])))
    accel.obuf_packed_device[0][:] = 255
    accel.execute_on_buffers(batch_size=4)
    assert accel.obuf_packed_device[0].ravel().tolist() == [*labels()[:4, 0], 255, 255]


@pytest.mark.parametrize("directory", [TFC, RESNET], ids=lambda d: d.name)
def test_cycles_by_schedule_are_those_of_rtl(directory: Path) -> None:
    found = []
    for name in PLATFORMS:
        accel = load(directory, name)
        accel.execute(np.zeros((9, *accel.ishape_normal()[1:]), np.int64))
        found.append(accel.cycles)
    assert found[0]
    assert found == [found[0]] * len(PLATFORMS)


@ALL
def test_cycles_of_batches_are_added_up(name: str) -> None:
    accel = load(TFC, name)
    assert accel.cycles is None
    accel.execute(digits()[:4])
    four = accel.cycles
    accel.batch_size = 4
    accel.execute(digits()[:12])
    assert accel.cycles == 3 * four
    accel.execute_on_buffers()
    assert accel.cycles == four


def test_the_first_call_builds_and_prints_nothing(tmp_path: Path) -> None:
    command = f"from finn.builder.accelerator import load; load({str(RESNET)!r}, 'python')"
    environment = {**os.environ, "FINN_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_stays_on_the_host_is_in_predict() -> None:
    x = np.load(RESNET / "input.npy")
    model = ModelWrapper(str(RESNET / "model.onnx"))
    feed = model.get_first_global_in()
    expected = [execute_onnx(model, {feed: s[None].astype(np.float32)})[model.get_first_global_out()] for s in x]
    np.testing.assert_allclose(load(RESNET, "cppsim").predict(x), np.concatenate(expected), rtol=1e-5, atol=1e-5)


@ALL
def test_several_inputs_and_outputs(name: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-8, 8, (5, 3, 4)), rng.integers(0, 4, (5, 3, 4))
    add = of_layer(Elementwise((1, 3, 4), (1, 3, 4), "Add", DataType["INT4"], DataType["UINT2"], PE=2), name)
    assert (add.num_inputs, add.idt(0).name, add.idt(1).name) == (2, "INT4", "UINT2")
    np.testing.assert_array_equal(add.execute([a, b]), a + b)
    copies = of_layer(DuplicateStreams((1, 3, 4), DataType["INT4"], 3, PE=4), name).execute(a)
    assert isinstance(copies, list)
    assert len(copies) == 3
    for copy in copies:
        np.testing.assert_array_equal(copy, a)


def test_throughput_has_the_published_keys() -> None:
    accel = load(TFC, "rtlsim")
    accel.batch_size = 50
    found = accel.throughput_test()
    assert found["batch_size"] == 50
    assert found["fclk[mhz]"] == 100.0
    assert found["runtime[ms]"] == pytest.approx(accel.cycles / 1e5)
    assert found["throughput[images/s]"] == pytest.approx(50 / found["runtime[ms]"] * 1e3)
    assert found["DRAM_in_bandwidth[MB/s]"] == pytest.approx(50 * 784 / found["runtime[ms]"] / 1e3)
    assert found["DRAM_out_bandwidth[MB/s]"] == pytest.approx(50 / found["runtime[ms]"] / 1e3)
    host = ("fold_input", "pack_input", "copy_input_data_to_device", "copy_output_data_from_device", "unpack_output")
    assert all(found[f"{key}[ms]"] >= 0 for key in (*host, "unfold_output", "simulation"))


def test_time_out_instead_of_a_hang() -> None:
    accel, x = load(TFC, "rtlsim"), np.repeat(digits(), 50, axis=0)
    with pytest.raises(DeviceTimeout, match=r"on rtlsim has not finished after 0\.0001 s"):
        accel.execute(x, timeout=0.0001)
    with pytest.raises(DeviceBusy, match="is still executing"):
        accel.execute(x)
    assert len(accel.device.wait(60)[0]) == len(x)
    accel.timeout_s = 0.0001
    with pytest.raises(DeviceTimeout):
        accel.execute(x)
    accel.device.wait(60)
    np.testing.assert_array_equal(accel.execute(digits(), timeout=60), labels())


def test_a_program_ends_in_spite_of_an_unfinished_execution() -> None:
    code = (
        "import numpy as np, sys\n"
        "from finn.builder.accelerator import load\n"
        "from finn.deploy import DeviceTimeout\n"
        f"accel = load({str(TFC)!r}, 'rtlsim')\n"
        "try:\n"
        "    accel.execute(np.zeros((1024, 784), np.uint8), timeout=0.0001)\n"
        "except DeviceTimeout:\n"
        "    sys.exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 3


def test_nothing_to_wait_for() -> None:
    with pytest.raises(DeployError, match="nothing was started on python"):
        load(TFC, "python").wait_until_finished()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 783), np.uint8), r"an array of shape \(2, 783\) .*give an array \(N, 784\)"),
        (np.zeros((0, 784), np.uint8), r"shape \(0, 784\)"),
        (np.zeros(784, np.uint8), r"shape \(784,\)"),
        ([np.zeros((1, 784)), np.zeros((1, 784))], "2 inputs .*the accelerator has 1: "),
    ],
)
def test_arrays_that_do_not_fit(inputs: object, message: str) -> None:
    with pytest.raises(DeployError, match=message):
        load(TFC, "python").execute(inputs)


def test_values_that_are_no_pixels() -> None:
    for value in (256, -1, 0.5, np.nan):
        with pytest.raises(PackingError, match=f"{value} is no UINT8"):
            load(TFC, "rtlsim").execute(np.full((1, 784), value))


def test_different_numbers_of_frames() -> None:
    add = of_layer(Elementwise((1, 4), (1, 4), "Add", DataType["INT4"], DataType["INT4"]), "python")
    with pytest.raises(DeployError, match="different numbers of frames"):
        add.execute([np.zeros((2, 4)), np.zeros((3, 4))])


@pytest.mark.parametrize("value", [0, -3, 1.5])
def test_batch_sizes(value: float) -> None:
    with pytest.raises(DeployError, match=f"a batch_size of {value}"):
        load(TFC, "python").batch_size = value  # type: ignore[assignment]


def test_buffers_have_room_for_a_batch_only() -> None:
    accel = load(TFC, "python")
    accel.batch_size = 2
    with pytest.raises(DeployError, match=r"packed frames of shape \(3, 49, 16\) .*\(2, 49, 16\)"):
        accel.copy_input_data_to_device(np.zeros((3, 49, 16), np.uint8))
    with pytest.raises(DeployError, match=r"packed frames of shape \(2, 1, 2\)"):
        accel.copy_output_data_from_device(np.zeros((2, 1, 2), np.uint8))
    with pytest.raises(DeployError, match=r"3 frames .*the buffers hold 2"):
        accel.execute_on_buffers(batch_size=3)
    with pytest.raises(DeployError, match="knows no network around it"):
        of_layer(DuplicateStreams((1, 4), DataType["INT4"]), "python").predict(np.zeros((1, 4)))


def test_devices_that_are_not_there() -> None:
    with pytest.raises(DeployError, match=r"no device 'rtl_sim' .*did you mean 'rtlsim'"):
        load(TFC, "rtl_sim")
    with pytest.raises(DeployError, match="no driver for the board ULX3S-85F yet"):
        load(TFC, "ULX3S-85F")


def test_what_is_built_is_kept_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINN_CACHE_DIR", str(tmp_path / "cache"))
    mine = tmp_path / "mine"
    shutil.copytree(TFC, mine, ignore=shutil.ignore_patterns("output"))
    built: list[Path] = []
    from finn.builder import sized

    build = sized.write_sized
    monkeypatch.setattr(sized, "write_sized", lambda directory, place: (built.append(place), build(directory, place)))
    first = load(mine, "python")
    before = sorted(mine.iterdir())
    assert load(mine, "cppsim").ishape_folded() == first.ishape_folded() == (1, 49, 16)
    assert len(built) == 1
    assert sorted(mine.iterdir()) == before
    folding = json.loads((mine / "folding_config.json").read_text())
    folding["Thresholding_0"]["PE"] = 49
    folding["MVAU_0"]["SIMD"] = 49
    (mine / "folding_config.json").write_text(json.dumps(folding))
    assert load(mine, "python").ishape_folded() == (1, 16, 49)
    config = json.loads((mine / "dataflow_build_config.json").read_text())
    (mine / "dataflow_build_config.json").write_text(json.dumps(config | {"synth_clk_period_ns": 4.0}))
    assert load(mine, "python").fclk_mhz == 250.0
    assert len(set(built)) == 3
    monkeypatch.setattr(accelerator, "_compiler", lambda: b"another one")
    load(mine, "python")
    assert len(set(built)) == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", None, "model.onnx is missing"),
        ("dataflow_build_config.json", "{", "not a JSON file"),
        ("dataflow_build_config.json", "[]", "not a JSON object"),
        ("dataflow_build_config.json", '{"output_dir": "o", "fps": 1}', "fps"),
    ],
)
def test_directories_that_cannot_be_built(
    name: str, content: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINN_CACHE_DIR", str(tmp_path / "cache"))
    mine = tmp_path / "mine"
    shutil.copytree(TFC, mine, ignore=shutil.ignore_patterns("output"))
    if content is None:
        (mine / name).unlink()
    else:
        (mine / name).write_text(content)
    with pytest.raises(FinnError, match=message):
        load(mine, "python")
    assert not list((tmp_path / "cache").rglob("*.onnx"))
