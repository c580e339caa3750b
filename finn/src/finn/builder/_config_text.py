"""From a configuration that is refused to a message that says what, where and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from finn.core.errors import ConfigError, nearest


@dataclass(frozen=True)
class Source:
    """The text that a configuration was read from, to give lines."""

    filename: str
    text: str

    def where(self, key: str) -> str:
        """`file:line` of the first use of `key` as a JSON key, `file` if there is none."""
        match = re.search(rf'"{re.escape(key)}"\s*:', self.text)
        if match is None:
            return self.filename
        return f"{self.filename}:{self.text.count(chr(10), 0, match.start()) + 1}"


_UNKNOWN = ("extra_forbidden", "no_such_attribute")


def refuse(
    error: ValidationError,
    fields: list[str],
    source: Source | None,
    inner: Mapping[str, list[str]],
    unions: Collection[str] = (),
) -> ConfigError:
    """A finding of `error` as an error of ours: an unknown key, or else the first.

    fields: the names that there are; inner: those in the values of some of them; unions: those of several types.
    """
    found = error.errors(include_url=False)
    # A misspelt key is also a missing one: what was given says more.
    details = next((d for d in found if d["type"] in _UNKNOWN), found[0])
    key = str(details["loc"][0]) if details["loc"] else ""
    where = source.where(key) if source else "DataflowBuildConfig"
    given = details["input"]
    match details["type"]:
        case unknown if unknown in _UNKNOWN:
            return ConfigError(f"unknown configuration key {key!r}", where=where, remedy=nearest(key, fields))
        case "unexpected_keyword_argument":
            name = str(details["loc"][-1])
            what = f"unknown key {name!r} in {key!r}"
            return ConfigError(what, where=source.where(name) if source else where, remedy=nearest(name, inner[key]))
        case "missing":
            remedy = f"give {key!r}; it has no default"
            return ConfigError(f"configuration key {key!r} is missing", where=where, remedy=remedy)
        case "unsupported":
            remedy = f"remove {key!r}"
            what = f"configuration key {key!r} is not supported"
            return ConfigError(what, where=where, why=details["msg"], remedy=remedy)
        case "enum":
            return _refuse_choice(key, details, where)
    what = f"configuration key {key!r} has an illegal value: {given!r}"
    of_key = [d for d in found if d["loc"][:1] == details["loc"][:1]] if key in unions else [details]
    return ConfigError(what, where=where, why=", or ".join(map(_why, of_key)), remedy="correct it")


def _refuse_choice(key: str, details: ErrorDetails, where: str) -> ConfigError:
    given = details["input"]
    shown = given.value if isinstance(given, Enum) else given
    valid = re.findall(r"'([^']*)'", str(details["ctx"]["expected"]))
    what = f"configuration key {key!r} has an unknown value: {shown!r}"
    return ConfigError(what, where=where, remedy=nearest(str(shown), valid))


def _why(details: ErrorDetails) -> str:
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    subject = repr(details["loc"][2]) if len(details["loc"]) > 2 else "it"  # within one type of several
    return f"{subject} {message}" if message.startswith("should") else message[:1].lower() + message[1:]
