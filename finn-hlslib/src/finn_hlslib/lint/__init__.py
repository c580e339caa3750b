# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Whether C++ can become hardware: `python -m finn_hlslib.lint [files...]`, for the library and for generated code.

Needs libclang (`pip install 'finn-hlslib[lint]'`) and the headers of a C++ compiler. A rule is a function whose
docstring says what it wants and why; `python -m finn_hlslib.lint --rules` prints them.

text        a file without its comments: pragmas, includes, allowances
toolchain   libclang, and where the standard headers are
tree        clang's syntax tree with positions; which expressions are constant
functions   functions with their loops, pragmas and calls
unit        one translation unit: its files, functions, and the instances of templates that it calls
language, headers, calls, loops, directives, pragmas, arrays, dataflow    the rules
driver      all rules on all units; allowances
"""
