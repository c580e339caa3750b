"""The fixed choices of a build configuration, with FINN's member names and string values, and the lists of steps."""

from enum import Enum


class DataflowOutputType(str, Enum):
    """What a build can be asked for."""

    STITCHED_IP = "stitched_ip"
    ESTIMATE_REPORTS = "estimate_reports"
    OOC_SYNTH = "out_of_context_synth"
    RTLSIM_PERFORMANCE = "rtlsim_performance"
    BITFILE = "bitfile"
    PYNQ_DRIVER = "pynq_driver"
    CPP_DRIVER = "cpp_driver"
    DEPLOYMENT_PACKAGE = "deployment_package"
    HLS_PROJECTS = "hls_projects"


class VerificationStepType(str, Enum):
    """After which step the network is executed and compared with `verify_expected_output_npy`."""

    QONNX_TO_FINN_PYTHON = "finn_onnx_python"
    TIDY_UP_PYTHON = "initial_python"
    STREAMLINED_PYTHON = "streamlined_python"
    FOLDED_HLS_CPPSIM = "folded_hls_cppsim"
    NODE_BY_NODE_RTLSIM = "node_by_node_rtlsim"
    STITCHED_IP_RTLSIM = "stitched_ip_rtlsim"


class ShellFlowType(str, Enum):
    """The vendor flow that wraps the accelerator for a board."""

    VIVADO_ZYNQ = "vivado_zynq"
    VITIS_ALVEO = "vitis_alveo"


class AutoFIFOSizingMethod(str, Enum):
    """How FIFO depths are found: from the layers' schedules, which FINN's characterize stands for, too, or by RTL."""

    SCHEDULE = "schedule"
    CHARACTERIZE = "characterize"
    LARGEFIFO_RTLSIM = "largefifo_rtlsim"


class LargeFIFOMemStyle(str, Enum):
    """The memory that large FIFOs are made of."""

    AUTO = "auto"
    BRAM = "block"
    LUTRAM = "distributed"
    URAM = "ultra"


class VitisOptStrategy(str, Enum):
    """Optimization level of the Vitis linker. The member names are ours, the values FINN's."""

    DEFAULT = "default"
    POWER = "power"
    PERFORMANCE = "performance"
    PERFORMANCE_BEST = "performance_best"
    SIZE = "size"
    BUILD_SPEED = "quick"


estimate_only_dataflow_steps = [
    "step_qonnx_to_finn",
    "step_tidy_up",
    "step_streamline",
    "step_convert_to_hw",
    "step_create_dataflow_partition",
    "step_specialize_layers",
    "step_target_fps_parallelization",
    "step_apply_folding_config",
    "step_minimize_bit_width",
    "step_generate_estimate_reports",
]

hw_codegen_dataflow_steps = [*estimate_only_dataflow_steps, "step_hw_codegen"]

default_build_dataflow_steps = [
    *hw_codegen_dataflow_steps,
    "step_hw_ipgen",
    "step_set_fifo_depths",
    "step_create_stitched_ip",
    "step_measure_rtlsim_performance",
    "step_out_of_context_synthesis",
    "step_synthesize_bitfile",
    "step_make_driver",
    "step_deployment_package",
]
