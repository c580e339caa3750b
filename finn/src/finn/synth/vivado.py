"""AMD Vivado: whether it is there. Running it is not implemented; AMD parts get their resources from Yosys."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from finn.synth.process import ToolStatus


class Vivado:
    """Found by $XILINX_VIVADO, else on the PATH."""

    name = "vivado"

    def status(self) -> ToolStatus:
        """The version is taken from the path, since starting Vivado takes many seconds."""
        root = os.environ.get("XILINX_VIVADO")
        path = shutil.which(str(Path(root) / "bin" / "vivado")) if root else shutil.which("vivado")
        version = re.search(r"\b(20\d\d\.\d)\b", path or "")
        return ToolStatus(
            name=self.name,
            found=path is not None,
            version=version[1] if version else "",
            path=path or "",
            needed_for="nothing yet: synthesis, timing and bitstreams with Vivado are not implemented",
            install="from AMD; not needed",
        )


VIVADO = Vivado()
