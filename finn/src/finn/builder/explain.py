"""The command `finn explain`: the explanation of a file or of a build directory, whatever is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.text import Text

from finn.builder import admission, products
from finn.builder._input_format import InputFormat
from finn.builder.build_dataflow import configuration
from finn.builder.errors import foreseen
from finn.core.errors import ConfigError, FinnError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.report import explanation as explaining
from finn.report.explanation import Explanation, Note
from finn.report.explanation_text import headline, plain, problem_lines, sections
from finn.transformation.streamline import StreamlineOptions


def input_formats(texts: Sequence[str]) -> dict[str, InputFormat]:
    """Of `[NAME=]DATATYPE[,scale=S][,mean=M][,std=D]`, by name; "" for all other inputs.

    S, M, D: a number or a fraction such as 1/255, or one per channel with colons between them. ConfigError if not so.
    """
    found = {}
    for text in texts:
        head, *parts = text.split(",")
        name, _, datatype = head.rpartition("=")
        given: dict[str, object] = {"datatype": datatype}
        for part in parts:
            key, _, value = part.partition("=")
            if key not in ("scale", "mean", "std"):
                raise _refused(text, f"there is no {key!r}", nearest(key, ["scale", "mean", "std"]))
            given[key] = _numbers(text, value)
        try:
            found[name] = TypeAdapter(InputFormat).validate_python(given)
        except ValidationError as error:
            raise _refused(text, error.errors()[0]["msg"]) from error
    return found


def _numbers(text: str, value: str) -> float | tuple[float, ...]:
    try:
        numbers = tuple(float(Fraction(number)) for number in value.split(":"))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise _refused(text, f"{value!r} is no number") from error
    return numbers if len(numbers) > 1 else numbers[0]


def _refused(text: str, why: str, remedy: str = "write, say, x=UINT8,scale=1/255") -> ConfigError:
    return ConfigError(f"{text!r} is no input format", where="--input-format", why=why, remedy=remedy)


def explained(path: Path, changes: Mapping[str, object], standalone_thresholds: bool) -> Explanation:
    """The explanation of a file, or of a build directory with its configuration; what fails is one of its problems.

    changes : fields of `StreamlineOptions` that are not to be as the configuration, or the default, has them.
    """
    try:
        with foreseen("this is a mistake in the compiler: report it with the model"):
            return _explained(path, changes, standalone_thresholds)
    except FinnError as error:
        return Explanation(problems=(Note.of(error),))


def _explained(path: Path, changes: Mapping[str, Any], standalone_thresholds: bool) -> Explanation:
    options = StreamlineOptions()
    if path.is_dir():
        cfg = configuration(path)
        path, options = path / "model.onnx", cfg.streamline_options()
        standalone_thresholds = standalone_thresholds or cfg.standalone_thresholds
    model = ModelWrapper(path)
    found, problems = Explanation(), []
    try:
        admission.check(model)
    except FinnError as error:
        problems.append(Note.of(error))
    try:
        found = explaining.explain(model, replace(options, **changes), standalone_thresholds=standalone_thresholds)
    except FinnError as error:
        problems.append(Note.of(error))
    return replace(found, problems=(*problems, *found.problems))


def show(explanation: Explanation) -> None:
    """Tables on a terminal, each as wide as it is; else plain text."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.file.write(plain(explanation))
        return
    for line in headline(explanation):
        console.print(Text(line))
    for line in problem_lines(explanation.problems):
        console.print(Text(line, style="" if line.startswith("  ") else "bold red"))
    for section in sections(explanation):
        console.print(section.table())


def save(explanation: Explanation, path: Path) -> None:
    """Write the JSON form. BuildError if the file cannot be written."""
    with foreseen("give another file"):
        products.write_text(path, explanation.to_json())
