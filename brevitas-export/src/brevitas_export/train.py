# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""``python -m brevitas_export.train NAME`` trains a network, tests it, and writes a directory that finn builds.

A name is a network, its bits of weights and activations, and its data, such as ``tfc_w1a1_mnist``. An interrupted
training goes on where it was, to the same result. ``NAME/training`` has the log (CSV), a plot of it, the checkpoint.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from finn.core.errors import ConfigError, FinnError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="such as tfc_w1a1_mnist")]


@app.command()
def main(
    names: Names = None,
    list_: Annotated[bool, typer.Option("--list", help="The names, with two bits; 1 to 8 can be had.")] = False,
    output: Annotated[Path, typer.Option(help="Where the directories called NAME are.")] = Path(),
    epochs: Annotated[int | None, typer.Option(min=1, help="Those of the recipe by default.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At the first epoch; a cosine takes it to 0.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same network, on one kind of machine.")] = 0,
    hold_out: Annotated[float, typer.Option(help="Share of the training data kept for validation.")] = 0.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the checkpoint and begin anew.")] = False,
) -> None:
    """Train networks, test them, and write their build directories."""
    console = Console(stderr=True)
    try:
        from brevitas_export.qonnx import require_brevitas

        require_brevitas()
        from brevitas_export.training.recipes import names as known

        if list_:
            typer.echo("\n".join(known()))
            return
        if not names:
            raise ConfigError("there is no name of a network", remedy="give one, or --list")
        for name in names:
            train(name, output / name, epochs, learning_rate, seed, hold_out, fresh=fresh, console=console)
    except (FinnError, ValueError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error


def train(
    name: str,
    directory: Path,
    epochs: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    hold_out: float = 0.0,
    *,
    fresh: bool = False,
    console: Console | None = None,
) -> float:
    """Train the network of that name into the directory; returns its accuracy on the held-out samples.

    Raises FinnError for unknown names, missing data, a directory of something else, or a training that fails.
    """
    from brevitas_export.training import product
    from brevitas_export.training.loop import Settings, Training
    from brevitas_export.training.plot import plot
    from brevitas_export.training.recipes import chosen as recipe_of

    chosen = recipe_of(name)
    recipe = chosen.recipe
    settings = Settings(name, seed, epochs or recipe.epochs, learning_rate or recipe.learning_rate, hold_out)
    product.check_free(directory, name)
    folder = directory / "training"
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    task = recipe.task()
    training = Training(chosen, task, settings, folder)
    with Progress(
        TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"),
        console=console or Console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        shown = bar.add_task("", total=settings.epochs, completed=len(training.log))
        for epoch in training.epochs():
            bar.update(shown, advance=1, description=f"loss {epoch.loss:.3f}, {epoch.train_accuracy:.1%}")
    plot(training.log, f"{name}, seed {seed}", folder / "curve.png")
    tested = product.write(training.net.eval(), chosen, task, settings, directory)
    typer.echo(f"{name}: {tested.accuracy:.1%} of {tested.y.size:,} held out, in {directory}")
    return tested.accuracy


if __name__ == "__main__":
    app()
