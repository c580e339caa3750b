"""Published networks give the published outputs, as they are, cleaned up and in normal form."""

from pathlib import Path

import numpy as np
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.normal_forms import NORMAL_FORMS
from finn.transformation.rewrite import apply
from finn.util.cleanup import cleanup_model

# Published by others; the expected outputs come from their own runtimes (see the README beside the models).
MODELS = {
    "TFC_1W1A": ("0", "74"),
    "TFC_2W2A": ("0", "90"),
    "kwsmlp_w3a3": ("inp.1", "74"),
    "unsw_nb15-mlp-w2a2": ("onnx::Add_0", "63"),
    "brevitas_tfc_w2a2i8_fashion": ("inp", "out"),
}


@pytest.mark.parametrize("name", MODELS)
def test_golden_outputs(name: str, shared: Path) -> None:
    golden = np.load(shared / "golden" / f"{name}.npz")
    x, y = (golden[key] for key in MODELS[name])
    as_is = ModelWrapper(shared / "models" / f"{name}.onnx")
    clean = cleanup_model(as_is).transform(InferDataTypes())
    normal = ModelWrapper(clean.model, make_deepcopy=True)
    fired = apply(normal, NORMAL_FORMS)
    assert fired.total() > 0
    assert not {"Gemm", "BatchNormalization", "Sub", "Div"} & {node.op_type for node in normal.graph.node}
    for model in (as_is, clean, normal):
        graph_input = next(v.name for v in model.graph.input if not model.has_initializer(v.name))
        out = [execute_onnx(model, {graph_input: sample[None]})[model.get_first_global_out()] for sample in x]
        np.testing.assert_allclose(np.concatenate(out), y, rtol=1e-5, atol=1e-5)


def test_cleanup_of_an_exported_network(shared: Path) -> None:
    """Shape, Gather, Concat of the exporter are gone; names, shapes and types are what build scripts rely on."""
    model = cleanup_model(ModelWrapper(shared / "models" / "TFC_2W2A.onnx"))
    kinds = [node.op_type for node in model.graph.node]
    assert not {"Shape", "Gather", "Concat", "Unsqueeze"} & set(kinds)
    assert kinds.count("Quant") == 8
    assert [value.name for value in model.graph.input] == ["global_in"]
    assert [value.name for value in model.graph.output] == ["global_out"]
    assert model.get_tensor_shape("global_out") == [1, 10]
    assert model.check_all_tensor_shapes_specified()
    first = model.find_consumers("global_in")[0]
    assert first.name == "Reshape_0"
    assert list(first.output) == ["Reshape_0_out0"]
    assert list(first.input) == ["global_in", "Reshape_0_param0"]
