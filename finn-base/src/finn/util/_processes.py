"""Programs outside: find them, run them, compile C++."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from finn.util.errors import ToolError

_TAIL_LINES = 20


def which(program: str) -> str | None:
    """The path of an executable file, searched in PATH if `program` is a bare name; None if there is none."""
    return shutil.which(program)


def launch_process_helper(
    args: Sequence[str],
    proc_env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    check: bool = True,
) -> tuple[str, str]:
    """Run a program, repeat what it wrote on stdout and stderr, and return both.

    proc_env: its environment (None: ours); cwd: its folder. Bytes that are no UTF-8 are replaced. ToolError if it
    cannot be started, or (check) if it ends with another exit code than 0.
    """
    try:
        done = subprocess.run(
            args, env=proc_env, cwd=cwd, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        raise ToolError(f"cannot run '{args[0]}'", where=str(cwd or ""), why=error.strerror or str(error)) from error
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if check and done.returncode:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise ToolError(
            f"'{shlex.join(args)}' ended with exit code {done.returncode}",
            where=str(cwd or ""),
            why="\n".join(output[-_TAIL_LINES:]),
        )
    return done.stdout, done.stderr


class CppBuilder:
    """Compiles C++ sources to one executable with g++, by a script compile.sh that can be run again by hand."""

    def __init__(self) -> None:
        self.include_paths: list[str] = []
        self.cpp_files: list[str] = []
        self.executable_path = ""
        self.code_gen_dir = ""
        self.compile_components: list[str] = []
        self.compile_script = ""

    def append_includes(self, library_path: str) -> None:
        """Add an argument of g++ that is no source, such as "-I/folder" or "-O3"; it may hold several."""
        self.include_paths.append(library_path)

    def append_sources(self, cpp_file: str) -> None:
        """Add a source file; shell patterns such as "*.cpp" are expanded."""
        self.cpp_files.append(cpp_file)

    def set_executable_path(self, path: str) -> None:
        """What g++ writes."""
        self.executable_path = path

    def build(self, code_gen_dir: str | os.PathLike[str]) -> None:
        """Write compile.sh into the folder `code_gen_dir` and run it. ToolError if g++ reports an error."""
        self.code_gen_dir = str(code_gen_dir)
        self.compile_components = [f"g++ -o {self.executable_path}", *self.cpp_files, *self.include_paths]
        script = Path(code_gen_dir) / "compile.sh"
        script.write_text("#!/bin/bash\n" + " ".join(self.compile_components) + "\n", encoding="utf-8")
        self.compile_script = str(script)
        launch_process_helper(["bash", self.compile_script])
