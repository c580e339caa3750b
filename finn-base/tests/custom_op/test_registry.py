"""How operators are found: domains, aliases, versions, packages of others, threads."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from finn.core.errors import ExecutionError, ModelError, UnknownOpError
from finn.custom_op.base import CustomOp
from finn.custom_op.general import Trunc_v1, Trunc_v2
from finn.custom_op.registry import (
    RegistrationError,
    add_domain_alias,
    add_op_to_domain,
    get_ops_in_domain,
    get_supported_versions,
    getCustomOp,
    hasCustomOp,
    is_custom_op,
    op_for,
    resolve_domain,
)

from .helpers import inferred, one_node, run  # noqa: TID252 - test helpers are no installed package

FLOAT = TensorProto.FLOAT
GENERAL = "finn.custom_op.general"
Install = Callable[[str, str], str]

OLD_STYLE = """
    import numpy as np
    from finn.core.datatype import DataType
    from finn.custom_op.base import CustomOp

    class Times(CustomOp):
        def __init__(self, onnx_node):
            super().__init__(onnx_node)

        def get_nodeattr_types(self):
            return {"factor": ("i", True, 0), "mode": ("s", False, "plain", {"plain", "negated"})}

        def make_shape_compatible_op(self, model):
            return super().make_const_shape_op(model.get_tensor_shape(self.onnx_node.input[0]))

        def infer_node_datatype(self, model):
            model.set_tensor_datatype(self.onnx_node.output[0], DataType["INT8"])

        def execute_node(self, context, graph):
            factor = self.get_nodeattr("factor") * (-1 if self.get_nodeattr("mode") == "negated" else 1)
            context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]] * np.float32(factor)

        def verify_node(self):
            return ["fine"]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """install(module name, source): make a module importable; its name comes back."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


def make(op_type: str, domain: str, **attributes: object) -> NodeProto:
    return helper.make_node(op_type, ["x"], ["y"], f"{op_type}_0", domain=domain, **attributes)


@pytest.mark.parametrize(
    "listing",
    ['custom_op = {"Times": Times}', '__all__ = ["Times"]', "", 'custom_op = {}\ncustom_op["Times"] = Times'],
    ids=["dict", "all", "scan", "filled dict"],
)
def test_operators_in_the_style_of_finn_base(install: Install, listing: str) -> None:
    domain = install("old_style_ops", textwrap.dedent(OLD_STYLE) + listing)
    model = one_node("Times", {"x": ([2, 3], FLOAT)}, None, domain, factor=3, mode="negated")
    op = getCustomOp(model.graph.node[0])
    assert op.onnx_node is model.graph.node[0]
    assert op.get_nodeattr_def("mode") == ("s", False, "plain", {"plain", "negated"})
    assert op.onnx_opset_version == 1
    assert getCustomOp(model.graph.node[0], 7).onnx_opset_version == 7
    assert inferred(model) == ([2, 3], FLOAT, "INT8")
    assert run(model, x=np.ones((2, 3), np.float32)).tolist() == [[-3] * 3] * 2
    assert is_custom_op(domain)
    assert is_custom_op(domain, "Times")
    assert [name for name, _ in get_ops_in_domain(domain)] == ["Times"]


VERSIONED = """
    from finn.custom_op.base import CustomOp

    class Base(CustomOp):
        def get_nodeattr_types(self): return {}
        def make_shape_compatible_op(self, model): return self.make_const_shape_op([1])
        def infer_node_datatype(self, model): pass

    class Scale_v2(Base):
        def execute_node(self, context, graph): pass

    class Scale_v5(Scale_v2): pass

    class Plain(Scale_v2):
        def __init__(self, onnx_node, **options):
            super().__init__(onnx_node, **options)

    class _Hidden(Scale_v2): pass
"""


def test_versions_are_in_the_names(install: Install) -> None:
    domain = install("versioned_ops", VERSIONED)
    assert get_ops_in_domain(domain) == [
        ("Scale", getattr(sys.modules[domain], "Scale_v5")),  # noqa: B009 - the module is made by this test
        ("Plain", getattr(sys.modules[domain], "Plain")),  # noqa: B009
    ]
    assert get_supported_versions(domain, "Scale") == [2, 5]
    assert get_supported_versions(domain, "Plain") == [1]
    node = make("Scale", domain)
    for wanted, found, version in ((None, "Scale_v5", 5), (2, "Scale_v2", 2), (4, "Scale_v2", 4), (9, "Scale_v5", 9)):
        op = getCustomOp(node, wanted)
        assert (type(op).__name__, op.onnx_opset_version) == (found, version)
    assert getCustomOp(make("Plain", domain), 3).onnx_opset_version == 3
    with pytest.raises(KeyError) as error:
        getCustomOp(node, 1)
    assert str(error.value) == (
        "node Scale 'Scale_0': domain 'versioned_ops' has no operator 'Scale' at version 1 "
        "(it exists since version 2). Remedy: import the domain at version 2 or newer"
    )
    with pytest.raises(KeyError) as error:
        get_supported_versions(domain, "Scales")
    assert str(error.value) == ("domain 'versioned_ops' has no operator 'Scales'. Remedy: did you mean 'Scale'?")


def test_operators_that_are_added_at_run_time() -> None:
    domain = "no.module.has.this.name"
    assert not is_custom_op(domain)
    with pytest.raises(UnknownOpError):
        get_ops_in_domain(domain)

    class Added_v3(Trunc_v1):
        pass

    add_op_to_domain(domain, Added_v3)
    assert is_custom_op(domain)
    assert is_custom_op(domain, "Added")
    assert not is_custom_op(domain, "Other")
    assert get_ops_in_domain(domain) == [("Added", Added_v3)]
    assert type(getCustomOp(make("Added", domain), 4)) is Added_v3
    with pytest.raises(UnknownOpError, match="it exists since version 3"):
        getCustomOp(make("Added", domain), 2)
    with pytest.raises(UnknownOpError, match="did you mean 'Added'"):
        getCustomOp(make("Add", domain))


def test_an_added_operator_joins_those_of_the_module(install: Install) -> None:
    domain = install("extended_ops", OLD_STYLE)

    class Times(Trunc_v1):
        pass

    class Times_v4(Trunc_v1):
        pass

    for added in (Times, Times_v4):
        add_op_to_domain(domain, added)
    assert [type(getCustomOp(make("Times", domain), v)) for v in (1, 3, 4)] == [Times, Times, Times_v4]
    add_domain_alias("short.name", domain)
    assert resolve_domain("short.name") == domain
    assert type(getCustomOp(make("Times", "short.name"))) is Times_v4


class Incomplete(CustomOp):
    def execute_node(self, context: object, graph: object) -> None:
        pass


@pytest.mark.parametrize(
    ("op_class", "message"),
    [
        (int, "<class 'int'> is no operator. Remedy: derive it from finn.custom_op.base.CustomOp"),
        (3, "3 is no operator. Remedy: derive it from finn.custom_op.base.CustomOp"),
        (
            Incomplete,
            "operator Incomplete lacks infer_node_datatype, make_shape_compatible_op. Remedy: define them",
        ),
    ],
)
def test_what_cannot_be_added(op_class: type, message: str) -> None:
    with pytest.raises(RegistrationError) as error:
        add_op_to_domain("some.domain", op_class)
    assert isinstance(error.value, ValueError)
    assert str(error.value) == message
    assert not is_custom_op("some.domain")


def test_a_constructor_that_fails() -> None:
    class Broken(Trunc_v1):
        def __init__(self, onnx_node: NodeProto) -> None:
            raise RuntimeError("the licence server is down")

    class Choosy(Trunc_v1):
        def __init__(self, onnx_node: NodeProto, onnx_opset_version: int) -> None:
            raise ExecutionError("not today")

    for op_class in (Broken, Choosy):
        add_op_to_domain("fragile.ops", op_class)
    with pytest.raises(ModelError) as error:
        getCustomOp(make("Broken", "fragile.ops"))
    assert str(error.value) == (
        f"node Broken 'Broken_0': operator class {__name__}.test_a_constructor_that_fails.<locals>.Broken cannot be "
        "instantiated (RuntimeError: the licence server is down). "
        "Remedy: its constructor has to take (onnx_node) or (onnx_node, onnx_opset_version)"
    )
    with pytest.raises(ExecutionError, match=r"^node Choosy 'Choosy_0': not today$"):
        getCustomOp(make("Choosy", "fragile.ops"))


@pytest.mark.parametrize("domain", ["", ".relative", "..", "a..b", "no such thing", "com.microsoft.nchwc"])
def test_domains_that_are_no_modules(domain: str) -> None:
    assert not is_custom_op(domain)
    with pytest.raises(UnknownOpError, match="is not known"):
        getCustomOp(make("Foo", domain))


def test_modules_without_operators_are_no_domains() -> None:
    assert not is_custom_op("math")
    with pytest.raises(UnknownOpError) as error:
        getCustomOp(make("Foo", "math"))
    assert str(error.value) == "node Foo 'Foo_0': domain 'math' has no operator 'Foo'. Remedy: use one of: (none)"


def test_a_domain_whose_module_lacks_something(install: Install) -> None:
    domain = install("lacking_ops", "import a_package_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        getCustomOp(make("Foo", domain))


def test_former_name() -> None:
    with pytest.warns(DeprecationWarning, match="hasCustomOp is called is_custom_op now"):
        assert hasCustomOp(GENERAL, "Quant")


@pytest.mark.parametrize("node_domain", [GENERAL, "qonnx.custom_op.general", "onnx.brevitas", "finn"])
@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({GENERAL: 2}, Trunc_v2),
        ({"qonnx.custom_op.general": 2}, Trunc_v2),
        ({GENERAL: 1}, Trunc_v1),
        ({}, Trunc_v1),
        ({"onnx.brevitas": 1, GENERAL: 2}, Trunc_v2),
    ],
)
def test_the_model_decides_on_the_version(imports: dict[str, int], expected: type[CustomOp], node_domain: str) -> None:
    model = one_node("Relu", {"x": ([2], FLOAT)}, None, "", 13)
    model.model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in imports.items())
    if node_domain in imports:
        expected = {1: Trunc_v1, 2: Trunc_v2}[imports[node_domain]]
    assert type(op_for(model, make("Trunc", node_domain))) is expected


def test_channels_last_operators_of_qonnx() -> None:
    domain = "qonnx.custom_op.channels_last"
    assert {name for name, _ in get_ops_in_domain(domain)} == {"BatchNormalization", "Conv", "MaxPool"}
    assert get_supported_versions(domain, "BatchNormalization") == [1, 9, 14]
    assert get_supported_versions(domain, "MaxPool") == [1, 10]
    assert type(getCustomOp(make("MaxPool", domain), 9)).__name__ == "MaxPool_v1"


def test_threads_find_and_add_operators_at_once(install: Install) -> None:
    domain = install("threaded_ops", "import time\ntime.sleep(0.05)\n" + textwrap.dedent(OLD_STYLE))
    classes = [type(f"Op{i}_v{v}", (Trunc_v1,), {}) for i in range(8) for v in (1, 2)]
    found: list[str] = []
    barrier = threading.Barrier(len(classes))

    def work(op_class: type[CustomOp]) -> None:
        barrier.wait()
        add_op_to_domain(domain, op_class)
        op_type = op_class.__name__.partition("_")[0]
        found.append(type(getCustomOp(make("Times", domain, factor=1))).__name__)
        found.append(type(getCustomOp(make(op_type, domain), int(op_class.__name__[-1]))).__name__)

    threads = [threading.Thread(target=work, args=(op_class,)) for op_class in classes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(["Times"] * len(classes) + [op_class.__name__ for op_class in classes])
    assert len(get_ops_in_domain(domain)) == 9


def test_operators_load_without_onnxruntime() -> None:
    code = "import sys, finn.custom_op.general, finn.custom_op.channels_last; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
