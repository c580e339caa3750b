# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong with a network, one reason at a time or all of them in one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finn.core.errors import FinnError

__all__ = ["ExportError", "Problem"]


@dataclass(frozen=True)
class Problem:
    """One reason why a network cannot be exported; `where` is the qualified name of a module, "" for the network."""

    what: str
    where: str = ""
    why: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return str(FinnError(self.what, where=self.where, why=self.why, remedy=self.remedy))


class ExportError(FinnError):
    """A network that cannot be exported, or whose export does not compute what PyTorch computes."""

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ExportError:
        """One error that tells all of `problems`, of which there is at least one."""
        if len(problems) == 1:
            (p,) = problems
            return cls(p.what, where=p.where, why=p.why, remedy=p.remedy)
        lines = "".join(f"\n  - {problem}" for problem in problems)
        return cls(f"the network cannot be exported, {len(problems)} problems:{lines}")
