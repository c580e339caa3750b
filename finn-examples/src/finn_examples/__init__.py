# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Trained example networks, each a directory that ``finn build`` takes as it is.

>>> [found.name for found in examples() if found.name.startswith("tfc")]
['tfc_w1a1_mnist', 'tfc_w1a2_mnist', 'tfc_w2a2_mnist']
"""

from finn_examples.catalogue import Example, UnknownExampleError, example, examples

__all__ = ["Example", "UnknownExampleError", "example", "examples"]
