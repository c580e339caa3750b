# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Data to train and to test networks on: made here by code, or shipped by packages. Nothing is downloaded."""
