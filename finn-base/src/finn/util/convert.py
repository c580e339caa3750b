"""Files from one notation of quantizers to the other."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from finn.core.errors import ConfigError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.infer_shapes import InferShapes
from finn.transformation.qcdq_to_qonnx import QCDQToQuant
from finn.transformation.qonnx_to_qcdq import QuantToQCDQ

CONVERT_MODE_QCDQ = "qcdq"
"""QuantizeLinear, Clip, DequantizeLinear: see `QuantToQCDQ`."""

CONVERT_MODE_QUANT = "quant"
"""Quant: see `QCDQToQuant`."""

_MODES: dict[str, type[QuantToQCDQ] | type[QCDQToQuant]] = {
    CONVERT_MODE_QCDQ: QuantToQCDQ,
    CONVERT_MODE_QUANT: QCDQToQuant,
}


def convert(
    input_model_file: str | os.PathLike[str],
    *,
    output_style: str,
    output_file: str | os.PathLike[str] | None = None,
) -> Path:
    """Convert the quantizers of a model file to `output_style`, CONVERT_MODE_QCDQ or CONVERT_MODE_QUANT.

    output_file: `<input>_<output_style>.onnx` beside the input if not given. Returns the path of the file written.
    Quantizers that cannot be converted stay, with a warning that names them. ConfigError for other styles.
    """
    if output_style not in _MODES:
        raise ConfigError(f"there is no output_style '{output_style}'", remedy=nearest(output_style, list(_MODES)))
    source = Path(input_model_file)
    target = source.with_name(f"{source.stem}_{output_style}.onnx") if output_file is None else Path(output_file)
    step = _MODES[output_style]()
    model = ModelWrapper(source).transform(InferShapes(), make_deepcopy=False).transform(step, make_deepcopy=False)
    if step.declined:
        node, reason = next(iter(step.declined.items()))
        count = len(step.declined)
        warnings.warn(f"{count} quantizers stay as they are, first '{node}': {reason}", stacklevel=2)
    model.save(target)
    return target
