"""Yosys: from SystemVerilog to a mapped netlist and what it uses, for AMD 7-series and UltraScale+ and Lattice ECP5."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finn.synth.boards import Family, Part, part
from finn.synth.cache import digest, fetch, store
from finn.synth.errors import SynthesisError
from finn.synth.process import PythonTool
from finn.synth.resources import LATCHES, Usage, usage
from finn.synth.shell import INSTANCE, TOP, PinShell

YOSYS = PythonTool(
    name="yosys (pyosys)",
    package="pyosys",
    module="pyosys",
    minimum=(0, 70),
    needed_for="out-of-context resources, and the netlist for place and route",
)

NETLIST = "netlist.json"
USAGE = "usage.json"
_ELABORATED = "elaborated.json"
LOG = "yosys.log"
MEMORY_SUFFIXES = (".dat", ".mem", ".hex")

# Yosys goes on after these with hardware that nobody meant.
_FATAL_WARNINGS = ("is implicitly declared", "Latch inferred for signal")

# One flat design: keeping the instances as a hierarchy costs 4 % more LUTs, and a third of fmax where a path crosses
# their borders.
_MAP = {
    Family.XC7: "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
    Family.XCUP: "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {top}",
    Family.ECP5: "synth_lattice -family ecp5 -top {top}",
}

_SCRIPT = """\
{fatal}
read_verilog -sv -defer -DSYNTHESIS {sources}
hierarchy -check -top {top}
design -save rtl
proc
flatten
json -o ../{elaborated}
opt_expr
opt_clean
check -nolatches -assert
design -load rtl
{map}
autoname
write_json ../{netlist}
"""


@dataclass(frozen=True)
class SynthesisResult:
    """resources: `finn.synth.resources.KINDS` -> number, for the design without its shell.

    per_instance: the same for each instance in the design; "(top)" is what stands between them.
    utilisation: share (1.0 = all) of the part, where its capacity is known. top: of the netlist.
    """

    part: Part
    top: str
    resources: dict[str, int]
    per_instance: dict[str, dict[str, int]]
    utilisation: dict[str, float]
    netlist: Path
    log: Path


def synthesize(
    sources: Sequence[Path], top: str, part_name: str, workdir: Path, *, shell: PinShell | None = None
) -> SynthesisResult:
    """Synthesise module `top` of `sources` out of context for the part called `part_name`.

    Memory files (.dat, .mem, .hex) beside the sources are found by `$readmemh` under their plain names. With `shell`,
    the netlist is that of the shell around `top`, ready for place and route; the resources remain those of `top`.
    Writes netlist.json, usage.json, yosys.log, synth.ys and rtl/ (copies of the sources) into `workdir`. The result
    depends on nothing but the contents of the files, the part, the shell and the version of Yosys; by these it is
    cached. Raises `ToolMissing`; `SynthesisError` for a syntax error, an undeclared or undriven net, a latch, or a
    combinational loop.
    """
    target = part(part_name)
    version = YOSYS.require()
    rtl = _gather(sources, workdir, shell)
    netlist_top = TOP if shell else top
    script = _script(rtl, netlist_top, target.family)
    (workdir / "synth.ys").write_text(script)
    key = digest(rtl, [script, version])
    netlist, log = workdir / NETLIST, workdir / LOG
    if not fetch("synthesis", key, workdir):
        _run(workdir, top)
        _count(workdir, netlist_top, INSTANCE if shell else "")
        store("synthesis", key, [netlist, log, workdir / USAGE])
    used = Usage(**json.loads((workdir / USAGE).read_text()))
    share = target.utilisation(used.total)
    return SynthesisResult(target, netlist_top, used.total, used.per_instance, share, netlist, log)


def _gather(sources: Sequence[Path], workdir: Path, shell: PinShell | None) -> list[Path]:
    """Copy the sources and their memories into workdir/rtl, so that no path of this machine gets into the netlist."""
    rtl = workdir / "rtl"
    rtl.mkdir(parents=True, exist_ok=True)
    files = [*sources, *([shell.source] if shell else [])]
    beside = [file for folder in dict.fromkeys(s.parent for s in sources) for file in sorted(folder.iterdir())]
    files += [file for file in beside if file.suffix in MEMORY_SUFFIXES]
    twice = [name for name, times in Counter(file.name for file in dict.fromkeys(files)).items() if times > 1]
    if twice:
        raise SynthesisError(
            f"two source files are called {twice[0]}",
            where="sources",
            remedy="give every module a file of its own name",
        )
    copies = []
    for file in dict.fromkeys(files):
        copies.append(rtl / file.name)
        if not (copies[-1].exists() and copies[-1].samefile(file)):
            shutil.copyfile(file, copies[-1])
    if shell:
        copies.append(rtl / f"{TOP}.sv")
        copies[-1].write_text(shell.text())
    return copies


def _script(rtl: Sequence[Path], top: str, family: Family) -> str:
    """The Yosys script, run in workdir/rtl."""
    return _SCRIPT.format(
        fatal="\n".join(f'logger -werror "{text}"' for text in _FATAL_WARNINGS),
        sources=" ".join(sorted(f'"{file.name}"' for file in rtl if file.suffix not in MEMORY_SUFFIXES)),
        top=top,
        elaborated=_ELABORATED,
        map=_MAP[family].format(top=top),
        netlist=NETLIST,
    )


def _run(workdir: Path, top: str) -> None:
    """Run workdir/synth.ys and check what came of it. Yosys exits on errors, hence a process of its own."""
    log = workdir / LOG
    code = "from pyosys import libyosys; libyosys.run_pass('script ../synth.ys', libyosys.Design())"
    status = YOSYS.run(code, [], workdir / "rtl", log)
    text = log.read_text(errors="replace")
    if status != 0 or not (workdir / NETLIST).is_file():
        raise _explain(text, status, top, log)
    if latch := re.search(rf"^ +\d+ +({'|'.join(sorted(LATCHES))})$", text, re.MULTILINE):
        raise SynthesisError(f"the netlist has latches ({latch[1]})", where=top, why=f"see {log}", remedy=_LATCH_REMEDY)


def _count(workdir: Path, netlist_top: str, instance: str) -> None:
    """Write workdir/usage.json."""
    elaborated = workdir / _ELABORATED
    used = usage(workdir / NETLIST, netlist_top, instance, elaborated)
    elaborated.unlink()
    (workdir / USAGE).write_text(json.dumps(asdict(used), indent=1) + "\n")


_LATCH_REMEDY = "assign the signal in every branch (defaults first), or make it a register"


def _explain(text: str, status: int, top: str, log: Path) -> SynthesisError:
    """The error that a failed run's log tells of."""
    where = f"synthesis of {top}"
    if latch := re.search(r"Latch inferred for signal `?([^']+?)'? from|latch cell (\S+)", text):
        name = (latch[1] or latch[2]).replace("\\", "")
        return SynthesisError(f"latch inferred for {name}", where=where, why=f"see {log}", remedy=_LATCH_REMEDY)
    if loop := re.search(r"found logic loop in module (\S+):\n((?:[ \t]+\S.*\n)+)", text):
        path = "; ".join(re.findall(r"^\s*wire (\S+)", loop[2], re.MULTILINE)[:6]) or loop[2].split("\n")[0].strip()
        path = path.replace("\\", "")
        return SynthesisError(
            f"combinational loop in {loop[1]} through {path}",
            where=where,
            why=f"see {log}",
            remedy="put a register into the loop",
        )
    if driver := re.search(
        r"Warning: (Wire \S+ is used but has no driver|multiple conflicting drivers for \S+):?", text
    ):
        what = driver[1].replace("\\", "").rstrip(":")
        return SynthesisError(what, where=where, why=f"see {log}", remedy="drive it exactly once")
    error = re.search(r"^(.*: )?ERROR: ?(.*)$", text, re.MULTILINE)
    what = (error[1] or "") + error[2].replace("\\", "") if error else f"Yosys ended with exit code {status}"
    return SynthesisError(what.strip(), where=where, why=f"see {log}", remedy="mend the source that the message names")
