"""Applies rules until none fires."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import ClassVar

from onnx import NodeProto

from finn.core.errors import FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.core.tidy import describe
from finn.transformation.base import Transformation
from finn.transformation.rewrite._editing import Editor
from finn.transformation.rewrite._matching import Decline, find
from finn.transformation.rewrite._patterns import NoMatch, RewriteError, Rule

_REMEMBERED = 64
_FEWEST, _PER_NODE = 10_000, 100


def apply(model: ModelWrapper, rules: Sequence[Rule], *, limit: int | None = None) -> Counter[str]:
    """Rewrite `model` in place until no rule fires. Returns how often each rule fired.

    The rules of a list settle together; at each node the first that matches wins. RewriteError if they have not settled
    after `limit` rewrites (None: 10,000 and 100 for each node), naming those that fired most and those that took turns
    at the end, and if a rule fails, naming the rule and the node.
    """
    fired: Counter[str] = Counter()
    by_root: dict[str, list[Rule]] = {}
    for r in rules:
        for op_type in r.pattern.ops:
            by_root.setdefault(op_type, []).append(r)
    reach = max((r.depth for r in rules), default=1)
    limit = _FEWEST + _PER_NODE * len(model.graph.node) if limit is None else limit
    recent: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
    with model.trusted_index():
        editor, worklist = Editor(model), _Worklist(model)
        try:
            while (node := worklist.pop()) is not None:
                for r in by_root.get(node.op_type, ()):
                    output = node.output[r.pattern.index] if len(node.output) > r.pattern.index else ""
                    touched = _try(model, editor, node, r)
                    if touched is not None:
                        fired[str(r)] += 1
                        recent.append((str(r), output))
                        _check_limit(fired, limit, recent)
                        worklist.revisit(touched, reach)
                        break  # `node` is gone
        finally:
            editor.finish()
    return fired


def _check_limit(fired: Counter[str], limit: int, recent: Iterable[tuple[str, str]]) -> None:
    if fired.total() > limit:
        most = ", ".join(f"{name} ({count} times)" for name, count in fired.most_common(4))
        turns = _period(list(recent))
        raise RewriteError(
            f"rewriting did not settle in {limit} steps; fired most: {most}",
            why="at the end these took turns: " + ", ".join(f"{r} at '{t}'" for r, t in turns) if turns else "",
            remedy="put rules that undo each other into different phases, or guard one of them",
        )


def _period(recent: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The shortest sequence of rules that fills the end of the list three times or more; [] if there is none."""
    names = [name for name, _ in recent]
    for period in range(1, len(names) // 3 + 1):
        if names[-period:] * 3 == names[-3 * period :]:
            return recent[-period:]
    return []


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
            if any(name and self._model.find_producer(name) is node for name in node.output):
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


def _try(model: ModelWrapper, editor: Editor, root: NodeProto, r: Rule) -> list[str] | None:
    """Apply the rule if it matches at `root`. Returns the tensors around the change, None if it does not match."""
    try:
        return _attempt(model, editor, root, r, None)
    except NoMatch:
        return None


def _attempt(model: ModelWrapper, editor: Editor, root: NodeProto, r: Rule, log: list[Decline] | None) -> list[str]:
    """Apply the rule, or with a log only note why it cannot be. NoMatch; RewriteError names the rule and the node."""
    where = f"rule {r} at node {describe(root)}"
    try:
        replacement, nodes = find(model, root, r, log)
        try:
            return editor.replace(nodes, root.output[r.pattern.index], replacement, dry=log is not None)
        except NoMatch as reason:
            if log is not None:
                log.append(Decline(str(reason), tuple(map(describe, nodes)), all_fitted=True))
            raise
    except NoMatch:
        raise
    except FinnError as error:
        raise RewriteError(str(error), where=where) from error
    except Exception as error:  # whatever a rule of somebody else may raise
        raise RewriteError(f"the rule failed: {type(error).__name__}: {error}", where=where) from error


def declines(model: ModelWrapper, root: NodeProto, r: Rule) -> list[Decline] | None:
    """The ways in which the rule does not fit at `root`; None if it fires. The model stays as it is."""
    log: list[Decline] = []
    with model.trusted_index():
        try:
            _attempt(model, Editor(model), root, r, log)
        except NoMatch:
            return log
    return None


class RuleTransformation(Transformation):
    """A transformation that is a list of rules, which settle together.

    class ConvertSubToAdd(RuleTransformation):
        \"\"\"x - b becomes x + (-b).\"\"\"

        rules = (sub_to_add,)
    """

    rules: ClassVar[Sequence[Rule]] = ()

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        return model, bool(apply(model, self.rules))
