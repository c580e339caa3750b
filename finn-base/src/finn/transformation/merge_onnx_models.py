"""One model out of two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from onnx import GraphProto, TensorProto, TypeProto, helper

from finn.core import tidy
from finn.core.datatype import DataType
from finn.core.errors import ModelError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import fresh_name, rename_in_graph
from finn.transformation._joining import agree_on_opsets, take_functions
from finn.transformation.base import Transformation
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes

_DATATYPE, _LAYOUT = "finn_datatype", "tensor_layout"


class MergeONNXModels(Transformation):
    """Put `pre_model` in front: its first output becomes the first input of the model (constants do not count).

    The inputs of the result are those of pre_model, then the other inputs of the model; its outputs are those of the
    model, then the other outputs of pre_model. Everything that both models have is kept: constants, annotations,
    functions, imports (the higher version of each domain), metadata (of the model, where both have a key). Tensors and
    nodes of the same name are told apart by numbers; inputs and outputs keep their names before others do. Then shapes
    and, in models without functions, data types are inferred.

    ModelError if the shapes, types or annotations of the two tensors do not fit: a type annotated on the input has to
    hold every value of the one annotated on the output. UnsupportedError if the higher version of a domain means
    something else for a node that `finn.transformation.raise_opset` cannot adapt. pre_model stays as it is.
    """

    def __init__(self, pre_model: ModelWrapper) -> None:
        self.pre_model = pre_model

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        merged = _merged(self.pre_model, model)
        inferences: list[Transformation] = [InferShapes()]
        if not len(merged.model.functions):  # whose results have no data type
            inferences.append(InferDataTypes())
        for inference in inferences:
            merged = merged.transform(inference, make_deepcopy=False, cleanup=False)
        model.model.CopyFrom(merged.model)
        model.model = model.model  # the wrapper looks at the graph again
        return model, False


def _merged(first: ModelWrapper, second: ModelWrapper) -> ModelWrapper:
    pre, post = (ModelWrapper(model.model, make_deepcopy=True) for model in (first, second))
    for model in (pre, post):
        tidy.remove_static_graph_inputs(model)
    source = _first_computed(pre, (value.name for value in pre.graph.output), "pre_model has no output")
    sink = _first_computed(post, (value.name for value in post.graph.input), "the model has no input")
    where = f"output '{source}' of pre_model and input '{sink}' of the model"
    joined = _joined_type(pre, source, post, sink, where)
    annotations = _joined_annotations(pre, source, post, sink, where)
    agree_on_opsets([pre, post])
    take_functions(post, pre)
    name = _tell_apart(pre, source, post, sink)
    _tell_nodes_apart(pre.graph, post.graph)
    for metadata in ("model", "graph"):
        known = {entry.key for entry in getattr(post, metadata).metadata_props}
        added = [entry for entry in getattr(pre, metadata).metadata_props if entry.key not in known]
        getattr(post, metadata).metadata_props.extend(added)
    _put_in_front(pre.graph, post.graph, name, joined)
    post.model.ir_version = max(pre.model.ir_version, post.model.ir_version)
    merged = ModelWrapper(post.model)
    merged.set_annotation(name, _DATATYPE, None)
    for key, text in annotations.items():
        merged.set_annotation(name, key, text)
    return merged


def _first_computed(model: ModelWrapper, names: Iterable[str], otherwise: str) -> str:
    for name in names:
        if not model.has_initializer(name):
            return name
    raise ModelError(f"cannot merge: {otherwise}")


# ---------------------------------------------------------------------------------------------------- the common tensor


def _joined_type(pre: ModelWrapper, source: str, post: ModelWrapper, sink: str, where: str) -> TypeProto:
    """The type of the tensor that takes the place of both, with every dimension that one of them knows."""
    a, b = (model.get_tensor_valueinfo(name) for model, name in ((pre, source), (post, sink)))
    a_type = a.type if a is not None else TypeProto()
    b_type = b.type if b is not None else TypeProto()
    kinds = [kind for t in (a_type, b_type) if (kind := t.tensor_type.elem_type)]
    if len(set(kinds)) > 1:
        names = " and ".join(TensorProto.DataType.Name(kind) for kind in kinds)
        raise ModelError(f"the element types differ: {names}", where=where, remedy="insert a Cast")
    shapes = [model.get_tensor_shape(name) for model, name in ((pre, source), (post, sink))]
    known = [shape for shape in shapes if shape is not None]
    if len(known) == 2 and not _fit(*known):
        raise ModelError(f"the shapes differ: {known[0]} and {known[1]}", where=where)
    result = TypeProto()
    result.CopyFrom(a_type if shapes[0] is not None or shapes[1] is None else b_type)
    if len(known) == 2:
        for dim, other in zip(result.tensor_type.shape.dim, b_type.tensor_type.shape.dim, strict=True):
            if not dim.dim_value and other.dim_value:
                dim.dim_value = other.dim_value
    if kinds and not result.tensor_type.elem_type:
        result.tensor_type.elem_type = kinds[0]
    return result


def _fit(a: list[int], b: list[int]) -> bool:
    return len(a) == len(b) and all(0 in (m, n) or m == n for m, n in zip(a, b, strict=True))


def _joined_annotations(pre: ModelWrapper, source: str, post: ModelWrapper, sink: str, where: str) -> dict[str, str]:
    """Every annotation of the two tensors; of two data types the narrower one."""
    a, b = _annotations(pre, source), _annotations(post, sink)
    for key in a.keys() & b.keys():
        narrower = key == _DATATYPE and _holds(b[key], a[key])
        if a[key] != b[key] and not narrower:
            raise ModelError(
                f"the annotations '{key}' differ: {a[key]} and {b[key]}",
                where=where,
                remedy="correct one of them, or remove it with set_annotation(name, key, None)",
            )
    return b | a


def _annotations(model: ModelWrapper, name: str) -> dict[str, str]:
    """What is annotated, without what means nothing."""
    entries = [e for e in model.graph.quantization_annotation if e.tensor_name == name]
    pairs = {pair.key: pair.value for entry in entries for pair in entry.quant_parameter_tensor_names}
    return {key: text for key, text in pairs.items() if (key, text) not in ((_DATATYPE, "FLOAT32"), (_LAYOUT, "[]"))}


def _holds(outer: str, inner: str) -> bool:
    """Whether the integers of one data type are among those of the other."""
    try:
        a, b = DataType[outer], DataType[inner]
    except KeyError:
        return False
    return a.is_integer() and b.is_integer() and a.min() <= b.min() and b.max() <= a.max() and a != "BIPOLAR"


# --------------------------------------------------------------------------------------------------------------- names


def _tell_apart(pre: ModelWrapper, source: str, post: ModelWrapper, sink: str) -> str:
    """Rename tensors so that none of the two models has a name of the other. Returns the name of the common tensor."""
    first: dict[str, str] = {}
    second: dict[str, str] = {}
    taken: set[str] = set()

    def claim(mapping: dict[str, str], names: Iterable[str]) -> None:
        for name in names:
            if name not in mapping:
                mapping[name] = fresh_name(name, taken)
                taken.add(mapping[name])
        # As soon as one of the two has its name, the other has the same.
        if source in first or sink in second:
            first[source] = second[sink] = first.get(source) or second[sink]

    claim(first, (value.name for value in pre.graph.input))
    claim(second, (value.name for value in post.graph.output))
    claim(second, (value.name for value in post.graph.input if value.name != sink))
    claim(first, (value.name for value in pre.graph.output))
    claim(first, pre.get_all_tensor_names())
    claim(second, post.get_all_tensor_names())
    rename_in_graph(pre.graph, first, taken)
    rename_in_graph(post.graph, second, taken)
    return first[source]


def _tell_nodes_apart(pre: GraphProto, post: GraphProto) -> None:
    taken = {node.name for node in post.node}
    for node in pre.node:
        if node.name:
            node.name = fresh_name(node.name, taken)
            taken.add(node.name)


def _put_in_front(pre: GraphProto, post: GraphProto, name: str, joined: TypeProto) -> None:
    """Move everything from `pre` into `post`, whose tensor `name` is the common one."""
    nodes: list[Any] = [*pre.node, *post.node]
    merged = GraphProto()
    merged.node.extend(nodes)
    merged.input.extend([*pre.input, *(value for value in post.input if value.name != name)])
    merged.output.extend([*post.output, *(value for value in pre.output if value.name != name)])
    ports = {value.name for value in (*merged.input, *merged.output)}
    known = (*pre.value_info, *post.value_info)
    merged.value_info.extend(value for value in known if value.name not in {*ports, name})
    if name not in ports:
        merged.value_info.append(helper.make_value_info(name, joined))
    for field in ("node", "input", "output", "value_info"):
        post.ClearField(field)
        getattr(post, field).extend(getattr(merged, field))
    for field in ("initializer", "sparse_initializer", "quantization_annotation"):
        getattr(post, field).extend(getattr(pre, field))
