"""The cost of one inference of a model, from a file or a wrapper, with totals in bits and operations."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from finn.analysis import inference_cost as analysis
from finn.core.datatype import DataType
from finn.core.model_file import replaced
from finn.core.modelwrapper import ModelWrapper
from finn.transformation.fold_constants import FoldConstants
from finn.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    GiveUniqueParameterTensors,
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
)
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes


def compute_bops_and_macs(inf_cost_dict: Mapping[str, Any]) -> tuple[float, float]:
    """(bit operations, multiply-accumulates): a multiply-accumulate of a and b bits takes a * b bit operations."""
    bops = macs = 0.0
    for key, count in inf_cost_dict.items():
        if key.startswith("op_mac_"):
            idt, wdt = key.removeprefix("op_mac_").split("_")
            bops += DataType[idt].bitwidth() * DataType[wdt].bitwidth() * count
            macs += count
    return bops, macs


def compute_bops(inf_cost_dict: Mapping[str, Any]) -> float:
    """The bit operations alone."""
    return compute_bops_and_macs(inf_cost_dict)[0]


def compute_mem_bits_and_elems(inf_cost_dict: Mapping[str, Any], filter_string: str = "mem_w") -> tuple[float, float]:
    """(bits, elements) under the keys `<filter_string>_<data type>`: "mem_w" for weights, "mem_o" for outputs."""
    bits = elems = 0.0
    for key, count in inf_cost_dict.items():
        if key.startswith(f"{filter_string}_"):
            bits += DataType[key.removeprefix(f"{filter_string}_")].bitwidth() * count
            elems += count
    return bits, elems


def compute_mem_bits(inf_cost_dict: Mapping[str, Any], filter_string: str = "mem_w") -> float:
    """The bits alone."""
    return compute_mem_bits_and_elems(inf_cost_dict, filter_string)[0]


def assign_mem_bits_and_elems(res_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add total_mem_w_bits, total_mem_w_elems, total_mem_o_bits and total_mem_o_elems to the cost; returns it."""
    for role in ("mem_w", "mem_o"):
        res_dict[f"total_{role}_bits"], res_dict[f"total_{role}_elems"] = compute_mem_bits_and_elems(res_dict, role)
    return res_dict


def inference_cost(
    model_filename_or_wrapper: str | os.PathLike[str] | ModelWrapper,
    *,
    output_json: str | os.PathLike[str] | None = None,
    output_onnx: str | os.PathLike[str] | None = None,
    preprocess: bool = True,
    discount_sparsity: bool = True,
    cost_breakdown: bool = False,
) -> dict[str, Any]:
    """`finn.analysis.inference_cost`, with total_bops, total_macs and the totals of memory in each cost.

    preprocess: infer shapes and data types (scaled integers included) and fold constants, quantized weights too, on a
    copy of the model; without it shapes and data types have to be there. output_json, output_onnx: files for the
    result and for the preprocessed model. "unsupported" is text here, such as "{'LSTM'}", for the sake of JSON.
    """
    given = model_filename_or_wrapper
    model = given if isinstance(given, ModelWrapper) else ModelWrapper(given)
    if preprocess:
        model = _preprocessed(model)
    if output_onnx is not None:
        model.save(output_onnx)
    result = analysis.inference_cost(model, discount_sparsity, cost_breakdown)
    for kind in ("optype_cost", "node_cost"):
        for cost in result.get(kind, {}).values():
            _assign_totals(cost)
    total = _assign_totals(result["total_cost"])
    names = ", ".join(map(repr, sorted(total["unsupported"])))
    total["unsupported"] = f"{{{names}}}" if names else "set()"
    if output_json is not None:
        with replaced(Path(output_json)) as file:
            file.write((json.dumps(result, indent=2, sort_keys=True) + "\n").encode())
    return result


def _assign_totals(cost: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    assign_mem_bits_and_elems(cost)
    cost["total_bops"], cost["total_macs"] = compute_bops_and_macs(cost)
    return cost


def _preprocessed(model: ModelWrapper) -> ModelWrapper:
    """A copy with shapes, data types, folded constants and unique names."""
    model = ModelWrapper(model.model, make_deepcopy=True)
    for step in (
        RemoveStaticGraphInputs(),
        InferShapes(),
        GiveUniqueParameterTensors(),
        InferDataTypes(allow_scaledint_dtypes=True),
        FoldConstants(exclude_op_types=None),
        RemoveUnusedTensors(),
        GiveUniqueNodeNames(),
        GiveReadableTensorNames(),
    ):
        model = model.transform(step, make_deepcopy=False)
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: print the cost of a model."""
    parser = argparse.ArgumentParser(description="Report what one inference of a model costs.")
    parser.add_argument("model", help="ONNX file")
    parser.add_argument("--output-json", help="file for the result")
    parser.add_argument("--output-onnx", help="file for the preprocessed model")
    parser.add_argument("--no-preprocess", dest="preprocess", action="store_false")
    parser.add_argument("--no-discount-sparsity", dest="discount_sparsity", action="store_false")
    parser.add_argument("--cost-breakdown", action="store_true", help="also by op type and by node")
    given = vars(parser.parse_args(arguments))
    sys.stdout.write(f"{json.dumps(inference_cost(given.pop('model'), **given), indent=2)}\n")
