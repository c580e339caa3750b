# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""`python -m finn_hlslib.lint`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the lint, or say how to install what it needs."""
    try:
        from finn_hlslib.lint.driver import main as lint
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "clang":
            raise
        sys.stderr.write("the lint needs libclang (it is not installed): pip install 'finn-hlslib[lint]'\n")
        return 2
    return lint()


if __name__ == "__main__":
    sys.exit(main())
