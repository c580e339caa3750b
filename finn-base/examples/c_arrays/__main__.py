# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""python -m c_arrays model.onnx out_dir [--input UINT8]: writes net.h, net.c and test_net.c."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from c_arrays.compiler import compile_network
from finn.core.errors import FinnError


def main() -> int:
    parser = argparse.ArgumentParser(prog="c_arrays", description="Compile a quantized ONNX model to C99.")
    parser.add_argument("model", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--input", metavar="DATATYPE", help="data type of the inputs, such as UINT8")
    arguments = parser.parse_args()
    try:
        compile_network(arguments.model, arguments.out_dir, arguments.input)
    except FinnError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
