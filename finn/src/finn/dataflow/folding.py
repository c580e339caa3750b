"""How parallel each layer is: from a target frame rate, or from a configuration file. Knows no layer by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from math import inf
from typing import Any

from finn.core.errors import ConfigError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import layers, set_layer
from finn.dataflow.layer import Layer, LayerError, divisors
from finn.dataflow.layers import LAYERS


@dataclass(frozen=True)
class Folding:
    """What was chosen. cycles : per frame of the slowest layer; target_cycles : what was asked for."""

    cycles: int
    limiting_layer: str
    target_cycles: int

    @property
    def met(self) -> bool:
        return self.cycles <= self.target_cycles

    def __str__(self) -> str:
        ratio = self.target_cycles / self.cycles
        verdict = f"met with {100 * (ratio - 1):.1f} % to spare" if self.met else f"missed: {100 * ratio:.1f} % of it"
        return (
            f"target of {self.target_cycles} cycles per frame {verdict}; "
            f"{self.limiting_layer} limits it to {self.cycles} cycles"
        )


def target_cycles(target_fps: float, clk_ns: float) -> int:
    """Clock cycles per frame at `target_fps` frames/s with a clock period of `clk_ns`; at least 1."""
    if not (0 < target_fps < inf and 0 < clk_ns < inf):
        what = f"target_fps={target_fps}, clock period {clk_ns} ns"
        raise ConfigError(what, why="both have to be positive numbers", remedy="correct them in the configuration")
    return max(1, int(1e9 / clk_ns / target_fps))


def set_folding(model: ModelWrapper, target_cycles: int, mvau_wwidth_max: int = 36, part: str | None = None) -> Folding:
    """Give each layer the smallest legal folding that meets `target_cycles` per frame, in place.

    Smallest: the least estimated area on `part`. A layer that cannot meet the target sets a slower one for all others.
    mvau_wwidth_max : bits of parameters that one output may read per cycle, kept where it can be.
    """
    found = layers(model)
    reachable = max(min(c.cycles for c in _candidates(layer)) for layer in found.values())
    goal = max(target_cycles, reachable)
    chosen = {name: _smallest(layer, goal, mvau_wwidth_max, part) for name, layer in found.items()}
    for name, layer in chosen.items():
        set_layer(model, name, layer)
    limiting = max(chosen, key=lambda name: chosen[name].cycles)
    return Folding(chosen[limiting].cycles, limiting, target_cycles)


def _candidates(layer: Layer) -> Iterator[Layer]:
    foldings = layer.foldings()
    for factors in product(*(divisors(getattr(layer, of)) for of in foldings.values())):
        yield layer.with_config(**dict(zip(foldings, factors, strict=True)))


def _smallest(layer: Layer, goal: int, width: int, part: str | None) -> Layer:
    fast = [c for c in _candidates(layer) if c.cycles <= goal]
    narrow = [c for c in fast if c.parameter_width <= width] or fast
    return min(narrow, key=lambda c: (c.resources(part).area, c.cycles))


def apply_config(model: ModelWrapper, config: Mapping[str, Mapping[str, Any]]) -> None:
    """Set foldings and options from a dictionary {node name: {attribute: value}}, in place.

    "Defaults" gives {attribute: [value, [layer types or "all"]]}. FINN's names (MVAU_hls_0, MatrixVectorActivation_0)
    mean MVAU_0. Entries for nodes that do not exist, unknown attributes and illegal values raise ConfigError; then the
    model is as it was.
    """
    present = layers(model)
    chosen = dict(present)
    for attribute, entry in config.get("Defaults", {}).items():
        value, kinds = _default(attribute, entry)
        for name, layer in chosen.items():
            if ("all" in kinds or type(layer).__name__ in map(_our_type, kinds)) and attribute in layer.config():
                chosen[name] = _configured(name, layer, {attribute: value})
    for given, values in config.items():
        if given != "Defaults":
            name = _our_name(given, present)
            chosen[name] = _configured(name, chosen[name], values)
    for name, layer in chosen.items():
        set_layer(model, name, layer)


def extract_config(model: ModelWrapper) -> dict[str, dict[str, Any]]:
    """The present foldings and options of all layers, in the form that `apply_config` reads."""
    return {"Defaults": {}} | {name: layer.config() for name, layer in layers(model).items()}


def _default(attribute: str, entry: Any) -> tuple[Any, list[str]]:
    if not isinstance(entry, list | tuple) or len(entry) != 2 or not isinstance(entry[1], list | tuple):
        raise ConfigError(
            f"Defaults: {attribute} is {entry!r}", where="folding configuration",
            why="a default is a value and the layer types that it is for", remedy=f'write "{attribute}": [2, ["all"]]',
        )  # fmt: skip
    return entry[0], list(entry[1])


def _configured(name: str, layer: Layer, values: Mapping[str, Any]) -> Layer:
    try:
        return layer.with_config(**values)
    except LayerError as error:
        raise ConfigError(error.what, where=f"layer {name}", why=error.why, remedy=error.remedy) from error


def _our_type(name: str) -> str:
    """FINN's name of a layer type -> ours."""
    plain = re.sub(r"_(hls|rtl)$", "", name)
    for cls in LAYERS:
        if plain == cls.__name__ or plain in cls.former_names:
            return cls.__name__
    return plain


def _our_name(entry: str, present: Mapping[str, Layer]) -> str:
    match = re.fullmatch(r"(.*?)_(\d+)", entry)
    name = f"{_our_type(match.group(1))}_{match.group(2)}" if match else entry
    if name in present:
        return name
    near = get_close_matches(entry, present, n=1)
    raise ConfigError(
        f"there is no layer {entry}",
        where="folding configuration",
        remedy=f"did you mean {near[0]}?" if near else f"the layers are {', '.join(present)}",
    )
