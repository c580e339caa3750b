"""Lint of the SystemVerilog library: `python -m finn.rtl.lint`.

Every module is linted by Verilator with all warnings on and its default parameters; `lint_design` takes real ones.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from finn.core.errors import FinnError
from finn.rtl.errors import RtlError
from finn.rtl.library import library, sources_of
from finn.rtl.stitch import Design
from finn.rtl.verilator import verilator


def lint(top: str, sources: list[Path], cwd: Path) -> None:
    """Raise RtlError with Verilator's first messages if it has any about module `top`."""
    done = verilator().run(["--lint-only", "-Wall", "--top-module", top, *map(str, sources)], cwd)
    if done.returncode or "%Warning" in done.stderr:
        messages = [line for line in done.stderr.splitlines() if line.startswith("%")]
        raise RtlError(f"Verilator lint of {top}", why="\n".join(messages[:5]) or done.stderr.strip())


def lint_library() -> int:
    """Lint every module of the library with its default parameters; return how many there are."""
    with tempfile.TemporaryDirectory() as work:
        for module in library():
            lint(module, list(sources_of(module)), Path(work))
    return len(library())


def lint_design(design: Design) -> None:
    """Lint a stitched design with its real parameters."""
    with tempfile.TemporaryDirectory() as name:
        top = design.write(name)
        lint(design.name, [*(Path(name) / s.name for s in design.sources), top], Path(name))


def main() -> int:
    """Command line: print what was linted; exit status 1 at the first finding."""
    try:
        count = lint_library()
    except FinnError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{count} SystemVerilog modules are lint-clean\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
