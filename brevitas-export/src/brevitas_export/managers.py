# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The entry points of scripts of 2020 to 2023, `BrevitasONNXManager.export` and `FINNManager.export`.

Brevitas has neither of them any more. Only the import has to be changed; arguments are as they were, by position or as
``module``, ``input_shape``, ``export_path``, ``input_t``. Further arguments of that time, which were handed on to
``torch.onnx.export``, have no meaning here and are refused by Python.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brevitas_export.qonnx import export_finn, export_qonnx

if TYPE_CHECKING:
    import torch
    from onnx import ModelProto

__all__ = ["BrevitasONNXManager", "FINNManager"]


def _options(input_shape: Sequence[int] | None, input_t: torch.Tensor | None) -> Any:
    """The old managers exported float layers without a word."""
    return {"input_shape": input_shape, "args": input_t, "allow_float": True}


class BrevitasONNXManager:
    """Exports QONNX; new code calls :func:`brevitas_export.export_qonnx`."""

    @classmethod
    def export(
        cls,
        module: torch.nn.Module,
        input_shape: Sequence[int] | None = None,
        export_path: str | os.PathLike[str] | None = None,
        input_t: torch.Tensor | None = None,
    ) -> ModelProto:
        """Compare with PyTorch, write to `export_path` if given, and return it. Float layers are let in."""
        return export_qonnx(module, export_path, **_options(input_shape, input_t)).model


class FINNManager:
    """Exports FINN-ONNX; new code calls :func:`brevitas_export.export_finn`."""

    @classmethod
    def export(
        cls,
        module: torch.nn.Module,
        input_shape: Sequence[int] | None = None,
        export_path: str | os.PathLike[str] | None = None,
        input_t: torch.Tensor | None = None,
    ) -> ModelProto:
        """Compare with PyTorch, write to `export_path` if given, and return it. Float layers are let in."""
        return export_finn(module, export_path, **_options(input_shape, input_t)).model
