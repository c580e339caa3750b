"""What is said about channels that were removed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Why(Enum):
    """Why a channel may go."""

    CONSTANT = "always have the same value"
    DUPLICATE = "equal another channel"
    DEAD = "are used by nobody"


@dataclass(frozen=True)
class Removal:
    """Channels that a layer does not compute any more.

    tensor : the output of the layer; channels : of the `total` that it had at first.
    """

    tensor: str
    channels: tuple[int, ...]
    total: int
    why: Why

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.channels[:8])) + (", ..." if len(self.channels) > 8 else "")
        return f"{self.tensor}: {len(self.channels)} of {self.total} channels removed that {self.why.value} ({listed})"
