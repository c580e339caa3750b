# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Build this example into output/ and check it on held-out data; `python -m finn_examples build` builds several."""

from finn_examples.rebuild import build_here

raise SystemExit(build_here(__file__))
