"""The command `finn-base`. What is heavy is imported when it is used."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from finn.core.errors import FinnError
from finn.util._cli_tables import (
    cost_table,
    diff_tables,
    info_tables,
    integer_ranges,
    pairs_table,
    ranges_table,
    stuck_table,
)

if TYPE_CHECKING:
    from finn.core.modelwrapper import ModelWrapper

app = typer.Typer(
    help="Look at, clean, run, convert and compare quantized ONNX models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it (128 + SIGINT)."""

Model = Annotated[Path, typer.Argument(help="ONNX file.", metavar="MODEL")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class Style(str, Enum):
    """Forms of quantizers that `convert` writes."""

    QCDQ = "qcdq"
    QUANT = "quant"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"finn-base {metadata.version('finn-base')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Look at, clean, run, convert and compare quantized ONNX models."""


# ----------------------------------------------------------------------------------------------------------- commands


@app.command()
def info(model: Model, as_json: Json = False) -> None:
    """Show inputs, outputs, operators and data types."""
    with _reported(as_json):
        from finn.util.model_info import model_info

        found = model_info(_load(model))
        _show(found, as_json, info_tables(found))


@app.command()
def cleanup(
    model: Model,
    output: Output = None,
    input_size: Annotated[
        str | None, typer.Option(help="Shape of the first input, such as '1,3,32,32', or its batch size.")
    ] = None,
    fold_quantizers: Annotated[bool, typer.Option(help="Also fold the quantizers of constants.")] = False,
    extract_conv_bias: Annotated[bool, typer.Option(help="Make additions of the biases of convolutions.")] = False,
    as_json: Json = False,
) -> None:
    """Infer shapes, fold constants, remove what is unused, give readable names."""
    with _reported(as_json), _busy("cleaning up"):
        from finn.util.cleanup import cleanup_model

        before = _load(model)
        clean = cleanup_model(before, not fold_quantizers, input_size, extract_conv_bias)
        _written(clean, before, output or model.with_name(f"{model.stem}_clean.onnx"), as_json)


@app.command()
def convert(
    model: Model,
    to: Annotated[Style, typer.Option("--to", help="Form of the quantizers.")],
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Turn Quant into QuantizeLinear, Clip, DequantizeLinear, or back."""
    with _reported(as_json), _busy("converting"):
        from finn.util.convert import convert as convert_file

        target = output or model.with_name(f"{model.stem}_{to.value}.onnx")
        convert_file(str(model), output_style=to.value, output_file=str(target))
        _written(_load(target), _load(model), target, as_json, saved=True)


@app.command("to-channels-last")
def to_channels_last(
    model: Model,
    output: Output = None,
    make_input_channels_last: Annotated[bool, typer.Option(help="Let the input have its channels last, too.")] = False,
    as_json: Json = False,
) -> None:
    """Move the channel axis to the end throughout."""
    with _reported(as_json), _busy("converting"):
        from finn.util.to_channels_last import to_channels_last as convert_file

        target = output or model.with_name(f"{model.stem}_channels_last.onnx")
        convert_file(str(model), make_input_channels_last=make_input_channels_last, out_file=str(target))
        _written(_load(target), _load(model), target, as_json, saved=True)


@app.command("exec")
def execute(
    model: Model,
    inputs: Annotated[list[Path], typer.Argument(help="A .npy file for each input: samples along the first axis.")],
    output_prefix: Annotated[str, typer.Option(help="Outputs go to <prefix><tensor>_batch<i>.npy.")] = "out_",
    batch: Annotated[int | None, typer.Option(min=1, help="Samples per run, instead of the model's.")] = None,
    labels: Annotated[Path | None, typer.Option(help="A .npy file of classes: report the accuracy.")] = None,
    expose: Annotated[str | None, typer.Option(help="Also write tensors whose name has one of these texts.")] = None,
    pixels: Annotated[bool, typer.Option(help="The input counts 0 ... 255; the model wants 0 ... 1.")] = False,
    zero_center: Annotated[bool, typer.Option(help="With --pixels: the model wants -1 ... 1.")] = False,
    save: Annotated[bool, typer.Option(help="Write the outputs.")] = True,
    as_json: Json = False,
) -> None:
    """Run MODEL on all samples."""
    with _reported(as_json), _progress() as advance:
        from finn.util.exec_qonnx import exec_qonnx

        result = exec_qonnx(
            model, *inputs, override_batchsize=batch, expose_intermediates=expose, output_prefix=output_prefix,
            argmax_verify_npy=labels, input_pix2float=pixels, input_zerocenter=zero_center, output_nosave=not save,
            progress=advance,
        )  # fmt: skip
        found: dict[str, Any] = {"batches": len(result.outputs)}
        if result.accuracy is not None:
            found["accuracy"] = result.accuracy
        found["files"] = [str(path) for path in result.files]
        _show(found, as_json, [pairs_table("Run", found)])


@app.command()
def cost(
    model: Model,
    breakdown: Annotated[bool, typer.Option(help="Also per operator and per node.")] = False,
    discount_sparsity: Annotated[bool, typer.Option(help="Do not count products with zero weights.")] = True,
    as_json: Json = False,
) -> None:
    """Count multiplications, bit operations and memory of one inference."""
    with _reported(as_json), _busy("counting"):
        from finn.util.inference_cost import inference_cost

        found = inference_cost(model, discount_sparsity=discount_sparsity, cost_breakdown=breakdown)
        total = {key: "none" if value == "set()" else value for key, value in found["total_cost"].items()}
        tables = [pairs_table("Cost of one inference", total)]
        tables += [cost_table(key, found[key]) for key in ("optype_cost", "node_cost") if key in found]
        _show(found, as_json, tables)


@app.command()
def ranges(
    model: Model,
    input_range: Annotated[str, typer.Option(help="'low,high' of every input; as annotated if not given.")] = "",
    name: Annotated[str, typer.Option(help="Only tensors whose name has this text.")] = "",
    integers: Annotated[bool, typer.Option(help="Scaled integers: scale, integer range, accumulators.")] = False,
    stuck: Annotated[bool, typer.Option(help="Channels that never change.")] = False,
    as_json: Json = False,
) -> None:
    """Show which values each tensor can have. In JSON a bound that is not there is null."""
    with _reported(as_json), _busy("propagating"):
        from finn.util import range_analysis as analysis

        if integers:
            found, tables = integer_ranges(_clean(model), name)
        else:
            mode = analysis.REPORT_MODE_STUCKCHANNEL if stuck else analysis.REPORT_MODE_RANGE
            found = analysis.range_analysis(_clean(model), irange=input_range, key_filter=name, report_mode=mode)
            tables = [stuck_table(found) if stuck else ranges_table(found)]
        _show(found, as_json, tables)


@app.command()
def diff(
    a: Model,
    b: Model,
    run: Annotated[int, typer.Option(min=0, help="Also run both on this many random inputs.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the random inputs.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare two models; exit status 1 if they differ."""
    with _reported(as_json):
        from finn.util.model_diff import numerical_diff, structural_diff

        first, second = _load(a), _load(b)
        found: dict[str, Any] = {"structure": structural_diff(first, second)}
        if run:
            found["execution"] = numerical_diff(first, second, run, seed)
        _show(found, as_json, diff_tables(found))
        if found["structure"] or not all(entry["equal"] for entry in found.get("execution", {}).values()):
            raise typer.Exit(1)


# ----------------------------------------------------------------------------------------------------------- plumbing


def _load(path: Path) -> ModelWrapper:
    from finn.core.modelwrapper import ModelWrapper

    return ModelWrapper(path)


def _clean(path: Path) -> ModelWrapper:
    from finn.transformation.infer_datatypes import InferDataTypes
    from finn.util.cleanup import cleanup_model

    return cleanup_model(_load(path)).transform(InferDataTypes(), make_deepcopy=False)


def _written(after: ModelWrapper, before: ModelWrapper, target: Path, as_json: bool, saved: bool = False) -> None:
    """Save a changed model, and say what has become of its operators."""
    if not saved:
        after.save(target)
    counts = [
        {op: len(model.get_nodes_by_op_type(op)) for op in dict.fromkeys(n.op_type for n in model.graph.node)}
        for model in (before, after)
    ]
    found = {
        "file": str(target),
        "operators": {op: [c.get(op, 0) for c in counts] for op in {**counts[0], **counts[1]}},
    }
    table = Table("operator", "before", "after", title=escape(str(target)))
    for op, (old, new) in found["operators"].items():  # type: ignore[attr-defined]
        table.add_row(op, str(old), str(new))
    _show(found, as_json, [table])


def _show(found: Mapping[str, Any], as_json: bool, tables: list[Table]) -> None:
    if as_json:
        typer.echo(json.dumps(_finite(found), indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    for table in tables:
        console.print(table)


def _finite(value: Any) -> Any:
    """The value as JSON has it: lists for arrays and sets, null for infinite numbers and NaN, else text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value)
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


@contextmanager
def _reported(as_json: bool) -> Iterator[None]:
    """Show errors as lines, or as JSON on standard error; warnings as notes."""
    screen = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            yield
    except FinnError as error:
        parts = {"error": error.what, "where": error.where, "why": error.why, "remedy": error.remedy}
        if as_json:
            typer.echo(json.dumps({key: text for key, text in parts.items() if text}), err=True)
        else:
            for key, text in parts.items():
                if text:
                    screen.print(f"[bold red]{key}[/]: {escape(text)}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    finally:
        for warning in caught:
            screen.print(f"[yellow]note[/]: {escape(str(warning.message))}")


@contextmanager
def _busy(doing: str) -> Iterator[None]:
    """A spinner on a terminal."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield
        return
    with screen.status(doing):
        yield


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar on a terminal, for the reports of `exec_qonnx`."""
    columns = (TextColumn("running"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("run")
        yield lambda done: bar.update(task, completed=done.batch, total=done.batches)


def main() -> None:
    """The command `finn-base`."""
    app()


if __name__ == "__main__":
    main()
