# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""One forward pass of a network under observation: which module calls which, what they return, how they quantize.

Needs PyTorch and Brevitas: import it inside functions only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import brevitas
import numpy as np
import torch
from brevitas.proxy.quant_proxy import QuantProxyFromInjector
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode

from brevitas_export.errors import ExportError

TORCH, *OTHERS = (
    os.path.dirname(str(library.__file__)) + os.sep for library in (torch, brevitas, sys.modules["brevitas_export"])
)
OF_PARAMETERS = ("weight_quant", "bias_quant")
READ_OUT = frozenset({"__bool__", "__int__", "__float__", "__index__", "item", "tolist", "numpy"})
"""Methods of Tensor whose result is a Python value, which the exporter takes for a constant."""


@dataclass
class Call:
    """One call of a module: its qualified name and the calls that it made. `proxy`: it is a quantizer of Brevitas."""

    name: str
    proxy: bool = False
    children: list[Call] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Quantized:
    """What a quantizer returned; everything is None for one that returned no tensor with a scale."""

    scale: NDArray[np.float64] | None = None
    zero_point: NDArray[np.float64] | None = None
    bits: float | None = None
    signed: bool | None = None
    values: NDArray[Any] | None = None

    @classmethod
    def of(cls, result: Any) -> Quantized:
        scale, bits = getattr(result, "scale", None), getattr(result, "bit_width", None)
        if scale is None or bits is None:
            return cls()
        zero, signed = getattr(result, "zero_point", None), getattr(result, "signed", None)
        values = _array(plain_tensors(result)[0])
        return cls(_number(scale), None if zero is None else _number(zero), float(bits), bool(signed), values)


@dataclass
class Observation:
    """modules : of the network, by qualified name. outputs : of each call of a module or quantizer, in order.

    quantized : by name of the quantizer. last : modules that return what the network returns.
    read_out : "file:line" where a value that depends on the input was read.
    """

    modules: dict[str, nn.Module]
    root: Call
    outputs: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    quantized: dict[str, Quantized] = field(default_factory=dict)
    result: list[NDArray[Any]] = field(default_factory=list)
    last: set[str] = field(default_factory=set)
    read_out: list[str] = field(default_factory=list)

    @property
    def parameters(self) -> set[str]:
        """Names of all parameters and buffers."""
        module = self.modules[""]
        return {*dict(module.named_parameters()), *dict(module.named_buffers())}

    @property
    def names(self) -> dict[str, str]:
        """The name of each module by every name that it has: some are registered in several places."""
        first = {id(module): name for name, module in self.modules.items()}
        every = self.modules[""].named_modules(remove_duplicate=False)
        return {name: first[id(module)] for name, module in every}

    @property
    def proxies(self) -> set[str]:
        return {name for name, module in self.modules.items() if isinstance(module, QuantProxyFromInjector)}


@contextmanager
def kept_as_is(module: nn.Module) -> Iterator[None]:
    """In evaluation mode inside; afterwards every attribute of every module is what it was before."""
    tables = ("_modules", "_parameters", "_buffers")
    saved = []
    for part in module.modules():
        if not isinstance(part, torch.jit.ScriptModule):
            saved.append((part, {key: dict(v) if key in tables else v for key, v in part.__dict__.items()}))
    flags = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        module.eval()
        with torch.no_grad():
            yield
    finally:
        for part, attributes in saved:
            part.__dict__.clear()
            part.__dict__.update(attributes)
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def observe(module: nn.Module, inputs: Sequence[NDArray[Any]], *, follow_values: bool = False) -> Observation:
    """Run `module`, which is in evaluation mode, once. ExportError if it does not run.

    follow_values : note also where a value that depends on the input steers Python code; takes longer.
    """
    modules = dict(module.named_modules())
    seen = Observation(modules, Call(""))
    tensors = [torch.from_numpy(np.array(x)) for x in inputs]
    watch = _watch(tensors, seen.read_out) if follow_values else None
    with ExitStack() as stack:
        objects = _hook_all(seen, stack)
        if watch is not None:
            stack.enter_context(watch)
        results = _run(module, tensors)
    seen.result = [_array(x) for x in results]
    seen.last = {name for name, value in objects if any(value is x for x in results)}
    return seen


def result_of(module: nn.Module, inputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """What `module`, which is in evaluation mode and returns one tensor, gives."""
    return _array(_run(module, [torch.from_numpy(np.array(x)) for x in inputs])[0])


def _run(module: nn.Module, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    try:
        return plain_tensors(module(*tensors))
    except Exception as error:
        shapes = ", ".join(str(tuple(x.shape)) for x in tensors)
        what = f"the network does not run on an input of shape {shapes}"
        remedy = "give input_shape or args as the network takes it"
        raise ExportError(what, why=f"{type(error).__name__}: {error}", remedy=remedy) from error


def quantizer_name(layer: str, proxy: str) -> str:
    """What the quantizer `proxy` is called in a layer that calls it and may share it with another one."""
    return proxy if proxy.startswith(f"{layer}.") else f"{layer}.{proxy.rpartition('.')[2]}"


def _hook_all(seen: Observation, stack: ExitStack) -> list[tuple[str, torch.Tensor]]:
    """Let every module report its calls to `seen`, until `stack` closes. Returns what they return, as it comes."""
    open_calls = [seen.root]
    objects: list[tuple[str, torch.Tensor]] = []
    proxies = seen.proxies

    def enter(name: str) -> None:
        call = Call(name, name in proxies)
        open_calls[-1].children.append(call)
        open_calls.append(call)

    def leave(name: str, result: Any) -> None:
        open_calls.pop()
        if name in proxies:
            if not seen.modules[name].is_quant_enabled:
                return
            seen.quantized[name] = Quantized.of(result)
            name = quantizer_name(open_calls[-1].name, name)  # several layers may share one
            seen.quantized[name] = Quantized.of(result)
            if name.endswith(OF_PARAMETERS):
                return
        for tensor in plain_tensors(result):
            seen.outputs.setdefault(name, []).append(_array(tensor))
            if name not in proxies:
                objects.append((name, tensor))

    for name, part in seen.modules.items():
        inside = any(name.startswith(f"{proxy}.") for proxy in proxies)
        if name and not inside and not isinstance(part, torch.jit.ScriptModule):
            stack.callback(part.register_forward_pre_hook(lambda *_, name=name: enter(name)).remove)
            stack.callback(part.register_forward_hook(lambda _m, _i, out, name=name: leave(name, out)).remove)
    return objects


def plain_tensors(result: Any) -> list[torch.Tensor]:
    """The tensors that a module returned, without what Brevitas knows of their quantization."""
    if isinstance(result, torch.Tensor):
        return [result]
    if hasattr(result, "scale") and hasattr(result, "value"):  # QuantTensor, which is a tuple, too
        return [result.value]
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, tuple | list) else ()
    return [tensor for part in parts for tensor in plain_tensors(part)]


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy().copy()  # later operations may work in place
    return array


def _number(value: Any) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value, np.float64)
    return array


def _watch(inputs: Sequence[torch.Tensor], found: list[str]) -> Any:
    """A context that follows what is computed from `inputs` and notes where Python reads a value of it."""
    alive = list(inputs)  # as long as they live, nothing else has their id
    known = {id(tensor) for tensor in inputs}

    def follow(_self: Any, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tainted = any(id(tensor) in known for tensor in _tensors((args, kwargs or {})))
        if tainted and getattr(function, "__name__", "") in READ_OUT:
            place = _user_frame()
            found.extend([place] if place and place not in found else [])
        result = function(*args, **(kwargs or {}))
        if tainted:
            made = _tensors(result)
            alive.extend(made)
            known.update(id(tensor) for tensor in made)
        return result

    # Made at run time, for the type checker may know no more than that PyTorch is missing.
    return type("Watch", (TorchFunctionMode,), {"__torch_function__": follow})()


def _tensors(x: Any) -> list[torch.Tensor]:
    if isinstance(x, torch.Tensor):
        return [x]
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, tuple | list) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _user_frame() -> str | None:
    """Where the network called PyTorch, "file.py:12"; None if Brevitas or an observer did."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(tuple(OTHERS)):
            return None
        if not name.startswith(TORCH):
            return f"{os.path.basename(name)}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return None
