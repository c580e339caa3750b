"""The copy of the model that streamlining works on: everything but the large weights of convolutions."""

from __future__ import annotations

from onnx import ModelProto, TensorProto, helper

from finn.core.modelwrapper import ModelWrapper

LARGE = 4096
"""Weights with fewer elements are copied."""

_WEIGHTS = {"BipolarQuant": 0, "Conv": 1, "ConvTranspose": 1, "IntQuant": 0, "Quant": 0}
"""The input on which an operator may read weights that are not copied."""


def workspace(model: ModelWrapper) -> tuple[ModelWrapper, dict[str, TensorProto]]:
    """(a copy of the model, the weights that the copy has as graph inputs in place of initializers).

    Every node of the copy has a name, that of its first output if it had none.
    """
    heavy = _heavy(model)
    source, copy = model.model, ModelProto()
    copy.ir_version = source.ir_version
    copy.opset_import.extend(source.opset_import)
    copy.functions.extend(source.functions)
    copy.metadata_props.extend(source.metadata_props)
    graph, given = copy.graph, source.graph
    graph.name = given.name
    for field in ("node", "input", "output", "value_info", "quantization_annotation", "sparse_initializer"):
        getattr(graph, field).extend(getattr(given, field))
    graph.initializer.extend(t for t in given.initializer if t.name not in heavy)
    declared = {i.name for i in given.input}
    for name, tensor in heavy.items():
        if name not in declared:
            graph.input.append(helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))
    for node in graph.node:
        node.name = node.name or next(filter(None, node.output), "")
    return ModelWrapper(copy), heavy


def _heavy(model: ModelWrapper) -> dict[str, TensorProto]:
    found = {t.name: t for t in model.graph.initializer if len(t.dims) > 2 and _size(t) >= LARGE}
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name in found and _WEIGHTS.get(node.op_type) != position:
                del found[name]
    return {name: t for name, t in found.items() if name not in {o.name for o in model.graph.output}}


def _size(tensor: TensorProto) -> int:
    size = 1
    for dim in tensor.dims:
        size *= dim
    return size
