# Copyright (c) 2026, The FINN authors
# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong with an accelerator."""

from __future__ import annotations

from finn.core.errors import FinnError


class DeployError(FinnError):
    """An accelerator was given what it cannot take, or is not there."""


class DeviceBusy(DeployError):
    """An execution was started before the one before it had ended."""


class DeviceTimeout(DeployError):
    """An execution did not end in time."""
