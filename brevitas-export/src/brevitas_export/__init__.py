# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""From a trained Brevitas network to an ONNX file that ``finn`` builds.

Importing this package loads neither PyTorch nor Brevitas; calling :func:`export_qonnx` does.
"""

from brevitas_export.qonnx import ExportError, export_qonnx

__all__ = ["ExportError", "export_qonnx"]
