"""The published home of Quant; `finn.custom_op.general.intquant` has it."""

from finn.custom_op.general.intquant import IntQuant, Quant, int_quant, max_int, min_int, resolve_rounding_mode

quant = int_quant

__all__ = ["IntQuant", "Quant", "int_quant", "max_int", "min_int", "quant", "resolve_rounding_mode"]
