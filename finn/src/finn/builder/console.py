"""What a build shows on the screen, and the log that holds everything.

Modules write to the logger "finn": warnings are shown, information is shown if the build is verbose, and the file gets
all of it, tracebacks and whatever steps print included.
"""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from finn.core.errors import FinnError

LOGGER = logging.getLogger("finn")
if TYPE_CHECKING:
    _TextHandler = logging.StreamHandler[TextIO]
else:
    _TextHandler = logging.StreamHandler  # takes no type argument before Python 3.11
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Screen:
    """Standard output and standard error as they were when the build began. Nothing moves unless it is a terminal."""

    def __init__(self) -> None:
        self.out = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self.err = Console(file=sys.stderr, highlight=False, soft_wrap=True)

    def error(self, error: FinnError, step: str = "") -> None:
        """Show what is wrong, where, why and the remedy, a line each."""
        for line in describe(error, step):
            head, _, rest = line.partition(": ")
            self.err.print(f"[bold red]{escape(head)}[/]: {escape(rest)}")

    def notice(self, text: str) -> None:
        self.out.print(f"[yellow]Note[/]: {escape(text)}")

    @contextmanager
    def progress(self, steps: int) -> Iterator[Progress]:
        """A bar that counts steps; nothing if standard output is no terminal."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        bar = Progress(
            *columns,
            console=self.out,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not self.out.is_terminal,
        )
        with bar:
            bar.add_task("starting", total=steps)
            yield bar


def describe(error: FinnError, step: str = "") -> list[str]:
    """The lines that tell a user about `error`, which came up in `step`."""
    lines = [f"Error: {error.what}"]
    place = ", ".join(filter(None, (step, error.where)))
    for head, text in (("where", place), ("why", error.why), ("remedy", error.remedy)):
        if text:
            lines.append(f"  {head}: {text}")
    return lines


@contextmanager
def logged(path: Path, screen: Screen, *, verbose: bool, append: bool) -> Iterator[None]:
    """Send all that the block logs, prints and warns of to the file `path`, and what matters to `screen`."""
    with ExitStack() as stack:
        handler = stack.enter_context(_LogFile.opened(path, append=append))
        stack.enter_context(_attached(handler, LOGGER, logging.getLogger("py.warnings")))
        stack.enter_context(_attached(_ScreenHandler(screen, verbose=verbose), LOGGER))
        logging.captureWarnings(True)
        stack.callback(logging.captureWarnings, False)
        stack.enter_context(redirect_stdout(_Lines("print")))
        stack.enter_context(redirect_stderr(_Lines("stderr")))
        yield


@contextmanager
def _attached(handler: logging.Handler, *loggers: logging.Logger) -> Iterator[None]:
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class _LogFile(_TextHandler):
    """The log file. A line that cannot be written is left out: the build itself reports a full disk."""

    @classmethod
    @contextmanager
    def opened(cls, path: Path, *, append: bool) -> Iterator[_LogFile]:
        with path.open("a" if append else "w", encoding="utf-8") as stream:
            handler = cls(stream)
            formatter = logging.Formatter(FORMAT)
            formatter.converter = time.gmtime
            handler.setFormatter(formatter)
            yield handler

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore it."""


class _ScreenHandler(logging.Handler):
    """Shows log records as notices."""

    def __init__(self, screen: Screen, *, verbose: bool) -> None:
        super().__init__(logging.INFO if verbose else logging.WARNING)
        self.screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            return  # errors are shown by Screen.error, with their remedy
        if record.levelno == logging.WARNING:
            self.screen.notice(record.getMessage())
        else:
            self.screen.out.print(escape(record.getMessage()))


class _Lines(io.TextIOBase):
    """A text stream that logs each line it is given."""

    def __init__(self, name: str) -> None:
        self.logger = logging.getLogger(f"finn.{name}")
        self.rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.logger.info("%s", line)
        return len(text)
