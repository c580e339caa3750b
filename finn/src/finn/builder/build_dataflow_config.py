"""What a build is asked to do: the fields, names, defaults and JSON form of FINN's `DataflowBuildConfig`.

Every key is checked when the configuration is made; what is unknown is refused with the nearest valid name. Keys that
FINN has and that do not change the result here are accepted; `DataflowBuildConfig.notices` says so for each one used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from finn.builder._choices import (
    AutoFIFOSizingMethod,
    DataflowOutputType,
    LargeFIFOMemStyle,
    ShellFlowType,
    VerificationStepType,
    VitisOptStrategy,
    default_build_dataflow_steps,
    estimate_only_dataflow_steps,
    hw_codegen_dataflow_steps,
)
from finn.builder._config_text import Source, refuse
from finn.builder._input_format import InputFormat
from finn.builder.errors import VerificationError
from finn.core.errors import ConfigError
from finn.transformation.streamline import StreamlineOptions

if TYPE_CHECKING:
    import numpy as np

    from finn.dataflow.layer import Resources

__all__ = [
    "AutoFIFOSizingMethod",
    "DataflowBuildConfig",
    "DataflowOutputType",
    "InputFormat",
    "LargeFIFOMemStyle",
    "ShellFlowType",
    "VerificationStepType",
    "VitisOptStrategy",
    "default_build_dataflow_steps",
    "estimate_only_dataflow_steps",
    "hw_codegen_dataflow_steps",
    "json_schema",
]

FILES = (
    "output_dir",
    "folding_config_file",
    "specialize_layers_config_file",
    "verify_input_npy",
    "verify_expected_output_npy",
    "validation_dataset",
    "vitis_floorplan_file",
)
"""The fields that name files; `DataflowBuildConfig.based_in` makes them absolute."""

HARDWARE = frozenset(
    {
        DataflowOutputType.STITCHED_IP,
        DataflowOutputType.RTLSIM_PERFORMANCE,
        DataflowOutputType.OOC_SYNTH,
        DataflowOutputType.BITFILE,
    }
)
"""The outputs that need the stitched design."""


def _inert(default: Any, reason: str, meaning: str) -> Any:
    """A field that FINN has and that changes nothing here; `reason` is told when it is used."""
    return Field(default, description=f"{meaning} No effect: {reason}.", json_schema_extra={"no_effect": reason})


def _missing(reason: str) -> AfterValidator:
    """Accept nothing but an empty value: to ignore another one would build different hardware than asked for."""

    def refuse_value(value: Any) -> Any:
        if value:
            raise PydanticCustomError("unsupported", "{reason}", {"reason": reason})
        return value

    return AfterValidator(refuse_value)


_VITIS = "no bitstream is made for Alveo cards"
_STATIC = "this compiler has no such step"


FoldingShare = Annotated[PositiveFloat, Field(le=1)]
ResourceKind = Literal["LUT", "BRAM_18K", "URAM", "DSP"]


class DataflowBuildConfig(BaseModel):
    """The configuration of one build. Give keyword arguments, or read it by `from_json`.

    Paths are relative to the current directory, or, in a build directory, to that directory.
    Raises `ConfigError` for unknown keys and illegal values, at construction and at assignment.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, use_attribute_docstrings=True)

    output_dir: str = Field(min_length=1)
    """Directory that all products are written to; it is created if it does not exist."""
    synth_clk_period_ns: Annotated[PositiveFloat, Field(allow_inf_nan=False)]
    """Clock period that the design is made for, in ns."""
    generate_outputs: list[DataflowOutputType]
    """The products that the build makes; a step whose product is not in the list does nothing."""

    folding_config_file: str | None = None
    """JSON file {node name: {attribute: value}}; overrides the automatic folding."""
    target_fps: PositiveInt | Literal["max"] | None = None
    """Frames per second to fold for, at the least cost; "max" for what folding_budget allows."""
    folding_budget: FoldingShare | dict[ResourceKind, NonNegativeInt] = 0.7
    """With target_fps "max": the share of the part that layers may take, or numbers of some resources and all of the
    others. FIFOs and the shell need what is left."""
    mvau_wwidth_max: PositiveInt = 36
    """Widest weight word (SIMD times weight bits) that the automatic folding may use."""
    standalone_thresholds: bool = False
    """Keep thresholds as layers of their own instead of merging them into the matrix-vector units."""
    max_multithreshold_bit_width: PositiveInt = 8
    """Widest activation quantizer that becomes thresholds."""

    input_formats: dict[str, InputFormat] = {}
    """Integers that the accelerator takes in place of float inputs, by name of the input; "" for all others."""
    select_on_host: bool = False
    """TopK and ArgMax at the end stay on the host, behind the scale."""
    dequantize: bool = True
    """Compute scale * q + bias of the outputs on the host; else the outputs are the integers q."""
    remove_constant_channels: bool = True
    """Remove channels whose integers never change; what they add becomes a constant."""
    merge_duplicate_channels: bool = True
    """Compute channels that are always the same once."""
    remove_dead_channels: bool = True
    """Remove channels that nothing depends on."""
    minimize_accumulators: bool = True
    """Give sums the narrowest type of their exact range."""
    minimize_weights: bool = True
    """Give weights the narrowest type that holds them."""
    minimize_thresholds: bool = True
    """Give thresholds the narrowest type, and remove those that are never or always passed."""

    verify_steps: list[VerificationStepType] | None = None
    """After which steps the network is executed and compared."""
    verify_input_npy: str = "input.npy"
    """Inputs for the verification, samples along axis 0."""
    verify_expected_output_npy: str = "expected_output.npy"
    """Outputs that are expected for `verify_input_npy`, samples along axis 0."""
    verification_atol: float = Field(default=1e-1, ge=0)
    """Absolute tolerance of the comparison (numpy.isclose)."""
    verify_save_full_context: bool = False
    """Save every tensor of the verification, as .npz instead of .npy."""
    verify_save_rtlsim_waveforms: bool = False
    """Save waveforms (FST) of the stitched design's verification."""
    validation_dataset: str | None = None
    """.npz with `x` (samples along axis 0) and `y` (labels); its accuracy is measured by RTL simulation."""

    board: str | None = None
    """Name of the board; gives the part."""
    fpga_part: str | None = None
    """Name of the FPGA part; overrides that of the board."""
    shell_flow_type: ShellFlowType | None = _inert(None, "the board decides the flow", "The vendor flow.")

    auto_fifo_depths: bool = True
    """Find the FIFO depths by simulation; else take inFIFODepths and outFIFODepths of the folding configuration."""
    auto_fifo_strategy: AutoFIFOSizingMethod = AutoFIFOSizingMethod.SCHEDULE
    """How FIFO depths are found: by running the layers' schedules, or by simulating RTL with deep FIFOs."""
    fifosim_n_inferences: PositiveInt = 2
    """Least number of frames that largefifo_rtlsim simulates."""
    large_fifo_mem_style: LargeFIFOMemStyle = LargeFIFOMemStyle.AUTO
    """The memory of FIFOs of more than 256 beats; auto is what costs least on the part."""
    split_large_fifos: bool = False
    """Make FIFOs of more than 256 beats of several, of powers of two of at most 32768."""
    rtlsim_batch_size: PositiveInt = 1
    """Least number of frames that are simulated to measure performance."""

    save_intermediate_models: bool = True
    """Save the network after each step; needed to resume a build."""
    verbose: bool = False
    """Show on the screen what else only the log holds."""
    steps: list[str | SkipJsonSchema[Callable[..., Any]]] | None = None
    """Names of steps, or functions (model, cfg) -> model; None for the default steps."""
    start_step: str | None = None
    """First step to run; the network is read from the intermediate model of the step before."""
    stop_step: str | None = None
    """Last step to run."""

    specialize_layers_config_file: str | None = None
    """JSON file of preferred_impl_style (rtl or hls) by node, in the form of a folding configuration."""
    folding_two_pass_relaxation: bool = _inert(
        True, "layers are never folded beyond what the target or the bottleneck asks for", "Relax to the bottleneck."
    )
    minimize_bit_width: bool = _inert(
        True, "minimize_accumulators, minimize_weights and minimize_thresholds decide", "Minimize bit widths."
    )
    infer_shuffle_skip_first: bool = _inert(True, _STATIC, "Keep the first Transpose out of the hardware.")
    fifosim_input_throttle: bool = _inert(
        True, "depths hold for input at any rate", "Throttle the input while sizing FIFOs."
    )
    fifosim_save_waveform: bool = _inert(False, "FIFO sizing keeps no waveform", "Save FIFO sizing waveforms.")
    default_swg_exception: bool = _inert(False, "no FIFO is deeper than it has to be", "Cap sliding-window FIFOs.")
    hls_clk_period_ns: PositiveFloat | None = None
    """Clock period for HLS, in ns; that of the design by default."""
    stitched_ip_gen_dcp: bool = _inert(False, "a design checkpoint needs Vivado", "Also write a design checkpoint.")
    rtlsim_use_vivado_comps: bool = _inert(True, "vendor components are never simulated", "Simulate vendor components.")
    force_python_rtlsim: bool = _inert(False, "simulation is always compiled", "Drive the simulation from Python.")
    enable_hw_debug: bool = _inert(False, "logic analyser cores need Vivado", "Insert logic analysers.")
    enable_build_pdb_debug: bool = Field(
        default=True, description="Accepted for FINN's scripts; the debugger is never started."
    )
    vitis_platform: str | None = _inert(None, _VITIS, "Vitis platform.")
    vitis_floorplan_file: str | None = _inert(None, _VITIS, "Vitis floorplan.")
    vitis_opt_strategy: VitisOptStrategy = _inert(VitisOptStrategy.DEFAULT, _VITIS, "Vitis optimization level.")
    cpp_driver_version: str = _inert("latest", "there is no C++ driver yet", "Version of the C++ driver.")
    signature: Annotated[list[int] | None, _missing("the design has no AXI-Lite information block")] = None
    """Five numbers to embed. Not supported."""
    mlo: Annotated[bool, _missing("layers cannot share hardware in a loop")] = False
    """Roll repeated layers into a loop. Not supported."""
    loop_body_hierarchy: Annotated[list[list[str]] | None, _missing("there are no loops")] = None
    """Module of the loop body. Not supported."""
    loop_body_range: Annotated[list[str] | None, _missing("there are no loops")] = None
    """Node range of the loop body. Not supported."""

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        source = info.context if isinstance(info.context, Source) else None
        try:
            return handler(data)
        except ValidationError as error:
            inner = {"input_formats": [f.name for f in fields(InputFormat)]}
            unions = ("target_fps", "folding_budget")
            raise refuse(error, list(cls.model_fields), source, inner, unions) from error

    @classmethod
    def from_json(cls, text: str, *, filename: str = "dataflow_build_config.json") -> Self:
        """Read a configuration; `filename` is what errors name. Raises `ConfigError` with file and line."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            where = f"{filename}:{error.lineno}"
            raise ConfigError(
                "not a JSON file", where=where, why=error.msg, remedy="correct it at this place"
            ) from error
        if not isinstance(data, dict):
            raise ConfigError(
                "the configuration is not a JSON object", where=filename, remedy='write {"output_dir": ..., ...}'
            )
        return cls.model_validate(data, context=Source(filename, text))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls.model_validate(data)

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON form, which `from_json` reads. Raises `ConfigError` if a step is a function."""
        return json.dumps(self.to_dict(), indent=indent)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name. Raises `ConfigError` if a step is a function."""
        for step in self.steps or []:
            if not isinstance(step, str):
                why = f"the step {getattr(step, '__name__', step)!r} is a function"
                raise ConfigError(
                    "the configuration has no JSON form", why=why, remedy="keep it in Python, or name the step"
                )
        return self.model_dump(mode="json")

    def based_in(self, directory: Path) -> Self:
        """A copy whose relative paths start at `directory`."""
        base = directory.absolute()
        paths = {name: str(base / value) for name in FILES if (value := getattr(self, name)) is not None}
        return self.model_copy(update=paths)

    def streamline_options(self) -> StreamlineOptions:
        """The keys that are fields of `StreamlineOptions`."""
        names = {f.name for f in fields(StreamlineOptions)} & type(self).model_fields.keys()
        chosen: dict[str, Any] = {name: getattr(self, name) for name in names}
        return StreamlineOptions(inputs=self.input_formats, **chosen)

    def notices(self) -> list[str]:
        """One line for each field that is used and has no effect."""
        lines = []
        for name, field in type(self).model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and getattr(self, name) != field.default:
                lines.append(f"{name} has no effect: {extra['no_effect']}")
        return lines

    def asks_for(self, *outputs: DataflowOutputType) -> bool:
        """Whether any of `outputs` is to be made."""
        return any(output in self.generate_outputs for output in outputs)

    def needs_hardware(self) -> bool:
        """Whether anything asked for needs the stitched design: products, or verification of it."""
        stitched = VerificationStepType.STITCHED_IP_RTLSIM in (self.verify_steps or [])
        return stitched or self.validation_dataset is not None or self.asks_for(*HARDWARE)

    def path(self, *parts: str) -> Path:
        """The place of a product in the output directory."""
        return Path(self.output_dir, *parts)

    def part(self) -> str | None:
        """Name of the FPGA part, that of the board if only a board is given; None if neither is."""
        if self.fpga_part is not None or self.board is None:
            return self.fpga_part
        from finn.synth.boards import part_of

        return part_of(self.board)

    def budget(self, whole: bool = False) -> Resources:
        """What folding_budget allows, or the whole part if it is a share of it.

        Raises `ConfigError` if it needs a part that is not given or not known.
        """
        from finn.dataflow.layer import Resources
        from finn.synth.boards import part

        kinds = get_args(ResourceKind)
        given = self.folding_budget if isinstance(self.folding_budget, dict) else {}
        if len(given) == len(kinds):
            return Resources(**given)
        known = part(self._resolve_fpga_part())
        if not known.capacity:
            raise ConfigError(
                f"nobody knows what the part {known.name} holds",
                where="folding_budget",
                remedy=f"give numbers of {', '.join(kinds)}",
            )
        share = 1.0 if whole or isinstance(self.folding_budget, dict) else self.folding_budget
        return Resources(**({kind: int(share * known.capacity[kind]) for kind in kinds} | given))

    # The following names are those of FINN; its build scripts call them.

    def _resolve_hls_clk_period(self) -> float:
        """Clock period for HLS, in ns."""
        return self.synth_clk_period_ns if self.hls_clk_period_ns is None else self.hls_clk_period_ns

    def _resolve_fpga_part(self) -> str:
        """Name of the FPGA part. Raises `ConfigError` if neither part nor board is given."""
        part = self.part()
        if part is None:
            raise ConfigError(
                "no FPGA part is given", where="fpga_part, board", remedy="give fpga_part, or a board that names it"
            )
        return part

    def _resolve_cycles_per_frame(self) -> int | None:
        """Clock cycles per frame that meet `target_fps`; None without a number."""
        if not isinstance(self.target_fps, int):
            return None
        return int(10**9 / self.synth_clk_period_ns / self.target_fps)

    def _resolve_verification_steps(self) -> list[VerificationStepType]:
        return list(self.verify_steps or [])

    def _resolve_verification_io_pair(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(input, expected output), samples along axis 0; None if nothing is to be verified."""
        if not self.verify_steps:
            return None
        return _load(self.verify_input_npy, "verify_input_npy"), _load(
            self.verify_expected_output_npy, "verify_expected_output_npy"
        )


def json_schema() -> str:
    """The JSON schema of the configuration file, for editors and other tools."""
    return json.dumps(DataflowBuildConfig.model_json_schema(), indent=2) + "\n"


def _load(filename: str, key: str) -> np.ndarray:
    """The array in a .npy file. Raises `VerificationError` if there is none."""
    import numpy as np

    try:
        found = np.load(filename, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            raise ValueError("it is an archive of arrays (.npz)")
        return found
    except (OSError, ValueError, EOFError) as error:
        remedy = f"write it with numpy.save, or set {key!r}"
        raise VerificationError(
            "cannot read the array", where=f"{key}: {filename}", why=str(error), remedy=remedy
        ) from error
