"""Each operator in the forms in which exporters write it: the same numbers, integer, and told if it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.streamline import StreamlineReport, streamline

from .exported import Exported  # noqa: TID252 - test helpers are no installed package
from .operators import CONVOLUTIONS, JOINS, MOVES, PRODUCTS, Form, without_common_measure  # noqa: TID252
from .operators_tails import GRAPHS, POOLS, SHAPES, TAILS  # noqa: TID252

FORMS = (*PRODUCTS, *CONVOLUTIONS, *JOINS, *MOVES, *POOLS, *SHAPES, *TAILS, *GRAPHS)
MOVING = {"Cast", "Reshape", "Transpose"}


def exported(form: Form) -> tuple[Exported, ModelWrapper]:
    net = Exported(form.opset)
    output = form.build(net)
    return net, net.model(output if form.end else net.quant(output, 1.0 if form.exact else 1.0371))


@pytest.mark.parametrize("form", FORMS, ids=[f.name for f in FORMS])
def test_form(form: Form) -> None:
    net, before = exported(form)
    after = ModelWrapper(onnx.ModelProto.FromString(before.model.SerializeToString()))
    report = streamline(after)
    onnx.checker.check_model(after.model)
    rng = np.random.default_rng(3)
    for _ in range(2):
        values = dict(zip((i.name for i in before.graph.input), net.samples(rng, form.exact), strict=True))
        equal(form, before, after, values)
    told(form, before, report)
    if not form.moves:
        assert not transposes(after)


def equal(form: Form, before: ModelWrapper, after: ModelWrapper, values: dict[str, Any]) -> None:
    """The outputs; and integers are what their annotations say."""
    (output,) = (o.name for o in before.graph.output)
    run = execute_onnx(after, values, return_full_exec_context=True)
    want, got = execute_onnx(before, values)[output], run[output]
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    if form.exact:
        np.testing.assert_array_equal(got, want)
    else:
        wide = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in values.items()}
        exact = execute_onnx(before, wide, precision="float64")[output]
        np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-5)
    for name, array in run.items():
        datatype = after.get_tensor_datatype(name)
        if datatype.is_integer() and np.isfinite(array).all():
            assert np.all(datatype.allowed(array)), name


def told(form: Form, before: ModelWrapper, report: StreamlineReport) -> None:
    """Every node has a fate; what keeps its floats in front of integers has a reason and a remedy, and is expected."""
    assert list(report.nodes) == [f"{n.name} ({n.op_type})" for n in before.graph.node]
    host = {t: f for t, f in report.host.items() if "behind the integers" not in f.text}
    kinds = {title.split("(")[1].rstrip(")") for title in host}
    assert kinds == set(form.host), report
    assert all(fate.reason and fate.remedy for fate in host.values()), report


def transposes(model: ModelWrapper) -> list[str]:
    """The Transposes from integers that a node has computed to integers that a node computes on."""
    integer = [n for n in model.graph.node if model.get_tensor_datatype(n.output[0]).is_integer()]
    computed: set[str] = set()  # from integers
    for node in integer:
        if computed.intersection(node.input) or (node.op_type not in MOVING and _reads_integers(model, node)):
            computed.update(node.output)
    wanted: set[str] = set()
    found = []
    for node in reversed(integer):
        if node.op_type == "Transpose" and node.input[0] in computed and wanted.intersection(node.output):
            found.append(node.name)
        if node.op_type not in MOVING or wanted.intersection(node.output):
            wanted.update(node.input)
    return found


def _reads_integers(model: ModelWrapper, node: Any) -> bool:
    made = {o for n in model.graph.node for o in n.output}
    return any(model.get_tensor_datatype(i).is_integer() for i in node.input if i in made)


def test_scales_without_common_measure_name_both_quantizers() -> None:
    net = Exported()
    model = net.model(net.quant(without_common_measure(net)))
    fate = streamline(model).nodes["Add_0 (Add)"]
    assert str(fate) == (
        "stays on the host: its inputs have scales whose ratio is not that of small integers: 'Quant_5_out0' has 0.5 "
        "and 'Quant_6_out0' has 1.41421; let Quant_5 (Quant) and Quant_6 (Quant) share one scale "
        "(in Brevitas: the same QuantIdentity in front of the Add)"
    )
