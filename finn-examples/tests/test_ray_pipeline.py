# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Order, back-pressure, errors and time-outs of pipelines, with real accelerators where those matter."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

ray = pytest.importorskip("ray")

from finn.builder.accelerator import load  # noqa: E402
from finn.core.errors import ConfigError, UnsupportedError  # noqa: E402
from finn_examples import example, ray_pipeline  # noqa: E402
from finn_examples.ray_pipeline import (  # noqa: E402
    Executes,
    Pipeline,
    Stage,
    StageDied,
    StageError,
    StageTimeout,
    batches,
    chain,
    on_devices,
)
from finn_examples.splitting import split  # noqa: E402

TFC = example("tfc_w1a1_mnist")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def stage_of(function: Callable[[np.ndarray], np.ndarray], name: str = "f", replicas: int = 1) -> Stage:
    """A stage that is a function. Its class is local, so that Ray takes it along to its actors."""

    class Device:
        def execute(self, inputs: np.ndarray) -> np.ndarray:
            return function(inputs)

    return Stage(name, Device, replicas)


def slow_first(x: np.ndarray) -> np.ndarray:
    """The batch that begins with 0 takes longest."""
    time.sleep(0.3 if x[0] == 0 else 0.0)
    return x


def test_replicas_keep_the_order() -> None:
    x = np.arange(12)
    with Pipeline([stage_of(slow_first, replicas=3), stage_of(lambda x: x * 2)]) as pipeline:
        np.testing.assert_array_equal(pipeline.execute(x, batch_size=2), 2 * x)
        first, second = pipeline.report()
    assert (first.name, first.replicas, first.batches, first.frames) == ("f", 3, 6, 12)
    assert (second.replicas, second.batches, second.device_fps) == (1, 6, None)
    assert first.busy_s > 0.3


def test_stages_work_at_the_same_time() -> None:
    def delayed(x: np.ndarray) -> np.ndarray:
        time.sleep(0.1)
        return x + 1

    with Pipeline([stage_of(delayed), stage_of(delayed)]) as pipeline:
        pipeline.execute(np.zeros(2), 1)  # first calls are slow
        start = time.perf_counter()
        np.testing.assert_array_equal(pipeline.execute(np.zeros(10), 1), np.full(10, 2))
        seconds = time.perf_counter() - start
    assert seconds < 1.8  # one after the other is 2.0, overlapped 1.1


def test_only_so_many_batches_are_under_way() -> None:
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield np.full(1, taken)

    with Pipeline([stage_of(lambda x: x), stage_of(lambda x: x)], in_flight=3) as pipeline:
        stream = pipeline.stream(endless())
        assert [int(next(stream)[0]) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert taken == 5 + 3


@pytest.mark.parametrize("platform", ["python", "cppsim", "rtlsim"])
def test_a_network_on_several_devices_equals_the_accelerator(platform: str) -> None:
    x, _ = TFC.test_set()
    whole = load(TFC.directory, platform).execute(x[:120])
    parts = split(TFC.directory, after=["MVAU_1"])
    with Pipeline(chain(parts, platform, devices=2)) as pipeline:
        np.testing.assert_array_equal(pipeline.execute(x[:120], batch_size=25), whole)
        reports = pipeline.report()
    assert [r.name for r in reports] == ["tfc_w1a1_mnist_0", "tfc_w1a1_mnist_1"]
    assert all(r.device_fps is not None and 2e6 < r.device_fps < 3.125e6 for r in reports)  # 2 of 64 cycles at 100 MHz
    with Pipeline([on_devices(TFC.directory, 2, platform)]) as pipeline:
        np.testing.assert_array_equal(pipeline.execute(x[:120], batch_size=25), whole)


def test_two_streams_between_parts() -> None:
    residual = example("resnet8_w4a4_digits")
    x, _ = residual.test_set()
    with Pipeline(chain(split(residual.directory, after=["MVAU_1"]), "python")) as pipeline:
        np.testing.assert_array_equal(pipeline.execute(x[:8], 3), load(residual.directory, "python").execute(x[:8]))


def test_bad_input_names_the_stage_and_the_pipeline_goes_on() -> None:
    x, _ = TFC.test_set()
    stages = [stage_of(lambda x: x, "before"), on_devices(TFC.directory, 1, "python"), stage_of(lambda x: x, "behind")]
    with Pipeline(stages) as pipeline:
        with pytest.raises(StageError, match=r"^stage tfc_w1a1_mnist, .*an array of shape \(3, 28, 28\)") as error:
            list(pipeline.stream([x[0].repeat(3, 0)]))
        assert "Remedy: give an array (N, " in str(error.value)
        given = pipeline.stream([x[:2], x[:2, :, 1:], x[:2]])
        assert next(given).shape == (2, 1)
        with pytest.raises(StageError, match="stage tfc_w1a1_mnist"):
            next(given)
        assert pipeline.execute(x[:7], 3).shape == (7, 1)


def test_any_exception_names_the_stage() -> None:
    def fails(x: np.ndarray) -> np.ndarray:
        raise KeyError("lost")

    with Pipeline([stage_of(fails, "third")]) as pipeline, pytest.raises(StageError) as error:
        pipeline.execute(np.zeros(1))
    assert str(error.value) == "stage third: the accelerator failed (KeyError: 'lost')"


def test_a_stage_that_cannot_be_made_says_why() -> None:
    with pytest.raises(StageError, match=r"^stage net, .*model\.onnx is missing"):
        Pipeline([on_devices(Path("no/net"), 1)])

    def broken() -> Executes:
        raise OSError("no board")

    with pytest.raises(StageError) as error:
        Pipeline([stage_of(lambda x: x), Stage("board", broken)])
    assert str(error.value) == "stage board: the accelerator cannot be made (OSError: no board)"


def test_a_died_actor_closes_the_pipeline() -> None:
    def dies(x: np.ndarray) -> np.ndarray:
        import os

        os._exit(1)

    pipeline = Pipeline([stage_of(lambda x: x, "first"), stage_of(dies, "second"), stage_of(lambda x: x, "third")])
    with pytest.raises(StageDied, match=r"^stage second: its process has ended"):
        pipeline.execute(np.zeros(4), 1)
    with pytest.raises(StageError, match=r"^the pipeline is closed\. Remedy: make a new one$"):
        pipeline.execute(np.zeros(4), 1)


def test_a_stage_that_hangs_is_given_up() -> None:
    def hangs(x: np.ndarray) -> np.ndarray:
        time.sleep(600)
        return x

    with Pipeline([stage_of(lambda x: x), stage_of(hangs, "stuck")], timeout_s=0.5) as pipeline:
        start = time.perf_counter()
        with pytest.raises(StageTimeout, match=r"^stage stuck: no answer within 0\.5 s"):
            pipeline.execute(np.zeros(4), 1)
        assert time.perf_counter() - start < 10


def test_a_stage_without_a_place_is_given_up() -> None:
    nowhere = Stage("board", partial(load, TFC.directory), options={"resources": {"no such board": 1}})
    with pytest.raises(StageTimeout, match=r"^stage board: no answer within 0\.5 s .*no place for its actor"):
        Pipeline([nowhere], start_timeout_s=0.5)


def test_arguments() -> None:
    with pytest.raises(ConfigError, match="0 replicas"):
        stage_of(lambda x: x, replicas=0)
    with pytest.raises(ConfigError, match="without stages"):
        Pipeline([])
    with pytest.raises(ConfigError, match="in_flight = 0"):
        Pipeline([stage_of(lambda x: x)], in_flight=0)
    with pytest.raises(ConfigError, match="batches of 0"):
        list(batches(np.zeros(3), 0))


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'finn-examples\[ray\]'"):
        Pipeline([stage_of(lambda x: x)])


def test_command() -> None:
    command = [sys.executable, "-m", ray_pipeline.__name__, "--target-platform", "python", "--devices", "2"]
    done = subprocess.run([*command, "--after", "MVAU_1"], capture_output=True, text=True, check=True)
    for k in (0, 1):
        assert re.search(rf"│ tfc_w1a1_mnist_{k} +│ +2 │ +20 │ +1000 │", done.stdout), done.stdout
    assert re.search(r"^1000 frames in [\d.]+ s: [\d,]+ frames/s$", done.stdout, re.MULTILINE)


def test_command_with_an_unknown_example() -> None:
    command = [sys.executable, "-m", ray_pipeline.__name__, "--example", "tfc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: there is no example 'tfc'; there are: ")
