# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What in a network cannot become integer hardware, found before anything is exported.

Needs PyTorch and Brevitas: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from brevitas.core.quant import BinaryQuant, ClampedBinaryQuant
from brevitas.nn.mixin.base import QuantRecurrentLayerMixin
from brevitas.proxy.float_parameter_quant import BiasFloatQuantProxyFromInjector, WeightFloatQuantProxyFromInjectorBase
from brevitas.proxy.float_runtime_quant import ActFloatQuantProxyFromInjectorBase
from brevitas.proxy.groupwise_float_parameter_quant import GroupwiseWeightFloatQuantProxyFromInjector
from brevitas.proxy.groupwise_float_runtime_quant import GroupwiseActFloatQuantProxyFromInjector
from brevitas.proxy.groupwise_int_parameter_quant import GroupwiseWeightQuantProxyFromInjector
from brevitas.proxy.groupwise_int_runtime_quant import GroupwiseActQuantProxyFromInjector
from brevitas.proxy.parameter_quant import BiasQuantProxyFromInjectorBase
from brevitas.proxy.runtime_quant import DynamicActQuantProxyFromInjector
from onnx import NodeProto
from torch import nn

from brevitas_export._observe import Observation, Quantized
from brevitas_export.errors import Problem
from finn.analysis.scaled_integers import TensorRange, scaled_integers
from finn.core.modelwrapper import ModelWrapper

MAX_BITS = 24
MAX_BIAS_BITS = 32
FLOAT_LAYERS = (
    nn.Linear,
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)
PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
INTEGERS = "use an integer quantizer, such as Int8WeightPerTensorFloat or Int8ActPerTensorFloat of brevitas.quant"
# (classes, what it is, why it is refused); the first that fits is told.
REFUSED = (
    (
        (
            GroupwiseWeightQuantProxyFromInjector,
            GroupwiseActQuantProxyFromInjector,
            GroupwiseWeightFloatQuantProxyFromInjector,
            GroupwiseActFloatQuantProxyFromInjector,
        ),
        "it has one scale per group of channels (MX)",
        "the sums of products of one output have several scales then",
    ),
    (
        (WeightFloatQuantProxyFromInjectorBase, ActFloatQuantProxyFromInjectorBase, BiasFloatQuantProxyFromInjector),
        "it quantizes to floating-point numbers of few bits",
        "no integers stand for them",
    ),
    (
        (DynamicActQuantProxyFromInjector,),
        "it finds its scale at run time",
        "integers have no fixed meaning then",
    ),
)


def wrong_devices(module: nn.Module) -> list[Problem]:
    """Parameters and buffers that are not on the CPU, where the export runs."""
    named = [*module.named_parameters(), *module.named_buffers()]
    away = [(name, str(tensor.device)) for name, tensor in named if tensor.device.type != "cpu"]
    if not away:
        return []
    name, device = away[0]
    remedy = "load the parameters first" if device == "meta" else "call module.cpu()"
    return [Problem(f"'{name}' is on device {device}", why="networks are exported on the CPU", remedy=remedy)]


def problems_of(seen: Observation, *, allow_float: bool) -> list[Problem]:
    """Everything that an observed network has in it and that cannot be exported, in the order of its modules."""
    found = list(_of_result(seen))
    found += [
        Problem(
            "Python code reads a value that depends on the input",
            where=place,
            why="an ONNX graph computes the same operations for every input",
            remedy="use torch.where in place of `if`, and no .item(), also not to print",
        )
        for place in seen.read_out
    ]
    for name, module in seen.modules.items():
        if name in seen.outputs:
            found += _of_layer(name, module, allow_float)
        if name in seen.quantized:
            found += _of_quantizer(name, module, seen.quantized[name])
    return found


def _of_result(seen: Observation) -> Iterator[Problem]:
    if len(seen.result) != 1:
        yield Problem(
            f"the network returns {len(seen.result)} tensors",
            why="an accelerator has one output",
            remedy="wrap it in a module that returns the one that is wanted",
        )


def _of_layer(name: str, module: nn.Module, allow_float: bool) -> Iterator[Problem]:
    kind = type(module).__name__.lstrip("_")
    if isinstance(module, QuantRecurrentLayerMixin):
        yield Problem(f"{kind} cannot be exported", name, "there is no recurrent layer in hardware", "unroll it")
        return
    quantizer: Any = getattr(module, "weight_quant", None)
    if allow_float or not isinstance(module, FLOAT_LAYERS) or (quantizer is not None and quantizer.is_quant_enabled):
        return
    if quantizer is None:
        yield Problem(
            f"{kind} has float weights",
            name,
            "it would be computed in floats, outside of the accelerator",
            f"use brevitas.nn.Quant{kind}, or pass allow_float=True",
        )
    else:
        yield Problem(
            f"the weights of {kind} are not quantized",
            name,
            "weight_quant is None or disabled",
            "give weight_quant or weight_bit_width, or pass allow_float=True",
        )


def _of_quantizer(name: str, module: Any, quantized: Quantized) -> Iterator[Problem]:
    for classes, what, why in REFUSED:
        if isinstance(module, classes):
            yield Problem(what, name, why, INTEGERS)
            return
    if quantized.scale is None or quantized.bits is None:
        return
    if not (np.isfinite(quantized.scale).all() and (quantized.scale > 0).all()):
        remedy = "train or calibrate the network; a scale of NaN comes from NaN in weights or activations"
        yield Problem(f"its scale is {_some(quantized.scale)}", name, "scales have to be finite and positive", remedy)
    yield from _of_width(name, module, quantized.bits, quantized.signed)


def _of_width(name: str, module: Any, bits: float, signed: bool | None) -> Iterator[Problem]:
    if not float(bits).is_integer() or bits < 1:
        what, remedy = f"its bit width is {bits:g}", "round it: bit_width_impl_type with an integer restriction"
        yield Problem(what, name, "integers have a whole number of bits", remedy)
        return
    limit = MAX_BIAS_BITS if isinstance(module, BiasQuantProxyFromInjectorBase) else MAX_BITS
    if bits > limit:
        why = "PyTorch computes in float32, which holds integers of 24 bits exactly"
        yield Problem(f"it has {bits:g} bits", name, why, f"use at most {limit} bits")
    if bits == 1 and not _is_binary(module):
        kind = "signed" if signed else "unsigned"
        yield Problem(
            f"it quantizes to {kind} integers of 1 bit, not to -1 and +1",
            name,
            "Brevitas exports every quantizer of 1 bit as bipolar",
            "use a binary quantizer, such as SignedBinaryActPerTensorConst of brevitas.quant, or 2 bits",
        )


def _is_binary(module: Any) -> bool:
    return any(isinstance(part, BinaryQuant | ClampedBinaryQuant) for part in module.modules())


def _some(scale: np.ndarray) -> str:
    wrong = scale[~(np.isfinite(scale) & (scale > 0))]
    return f"{wrong.ravel()[0]:g}" + (f" in {wrong.size} of {scale.size} channels" if scale.size > 1 else "")


def float_products(model: ModelWrapper) -> list[Problem]:
    """Layers of the exported graph that do not compute on scaled integers."""
    found = scaled_integers(model)
    return [
        Problem(
            f"its input '{_float_input(node, found.tensors)}' is not quantized",
            node.name,
            "it would be computed in floats, outside of the accelerator",
            "put a QuantIdentity in front of it; for the input of the network give input_datatype, if it is integers;"
            " or pass allow_float=True",
        )
        for node in model.graph.node
        if node.op_type in PRODUCTS and not node.domain and node.output[0] not in found.accumulators
    ]


def _float_input(node: NodeProto, tensors: Mapping[str, TensorRange]) -> str:
    """The input that is to blame for a product of floats."""
    blamed = [name for name in node.input[:2] if name not in tensors or tensors[name].scale is None]
    return (blamed or node.input)[0]


def not_in_qcdq(seen: Observation) -> list[Problem]:
    """Quantizers that QuantizeLinear and DequantizeLinear, with Clip between them, do not have."""
    found = []
    for name, quantized in seen.quantized.items():
        limit = MAX_BIAS_BITS if isinstance(seen.modules[name], BiasQuantProxyFromInjectorBase) else 8
        if quantized.bits is not None and (quantized.bits == 1 or quantized.bits > limit):
            why = f"QCDQ has integers of 2 to {limit} bits there"
            found.append(Problem(f"it has {quantized.bits:g} bits", name, why, "use export_qonnx or export_finn"))
    return found
