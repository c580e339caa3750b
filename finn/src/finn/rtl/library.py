"""The SystemVerilog library: which files a module needs."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path


@lru_cache
def library() -> dict[str, Path]:
    """Module name -> its file. One module per file, named alike."""
    folder = Path(str(files("finn.rtllib")))
    return {path.stem: path for path in sorted(folder.rglob("*.sv"))}


@lru_cache
def sources_of(module: str) -> tuple[Path, ...]:
    """The files that `module` is made of, sorted by name."""
    modules, todo, found = library(), [module], {module}
    while todo:
        text = re.sub(r"//.*", "", modules[todo.pop()].read_text())
        used = {m for m in re.findall(r"^\s*(\w+)\s*(?:#\s*\(|u_\w+\s*\()", text, re.MULTILINE) if m in modules}
        todo += used - found
        found |= used
    return tuple(modules[m] for m in sorted(found))
