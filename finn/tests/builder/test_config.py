"""The configuration: FINN's fields, defaults and JSON form; what is wrong is refused, to the letter."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from finn.builder.build_dataflow_config import (
    DataflowBuildConfig,
    DataflowOutputType,
    LargeFIFOMemStyle,
    VerificationStepType,
    VitisOptStrategy,
    estimate_only_dataflow_steps,
    json_schema,
)
from finn.builder.errors import VerificationError
from finn.core.errors import ConfigError
from finn.dataflow.layer import Resources

MINIMAL = {"output_dir": "out", "synth_clk_period_ns": 10.0, "generate_outputs": ["estimate_reports"]}

FINN_DEFAULTS = {
    "specialize_layers_config_file": None,
    "folding_config_file": None,
    "target_fps": None,
    "folding_two_pass_relaxation": True,
    "verify_steps": None,
    "verify_input_npy": "input.npy",
    "verify_expected_output_npy": "expected_output.npy",
    "verify_save_full_context": False,
    "verify_save_rtlsim_waveforms": False,
    "verification_atol": 1e-1,
    "stitched_ip_gen_dcp": False,
    "signature": None,
    "mvau_wwidth_max": 36,
    "standalone_thresholds": False,
    "minimize_bit_width": True,
    "infer_shuffle_skip_first": True,
    "board": None,
    "shell_flow_type": None,
    "fpga_part": None,
    "auto_fifo_depths": True,
    "split_large_fifos": False,
    "auto_fifo_strategy": "largefifo_rtlsim",
    "large_fifo_mem_style": "auto",
    "fifosim_input_throttle": True,
    "fifosim_n_inferences": 2,
    "fifosim_save_waveform": False,
    "hls_clk_period_ns": None,
    "default_swg_exception": False,
    "vitis_platform": None,
    "vitis_floorplan_file": None,
    "vitis_opt_strategy": "default",
    "save_intermediate_models": True,
    "enable_hw_debug": False,
    "enable_build_pdb_debug": True,
    "verbose": False,
    "steps": None,
    "start_step": None,
    "stop_step": None,
    "max_multithreshold_bit_width": 8,
    "rtlsim_batch_size": 1,
    "rtlsim_use_vivado_comps": True,
    "mlo": False,
    "loop_body_hierarchy": None,
    "loop_body_range": None,
    "cpp_driver_version": "latest",
    "force_python_rtlsim": False,
}
OURS = {
    "auto_fifo_strategy": "schedule",  # FINN's needs a simulation of the whole design
    "folding_budget": 0.7,
    "validation_dataset": None,
    "input_formats": {},
    "select_on_host": False,
    "dequantize": True,
    "remove_constant_channels": True,
    "merge_duplicate_channels": True,
    "remove_dead_channels": True,
    "minimize_accumulators": True,
    "minimize_weights": True,
    "minimize_thresholds": True,
}


def config(**more: object) -> DataflowBuildConfig:
    return DataflowBuildConfig.from_dict({**MINIMAL, **more})


def test_fields_and_defaults_are_those_of_finn() -> None:
    assert config().to_dict() == MINIMAL | FINN_DEFAULTS | OURS


def test_json_goes_both_ways() -> None:
    cfg = config(steps=estimate_only_dataflow_steps, verify_steps=["streamlined_python"], target_fps=1000)
    assert DataflowBuildConfig.from_json(cfg.to_json(indent=2)) == cfg
    assert cfg.verify_steps == [VerificationStepType.STREAMLINED_PYTHON]


def test_keywords_in_python() -> None:
    cfg = DataflowBuildConfig(
        output_dir="out",
        synth_clk_period_ns=5,
        generate_outputs=[DataflowOutputType.BITFILE],
        large_fifo_mem_style=LargeFIFOMemStyle.LUTRAM,
        vitis_opt_strategy=VitisOptStrategy.PERFORMANCE_BEST,
    )
    assert cfg.asks_for(DataflowOutputType.BITFILE)
    assert cfg.to_dict()["vitis_opt_strategy"] == "performance_best"


def test_json_schema_copy_is_current() -> None:
    assert files("finn.builder").joinpath("dataflow_build_config.schema.json").read_text() == json_schema()


def test_budget_of_a_part() -> None:
    cfg = config(target_fps="max", fpga_part="xczu3eg-sbva484-1-e", folding_budget=0.5)
    assert cfg.budget() == Resources(LUT=35280, BRAM_18K=216, URAM=0, DSP=180)
    numbers = {"LUT": 1000, "BRAM_18K": 0, "URAM": 0, "DSP": 10}
    assert config(target_fps="max", folding_budget=numbers).budget() == Resources(LUT=1000, DSP=10)
    some = config(target_fps="max", board="Ultra96", folding_budget={"LUT": 1000})
    assert some.budget() == Resources(LUT=1000, BRAM_18K=432, DSP=360)
    assert cfg._resolve_cycles_per_frame() is None


def test_budget_of_no_part() -> None:
    with pytest.raises(ConfigError, match="no FPGA part is given"):
        config(target_fps="max").budget()
    with pytest.raises(ConfigError) as error:
        config(target_fps="max", fpga_part="xcvu9p-flga2104-2-i").budget()
    assert str(error.value) == (
        "folding_budget: nobody knows what the part xcvu9p-flga2104-2-i holds. "
        "Remedy: give numbers of LUT, BRAM_18K, URAM, DSP"
    )


def text(*lines: str) -> str:
    return "{\n" + ",\n".join([json.dumps(MINIMAL)[1:-1], *lines]) + "\n}"


REFUSED = {
    text('"target_fsp": 5'): "cfg.json:3: unknown configuration key 'target_fsp'. Remedy: did you mean 'target_fps'?",
    text('"target_fps": 0'): "cfg.json:3: configuration key 'target_fps' has an illegal value: 0 "
    "(it should be greater than 0, or it should be 'max'). Remedy: correct it",
    text('"folding_budget": 1.5'): "cfg.json:3: configuration key 'folding_budget' has an illegal value: 1.5 "
    "(it should be less than or equal to 1, or it should be a valid dictionary). Remedy: correct it",
    text('"folding_budget": {"LUTS": 5}'): "cfg.json:3: configuration key 'folding_budget' has an illegal value: "
    "{'LUTS': 5} (it should be a valid number, or 'LUTS' should be 'LUT', 'BRAM_18K', 'URAM' or 'DSP'). "
    "Remedy: correct it",
    text('"board": "x"', '"verify_steps": ["stitched_ip"]'): "cfg.json:4: configuration key 'verify_steps' has an "
    "unknown value: 'stitched_ip'. Remedy: did you mean 'stitched_ip_rtlsim'?",
    text('"mlo": true'): "cfg.json:3: configuration key 'mlo' is not supported "
    "(layers cannot share hardware in a loop). Remedy: remove 'mlo'",
    text('"input_formats": {"x":\n {"datatyp": "UINT8"}}'): "cfg.json:4: unknown key 'datatyp' in 'input_formats'. "
    "Remedy: did you mean 'datatype'?",
    text('"input_formats": {"x": {"datatype": "FLOAT16"}}'): "cfg.json:3: configuration key 'input_formats' has an "
    "illegal value: 'FLOAT16' (it is no integer type). Remedy: correct it",
    text('"input_formats": {"": {"datatype": "UINT"}}'): "cfg.json:3: configuration key 'input_formats' has an "
    "illegal value: 'UINT' (there is no such data type). Remedy: correct it",
    text('"input_formats": {"x": {"std": [1, 0]}}'): "cfg.json:3: configuration key 'input_formats' has an "
    "illegal value: [1, 0] (it should not be 0). Remedy: correct it",
    text('"input_formats": {"x": {"mean": []}}'): "cfg.json:3: configuration key 'input_formats' has an "
    "illegal value: [] (it should be a finite number, or one for each channel). Remedy: correct it",
    '{"output_dir": "out", "generate_outputs": []}': "cfg.json: configuration key 'synth_clk_period_ns' is missing. "
    "Remedy: give 'synth_clk_period_ns'; it has no default",
    '{"output_dir": "out",\n}': "cfg.json:2: not a JSON file (",
    "[]": 'cfg.json: the configuration is not a JSON object. Remedy: write {"output_dir": ..., ...}',
}


@pytest.mark.parametrize(("given", "message"), REFUSED.items())
def test_refusals(given: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        DataflowBuildConfig.from_json(given, filename="cfg.json")
    assert str(error.value).startswith(message)


def test_refusals_in_python() -> None:
    with pytest.raises(ConfigError, match="DataflowBuildConfig: unknown configuration key 'outputdir'"):
        config(outputdir="x")
    cfg = config()
    with pytest.raises(ConfigError, match="configuration key 'target_fps' has an illegal value: -1"):
        cfg.target_fps = -1
    with pytest.raises(ConfigError, match="did you mean 'target_fps'"):
        cfg.targetfps = 1  # type: ignore[attr-defined]
    assert cfg == config()


def test_what_has_no_effect_is_told() -> None:
    assert config().notices() == []
    assert config(enable_hw_debug=True, enable_build_pdb_debug=False).notices() == [
        "enable_hw_debug has no effect: logic analyser cores need Vivado"
    ]


def test_a_step_that_is_a_function_has_no_json_form() -> None:
    with pytest.raises(ConfigError, match="the step 'config' is a function"):
        config(steps=[config]).to_json()


def test_resolution() -> None:
    cfg = config(board="Pynq-Z1", target_fps=1000)
    assert cfg._resolve_fpga_part() == "xc7z020clg400-1"
    assert cfg._resolve_cycles_per_frame() == 100_000
    assert cfg._resolve_hls_clk_period() == 10.0
    assert cfg._resolve_verification_steps() == []
    assert cfg._resolve_verification_io_pair() is None
    assert config(board="Pynq-Z1", fpga_part="xczu3eg").part() == "xczu3eg"
    with pytest.raises(ConfigError, match="no FPGA part is given"):
        config()._resolve_fpga_part()
    with pytest.raises(ConfigError, match="Pynq-Z1"):
        config(board="Pynq-Z11").part()


def test_verification_arrays(tmp_path: Path) -> None:
    cfg = config(verify_steps=["initial_python"]).based_in(tmp_path)
    with pytest.raises(VerificationError, match=r"verify_input_npy: .*input.npy: cannot read the array"):
        cfg._resolve_verification_io_pair()
    np.save(tmp_path / "input.npy", np.ones((2, 3)))
    (tmp_path / "expected_output.npy").write_text("no array")
    with pytest.raises(VerificationError, match="verify_expected_output_npy"):
        cfg._resolve_verification_io_pair()


def test_paths_start_at_the_build_directory(tmp_path: Path) -> None:
    cfg = config(folding_config_file="f.json", validation_dataset="/data/v.npz").based_in(tmp_path)
    assert cfg.output_dir == str(tmp_path / "out")
    assert cfg.folding_config_file == str(tmp_path / "f.json")
    assert cfg.validation_dataset == "/data/v.npz"
    assert cfg.specialize_layers_config_file is None
