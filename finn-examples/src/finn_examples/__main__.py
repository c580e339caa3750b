# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""``python -m finn_examples`` lists the examples; its commands build and check them. What is heavy is imported late."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from finn_examples.catalogue import Example, UnknownExampleError, example, examples
from finn_examples.extent import Extent

app = typer.Typer(help="Trained networks for finn.", add_completion=False, pretty_exceptions_enable=False)

Names = Annotated[list[str] | None, typer.Argument(help="Names of examples; all by default.", show_default=False)]


@app.callback(invoke_without_command=True)
def _main(context: typer.Context) -> None:
    """Trained networks for finn. Without a command, list them."""
    if context.invoked_subcommand is None:
        list_examples()


@app.command("list")
def list_examples() -> None:
    """List the examples and where they are."""
    _print(f"{example.name}\t{example.title}\n\t{example.directory}" for example in examples())


@app.command()
def notebooks(directory: Annotated[Path, typer.Argument(help="A new directory.")]) -> None:
    """Copy the notebooks to DIRECTORY."""
    from finn_examples.notebook_files import copy_notebooks

    try:
        _print(str(path) for path in copy_notebooks(directory))
    except FileExistsError:
        raise _refused(f"{directory} exists already: choose a new directory") from None


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Names of examples.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Build all examples.")] = False,
    to: Annotated[Extent | None, typer.Option(help="How far; as the configurations say by default.")] = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Write to DIR/NAME, and summaries to DIR.")] = Path(
        "output"
    ),
    rtl_samples: Annotated[int, typer.Option(min=1, help="How many held-out samples RTL simulates.")] = 100,
) -> None:
    """Build examples one after the other, and check each on its held-out data.

    The exit status is 1 if a build fails or an accelerator gives other answers than PyTorch.
    """
    from finn_examples.rebuild import rebuild, write

    if everything == bool(names):
        raise _refused("give names of examples, or --all")
    found = rebuild(_chosen(names), lambda example: output / example.name, to, rtl_samples)
    write(found, output)
    raise typer.Exit(0 if all(each.good for each in found) else 1)


@app.command()
def accuracy(
    names: Names = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Write accuracy.md and accuracy.json to DIR.")] = Path(),
    rtl_samples: Annotated[int, typer.Option(min=1, help="How many held-out samples RTL simulates.")] = 100,
) -> None:
    """Tell whether all forms of networks give PyTorch's answers, and how often those are right.

    What the files in DIR say of other examples stays. The exit status is 1 if any answer differs.
    """
    from finn.builder.console import Screen
    from finn.core.errors import FinnError
    from finn_examples.accuracy import Result, update

    screen, wrong = Screen(), 0

    def tell(name: str, found: Result) -> None:
        nonlocal wrong
        wrong += found.differ
        text = f"{found.correct} of {found.labels} right ({found.accuracy:.1%}), {found.differ} not PyTorch's"
        screen.out.print(f"{name}, {found.form}: {text}", markup=False)

    try:
        errors = update(output, _chosen(names), examples(), rtl_samples, tell)
    except FinnError as problem:
        screen.error(problem)
        raise typer.Exit(1) from problem
    for name, error in errors.items():
        screen.error(error, name)
    raise typer.Exit(1 if wrong or errors else 0)


def _chosen(names: Iterable[str] | None) -> tuple[Example, ...]:
    """The examples of these names, all if there are none. Ends the program for an unknown name."""
    try:
        return tuple(map(example, names or ())) or examples()
    except UnknownExampleError as error:
        raise _refused(str(error)) from None


def _refused(why: str) -> typer.Exit:
    """Tell what is wrong with the arguments; the end of the program."""
    sys.stderr.write(f"error: {why}\n")
    return typer.Exit(2)


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    app(prog_name="python -m finn_examples")
