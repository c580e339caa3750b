# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""From a name to a trained network in a directory that finn builds: recipes, the loop, and what is written."""
