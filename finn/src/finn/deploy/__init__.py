# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""Accelerators as functions on NumPy arrays: the driver, and the simulated devices behind it."""

from __future__ import annotations

from finn.deploy.driver import Accelerator
from finn.deploy.errors import DeployError, DeviceBusy, DeviceTimeout
from finn.deploy.ports import Port

__all__ = ["Accelerator", "DeployError", "DeviceBusy", "DeviceTimeout", "Port"]
