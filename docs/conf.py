# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Settings of Sphinx."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))

import api_pages  # noqa: E402  # beside this file
import api_text  # noqa: E402
import data_pictures  # noqa: E402
import hlslib_pages  # noqa: E402
import notebook_pages  # noqa: E402
import order_pictures  # noqa: E402

from finn_examples.notebook_files import notebooks  # noqa: E402
from finn_hlslib import include_dir  # noqa: E402

project = "FINN"
author = "The FINN authors"
copyright = "2026, The FINN authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "breathe"]
HEADERS = include_dir() / "finn"
breathe_projects = {hlslib_pages.PROJECT: str(HERE / "_build" / "doxygen" / "xml")}
breathe_default_project = hlslib_pages.PROJECT
breathe_domain_by_extension = {"hpp": "cpp"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {
    "page_width": "1320px",
    "body_max_width": "1060px",  # 120 characters of code
    "sidebar_width": "240px",
    "code_font_size": "0.75em",
}
add_module_names = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
autodoc_mock_imports = ["matplotlib"]
# Type aliases and NumPy's names have no page to link to.
nitpicky = False


def setup(app: Any) -> None:
    """Called by Sphinx."""
    api_pages.write_pages(HERE / "api")
    xml = hlslib_pages.run_doxygen(HERE / "_build" / "doxygen", HEADERS)
    hlslib_pages.write_page(HERE / "api" / "hlslib.rst", HEADERS, xml)
    for pictures in (order_pictures.pictures(), data_pictures.pictures()):
        order_pictures.write_pictures(HERE / "api", pictures)
    notebook_pages.write_pages(HERE / "api" / "notebooks", notebooks())
    app.connect("autodoc-process-docstring", api_text.process_docstring)
    app.connect("autodoc-process-signature", api_text.process_signature)
