"""How parallel each layer is: from a target frame rate, or from a configuration file. Knows no layer by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from math import inf
from typing import Any

from finn.core.errors import ConfigError, nearest
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import Instance, instances, layers, set_layer
from finn.dataflow.layer import Layer, LayerError, Resources
from finn.dataflow.layers import LAYERS
from finn.dataflow.optimizer import MVAU_WWIDTH_MAX, STREAM_WIDTH_MAX, FoldingProblem, Limits, Solution
from finn.dataflow.search import cheapest, fastest_within


@dataclass(frozen=True)
class Folding:
    """What was chosen. cycles : per frame of the slowest layer; target_cycles : what was asked for.

    resources, converters : estimates of the layers and of so many width converters between them, without FIFOs.
    exact : no legal folding costs less.
    """

    cycles: int
    limiting_layer: str
    target_cycles: int
    resources: Resources = field(default_factory=Resources)
    converters: int = 0
    exact: bool = True

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


def set_folding(
    model: ModelWrapper,
    target_cycles: int,
    mvau_wwidth_max: int = MVAU_WWIDTH_MAX,
    part: str | None = None,
    stream_width_max: int = STREAM_WIDTH_MAX,
) -> Folding:
    """Give the layers the foldings and memories that meet `target_cycles` per frame at the least cost, in place.

    Cost: the estimated area on `part` of the layers and of the width converters between them. Layers that cannot meet
    the target set a slower one for all others. Bits of parameters that one output reads per cycle, and bits of a beat
    of any stream, stay within their limits where they can. What the layers had before does not matter.
    """
    problem = FoldingProblem(instances(model), part, Limits(mvau_wwidth_max, stream_width_max))
    return _set(model, cheapest(problem, target_cycles), target_cycles)


def set_fastest(
    model: ModelWrapper,
    budget: Resources,
    mvau_wwidth_max: int = MVAU_WWIDTH_MAX,
    part: str | None = None,
    stream_width_max: int = STREAM_WIDTH_MAX,
) -> Folding:
    """Give the layers the fastest foldings and memories that fit into `budget` by estimate, in place.

    FIFOs are not known yet; leave room for them. `Folding.target_cycles` is what was reached. The search for what fits
    weighs the resources against each other, and may miss the last per cent (`fastest_within`).
    Raises BudgetError if nothing fits.
    """
    problem = FoldingProblem(instances(model), part, Limits(mvau_wwidth_max, stream_width_max))
    found = fastest_within(problem, budget)
    return _set(model, found, found.cycles)


def set_memories(model: ModelWrapper, budget: Resources, part: str | None = None) -> Resources:
    """Choose what the memories of all layers are made of, FIFOs among them, so that they fit into `budget`, in place.

    Returns what they use then. Raises BudgetError if they do not fit.
    """
    found = fastest_within(FoldingProblem(instances(model), part, folds=False), budget)
    _write(model, found)
    return found.resources


def _set(model: ModelWrapper, found: Solution, target: int) -> Folding:
    _write(model, found)
    limiting = max(found.layers, key=lambda name: found.layers[name].cycles)
    return Folding(found.cycles, limiting, target, found.resources, found.converters, found.exact)


def _write(model: ModelWrapper, found: Solution) -> None:
    for name, layer in found.layers.items():
        set_layer(model, name, layer)


def apply_config(model: ModelWrapper, config: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Set foldings and options from a dictionary {node name: {attribute: value}}, in place.

    "Defaults" gives {attribute: [value, [layer types or "all"]]}. FINN's names (MVAU_hls_0, MatrixVectorActivation_0)
    mean MVAU_0. Entries for nodes that do not exist, unknown attributes and illegal values raise ConfigError; then the
    model is as it was. Returns the layers that were given a folding factor.
    """
    present = layers(model)
    chosen = dict(present)
    folded = set()

    def change(name: str, values: Mapping[str, Any]) -> None:
        chosen[name] = _configured(name, chosen[name], values)
        if values.keys() & chosen[name].foldings().keys():
            folded.add(name)

    for attribute, entry in config.get("Defaults", {}).items():
        value, kinds = _default(attribute, entry)
        for name, layer in present.items():
            if type(layer).__name__ in kinds and attribute in layer.config():
                change(name, {attribute: value})
    for given, values in config.items():
        if given != "Defaults":
            change(_our_name(given, present), values)
    for i in instances(model):
        _check_type(model, i, chosen[i.name])
    for name, layer in chosen.items():
        set_layer(model, name, layer)
    return folded


def _check_type(model: ModelWrapper, i: Instance, chosen: Layer) -> None:
    """Weights that can be written may need a wider result; what reads it was made for the present one."""
    for tensor, old, new in zip(i.outputs, i.layer.outputs, chosen.outputs, strict=True):
        readers = [n.name for n in model.find_consumers(tensor)]
        if old.dtype != new.dtype and readers:
            raise ConfigError(
                f"results of {new.dtype.name} instead of {old.dtype.name}", where=f"layer {i.name}",
                why=f"{', '.join(readers)} is made for {old.dtype.name}",
                remedy="leave runtime_writeable_weights of this layer 0; layers with thresholds can have it",
            )  # fmt: skip


def extract_config(model: ModelWrapper) -> dict[str, dict[str, Any]]:
    """The present foldings and options of all layers, in the form that `apply_config` reads."""
    present = {name: layer.config() for name, layer in layers(model).items()}
    for values in present.values():
        if not values["preferred_impl_style"]:  # nobody has chosen
            del values["preferred_impl_style"]
    return {"Defaults": {}} | present


def _default(attribute: str, entry: Any) -> tuple[Any, set[str]]:
    """The value and the layer types that it is for, whether the network has such layers or not."""
    if not isinstance(entry, list | tuple) or len(entry) != 2 or not isinstance(entry[1], list | tuple):
        raise ConfigError(
            f"Defaults: {attribute} is {entry!r}", where="folding configuration",
            why="a default is a value and the layer types that it is for", remedy=f'write "{attribute}": [2, ["all"]]',
        )  # fmt: skip
    types = {cls.__name__: {f.name for f in fields(cls) if f.metadata.get("config")} for cls in LAYERS}
    named = [str(kind) for kind in entry[1]]
    kinds = set(types if "all" in named else map(_our_type, named))
    if unknown := sorted(kinds - types.keys()):
        what = f"Defaults: {attribute} is for {unknown[0]}, which is no type of layers"
        raise ConfigError(what, where="folding configuration", remedy=nearest(unknown[0], sorted(types)))
    attributes = {name for kind in kinds for name in types[kind]}
    if attribute not in attributes:
        what = f"Defaults: {', '.join(named)} have no configurable attribute {attribute!r}"
        raise ConfigError(what, where="folding configuration", remedy=nearest(attribute, sorted(attributes)))
    return entry[0], kinds


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


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = len(names) - most
    return f"{', '.join(names[:most])} and {more} more" if more > 1 else ", ".join(names)


def _our_name(entry: str, present: Mapping[str, Layer]) -> str:
    match = re.fullmatch(r"(.*?)_(\d+)", entry)
    name = f"{_our_type(match.group(1))}_{match.group(2)}" if match else entry
    if name in present:
        return name
    near = get_close_matches(entry, present, n=1)
    raise ConfigError(
        f"there is no layer {entry}",
        where="folding configuration",
        remedy=f"did you mean {near[0]}?" if near else f"the layers are {_listed(list(present))}",
    )
