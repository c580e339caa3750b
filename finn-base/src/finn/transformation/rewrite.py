"""Graph rewrites written as equations.

A rule is a left side (the pattern), a right side (a function that returns an expression) and the shapes of an example.
Both sides are the same kind of expression, so one engine matches the left and builds the right, and one test
(`finn.transformation.proof`) checks that the two sides compute the same.

    x, w = Var("x"), Const("w")
    s = Scalar("s")

    @rule(op.MatMul(op.Mul(x, s), w), shapes="x:n,k s: w:k,m")
    def move_scalar_mul_past_matmul(x, s, w):
        \"\"\"(x*s) @ w == (x @ w) * s\"\"\"
        return op.Mul(op.MatMul(x, w), s)

A guard declines by `require(condition, reason)`. It should depend on the matched expression only: after a rewrite the
engine visits again just the nodes that can see the change through a pattern.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from finn.core.datatype import BaseDataType, DataType
from finn.core.domains import GENERAL, is_custom_domain
from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation.infer_shapes import infer_node_types

COMMUTATIVE = frozenset({"Add", "Mul"})


class NoMatch(Exception):
    """Declines a match; the message says why."""


class RewriteError(FinnError):
    """A rule that failed, or rules that do not settle."""


def require(condition: Any, reason: str) -> None:
    """Decline the match for this reason unless the condition holds."""
    if not condition:
        raise NoMatch(reason)


@dataclass(frozen=True)
class TensorRef:
    """A tensor of the model, as a rule gets it. shape: None if not known, 0 for a symbolic dimension."""

    name: str
    shape: tuple[int, ...] | None
    datatype: BaseDataType
    model: ModelWrapper = field(repr=False, compare=False)

    @property
    def rank(self) -> int:
        """The number of axes. NoMatch if it is not known."""
        if self.shape is None:
            raise NoMatch(f"the shape of '{self.name}' is not known")
        return len(self.shape)

    @staticmethod
    def of(model: ModelWrapper, name: str) -> TensorRef:
        shape = model.get_tensor_shape(name)
        return TensorRef(name, None if shape is None else tuple(shape), model.get_tensor_datatype(name), model)


@dataclass(frozen=True)
class Var:
    """Pattern variable. It binds any tensor as a `TensorRef`; a name used twice must bind the same one."""

    name: str

    def bind(self, tensor: TensorRef) -> Any:
        """What the rule gets for `tensor`. NoMatch if it may not have it."""
        return tensor

    def __str__(self) -> str:
        return self.name


class Const(Var):
    """Binds a constant; the rule gets its array."""

    def bind(self, tensor: TensorRef) -> Any:
        value = tensor.model.get_initializer(tensor.name)
        if value is None:
            raise NoMatch(f"{self.name} = '{tensor.name}' is not a constant")
        return value


class Scalar(Const):
    """Binds a constant with one element, of any rank."""

    def bind(self, tensor: TensorRef) -> Any:
        array = super().bind(tensor)
        if array.size != 1:
            raise NoMatch(f"{self.name} = '{tensor.name}' has shape {array.shape}, want one element")
        return array


@dataclass(frozen=True)
class Call:
    """An operator applied to variables (in a pattern) or to tensors (in a replacement).

    attributes: plain Python values; those of a pattern must be on the matched node. domain: of custom operators; a
    pattern without one matches any. name: of the matched node.
    """

    op: str
    inputs: tuple[Any, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    node: Var | None = None
    datatype: BaseDataType | None = None
    name: str = ""

    def named(self, name: str) -> Call:
        """Pass the matched call to the rule under `name`, so that it can read the attributes."""
        return replace(self, node=Var(name))

    def typed(self, datatype: BaseDataType | str) -> Call:
        """Annotate the output of this call with a data type."""
        return replace(self, datatype=DataType[datatype] if isinstance(datatype, str) else datatype)

    @property
    def depth(self) -> int:
        return 1 + max((i.depth for i in self.inputs if isinstance(i, Call)), default=0)

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"


class _Ops:
    """`op.MatMul(a, w)` is a `Call`. `like` gives it the attributes and domain of another."""

    def __getattr__(self, op_type: str) -> Callable[..., Call]:
        def call(*inputs: Any, like: Call | None = None, **attributes: Any) -> Call:
            if like is None:
                return Call(op_type, inputs, attributes)
            return Call(op_type, inputs, {**like.attributes, **attributes}, like.domain)

        return call


op = _Ops()


@dataclass(frozen=True)
class Rule:
    """pattern == body(what the pattern binds). shapes, attributes, datatypes: examples, see `rule`."""

    pattern: Call
    body: Callable[..., Any]
    shapes: tuple[dict[str, tuple[str, ...]], ...]
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    datatypes: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.body.__name__


def rule(
    pattern: Call,
    *,
    shapes: str,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    datatypes: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Rule]:
    """Make a rule of a function. The rest are its examples.

    shapes: the dims of each variable, "x:n,k w:k,m s:", with | between examples; letters are sizes, as the proof
    chooses them. attributes: those of each named node. datatypes: annotations of variables, by name.
    """
    dims = tuple(
        {name: tuple(filter(None, d.split(","))) for name, d in (v.split(":") for v in example.split())}
        for example in shapes.split("|")
    )
    return lambda body: Rule(pattern, body, dims, attributes or {}, datatypes or {})


# ----------------------------------------------------------------------------------------------------------- matching

Bindings = dict[Var, Any]
_NewNode = tuple[NodeProto, BaseDataType | None]


def match(model: ModelWrapper, root: NodeProto, r: Rule) -> tuple[Any, list[NodeProto]]:
    """The replacement for the expression that ends in `root`, and the nodes it covers. NoMatch says why not."""
    reasons = []
    if len(root.output) and _other_outputs_unused(model, root):
        for bindings, nodes in _ways(model, r.pattern, root.output[0], {}, ()):
            try:
                return r.body(**{p.name: _bound(model, p, v) for p, v in bindings.items()}), list(nodes)
            except NoMatch as reason:
                reasons.append(str(reason))
    raise NoMatch(" and ".join(reasons) or f"{describe(root)} does not end a {r.pattern}")


def _bound(model: ModelWrapper, variable: Var, value: Any) -> Any:
    return value if isinstance(value, Call) else variable.bind(TensorRef.of(model, value))


def _ways(
    model: ModelWrapper, pattern: Var | Call, tensor: str, bindings: Bindings, nodes: tuple[NodeProto, ...]
) -> Iterator[tuple[Bindings, tuple[NodeProto, ...]]]:
    """Each way in which `pattern` fits the expression that computes `tensor`."""
    if isinstance(pattern, Var):
        if _same(model, pattern, bindings.setdefault(pattern, tensor), tensor):
            yield bindings, nodes
        return
    node = model.find_producer(tensor)
    if node is None or node.output[0] != tensor or not _fits(pattern, node):
        return
    if nodes and not _read_once(model, node):
        return  # others read this inner value: to replace it would compute it twice
    inputs = _inputs(node)
    for ordered in (pattern.inputs, pattern.inputs[::-1]) if pattern.op in COMMUTATIVE else (pattern.inputs,):
        start = bindings | ({pattern.node: _call(node)} if pattern.node else {})
        ways = [(start, (*nodes, node))]
        for inner, name in zip(ordered, inputs, strict=True):
            ways = [way for b, n in ways for way in _ways(model, inner, name, dict(b), n)]
        yield from ways


def _same(model: ModelWrapper, variable: Var, bound: str, tensor: str) -> bool:
    """Whether a variable that has bound one tensor may stand for the other: the same, or an equal constant."""
    if bound == tensor:
        return True
    a, b = (model.get_initializer(name) for name in (bound, tensor))
    return isinstance(variable, Const) and a is not None and b is not None and np.array_equal(a, b)


def _fits(pattern: Call, node: NodeProto) -> bool:
    if node.op_type != pattern.op or len(_inputs(node)) != len(pattern.inputs) or not _domain_fits(pattern, node):
        return False
    if not pattern.attributes:
        return True
    attributes = _call(node).attributes
    return all(name in attributes and attributes[name] == value for name, value in pattern.attributes.items())


def _domain_fits(pattern: Call, node: NodeProto) -> bool:
    """A name that ONNX defines means ONNX's operator, unless the pattern gives a domain."""
    if pattern.domain:
        return node.domain == pattern.domain
    return is_custom_domain(node.domain) != onnx.defs.has(pattern.op)


def _inputs(node: NodeProto) -> list[str]:
    """The inputs without omitted trailing ones."""
    inputs = list(node.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    return inputs


def _read_once(model: ModelWrapper, node: NodeProto) -> bool:
    tensor = node.output[0]
    alone = len(model.find_consumers(tensor)) == 1 and not model.is_graph_output(tensor)
    return alone and _other_outputs_unused(model, node)


def _other_outputs_unused(model: ModelWrapper, node: NodeProto) -> bool:
    return not any(model.find_consumers(name) or model.is_graph_output(name) for name in node.output[1:] if name)


def _call(node: NodeProto) -> Call:
    attributes = {a.name: _plain(a) for a in node.attribute}
    return Call(node.op_type, tuple(_inputs(node)), attributes, node.domain, name=node.name)


def _plain(attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [item.decode("utf-8") if isinstance(item, bytes) else item for item in value]
    return value


# ---------------------------------------------------------------------------------------------------------- rewriting


def apply(model: ModelWrapper, rules: Sequence[Rule], *, limit: int = 10_000) -> Counter[str]:
    """Rewrite `model` in place until no rule fires. Returns how often each rule fired.

    The rules of a list settle together; at each node the first that matches wins. RewriteError if they have not settled
    after `limit` rewrites, naming those that fired most, and if a rule fails, naming the rule and the node.
    """
    fired: Counter[str] = Counter()
    by_root: dict[str, list[Rule]] = {}
    for r in rules:
        by_root.setdefault(r.pattern.op, []).append(r)
    reach = max((r.pattern.depth for r in rules), default=1)
    with model.trusted_index():
        worklist = _Worklist(model)
        while (node := worklist.pop()) is not None:
            for r in by_root.get(node.op_type, ()):
                touched = _try(model, node, r)
                if touched is not None:
                    fired[str(r)] += 1
                    _check_limit(fired, limit)
                    worklist.revisit(touched, reach)
                    break  # `node` is gone
    return fired


def _check_limit(fired: Counter[str], limit: int) -> None:
    if fired.total() > limit:
        most = ", ".join(f"{name} ({count} times)" for name, count in fired.most_common(4))
        raise RewriteError(
            f"rewriting did not settle in {limit} steps; fired most: {most}",
            remedy="put rules that undo each other into different phases, or guard one of them",
        )


class _Worklist:
    """Nodes to look at, each at most once at a time, in the order of the graph."""

    def __init__(self, model: ModelWrapper) -> None:
        self._model = model
        self._queue = deque(model.graph.node)
        self._waiting = {id(node) for node in self._queue}

    def pop(self) -> NodeProto | None:
        while self._queue:
            node = self._queue.popleft()
            self._waiting.discard(id(node))
            if len(node.output) and self._model.find_producer(node.output[0]) is node:
                return node
        return None

    def revisit(self, tensors: Iterable[str], reach: int) -> None:
        """Look again at the nodes that make or read these tensors, and at `reach` levels of readers after them."""
        level = {id(n): n for t in tensors if (n := self._model.find_producer(t)) is not None}
        level |= {id(n): n for t in tensors for n in self._model.find_consumers(t)}
        for _ in range(reach):
            for key, node in level.items():
                if key not in self._waiting:
                    self._waiting.add(key)
                    self._queue.append(node)
            level = {id(n): n for node in level.values() for t in node.output for n in self._model.find_consumers(t)}


def _try(model: ModelWrapper, root: NodeProto, r: Rule) -> list[str] | None:
    """Apply the rule if it matches at `root`. Returns the tensors around the change, None if it does not match."""
    where = f"rule {r} at node {describe(root)}"
    try:
        replacement, nodes = match(model, root, r)
        _check_output(model, root.output[0], replacement)
    except NoMatch:
        return None
    except FinnError as error:
        raise RewriteError(str(error), where=where) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RewriteError(f"the rule failed: {type(error).__name__}: {error}", where=where) from error
    return _Editor(model, root).replace(nodes, replacement)


def _check_output(model: ModelWrapper, output: str, replacement: Any) -> None:
    """Decline what would leave a graph output without a node that makes it."""
    if isinstance(replacement, Call) or not model.is_graph_output(output):
        return
    require(isinstance(replacement, TensorRef), f"the graph output '{output}' would become a constant")
    source = replacement.name
    computed = model.find_producer(source) is not None
    require(computed, f"the graph output '{output}' would be a graph input or a constant")
    require(not model.is_graph_output(source), f"the graph outputs '{source}' and '{output}' would be the same")


class _Editor:
    """Builds one replacement in front of the node `root` and takes the old nodes away."""

    def __init__(self, model: ModelWrapper, root: NodeProto) -> None:
        self.model, self.root = model, root
        self.output = root.output[0]
        self.made: list[str] = []

    def replace(self, nodes: list[NodeProto], replacement: Any) -> list[str]:
        """Returns the tensors at the border of the change and the new ones."""
        index = self.model.get_node_index(self.root) or 0
        kinds = self._operand_kind()
        before = [name for node in nodes for name in node.input if name]
        inner = [name for node in nodes for name in node.output if name and name != self.output]
        new_nodes: list[_NewNode] = []
        result = self._expand(replacement, new_nodes, kinds, is_root=True)
        for node in nodes:
            self.model.remove_node(node)
        index = min(index - len(nodes) + 1, len(self.model.graph.node))
        for offset, (node, datatype) in enumerate(new_nodes):
            self._insert(index + offset, node, datatype)
        if not isinstance(replacement, Call):
            self._rewire(result)
        self.model.remove_tensors([name for name in dict.fromkeys(inner) if self._is_gone(name)])
        self.model.remove_tensors([name for name in dict.fromkeys(before) if self._is_dead_constant(name)])
        # A node that has lost another reader may match now, so the neighbours are among the touched tensors.
        dynamic = [name for name in before if not self.model.has_initializer(name)]
        return list(dict.fromkeys([*self.made, *dynamic, self.output, result]))

    def _operand_kind(self) -> int:
        """The element type that Python numbers in the replacement get."""
        kind = self.model.get_tensor_elem_type(self.output)
        return kind if kind == TensorProto.DOUBLE else TensorProto.FLOAT

    def _expand(self, expression: Any, new: list[_NewNode], kind: int, is_root: bool) -> str:
        """Add the nodes and constants of an expression; returns the name of its value."""
        if expression is None:
            return ""
        if isinstance(expression, TensorRef):
            return expression.name
        if not isinstance(expression, Call):
            return self._constant(expression, kind, standard=True)
        domain = expression.domain or ("" if onnx.defs.has(expression.op) else GENERAL)
        inputs = [
            self._constant(item, kind, standard=not domain)
            if not isinstance(item, Call | TensorRef) and item is not None
            else self._expand(item, new, kind, is_root=False)
            for item in expression.inputs
        ]
        output = self.output if is_root else self._fresh(f"{self.output}_{expression.op}")
        attributes = {name: value for name, value in expression.attributes.items() if value is not None}
        name = expression.name or self._node_name(expression.op)
        node = helper.make_node(expression.op, inputs, [output], name, domain=domain, **attributes)
        new.append((node, expression.datatype))
        return output

    def _constant(self, value: Any, kind: int, standard: bool) -> str:
        array = np.asarray(value)
        if type(value) in (bool, int, float) or (standard and array.dtype == np.float64):
            array = _as_operand(array, kind)
        name = self._fresh(f"{self.output}_const")
        self.model.set_initializer(name, array)
        return name

    def _fresh(self, wish: str) -> str:
        name, number = wish, 0
        while name in self.made or self.model.unique_tensor_name(name) != name:
            number += 1
            name = f"{wish}_{number}"
        self.made.append(name)
        return name

    def _node_name(self, op_type: str) -> str:
        return f"{op_type}_{self.made[-1] if self.made else self.output}"

    def _insert(self, index: int, node: NodeProto, datatype: BaseDataType | None) -> None:
        name = node.output[0]
        if name != self.output:
            kind = infer_node_types(self.model, node).get(name)
            if kind is not None and kind.tensor_type.HasField("shape"):
                self.model.set_tensor_shape(name, [], kind.tensor_type.elem_type)
                info = self.model.get_tensor_valueinfo(name)
                if info is not None:
                    info.type.CopyFrom(kind)
        if datatype is not None:
            self.model.set_tensor_datatype(name, datatype)
        if is_custom_domain(node.domain) and node.domain not in self.model.get_opset_imports():
            self.model.set_opset_import(node.domain, 1)
        self.model.insert_node(index, node)

    def _rewire(self, result: str) -> None:
        """The value of the expression is a tensor that exists already."""
        if not self.model.is_graph_output(self.output):
            self.model.replace_uses(self.output, result)
            self.model.remove_tensors([self.output])
            return
        producer = self.model.find_producer(result)
        if producer is not None:
            self.model.set_node_output(producer, list(producer.output).index(result), self.output)
            self.model.replace_uses(result, self.output)
            self.model.remove_tensors([result])

    def _is_gone(self, name: str) -> bool:
        return self.model.find_producer(name) is None and not self.model.find_consumers(name)

    def _is_dead_constant(self, name: str) -> bool:
        unread = not self.model.find_consumers(name) and not self.model.is_graph_output(name)
        return self.model.has_initializer(name) and unread


def _as_operand(array: np.ndarray, kind: int) -> np.ndarray:
    """The constant in the element type of the tensors around it, unless that would change integers."""
    narrow = array.astype(helper.tensor_dtype_to_np_dtype(kind))
    whole = array.dtype.kind in "iu" or bool(np.all(np.trunc(array) == array))
    return array if whole and not np.array_equal(narrow, array) else narrow
