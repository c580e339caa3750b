"""`ModelWrapper`: an ONNX model with constant-time look-ups, annotations and transformations."""

from __future__ import annotations

import copy
import operator
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorAnnotation,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from finn.core import model_file, tidy
from finn.core.annotations import Annotations, set_pair
from finn.core.domains import canonical_domain, is_custom_domain, normalise_domains
from finn.core.errors import ModelError
from finn.core.index import Links, Table, subgraphs

if TYPE_CHECKING:
    from finn.custom_op.base import CustomOp
    from finn.transformation.base import Transformation

R = TypeVar("R")
_MAX_PASSES = 10_000
_counting = threading.Lock()


class ModelWrapper(Annotations):
    """An ONNX model (kept by reference; look at `model.graph` as at any GraphProto).

    onnx_model_proto: a path, serialized bytes or a ModelProto. make_deepcopy: keep a copy instead. fix_float64: let
    `transform` turn float64 constants to float32 first. fix_missing_initializer_valueinfo: declare the shapes of
    constants. ModelError for files that are missing, truncated, empty or no ONNX models.

    Domains of published models that mean ours are renamed, and the IR version becomes one that onnxruntime loads.

    Shapes are lists of ints (0 for a symbolic dimension). Data types, layouts and sparsity are annotations in
    `graph.quantization_annotation`; FLOAT32 is what no annotation means.
    """

    def __init__(
        self,
        onnx_model_proto: str | os.PathLike[str] | bytes | ModelProto,
        make_deepcopy: bool = False,
        fix_float64: bool = False,
        fix_missing_initializer_valueinfo: bool = True,
    ) -> None:
        self._model_proto = model_file.load(onnx_model_proto)
        if make_deepcopy:
            self._model_proto = copy.deepcopy(self._model_proto)
        model_file.normalise_ir_version(self._model_proto)
        if len(self._model_proto.graph.sparse_initializer):
            model_file.make_dense(self._model_proto.graph)
        normalise_domains(self._model_proto)
        self.fix_float64 = fix_float64
        self._trust = False
        self._trusting = 0
        self._fresh_names = 0
        self._make_tables()
        if fix_missing_initializer_valueinfo:
            self._declare_constants()

    def _declare_constants(self) -> None:
        """A ValueInfo for each constant that has none, as scripts expect that look through `graph.value_info`."""
        known = {info.name for info in (*self.graph.value_info, *self.graph.input, *self.graph.output)}
        missing = (tensor for tensor in self.graph.initializer if tensor.name not in known)
        infos = (helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in missing)
        self.graph.value_info.extend(infos)

    def _make_tables(self) -> None:
        by_name = operator.attrgetter("name")
        self._links = Links(lambda: self._model_proto.graph)
        self._initializers: Table[TensorProto] = Table(lambda: self._model_proto.graph.initializer, by_name)
        self._inputs: Table[ValueInfoProto] = Table(lambda: self._model_proto.graph.input, by_name)
        self._outputs: Table[ValueInfoProto] = Table(lambda: self._model_proto.graph.output, by_name)
        self._value_infos: Table[ValueInfoProto] = Table(lambda: self._model_proto.graph.value_info, by_name)
        self._annotations: Table[TensorAnnotation] = Table(
            lambda: self._model_proto.graph.quantization_annotation, operator.attrgetter("tensor_name")
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelWrapper:
        proto = ModelProto()
        proto.CopyFrom(self._model_proto)
        return ModelWrapper(proto, False, self.fix_float64, fix_missing_initializer_valueinfo=False)

    def __copy__(self) -> ModelWrapper:
        return ModelWrapper(self._model_proto, False, self.fix_float64, fix_missing_initializer_valueinfo=False)

    def __reduce__(self) -> tuple[Callable[..., ModelWrapper], tuple[bytes, bool, bool, bool]]:
        return ModelWrapper, (self._model_proto.SerializeToString(), False, self.fix_float64, False)

    @contextmanager
    def trusted_index(self) -> Iterator[ModelWrapper]:
        """Within this context the caller renames and rewires only through the methods of this wrapper.

        Look-ups then skip the check for edits in place (nodes and tensors may still be appended or removed directly).
        """
        if not self._trust:
            for table in (self._initializers, self._inputs, self._outputs, self._value_infos, self._annotations):
                table.refresh(trust=False)
            self._links.refresh(trust=False)
        self._count_trusting(1)
        try:
            yield self
        finally:
            self._count_trusting(-1)

    def _count_trusting(self, change: int) -> None:
        """Threads that run the same model leave their contexts in any order: trust ends with the last one."""
        with _counting:
            self._trusting += change
            self._trust = self._trusting > 0

    # ------------------------------------------------------------------------------------------ the model as a whole

    @property
    def model(self) -> ModelProto:
        """The ModelProto itself."""
        return self._model_proto

    @model.setter
    def model(self, value: ModelProto) -> None:
        self._model_proto = value
        self._make_tables()

    @property
    def graph(self) -> GraphProto:
        """The GraphProto itself; it may be edited directly."""
        return self._model_proto.graph

    @graph.setter
    def graph(self, value: GraphProto) -> None:
        self._model_proto.graph.CopyFrom(value)
        self._make_tables()

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Write the model to a file, whole or not at all. Beyond 2 GiB the constants go to `<name>.data` beside it."""
        model_file.save(self._model_proto, Path(filename))

    def analysis(self, analysis_fxn: Callable[..., R], apply_to_subgraphs: bool = False) -> R:
        """`analysis_fxn(self)`; with apply_to_subgraphs `analysis_fxn(self, True)`."""
        return analysis_fxn(self, True) if apply_to_subgraphs else analysis_fxn(self)

    def transform(
        self,
        transformation: Transformation,
        make_deepcopy: bool = True,
        cleanup: bool = True,
        apply_to_subgraphs: bool = False,
        use_preorder_traversal: bool = True,
    ) -> ModelWrapper:
        """Apply `transformation` until it reports no change, then `cleanup()`. Returns the transformed model.

        make_deepcopy: leave this model as it is and work on a copy. apply_to_subgraphs: also transform the bodies of
        control flow operators, after the graph itself, or before it without use_preorder_traversal. ModelError if it
        does not settle.
        """
        model = copy.deepcopy(self) if make_deepcopy else self
        if model.fix_float64:
            tidy.float64_to_float32(model)
        if apply_to_subgraphs and not use_preorder_traversal:
            model.transform_subgraphs(transformation, False, cleanup, True, use_preorder_traversal)
        for _ in range(_MAX_PASSES):
            model, changed = transformation.apply(model)
            if not changed:
                break
        else:
            raise ModelError(
                f"{type(transformation).__name__} still reports changes after {_MAX_PASSES} passes",
                remedy="let apply() return False once it finds nothing to do",
            )
        if apply_to_subgraphs and use_preorder_traversal:
            model.transform_subgraphs(transformation, False, cleanup, True, use_preorder_traversal)
        return model.cleanup() if cleanup else model

    def transform_subgraphs(
        self,
        transformation: Transformation,
        make_deepcopy: bool = True,
        cleanup: bool = True,
        apply_to_subgraphs: bool = False,
        use_preorder_traversal: bool = True,
    ) -> ModelWrapper:
        """`transform` the bodies of all control flow nodes, but not the graph itself."""
        model = copy.deepcopy(self) if make_deepcopy else self
        for node in model.graph.node:
            for body in subgraphs(node):
                wrapped = model.make_subgraph_modelwrapper(body)
                changed = wrapped.transform(transformation, False, cleanup, apply_to_subgraphs, use_preorder_traversal)
                body.CopyFrom(changed.graph)
        return model

    def make_subgraph_modelwrapper(self, subgraph: GraphProto) -> ModelWrapper:
        """A model of its own with a copy of `subgraph` and the opsets of this one."""
        proto = ModelProto(ir_version=self._model_proto.ir_version, opset_import=self._model_proto.opset_import)
        proto.graph.CopyFrom(subgraph)
        return ModelWrapper(proto)

    def get_customop_wrapper(self, node: NodeProto, fallback_customop_version: int = 1) -> CustomOp:
        """The operator of `node` in the version that the model imports of its domain, else in the fallback version."""
        from finn.custom_op.registry import getCustomOp  # late: operators know models

        imported = self.get_opset_imports().get(node.domain)
        if imported is None:
            warnings.warn(f"domain '{node.domain}' is not imported; taking version 1 of its operators", stacklevel=2)
        return getCustomOp(node, fallback_customop_version if imported is None else imported)

    def cleanup(self) -> ModelWrapper:
        """Remove what nothing uses, sort the nodes, constants last in commutative nodes, no shared parameters."""
        with self.trusted_index():
            tidy.remove_unused_tensors(self)
            tidy.remove_static_graph_inputs(self)
            tidy.sort_graph(self)
            tidy.sort_commutative_inputs(self)
            tidy.give_unique_parameter_tensors(self)
        return self

    def get_opset_imports(self) -> dict[str, int]:
        """{domain: version}; the standard domain is ""."""
        return {"" if o.domain == "ai.onnx" else o.domain: o.version for o in self._model_proto.opset_import}

    def set_opset_import(self, domain: str, version: int) -> None:
        """Import `domain`, under whichever of its names the model imports it, at `version`."""
        for entry in self._model_proto.opset_import:
            if canonical_domain(entry.domain) == canonical_domain(domain):
                entry.version = version
                return
        self._model_proto.opset_import.append(helper.make_opsetid(domain, version))

    def get_metadata_prop(self, key: str) -> str | None:
        """A metadata property of the model, or of the graph (where QONNX 1.0 writes them), or None."""
        for props in (self._model_proto.metadata_props, self.graph.metadata_props):
            for entry in props:
                if entry.key == key:
                    return entry.value
        return None

    def temporary_fix_oldstyle_domain(self) -> None:
        """Rename domains of published models that mean ours, as it is done on construction."""
        normalise_domains(self._model_proto)

    def set_metadata_prop(self, key: str, value: str) -> None:
        """Set a metadata property of the model."""
        set_pair(self._model_proto.metadata_props, key, value)

    # ------------------------------------------------------------------------------------------------------ tensors

    def get_tensor_valueinfo(self, tensor_name: str) -> ValueInfoProto | None:
        """The ValueInfo among graph inputs, outputs and inner values, or None."""
        for table in (self._value_infos, self._inputs, self._outputs):
            if (found := table.get(tensor_name, self._trust)) is not None:
                return found
        return None

    def get_tensor_shape(self, tensor_name: str, fix_missing_init_shape: bool = False) -> list[int] | None:
        """Dimensions, 0 for symbolic ones; None if the rank is not known. Initializers need no ValueInfo.

        fix_missing_init_shape: give a constant that has no ValueInfo one.
        """
        info = self.get_tensor_valueinfo(tensor_name)
        if info is not None and info.type.tensor_type.HasField("shape"):
            return [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        tensor = self._initializers.get(tensor_name, self._trust)
        if tensor is not None and fix_missing_init_shape:
            self.set_tensor_shape(tensor_name, list(tensor.dims), tensor.data_type)
        return None if tensor is None else list(tensor.dims)

    def set_tensor_shape(self, tensor_name: str, tensor_shape: list[int] | None, dtype: int | None = None) -> None:
        """Set shape (None: of unknown rank) and ONNX element type (None: as it was, FLOAT if new)."""
        info = self.get_tensor_valueinfo(tensor_name)
        kind = dtype if dtype is not None else (info.type.tensor_type.elem_type if info is not None else 0)
        if info is None:
            info = self._value_infos.add(tensor_name)
        shape = None if tensor_shape is None else list(tensor_shape)
        info.CopyFrom(helper.make_tensor_value_info(tensor_name, kind or TensorProto.FLOAT, shape))

    def get_tensor_elem_type(self, tensor_name: str) -> int:
        """The ONNX element type (`TensorProto.FLOAT`, ...); UNDEFINED (0) if not known."""
        tensor = self._initializers.get(tensor_name, self._trust)
        if tensor is not None:
            return tensor.data_type
        info = self.get_tensor_valueinfo(tensor_name)
        return info.type.tensor_type.elem_type if info is not None else TensorProto.UNDEFINED

    @overload
    def get_initializer(self, tensor_name: str, return_dtype: Literal[False] = False) -> np.ndarray | None: ...
    @overload
    def get_initializer(
        self, tensor_name: str, return_dtype: Literal[True]
    ) -> tuple[np.ndarray, int] | tuple[None, None]: ...
    def get_initializer(self, tensor_name: str, return_dtype: bool = False) -> Any:
        """The constant value of a tensor (a read-only view or a copy; set it with `set_initializer`), or None.

        return_dtype: give (value, ONNX element type) or (None, None).
        """
        tensor = self._initializers.get(tensor_name, self._trust)
        if tensor is None:
            return (None, None) if return_dtype else None
        if tensor.data_location == TensorProto.EXTERNAL:
            raise ModelError(
                "its data is in another file", where=f"tensor '{tensor_name}'", remedy="load the model from its path"
            )
        value = _array(tensor)
        return (value, tensor.data_type) if return_dtype else value

    def has_initializer(self, tensor_name: str) -> bool:
        """Whether the tensor is a constant."""
        return self._initializers.get(tensor_name, self._trust) is not None

    def set_initializer(self, tensor_name: str, tensor_value: np.ndarray) -> None:
        """Make the tensor a constant; its shape and element type are those of the array."""
        array = np.asarray(tensor_value)
        tensor = self._initializers.get(tensor_name, self._trust)
        if tensor is None:
            tensor = self._initializers.add(tensor_name)
        tensor.CopyFrom(numpy_helper.from_array(array, name=tensor_name))
        self.set_tensor_shape(tensor_name, list(array.shape), tensor.data_type)

    def del_initializer(self, initializer_name: str) -> None:
        """Make the tensor no constant any more; shape and annotations stay."""
        self._initializers.remove([initializer_name], self._trust)

    def remove_tensors(self, names: list[str]) -> None:
        """Forget constants, shapes and annotations of these tensors, and the graph inputs that were constants."""
        constants = [name for name in names if self.has_initializer(name)]
        self._inputs.remove(constants, self._trust)
        for table in (self._initializers, self._value_infos, self._annotations):
            table.remove(names, self._trust)

    def rename_tensor(self, old_name: str, new_name: str) -> None:
        """Rename a tensor in all places."""
        self.rename_tensors({old_name: new_name})

    def rename_tensors(self, mapping: Mapping[str, str]) -> None:
        """Rename tensors at once (names may be swapped), in one pass over the graph, subgraphs included.

        ModelError if two tensors would get the same name.
        """
        kept = [name for name in self.get_all_tensor_names() if name not in mapping]
        final = [*kept, *(new for old, new in mapping.items())]
        if len(set(final)) != len(final):
            clash = next(name for name in final if final.count(name) > 1)
            raise ModelError(f"cannot rename: two tensors would be called '{clash}'")
        tidy.rename_in_graph(self.graph, mapping)
        self._make_tables()

    def get_all_tensor_names(self) -> list[str]:
        """Every tensor of the graph: inner values, inputs, outputs, constants, and what nodes read and write."""
        names: list[str] = []
        for table in (self._value_infos, self._inputs, self._outputs, self._initializers):
            names += table.names(self._trust)
        return list(dict.fromkeys(names + self._links.tensors(self._trust)))

    def make_new_valueinfo_name(self, prefix: str = "tensor") -> str:
        """A name that no tensor has; the next call gives another one. Same model, same calls, same names."""
        with self.trusted_index():
            while True:
                name = f"{prefix}_{self._fresh_names}"
                self._fresh_names += 1
                if not self._is_taken(name):
                    return name

    def unique_tensor_name(self, wish: str) -> str:
        """`wish` if no tensor has that name, else `wish` with a number."""
        name, number = wish, 0
        with self.trusted_index():
            while self._is_taken(name):
                number += 1
                name = f"{wish}_{number}"
        return name

    def _is_taken(self, name: str) -> bool:
        tables = (self._value_infos, self._inputs, self._outputs, self._initializers)
        return (
            any(table.get(name, self._trust) is not None for table in tables)
            or self._links.producer(name, self._trust) is not None
            or bool(self._links.consumers(name, self._trust))
        )

    def make_empty_exec_context(self) -> dict[str, np.ndarray]:
        """{tensor: zeros of its shape and type}, constants with their values, "" (an input left out) None."""
        context: dict[str, Any] = {"": None}
        for info in (*self.graph.input, *self.graph.output, *self.graph.value_info):
            kind = info.type.tensor_type
            if kind.HasField("shape") and kind.elem_type:
                shape = [dim.dim_value for dim in kind.shape.dim]
                context[info.name] = np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind.elem_type))
        context.update({tensor.name: _array(tensor) for tensor in self.graph.initializer})
        return context

    def check_all_tensor_shapes_specified(self, fix_missing_init_shape: bool = False) -> bool:
        """Whether the rank of every tensor that a node reads or writes is known."""
        with self.trusted_index():
            names = self._links.tensors(trust=True)
            return all(self.get_tensor_shape(name, fix_missing_init_shape) is not None for name in names)

    def is_graph_input(self, tensor_name: str) -> bool:
        """Whether the tensor is among the inputs of the graph."""
        return self._inputs.get(tensor_name, self._trust) is not None

    def is_graph_output(self, tensor_name: str) -> bool:
        """Whether the tensor is among the outputs of the graph."""
        return self._outputs.get(tensor_name, self._trust) is not None

    def get_first_global_in(self) -> str:
        """The name of the first graph input."""
        return self.graph.input[0].name

    def get_first_global_out(self) -> str:
        """The name of the first graph output."""
        return self.graph.output[0].name

    # -------------------------------------------------------------------------------------------------------- nodes

    def find_producer(self, tensor_name: str) -> NodeProto | None:
        """The node that writes the tensor, or None (also for the name of a constant or a graph input)."""
        if (node := self._links.still_made(tensor_name)) is not None:
            return node
        if self.has_initializer(tensor_name) or self.is_graph_input(tensor_name):
            return None
        return self._links.producer(tensor_name, self._trust)

    def find_consumers(self, tensor_name: str) -> list[NodeProto]:
        """The nodes that read the tensor in graph order, once per use."""
        return self._links.consumers(tensor_name, self._trust)

    def find_consumer(self, tensor_name: str) -> NodeProto | None:
        """The node that reads the tensor (of several the first, with a warning), or None."""
        consumers = self.find_consumers(tensor_name)
        if len(consumers) > 1:
            warnings.warn(f"'{tensor_name}' has {len(consumers)} consumers; taking the first", stacklevel=2)
        return consumers[0] if consumers else None

    def find_upstream(
        self, tensor_name: str, finder_fxn: Callable[[NodeProto], bool], keep_if_not_found: bool = False
    ) -> list[NodeProto]:
        """The nodes from the producer of the tensor along first inputs to the first one that `finder_fxn` likes.

        [] (or all visited nodes with keep_if_not_found) if there is none.
        """
        visited: list[NodeProto] = []
        node = self.find_producer(tensor_name)
        while node is not None:
            visited.append(node)
            if finder_fxn(node):
                return visited
            node = self.find_producer(node.input[0]) if len(node.input) else None
        return visited if keep_if_not_found else []

    def find_direct_successors(self, node: NodeProto) -> list[NodeProto] | None:
        """The readers of all outputs of `node`, or None if there are none."""
        return [reader for name in node.output for reader in self.find_consumers(name)] or None

    def find_direct_predecessors(self, node: NodeProto) -> list[NodeProto] | None:
        """The producers of all inputs of `node`, or None if there are none."""
        producers = [self.find_producer(name) for name in node.input]
        return [producer for producer in producers if producer is not None] or None

    def is_fork_node(self, node: NodeProto) -> bool:
        """Whether the outputs of `node` are used more than once; being a graph output is a use."""
        uses = len(self.find_direct_successors(node) or ())
        return uses + sum(self.is_graph_output(name) for name in node.output) > 1

    def is_join_node(self, node: NodeProto) -> bool:
        """Whether `node` reads more than one computed tensor or graph input."""
        return sum(1 for name in node.input if name and not self.has_initializer(name)) > 1

    def get_tensor_fanout(self, tensor_name: str) -> int:
        """How many nodes read the tensor."""
        return len({id(node) for node in self.find_consumers(tensor_name)})

    def get_nodes_by_op_type(self, op_type: str) -> list[NodeProto]:
        """The nodes of this op type, in graph order."""
        return [node for node in self.graph.node if node.op_type == op_type]

    def get_finn_nodes(self) -> list[NodeProto]:
        """The nodes of custom operator domains."""
        return [node for node in self.graph.node if is_custom_domain(node.domain)]

    def get_non_finn_nodes(self) -> list[NodeProto]:
        """The nodes of standard domains."""
        return [node for node in self.graph.node if not is_custom_domain(node.domain)]

    def get_node_index(self, node: NodeProto) -> int | None:
        """The position of `node`, of an equal one if this very node is not in the graph, or None."""
        place = self._links.place(node)
        if place is not None:
            return place
        self._links.refresh(self._trust)
        try:
            return self._links.position(node)
        except ValueError:
            return next((index for index, other in enumerate(self.graph.node) if other == node), None)

    def get_node_from_name(self, node_name: str) -> NodeProto | None:
        """The first node of this name, or None."""
        return next((node for node in self.graph.node if node.name == node_name), None)

    def nodes_were_reordered(self) -> None:
        """Tell a trusted index that `graph.node` was sorted in place."""
        self._links.forget()

    def insert_node(self, index: int, node: NodeProto) -> NodeProto:
        """Copy `node` into the graph at `index`. Returns the node that is now in the graph."""
        self._links.refresh(self._trust)
        return self._links.insert(index, node)

    def remove_node(self, node: NodeProto) -> None:
        """Take this very node out of the graph; nothing is rewired. ValueError if it is not there."""
        self._links.refresh(self._trust)
        self._links.remove(node)

    def set_node_input(self, node: NodeProto, position: int, tensor_name: str) -> None:
        """Let `node` read `tensor_name` as its input number `position`."""
        self._links.refresh(self._trust)
        self._links.set_input(node, position, tensor_name)

    def set_node_output(self, node: NodeProto, position: int, tensor_name: str) -> None:
        """Let `node` write `tensor_name` as its output number `position`."""
        self._links.refresh(self._trust)
        self._links.set_output(node, position, tensor_name)

    def replace_uses(self, old: str, new: str) -> None:
        """Let every node that reads `old` as an input read `new` instead (graph outputs stay)."""
        for node in {id(reader): reader for reader in self.find_consumers(old)}.values():
            for position, name in enumerate(node.input):
                if name == old:
                    self.set_node_input(node, position, new)


def _array(tensor: TensorProto) -> np.ndarray:
    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"its data do not make an array of shape {list(tensor.dims)} and ONNX type {tensor.data_type}",
            where=f"tensor '{tensor.name}'",
            why=str(error),
        ) from error
