"""Boards of AMD and their devices. The facts are in boards.json, with their source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_BOARDS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "boards.json").read_text("utf-8"))["boards"]

pynq_part_map: dict[str, str] = {name: facts["part"] for name, facts in _BOARDS.items() if "port_bits" in facts}
"""Boards that run PYNQ, and their devices."""

pynq_native_port_width: dict[str, int] = {
    name: facts["port_bits"] for name, facts in _BOARDS.items() if "port_bits" in facts
}
"""Width in bits of their AXI ports to memory."""

alveo_part_map: dict[str, str] = {name: facts["part"] for name, facts in _BOARDS.items() if "platform" in facts}
"""Alveo cards, and their devices."""

alveo_default_platform: dict[str, str] = {
    name: facts["platform"] for name, facts in _BOARDS.items() if "platform" in facts
}
"""The Vitis platforms that they are built for if none is given."""

part_map: dict[str, str] = {name: facts["part"] for name, facts in _BOARDS.items()}
"""Every board, and its device."""
