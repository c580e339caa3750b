"""Hardware layers and graphs of them.

`custom_op` lets the graph engine of finn-base execute the layers: their ONNX domain is the name of this package.
"""

from __future__ import annotations

from finn.dataflow.execution import custom_op

__all__ = ["custom_op"]
