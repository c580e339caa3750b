# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""From a trained Brevitas network to an ONNX file that ``finn`` builds.

Importing this package loads neither PyTorch nor Brevitas; exporting does.
"""

from brevitas_export.errors import ExportError, Problem
from brevitas_export.managers import BrevitasONNXManager, FINNManager
from brevitas_export.preprocess import Normalise
from brevitas_export.qonnx import export_finn, export_qcdq, export_qonnx
from brevitas_export.validation import Layer, Validation, validate

__all__ = [
    "BrevitasONNXManager",
    "ExportError",
    "FINNManager",
    "Layer",
    "Normalise",
    "Problem",
    "Validation",
    "export_finn",
    "export_qcdq",
    "export_qonnx",
    "validate",
]
