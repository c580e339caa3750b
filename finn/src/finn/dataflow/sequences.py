"""In which order an operand of an elementwise function is used when it is broadcast (NumPy's rule) over a frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from finn.dataflow.layer import IntArray, LayerError


@dataclass(frozen=True)
class Sequence:
    """`groups` times: `beats` beats in turn, each used in `hold` steps, and that `repeats` times.

    An operand that is used as it comes has groups only; one that is held has groups and hold.
    """

    groups: int = 1
    repeats: int = 1
    beats: int = 1
    hold: int = 1

    @property
    def words(self) -> int:
        """Beats of the operand per frame."""
        return self.groups * self.beats

    @property
    def period(self) -> int:
        """Steps of a group."""
        return self.repeats * self.beats * self.hold

    def uses(self, steps: int) -> tuple[IntArray, IntArray]:
        """Of the beats that `steps` steps use, the first and the last step of each; steps are whole groups."""
        starts = np.arange(steps // self.period)[:, None] * self.period
        first = starts + np.arange(self.beats) * self.hold
        last = first + (self.repeats - 1) * self.beats * self.hold + self.hold - 1
        return first.reshape(-1), last.reshape(-1)

    def parameters(self) -> dict[str, int]:
        return {"Groups": self.groups, "Repeats": self.repeats, "Beats": self.beats, "Hold": self.hold}


def sequence(operand: tuple[int, ...], frame: tuple[int, ...], lanes: int) -> Sequence:
    """The sequence of an operand that is broadcast to `frame`; both are shapes without the axis that counts frames.

    lanes : elements of the frame per step. Raises LayerError if axes take turns more often than a Sequence has loops.
    """
    padded = (1,) * (len(frame) - len(operand)) + operand
    steps = (*frame[:-1], frame[-1] // lanes)
    runs: list[tuple[bool, int]] = []  # (is it kept, steps), neighbours alike joined; (kept, repeated) by turns
    for kept, size in zip((o == f for o, f in zip(padded, frame, strict=True)), steps, strict=True):
        if size > 1 and runs and runs[-1][0] == kept:
            runs[-1] = (kept, runs[-1][1] * size)
        elif size > 1:
            runs.append((kept, size))
    loops = [1, 1, 1, 1]  # from the innermost: hold, beats, repeats, groups; the odd ones are kept
    for kept, size in reversed(runs):
        place = next((n for n in range(_used(loops), 4) if n % 2 == kept), None)
        if place is None:
            raise LayerError(
                f"an operand of shape {(1, *padded)} for frames of {(1, *frame)}",
                why="axes of the operand and repetitions take turns more than twice",
                remedy="give the operand more of its axes",
            )
        loops[place] = size
    hold, beats, repeats, groups = loops
    return Sequence(groups, repeats, beats, hold) if repeats > 1 else Sequence(groups * beats, 1, 1, hold)


def _used(loops: list[int]) -> int:
    """The loops that are taken, up to the outermost of more than one turn."""
    return max((n + 1 for n, size in enumerate(loops) if size > 1), default=0)


def check_broadcast(name: str, operand: tuple[int, ...], frame: tuple[int, ...]) -> None:
    """Raise LayerError unless `operand` can be broadcast to `frame`."""
    pairs = zip(reversed(operand), reversed(frame), strict=False)
    if len(operand) > len(frame) or prod(operand) < 1 or not all(o in (1, f) for o, f in pairs):
        raise LayerError(
            f"{name}: an operand of shape {operand} for frames of shape {frame}",
            why="each axis has to have as many elements, or one",
        )
