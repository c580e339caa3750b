"""From the names and functions in a configuration to the steps to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from finn.builder.build_dataflow_config import DataflowBuildConfig, default_build_dataflow_steps
from finn.builder.build_dataflow_steps import build_dataflow_step_lookup
from finn.core.errors import ConfigError, nearest
from finn.core.modelwrapper import ModelWrapper

StepFunction = Callable[[ModelWrapper, DataflowBuildConfig], ModelWrapper]


@dataclass(frozen=True)
class Step:
    """name: as the configuration has it, numbered if it comes again; intermediate models are named after it."""

    name: str
    function: StepFunction

    @property
    def canonical(self) -> str:
        """The name of the step's function, whatever alias it was called by."""
        return _name(self.function)


def resolve_build_steps(cfg: DataflowBuildConfig) -> list[Step]:
    """All steps of `cfg`. Raises `ConfigError` for a name that is no step."""
    chosen: list[Step] = []
    names: list[str] = []
    for given in default_build_dataflow_steps if cfg.steps is None else cfg.steps:
        function = _function(given) if isinstance(given, str) else cast("StepFunction", given)
        name = given if isinstance(given, str) else _name(function)
        names.append(name)
        count = names.count(name)
        chosen.append(Step(name if count == 1 else f"{name}_{count}", function))
    if not chosen:
        raise ConfigError("there are no steps", where="steps", remedy="remove the key for the default steps")
    return chosen


def selected(steps: list[Step], cfg: DataflowBuildConfig) -> list[Step]:
    """The part of `steps` from start_step to stop_step. Raises `ConfigError` for a name that is not among them."""
    first = 0 if cfg.start_step is None else _find(steps, cfg.start_step, "start_step")
    last = len(steps) - 1 if cfg.stop_step is None else _find(steps, cfg.stop_step, "stop_step")
    if last < first:
        what = f"stop_step {cfg.stop_step!r} comes before start_step {cfg.start_step!r}"
        raise ConfigError(what, where="start_step, stop_step", remedy="exchange them, or remove one")
    return steps[first : last + 1]


def _function(name: str) -> StepFunction:
    if name not in build_dataflow_step_lookup:
        remedy = nearest(name, list(build_dataflow_step_lookup))
        raise ConfigError(f"unknown step {name!r}", where="steps", remedy=remedy)
    return build_dataflow_step_lookup[name]


def _find(steps: list[Step], name: str, key: str) -> int:
    """Position of the step called `name`, or of that of which `name` is an alias."""
    alias = build_dataflow_step_lookup.get(name)
    for position, step in enumerate(steps):
        if step.name == name or step.function is alias:
            return position
    remedy = nearest(name, [step.name for step in steps])
    raise ConfigError(f"{key} {name!r} is not among the steps of this build", where=key, remedy=remedy)


def _name(function: StepFunction) -> str:
    """The name of a function, also of a partial one."""
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__name__", type(inner).__name__))
