# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""The reference of finn-hlslib: Doxygen reads the headers, breathe shows what it found; conf.py calls this.

The headers' comments are plain `//` lines; as a program, this file is the filter that marks them for Doxygen.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
PROJECT = "finn-hlslib"
NAMESPACE = "finn::"
LICENCE = 2
"""Lines in front of what a header says of itself."""

SETTINGS = """\
PROJECT_NAME = finn-hlslib
INPUT = {headers}
FILE_PATTERNS = *.hpp
FILTER_PATTERNS = "*.hpp={python} {filter}"
FILTER_SOURCE_FILES = NO
STRIP_FROM_PATH = {include}
GENERATE_HTML = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
XML_PROGRAMLISTING = NO
OUTPUT_DIRECTORY = {output}
JAVADOC_AUTOBRIEF = YES
EXTRACT_ALL = NO
HIDE_UNDOC_MEMBERS = YES
MACRO_EXPANSION = YES
PREDEFINED = FINN_HLS(x)=
MARKDOWN_SUPPORT = NO
QUIET = YES
WARNINGS = NO
"""


class DoxygenMissing(RuntimeError):
    """There is no Doxygen."""


def run_doxygen(output: Path, headers: Path) -> Path:
    """Read the headers; return the directory of the XML. Raises DoxygenMissing."""
    program = shutil.which("doxygen")
    if program is None:
        raise DoxygenMissing("doxygen is not on this machine; run `apt-get install doxygen`")
    output.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS.format(
        headers=headers, include=headers.parent, output=output, python=sys.executable, filter=Path(__file__)
    )
    subprocess.run([program, "-"], input=settings, text=True, check=True, stdout=subprocess.DEVNULL)
    return output / "xml"


def write_page(path: Path, headers: Path, xml: Path) -> None:
    """A page with a section for each header, those of layers first."""
    lines = [
        *_heading("The C++ library, header by header", "="),
        "How its parts belong together: :doc:`../hlslib`.",
        "",
    ]
    described = _described(xml)
    for header in sorted(headers.glob("*.hpp"), key=lambda h: (not _is_kernel(h), h.name)):
        lines += [*_heading(header.name, "-"), *_about(header.read_text()), ""]
        for kind, name in described.get(header.name, []):
            lines += [f".. doxygen{kind}:: {name}", f"   :project: {PROJECT}"]
            lines += [*["   :members:"] * (kind != "function"), ""]
    path.write_text("\n".join(lines))


def _heading(text: str, line: str) -> list[str]:
    return [text, line * len(text), ""]


def _about(text: str) -> list[str]:
    """What a header says of itself: the comment behind the licence. What is indented in it is code."""
    head = [line.removeprefix("//").removeprefix(" ") for line in text.split("#ifndef", 1)[0].splitlines()[LICENCE:]]
    result: list[str] = []
    for line in head:
        if line.startswith("  ") and not (result and result[-1].startswith("  ")):
            result += [".. code-block:: cpp", ""]
        result.append(line.rstrip())
    return result


def _described(xml: Path) -> dict[str, list[tuple[str, str]]]:
    """Header -> (kind, name) of the classes and functions in it that have a description and one name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for compound in ElementTree.parse(xml / "index.xml").iter("compound"):
        if compound.get("kind") not in ("class", "struct", "namespace"):
            continue
        root = ElementTree.parse(xml / f"{compound.get('refid')}.xml").getroot()[0]
        if compound.get("kind") != "namespace":
            name = root.findtext("compoundname", "")
            nested = "::" in name.removeprefix(NAMESPACE)  # stands with the class around it
            if "<" not in name and not nested and _text(root):
                _add(found, root, str(compound.get("kind")), name)
            continue
        functions = [m for m in root.iter("memberdef") if m.get("kind") == "function"]
        names = [m.findtext("name") for m in functions]
        for member in functions:
            if _text(member) and names.count(member.findtext("name")) == 1:
                _add(found, member, "function", f"{root.findtext('compoundname')}::{member.findtext('name')}")
    return found


def _text(element: ElementTree.Element) -> str:
    parts = [element.find(name) for name in ("briefdescription", "detaileddescription")]
    return "".join("".join(part.itertext()) for part in parts if part is not None).strip()


def _add(found: dict[str, list[tuple[str, str]]], element: ElementTree.Element, kind: str, name: str) -> None:
    location = element.find("location")
    if location is not None:
        found.setdefault(Path(location.get("file", "")).name, []).append((kind, name))


def _is_kernel(header: Path) -> bool:
    return re.search(r"\bvoid step\(", header.read_text()) is not None


def marked(text: str) -> str:
    """A header with its comment lines as Doxygen wants them; the first block is about the file."""
    lines = text.splitlines()
    result = [""] * LICENCE
    head = True
    for number, line in enumerate(lines[LICENCE:]):
        comment = re.match(r"( *)//( |$)", line)
        head = head and comment is not None
        if number == 0 and head:
            result.append("/// \\file")
        elif comment:
            result.append(f"{comment[1]}///{line[len(comment[1]) + 2 :]}")
        else:
            result.append(line)
    return "\n".join(result) + "\n"


if __name__ == "__main__":
    sys.stdout.write(marked(Path(sys.argv[1]).read_text()))
