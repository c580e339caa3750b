"""Constants in fixed point."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import NodeProto

from finn.core.datatype import BaseDataType, DataType, FixedPointType
from finn.core.errors import ConfigError, ModelError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.custom_op.general.quant import resolve_rounding_mode
from finn.transformation.base import Transformation


def default_op_filter(op: NodeProto) -> bool:
    """Whether `op` adds or multiplies elementwise."""
    return op.op_type in ("Add", "Mul")


class FixedPointQuantizeParamsFromDict(Transformation):
    """Round constants to fixed point numbers, clip them to the range of the type, and annotate them.

    fixedpt_dict: {constant: type, such as "FIXED<8,3>"}. rounding_mode: a name that resolve_rounding_mode knows.
    `max_err` is afterwards {constant: largest change of one of its elements}, clipping included.

    ConfigError, when the transformation is made, for types that are not fixed point, and later for names that are no
    float constants; ModelError for NaN. The model then stays as it is.
    """

    def __init__(self, fixedpt_dict: Mapping[str, str | BaseDataType], rounding_mode: str = "ROUND") -> None:
        super().__init__()
        self.fixedpt_dict = {name: _fixed_point(kind, f"fixedpt_dict['{name}']") for name, kind in fixedpt_dict.items()}
        self.round_func = resolve_rounding_mode(rounding_mode)
        self.max_err: dict[str, float] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        with model.trusted_index():
            old = {name: _constant(model, name) for name in self.fixedpt_dict}
            for name, kind in self.fixedpt_dict.items():
                new = self._quantized(old[name], kind)
                with np.errstate(invalid="ignore"):  # infinities that are clipped
                    change = np.abs(new.astype(np.float64) - old[name])
                self.max_err[name] = float(change.max(initial=0.0))
                model.set_initializer(name, new)
                model.set_tensor_datatype(name, kind)
        return model, False

    def _quantized(self, array: np.ndarray, kind: FixedPointType) -> np.ndarray:
        """In the element type of `array`, which may lack the outermost values of the type: then the next one inside."""
        step = kind.scale_factor()
        exact = np.clip(self.round_func(array.astype(np.float64) / step) * step, kind.min(), kind.max())
        new = exact.astype(array.dtype)
        outside = np.abs(new.astype(np.float64)) > np.abs(exact)
        return np.asarray(np.where(outside & ~kind.allowed(new), np.nextafter(new, array.dtype.type(0)), new))


class FixedPointQuantizeParams(Transformation):
    """`FixedPointQuantizeParamsFromDict` with one type for all float constants of the chosen nodes.

    op_filter(node): whether its constants change. Nodes that share a constant with a chosen one get the changed value.
    """

    def __init__(
        self,
        fixedpt_dtype: str | BaseDataType,
        op_filter: Callable[[NodeProto], bool] = default_op_filter,
        rounding_mode: str = "ROUND",
    ) -> None:
        super().__init__()
        self.fixedpt_dtype = _fixed_point(fixedpt_dtype, "fixedpt_dtype")
        self.op_filter = op_filter
        self.rounding_mode = rounding_mode
        resolve_rounding_mode(rounding_mode)
        self.max_err: dict[str, float] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        chosen = [name for node in model.graph.node if self.op_filter(node) for name in node.input if name]
        with model.trusted_index():
            types = {name: self.fixedpt_dtype for name in chosen if _is_float_constant(model, name)}
        step = FixedPointQuantizeParamsFromDict(types, self.rounding_mode)
        step.apply(model)
        self.max_err = step.max_err
        return model, False


def _fixed_point(kind: str | BaseDataType, where: str) -> FixedPointType:
    remedy = 'give a type such as "FIXED<8,3>": 8 bits, 3 of them before the point'
    try:
        datatype = DataType[kind] if isinstance(kind, str) else kind
    except KeyError as error:
        raise ConfigError(f"{kind!r} is no data type", where=where, remedy=remedy) from error
    if not isinstance(datatype, FixedPointType):
        raise ConfigError(f"{datatype} is no fixed point type", where=where, remedy=remedy)
    return datatype


def _is_float_constant(model: ModelWrapper, name: str) -> bool:
    value = model.get_initializer(name)
    return value is not None and value.dtype.kind == "f"


def _constant(model: ModelWrapper, name: str) -> np.ndarray:
    value, where = model.get_initializer(name), f"fixedpt_dict['{name}']"
    if value is None:
        names = [tensor.name for tensor in model.graph.initializer]
        raise ConfigError(f"the model has no constant '{name}'", where=where, remedy=nearest(name, names))
    if value.dtype.kind != "f":
        raise ConfigError(f"'{name}' is {value.dtype}, no float", where=where, remedy="leave it out")
    if np.isnan(value).any():
        raise ModelError("it has values that are no numbers", where=f"constant '{name}'")
    return value
