"""The report of the FIFOs between the layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finn.dataflow.layer import Layer
    from finn.dataflow.timing import Timing

BITS_PER_KIB = 8 * 1024


def fifo_sizing(layers: Mapping[str, Layer], edges: Mapping[str, str], found: Timing) -> dict[str, Any]:
    """fifo_sizing.json, with the keys of FINN+: depths in beats, sizes in bits.

    edges : the FIFOs of the design and the streams that they are in. found : a run of the design at full rate.
    """
    depths = {name: int(layers[name].config()["depth"]) for name in edges}
    sizes = {name: depth * layers[name].inputs[0].width for name, depth in depths.items()}
    return {
        "fifo_depths": depths,
        "fifo_sizes": sizes,
        "ram_style": {name: layers[name].config()["ram_style"] for name in edges},
        "streams": dict(edges),
        "most_beats_held": {name: found.high_water[name] for name in edges},
        "total_fifo_size_kiB": sum(sizes.values()) / BITS_PER_KIB,
        "interval_cycles": found.interval,
        "latency_cycles": found.latency,
    }
