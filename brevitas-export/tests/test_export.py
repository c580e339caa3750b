# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Bad arguments are told before PyTorch is loaded; with PyTorch, an export equals its network or is refused.

The second half needs `pip install 'brevitas-export[torch]'`; it runs with `make slow` where that is installed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from brevitas_export import ExportError, export_qonnx
from finn.core.onnx_exec import execute_onnx


def test_import_loads_no_torch() -> None:
    code = "import sys, brevitas_export; sys.exit('torch' in sys.modules or 'brevitas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (28, 28)}, r"input_shape is \(28, 28\) .*such as \(1, 1, 28, 28\)"),
        ({"input_shape": (1, 0)}, r"input_shape is \(1, 0\)"),
        ({"input_shape": (1, 4), "input_datatype": "FLOAT32"}, "input_datatype is FLOAT32 .*only integer types"),
        ({"input_shape": (1, 4), "input_datatype": "UINTX"}, "input_datatype is UINTX .*'UINTX' is no data type"),
        ({"input_shape": (1, 4), "samples": np.zeros((2, 5), np.float32)}, r"samples have shape \(2, 5\), .*\(N, 4\)"),
    ],
)
def test_arguments_are_checked_first(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export_qonnx(None, **arguments)  # type: ignore[arg-type]


def test_missing_brevitas_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxoptimizer", None)
    with pytest.raises(ExportError, match=r"Remedy: pip install 'brevitas-export\[torch\]'$"):
        export_qonnx(None, input_shape=(1, 4))  # type: ignore[arg-type]


def small_network() -> Any:
    nn = pytest.importorskip("torch").nn
    qnn = pytest.importorskip("brevitas.nn", exc_type=ImportError)
    return nn.Sequential(
        nn.Flatten(),
        qnn.QuantIdentity(bit_width=4),
        qnn.QuantLinear(12, 8, bias=False, weight_bit_width=3),
        nn.BatchNorm1d(8),
        qnn.QuantReLU(bit_width=2),
        qnn.QuantLinear(8, 5, bias=False, weight_bit_width=2),
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
class TestWithBrevitas:
    def test_scores(self, tmp_path: Path) -> None:
        network = small_network().train()
        model = export_qonnx(network, tmp_path / "net.onnx", input_shape=(1, 3, 4), input_datatype="INT4")
        assert network.training
        stored = onnx.load(tmp_path / "net.onnx")
        assert stored == model.model
        assert [value.name for value in stored.graph.input] == ["global_in"]
        assert {node.domain for node in stored.graph.node} == {"", "qonnx.custom_op.general"}
        assert model.get_tensor_datatype("global_in").name == "INT4"
        assert model.get_tensor_shape("global_out") == [1, 5]

    def test_top_k(self) -> None:
        network = small_network().eval()
        scores, best = (
            export_qonnx(network, input_shape=(1, 3, 4)),
            export_qonnx(network, input_shape=(1, 3, 4), top_k=3),
        )
        assert best.get_tensor_shape("global_out") == [1, 3]
        for x in np.random.default_rng(1).standard_normal((20, 1, 3, 4)).astype(np.float32):
            order = np.argsort(-execute_onnx(scores, {"global_in": x})["global_out"], kind="stable")[:, :3]
            np.testing.assert_array_equal(execute_onnx(best, {"global_in": x})["global_out"], order)

    @pytest.mark.parametrize("top_k", [0, 6])
    def test_top_k_out_of_range(self, top_k: int) -> None:
        with pytest.raises(ExportError, match="the network has 5 scores"):
            export_qonnx(small_network(), input_shape=(1, 3, 4), top_k=top_k)

    def test_a_difference_is_refused_and_nothing_written(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")

        class Counting(torch.nn.Module):  # type: ignore[misc,name-defined]
            """A network that ONNX cannot express: it gives something else each time."""

            calls = 0

            def forward(self, x: Any) -> Any:
                self.calls += 1
                return x + self.calls

        with pytest.raises(ExportError, match=r"differs from PyTorch by .* on sample 0"):
            export_qonnx(Counting(), tmp_path / "net.onnx", input_shape=(1, 4))
        assert list(tmp_path.iterdir()) == []
