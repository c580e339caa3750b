"""The commands `finn` and `build_dataflow`. What is heavy is imported when it is used."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="From a quantized neural network to a verified FPGA accelerator.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it (128 + SIGINT)."""

BuildDir = Annotated[Path, typer.Argument(help="Directory with model.onnx and dataflow_build_config.json.")]


def _version(asked: bool) -> None:
    if asked:
        try:
            typer.echo(f"finn {metadata.version('finn')}")
        except metadata.PackageNotFoundError:
            typer.echo("finn (not installed)")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """From a quantized neural network to a verified FPGA accelerator."""


@app.command()
def build(
    directory: BuildDir,
    start: Annotated[str | None, typer.Option(help="First step to run, from the saved step before.")] = None,
    stop: Annotated[str | None, typer.Option(help="Last step to run.")] = None,
    verbose: Annotated[bool, typer.Option(help="Show on the screen what else only the log holds.")] = False,
) -> None:
    """Build what DIRECTORY describes."""
    from finn.builder.build_dataflow import build_dataflow_cfg, configuration
    from finn.builder.console import Screen
    from finn.core.errors import FinnError

    try:
        cfg = configuration(directory)
    except FinnError as error:
        Screen().error(error)
        raise typer.Exit(1) from error
    given = {"start_step": start, "stop_step": stop, "verbose": verbose or None}
    cfg = cfg.model_copy(update={key: value for key, value in given.items() if value is not None})
    with _status():
        result = build_dataflow_cfg(str(directory / "model.onnx"), cfg)
    raise typer.Exit(0 if result == 0 else 1)


@app.command()
def explain(
    model: Annotated[Path, typer.Argument(help="ONNX file, or a build directory.", metavar="MODEL")],
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JSON to FILE, or to the screen if -.")
    ] = None,
    input_format: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]TYPE[,scale=S][,mean=M][,std=D]",
            help="Integers k that stand for a float input: (k * scale - mean) / std. Numbers, fractions such as 1/255, "
            "or 1:2:3 for channels. Without NAME, of all other inputs.",
        ),
    ] = None,
    max_multithreshold_bit_width: Annotated[
        int | None, typer.Option(min=1, help="Widest activation quantizer that becomes thresholds.")
    ] = None,
    select_on_host: Annotated[bool | None, typer.Option(help="TopK and ArgMax at the end stay on the host.")] = None,
    dequantize: Annotated[bool | None, typer.Option(help="Compute scale * q + bias of the outputs.")] = None,
    remove_constant_channels: Annotated[bool | None, typer.Option(help="Remove channels that never change.")] = None,
    merge_duplicate_channels: Annotated[
        bool | None, typer.Option(help="Compute channels that are the same once.")
    ] = None,
    remove_dead_channels: Annotated[bool | None, typer.Option(help="Remove channels that nothing depends on.")] = None,
    minimize_accumulators: Annotated[bool | None, typer.Option(help="Give sums the narrowest types.")] = None,
    minimize_weights: Annotated[bool | None, typer.Option(help="Give weights the narrowest types.")] = None,
    minimize_thresholds: Annotated[bool | None, typer.Option(help="Give thresholds the narrowest types.")] = None,
    standalone_thresholds: Annotated[bool, typer.Option(help="Thresholds are layers of their own.")] = False,
) -> None:
    """Tell what becomes of each node of MODEL, why not more, and what to change.

    The exit status is 0 if a build takes the network, else 1. Switches that are not given are as the configuration of
    the build directory, or the default, has them.
    """
    from finn.builder.console import Screen
    from finn.builder.explain import explained, input_formats, save, show
    from finn.core.errors import FinnError

    switches = dict(
        max_multithreshold_bit_width=max_multithreshold_bit_width,
        select_on_host=select_on_host,
        dequantize=dequantize,
        remove_constant_channels=remove_constant_channels,
        merge_duplicate_channels=merge_duplicate_channels,
        remove_dead_channels=remove_dead_channels,
        minimize_accumulators=minimize_accumulators,
        minimize_weights=minimize_weights,
        minimize_thresholds=minimize_thresholds,
    )
    changes: dict[str, object] = {name: value for name, value in switches.items() if value is not None}
    try:
        if input_format:
            changes["inputs"] = input_formats(input_format)
        with _status():
            found = explained(model, changes, standalone_thresholds)
        if json == Path("-"):
            typer.echo(found.to_json(), nl=False)
        else:
            show(found)
            if json is not None:
                save(found, json)
    except FinnError as error:
        Screen().error(error)
        raise typer.Exit(1) from error
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def pareto(
    model: Annotated[Path, typer.Argument(help="ONNX file, or a build directory.", metavar="MODEL")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write pareto.json, pareto.svg and foldings/ to DIR."),
    ] = None,
    part: Annotated[str | None, typer.Option(help="FPGA part, such as xczu3eg-sbva484-1-e.")] = None,
    clock: Annotated[float | None, typer.Option(min=0.01, help="Clock period in ns.")] = None,
    points: Annotated[int, typer.Option(min=2, max=1000, help="How many foldings at most.")] = 20,
    plot: Annotated[
        bool | None, typer.Option(help="Draw pareto.svg. It is drawn if matplotlib is there (finn\\[plot]).")
    ] = None,
) -> None:
    """Tell what speed costs: the smallest folding of MODEL for each of many frame rates.

    Resources are estimates without FIFOs. Part and clock period that are not given are as the configuration of the
    build directory has them, else the clock period is 10 ns. Each foldings/CYCLES.json can be a folding_config_file.
    """
    from finn.builder.console import Screen
    from finn.builder.exploration import can_plot, save, show, sweep
    from finn.core.errors import FinnError

    screen = Screen()
    try:
        with _status(), screen.progress(points) as bar:
            task = bar.task_ids[0]
            found = sweep(model, part, clock, points, lambda done, of: bar.update(task, completed=done, total=of))
        show(found)
        if output is not None:
            if plot is None and not can_plot():
                screen.notice("no plot: matplotlib is not installed (pip install 'finn[plot]')")
            save(found, output, can_plot() if plot is None else plot)
    except FinnError as error:
        screen.error(error)
        raise typer.Exit(1) from error


@app.command("explain-schema")
def explain_schema() -> None:
    """Print the JSON schema of what `explain --json` writes."""
    from finn.report.explanation import json_schema

    typer.echo(json_schema(), nl=False)


@app.command("build_custom")
def build_custom(
    directory: Annotated[Path, typer.Argument(help="Directory with the script.")],
    name: Annotated[str, typer.Argument(help="Name of the script, without .py.")] = "build",
) -> None:
    """Run DIRECTORY/NAME.py, in that directory."""
    from finn.builder.console import Screen
    from finn.builder.errors import BuildError
    from finn.core.errors import FinnError

    script = directory.absolute() / f"{name}.py"
    if not script.is_file():
        Screen().error(BuildError(f"{script.name} is missing", where=str(directory), remedy="give the script's name"))
        raise typer.Exit(1)
    os.chdir(directory)
    sys.argv = [str(script)]
    sys.path.insert(0, str(script.parent))
    try:
        with _status():
            runpy.run_path(str(script), run_name="__main__")
    except FinnError as error:
        Screen().error(error, script.name)
        raise typer.Exit(1) from error


@app.command()
def doctor() -> None:
    """Show which tools are found, what each is needed for and how to install it."""
    from rich.console import Console
    from rich.table import Table

    from finn.builder.tools import KNOWN, USED

    table = Table("tool", "version", "needed for", "install")
    for status in (tool.status() for tool in KNOWN):
        version = status.version or "found" if status.found else "[red]not found[/]"
        table.add_row(status.name, version, status.needed_for, "" if status.found else status.install)
    Console(highlight=False).print(table)
    if not all(tool.status().found for tool in USED):
        raise typer.Exit(1)


@app.command("config-schema")
def config_schema() -> None:
    """Print the JSON schema of dataflow_build_config.json."""
    from finn.builder.build_dataflow_config import json_schema

    typer.echo(json_schema(), nl=False)


def _build_dataflow(directory: BuildDir) -> None:
    """Build what DIRECTORY describes; the same as `finn build DIRECTORY`."""
    from finn.builder.build_dataflow import build_dataflow_directory

    with _status():
        result = build_dataflow_directory(str(directory))
    raise typer.Exit(0 if result == 0 else 1)


@contextmanager
def _status() -> Iterator[None]:
    """End the command with the status of shells after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error


def main() -> None:
    """The command `finn`."""
    app()


def build_dataflow() -> None:
    """The command `build_dataflow`."""
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(_build_dataflow)
    command()


if __name__ == "__main__":
    main()
