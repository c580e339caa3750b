"""The format of an input, as the configuration has it: checked, and without unknown keys."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, ConfigDict, with_config
from pydantic_core import PydanticCustomError

from finn.core.datatype import DataType
from finn.transformation import streamline


def _integer_type(name: str) -> str:
    try:
        integer = DataType[name].is_integer()
    except KeyError as error:
        raise PydanticCustomError("datatype", "there is no such data type") from error
    if not integer:
        raise PydanticCustomError("datatype", "it is no integer type")
    return name


def _finite(numbers: Any) -> Any:
    if not np.size(numbers) or not np.isfinite(numbers).all():
        raise PydanticCustomError("numbers", "it should be a finite number, or one for each channel")
    return numbers


def _not_zero(numbers: Any) -> Any:
    if not np.all(numbers):
        raise PydanticCustomError("numbers", "it should not be 0")
    return numbers


@with_config(ConfigDict(extra="forbid", revalidate_instances="always"))
@dataclass(frozen=True)
class InputFormat(streamline.InputFormat):
    """What the integers k of an input mean: x == (k * scale - mean) / std, each number alone or one per channel."""

    datatype: Annotated[str, AfterValidator(_integer_type)] = "UINT8"
    scale: Annotated[float | tuple[float, ...], AfterValidator(_finite)] = 1.0
    mean: Annotated[float | tuple[float, ...], AfterValidator(_finite)] = 0.0
    std: Annotated[float | tuple[float, ...], AfterValidator(_finite), AfterValidator(_not_zero)] = 1.0
