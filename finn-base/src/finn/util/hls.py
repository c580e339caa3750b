"""Calls of the C++ compilers for hardware."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from finn.core.errors import ConfigError
from finn.util.basic import launch_process_helper, which
from finn.util.errors import ToolError

_BACKENDS = ("vivado_hls", "vitis_hls")


class CallHLS:
    """Runs vivado_hls or vitis_hls on a Tcl script, by a script ipgen.sh that can be run again by hand."""

    def __init__(self, backend: str = "vivado_hls") -> None:
        if backend not in _BACKENDS:
            raise ConfigError(f"there is no HLS backend '{backend}'", remedy=f"use one of: {', '.join(_BACKENDS)}")
        self.backend = backend
        self.tcl_script = ""
        self.ipgen_path = ""
        self.code_gen_dir = ""
        self.ipgen_script = ""

    def append_tcl(self, tcl_script: str) -> None:
        """The Tcl script to run."""
        self.tcl_script = tcl_script

    def set_ipgen_path(self, path: str) -> None:
        """Where the Tcl script puts the IP block; for the caller to remember."""
        self.ipgen_path = path

    def build(self, code_gen_dir: str | os.PathLike[str]) -> None:
        """Write ipgen.sh into the folder `code_gen_dir` and run it there.

        ToolError if the backend is not in the PATH or reports an error.
        """
        if which(self.backend) is None:
            raise ToolError(f"{self.backend} is not in the PATH", remedy="source settings64.sh of its installation")
        self.code_gen_dir = str(code_gen_dir)
        script = Path(code_gen_dir) / "ipgen.sh"
        command = shlex.join([self.backend, self.tcl_script])
        script.write_text(f"#!/bin/bash\ncd {shlex.quote(self.code_gen_dir)} && {command}\n", encoding="utf-8")
        self.ipgen_script = str(script)
        launch_process_helper(["bash", self.ipgen_script])
