"""The errors of this project. Every one says what was given, where, why it is refused and what to do.

Each package declares its own kinds by subclassing `FinnError`.
"""

from __future__ import annotations

from difflib import get_close_matches


class FinnError(Exception):
    """Base of all errors that a user can cause or mend.

    what: what is wrong, in the user's terms; where: file, step, node or tensor; why: the reason, if it is not
    plain; remedy: what to do. `str()` joins them: "where: what (why). Remedy: remedy".
    """

    def __init__(self, what: str, *, where: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what, where, why, remedy)
        self.what = what
        self.where = where
        self.why = why
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.why, self.remedy)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += f" ({self.why})"
        if self.remedy:
            text += f". Remedy: {self.remedy}"
        return text


def _rebuild(kind: type[FinnError], what: str, where: str, why: str, remedy: str) -> FinnError:
    """What pickle calls: errors travel between processes."""
    return kind(what, where=where, why=why, remedy=remedy)


class ModelError(FinnError):
    """A file that is no ONNX model, or a graph that contradicts itself."""


class UnsupportedError(FinnError):
    """A valid model that uses something not supported here."""


class ConfigError(FinnError):
    """A setting that does not exist or has an illegal value."""


class ExecutionError(FinnError):
    """A model that cannot be run on the given inputs."""


class AttributeTypeError(FinnError, TypeError):
    """An operator attribute of the wrong type."""


class AttributeValueError(FinnError, ValueError):
    """An operator attribute with a value that is not allowed, or a required one that is missing."""


class UnknownAttributeError(FinnError, AttributeError):
    """An attribute that the operator does not declare."""


class UnknownOpError(FinnError, KeyError):
    """An operator or operator domain that is not known."""


def nearest(name: str, valid: list[str]) -> str:
    """A remedy that lists `valid` names, the most similar one first when there is one."""
    close = get_close_matches(name, valid, n=1)
    listed = ", ".join(valid[:12]) + (", ..." if len(valid) > 12 else "")
    return f"did you mean '{close[0]}'?" if close else f"use one of: {listed or '(none)'}"
