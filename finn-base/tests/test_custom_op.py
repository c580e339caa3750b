"""Attributes of custom operators and how operators are found."""

import numpy as np
import pytest
from onnx import helper

from finn.core.errors import AttributeTypeError, AttributeValueError, UnknownAttributeError, UnknownOpError
from finn.custom_op.base import CustomOp
from finn.custom_op.registry import get_ops_in_domain, getCustomOp, is_custom_op

GENERAL = "finn.custom_op.general"


def quant_node(**attributes: object) -> CustomOp:
    return getCustomOp(
        helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], name="Quant_0", domain=GENERAL, **attributes)
    )


@pytest.mark.parametrize("domain", [GENERAL, "qonnx.custom_op.general", "onnx.brevitas", "finn"])
def test_aliases_of_the_domain(domain: str) -> None:
    node = helper.make_node("BipolarQuant", ["x", "s"], ["y"], domain=domain)
    assert type(getCustomOp(node)).__name__ == "BipolarQuant"
    assert is_custom_op(domain, "BipolarQuant")


def test_what_is_custom() -> None:
    assert not is_custom_op("")
    assert not is_custom_op("no.such.domain")
    assert not is_custom_op(GENERAL, "Conv")
    assert {name for name, _ in get_ops_in_domain(GENERAL)} >= {"Quant", "IntQuant", "BipolarQuant", "MultiThreshold"}


def test_unknown_domain_and_operator() -> None:
    with pytest.raises(KeyError) as error:
        getCustomOp(helper.make_node("Foo", ["x"], ["y"], name="Foo_0", domain="no.such.domain"))
    assert str(error.value) == (
        "node Foo 'Foo_0': the operator domain 'no.such.domain' is not known (there is no Python module 'no'). "
        "Remedy: install the package that defines this domain"
    )
    with pytest.raises(UnknownOpError, match="did you mean 'MultiThreshold'"):
        getCustomOp(helper.make_node("Multithreshold", ["x"], ["y"], domain=GENERAL))


def test_attributes_are_read_and_written_with_their_types() -> None:
    op = quant_node(signed=1, narrow=0)
    assert op.get_nodeattr("signed") == 1
    assert op.get_nodeattr("rounding_mode") == "ROUND"
    op.set_nodeattr("rounding_mode", "FLOOR")
    op.set_nodeattr("rounding_mode", "CEIL")
    assert op.get_nodeattr("rounding_mode") == "CEIL"
    assert len(op.onnx_node.attribute) == 3
    assert op.verify_node() == ["All attributes are present and legal"]
    assert op.get_nodeattr_types()["signed"] == ("i", True, 0, {0, 1})


def test_attribute_errors_name_the_node() -> None:
    op = quant_node(signed=1)
    with pytest.raises(AttributeError) as unknown:
        op.get_nodeattr("sigend")
    assert str(unknown.value) == "node Quant 'Quant_0': there is no attribute 'sigend'. Remedy: did you mean 'signed'?"
    with pytest.raises(AttributeValueError) as missing:
        op.get_nodeattr("narrow")
    assert str(missing.value) == "node Quant 'Quant_0': the required attribute 'narrow' is missing"
    with pytest.raises(AttributeValueError) as illegal:
        op.set_nodeattr("signed", 2)
    assert str(illegal.value) == "node Quant 'Quant_0': attribute 'signed' is 2. Remedy: use one of: 0, 1"
    with pytest.raises(AttributeTypeError) as kind:
        op.set_nodeattr("rounding_mode", 3)
    assert str(kind.value) == ("node Quant 'Quant_0': attribute 'rounding_mode' is set to 3 of type int, wanted a str")
    with pytest.raises(UnknownAttributeError):
        op.set_nodeattr("bits", 3)


class EveryKind(CustomOp):
    """Declares an attribute of every kind, as operators of other packages do."""

    def get_nodeattr_types(self):  # type: ignore[no-untyped-def]
        kinds = {"i": 1, "f": 1.5, "s": "a", "ints": [1], "floats": [0.5], "strings": ["a"], "t": np.zeros(2)}
        return {f"a_{kind}": (kind, False, default) for kind, default in kinds.items()}

    def make_shape_compatible_op(self, model):  # type: ignore[no-untyped-def]
        return self.make_const_shape_op([1, 2])

    def infer_node_datatype(self, model):  # type: ignore[no-untyped-def]
        pass

    def execute_node(self, context, graph):  # type: ignore[no-untyped-def]
        pass


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("i", 5),
        ("f", 0.25),
        ("s", "text"),
        ("ints", [1, 2]),
        ("ints", []),
        ("floats", [0.5, 2.0]),
        ("strings", ["a", "b"]),
    ],
)
def test_every_kind_of_attribute_comes_back(kind: str, value: object) -> None:
    op = EveryKind(helper.make_node("EveryKind", ["x"], ["y"]))
    op.set_nodeattr(f"a_{kind}", value)
    assert op.get_nodeattr(f"a_{kind}") == value
    assert type(op.get_nodeattr(f"a_{kind}")) is type(value)


def test_tensor_attribute_and_shape_op() -> None:
    op = EveryKind(helper.make_node("EveryKind", ["x"], ["y"]))
    op.set_nodeattr("a_t", np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(op.get_nodeattr("a_t"), [[0, 1, 2], [3, 4, 5]])
    assert op.make_const_shape_op([1, 2]).op_type == "RandomNormal"
    with pytest.raises(AttributeTypeError, match="wanted a list of int"):
        op.set_nodeattr("a_ints", [1.5])
