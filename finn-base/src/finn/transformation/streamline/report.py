"""What streamlining says: facts when it succeeds, diagnostics when it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from finn.core.datatype import BaseDataType
from finn.core.errors import FinnError
from finn.transformation.streamline._removals import Removal


@dataclass(frozen=True)
class Diagnostic:
    """One thing that cannot become integer, or (`fatal` False) that was decided for the user."""

    node: str
    tensor: str
    reason: str
    remedy: str = ""
    fatal: bool = True

    def __str__(self) -> str:
        place = " at ".join(filter(None, (self.node and f"node {self.node}", self.tensor and f"tensor {self.tensor}")))
        return f"{place or 'graph'}: {self.reason}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, eq=False)
class TensorFact:
    """x == scale * q + bias for the original tensor x.

    integers : name of q in the integer graph; scale, bias : float64, one or per channel;
    low, high : int64 bounds of q, one or per channel; datatype : of q.
    """

    integers: str
    scale: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    datatype: BaseDataType


@dataclass(frozen=True)
class Fate:
    """What became of a node of the original graph.

    kind : "integer" (it is computed on integers by the nodes that compute `tensors`), "folded" (it is part of the
    scale, the thresholds or the weights that `tensors` names), "constant", "dropped" (it changes nothing, or nobody
    sees what it changes), "host" (it computes floats; `reason` says why and `remedy` what to change).
    """

    kind: str
    text: str
    tensors: tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return self.text + why + (f"; {self.remedy}" if self.remedy else "")


@dataclass
class StreamlineReport:
    """tensors : by name of the original tensor; nodes : what became of each original node, by its title.

    passes : how often each rule and each optimisation did something. removals : channels that were not needed.
    """

    diagnostics: list[Diagnostic] = field(default_factory=list)
    tensors: dict[str, TensorFact] = field(default_factory=dict)
    nodes: dict[str, Fate] = field(default_factory=dict)
    passes: Counter[str] = field(default_factory=Counter)
    removals: list[Removal] = field(default_factory=list)

    @property
    def host(self) -> dict[str, Fate]:
        """The nodes that compute floats."""
        return {node: fate for node, fate in self.nodes.items() if fate.kind == "host"}

    def __str__(self) -> str:
        notes = [f"note: {d}" for d in self.diagnostics]
        return "\n".join([*notes, *(f"{node}: {fate}" for node, fate in self.nodes.items()), *map(str, self.removals)])


class StreamlineError(FinnError):
    """The network cannot be made integer. `diagnostics` has every reason; the graph is as it was."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        lines: Any = "".join(f"\n  - {d}" for d in self.diagnostics)
        count = f"{len(self.diagnostics)} problem" + "s" * (len(self.diagnostics) > 1)
        super().__init__(f"the network cannot be made integer, {count}:{lines}")


class Refused(Exception):
    """Raised by a rule that cannot make its node integer. The driver adds the node and goes on.

    fatal : the node cannot stay on the host either, because the model is damaged.
    """

    def __init__(self, reason: str, remedy: str = "", *, tensor: str = "", node: str = "", fatal: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.tensor, self.node, self.fatal = reason, remedy, tensor, node, fatal
