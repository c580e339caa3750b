"""Run the steps of a build: resolve, resume, log, time, save, and say clearly what went wrong."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress

from finn.builder import admission, fifos, products, streamlining, tools, verification
from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType
from finn.builder.console import Screen, describe, logged
from finn.builder.errors import BuildError, foreseen
from finn.builder.steps import Step, resolve_build_steps, selected
from finn.core.errors import ConfigError, FinnError
from finn.core.modelwrapper import ModelWrapper
from finn.dataflow.graph import is_layer, is_reshape, layers
from finn.report import summary
from finn.report.estimates import network_performance

log = logging.getLogger(__name__)

REPORTS = ("rtlsim_performance", "ooc_synth_and_timing", "post_synth_resources", "accuracy")
"""The reports of which the last lines of a build tell."""


def build_dataflow_cfg(model_filename: str, cfg: DataflowBuildConfig) -> int:
    """Build what `cfg` asks for from the network in `model_filename`. 0 if all went well, -1 if not.

    Errors are shown on standard error and never raised, except KeyboardInterrupt.
    """
    screen = Screen()
    try:
        steps = resolve_build_steps(cfg)
        with foreseen("see the traceback in build_dataflow.log"):
            output_dir = Path(cfg.output_dir)
            output_dir.mkdir(parents=True, exist_ok=True)
            products.remove_partial(output_dir)
            append = cfg.start_step is not None
            stack = logged(output_dir / "build_dataflow.log", screen, verbose=cfg.verbose, append=append)
            with stack:
                return _Build(Path(model_filename), cfg, screen, steps).run()
    except FinnError as error:
        screen.error(error)
        return -1


def build_dataflow_directory(path_to_cfg_dir: str) -> int:
    """Build what the directory describes: model.onnx, dataflow_build_config.json, folding_config.json if it is there.

    Paths in the configuration are relative to the directory. 0 if all went well, -1 if not.
    """
    directory = Path(path_to_cfg_dir)
    try:
        cfg = configuration(directory)
    except FinnError as error:
        Screen().error(error)
        return -1
    return build_dataflow_cfg(str(directory / "model.onnx"), cfg)


def configuration(directory: Path) -> DataflowBuildConfig:
    """The configuration of a build directory. Raises `ConfigError` or `BuildError` if a file is missing or illegal."""
    for name in ("model.onnx", "dataflow_build_config.json"):
        if not (directory / name).is_file():
            remedy = f"put {name} there, or give another directory"
            raise BuildError(f"{name} is missing", where=str(directory), remedy=remedy)
    path = directory / "dataflow_build_config.json"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("not a text file", where=str(path), why=str(error), remedy="write JSON in UTF-8") from error
    cfg = DataflowBuildConfig.from_json(text, filename=str(path))
    if cfg.folding_config_file is None and cfg.target_fps is None and (directory / "folding_config.json").is_file():
        cfg.folding_config_file = "folding_config.json"
    return cfg.based_in(directory)


@dataclass
class _Build:
    """One run of `steps`. The log is open."""

    model_filename: Path
    cfg: DataflowBuildConfig
    screen: Screen
    steps: list[Step]
    seconds: dict[str, float] = field(default_factory=dict)
    current: str = ""

    def run(self) -> int:
        try:
            with foreseen("see the traceback in build_dataflow.log"):
                chosen, model = self._prepare()
                with self.screen.progress(len(chosen)) as bar:
                    for step in chosen:
                        model = self._run(step, model, bar)
                self._save_times()
                self._summarize(model)
            return self._verdict()
        except FinnError as error:
            self._report(error)
            return -1
        except KeyboardInterrupt:
            why = "Ctrl-C; no half-written product is left"
            self._report(BuildError("the build was interrupted", why=why, remedy=self._resume() or "build again"))
            raise

    def _prepare(self) -> tuple[list[Step], ModelWrapper]:
        """Check all that can be checked before the first step; the steps to run and the network to begin with."""
        chosen = selected(self.steps, self.cfg)
        log.debug("configuration: %s", self.cfg.model_dump(exclude_defaults=True))
        for line in (*self.cfg.notices(), *tools.unavailable(self.cfg).values()):
            log.warning("%s", line)
        tools.check(self.cfg, [step.canonical for step in chosen])
        fifos.check(self.cfg)
        if self.cfg.folding_config_file is not None:
            admission.folding_config(Path(self.cfg.folding_config_file))
        if self.cfg.target_fps == "max":
            self.cfg.budget()
        model = ModelWrapper(str(self._begin(chosen)))
        if self.cfg.start_step is None:
            streamlining.forget(self.cfg)
        admission.check(model)
        original = ModelWrapper(str(self.model_filename))
        if self.cfg.verify_steps:
            verification.Samples.of(self.cfg, original)
        if self.cfg.validation_dataset is not None:
            verification.labelled(self.cfg, original)
        return chosen, model

    def _begin(self, chosen: Sequence[Step]) -> Path:
        """The file of the network that the first of `chosen` steps gets."""
        before = self.steps.index(chosen[0]) - 1
        if before < 0 or self.cfg.start_step is None:
            return self.model_filename
        saved = self._saved(self.steps[before])
        if not saved.is_file():
            raise BuildError(
                f"cannot start at {chosen[0].name!r}: the network after {self.steps[before].name!r} was not saved",
                where=str(saved),
                remedy="start at an earlier step, or without start_step, with save_intermediate_models set",
            )
        return saved

    def _run(self, step: Step, model: ModelWrapper, bar: Progress) -> ModelWrapper:
        self.current = step.name
        position = f"{len(self.seconds) + 1}/{bar.tasks[0].total:.0f}"
        bar.update(bar.tasks[0].id, description=step.name)
        log.info("running step: %s [%s]", step.name, position)
        start = time.perf_counter()
        result = step.function(model, self.cfg)
        if not isinstance(result, ModelWrapper):
            what = f"the step returned {type(result).__name__}, not a ModelWrapper"
            raise BuildError(what, remedy="end the step with `return model`")
        if self.cfg.save_intermediate_models:
            products.write_model(self._saved(step), result)
        self.seconds[step.name] = time.perf_counter() - start
        bar.advance(bar.tasks[0].id)
        return result

    def _saved(self, step: Step) -> Path:
        return self.cfg.path("intermediate_models", f"{step.name}.onnx")

    def _save_times(self) -> None:
        products.write_json(self.cfg.path("time_per_step.json"), self.seconds)

    def _summarize(self, model: ModelWrapper) -> None:
        """The table of layers and the lines about the whole, if the network is one of layers by now."""
        self.current = ""
        found = layers(model)
        if not all(is_layer(node) or is_reshape(node) for node in model.graph.node):
            return
        paths = {name: self.cfg.path("report", f"{name}.json") for name in REPORTS if self._made(name)}
        reports = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.is_file()}
        self.screen.out.print(summary.layer_table(found, self.cfg.part()))
        clk_ns = self.cfg.synth_clk_period_ns
        estimate = network_performance(fifos.performance(model), clk_ns)
        line = summary.headline(found, estimate, clk_ns, self.cfg.part(), reports)
        self.screen.out.print(line, markup=False)
        log.debug("%s", line)
        explanation = streamlining.load(self.cfg)
        if explanation is not None:
            self.screen.out.print(streamlining.summary(explanation), markup=False)

    def _made(self, report: str) -> bool:
        """Whether this build was asked for `report`; the directory may hold that of an earlier build."""
        outputs = {
            "rtlsim_performance": DataflowOutputType.RTLSIM_PERFORMANCE,
            "ooc_synth_and_timing": DataflowOutputType.OOC_SYNTH,
            "post_synth_resources": DataflowOutputType.BITFILE,
        }
        if report == "accuracy":
            return self.cfg.validation_dataset is not None
        return self.cfg.asks_for(outputs[report])

    def _verdict(self) -> int:
        for step in verification.missing(self.cfg):
            log.warning("%s was not verified: its step is not among the steps of this build", step)
        failed = verification.failed(self.cfg)
        if not failed:
            return 0
        what = f"verification failed: {', '.join(failed)}"
        where = str(self.cfg.path("verification_output"))
        remedy = "compare the saved outputs with the expected ones; a coarse verification_atol is no remedy"
        self.screen.error(BuildError(what, where=where, remedy=remedy))
        return -1

    def _report(self, error: FinnError) -> None:
        """Show `error`; its traceback goes to the log alone."""
        with suppress(OSError):
            self._save_times()
        for line in describe(error, self.current):
            log.error("%s", line)
        log.debug("traceback", exc_info=True)
        self.screen.error(error, self.current)
        resume = self._resume()
        if resume and error.remedy != resume:
            self.screen.err.print(resume, markup=False)

    def _resume(self) -> str:
        """How to go on at the present step, if that is possible."""
        names = [step.name for step in self.steps]
        if self.current not in names or self.current == names[0]:
            return ""
        if not self._saved(self.steps[names.index(self.current) - 1]).is_file():
            return ""
        return f"to continue at this step: start_step={self.current!r}, or `finn build DIR --start {self.current}`"
