"""Attributes of custom operators and how operators are found."""

from typing import ClassVar

import numpy as np
import pytest
from onnx import AttributeProto, NodeProto, helper

from finn.core.errors import AttributeTypeError, AttributeValueError, UnknownAttributeError, UnknownOpError
from finn.custom_op.base import Attribute, CustomOp
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


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("i", True, 1),
        ("i", np.int8(-3), -3),
        ("f", np.float32(0.5), 0.5),
        ("s", np.str_("text"), "text"),
        ("ints", (1, 2), [1, 2]),
        ("ints", np.array([1, 2], np.int32), [1, 2]),
        ("ints", [True, np.uint8(7)], [1, 7]),
        ("floats", np.array([0.5, 2], np.float32), [0.5, 2.0]),
        ("strings", ("a", np.str_("b")), ["a", "b"]),
        ("floats", [], []),
        ("strings", (), []),
    ],
)
def test_numbers_of_numpy_and_tuples_are_taken_as_what_they_are(kind: str, value: object, expected: object) -> None:
    op = EveryKind(helper.make_node("EveryKind", ["x"], ["y"]))
    op.set_nodeattr(f"a_{kind}", value)
    assert op.get_nodeattr(f"a_{kind}") == expected
    assert type(op.get_nodeattr(f"a_{kind}")) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("i", 1.0),
        ("i", "1"),
        ("i", None),
        ("f", 1),
        ("f", True),
        ("f", "1"),
        ("s", 1),
        ("s", None),
        ("ints", 1),
        ("ints", [1.0]),
        ("ints", ["1"]),
        ("floats", [1]),
        ("floats", 1.0),
        ("strings", "abc"),
        ("strings", [1]),
        ("t", [1.0]),
        ("t", 1.0),
    ],
)
def test_other_types_are_refused_and_nothing_is_written(kind: str, value: object) -> None:
    op = EveryKind(helper.make_node("EveryKind", ["x"], ["y"], name="e"))
    with pytest.raises(TypeError, match=f"^node EveryKind 'e': attribute 'a_{kind}' is set to "):
        op.set_nodeattr(f"a_{kind}", value)
    assert not op.onnx_node.attribute


def test_integers_beyond_64_bits() -> None:
    op = EveryKind(helper.make_node("EveryKind", ["x"], ["y"], name="e"))
    op.set_nodeattr("a_i", -(2**63))
    assert op.get_nodeattr("a_i") == -(2**63)
    for name, value in (("a_i", 2**63), ("a_ints", [2**70])):
        with pytest.raises(AttributeValueError, match=f"attribute '{name}' cannot be"):
            op.set_nodeattr(name, value)


def test_an_attribute_stored_as_another_type() -> None:
    node = helper.make_node("EveryKind", ["x"], ["y"], name="e", a_i=1.5, a_f=3, a_s=2, a_ints=[0.5], a_floats=[1])
    op = EveryKind(node)
    assert op.get_nodeattr("a_f") == 3.0
    assert type(op.get_nodeattr("a_f")) is float
    for name, stored, wanted in (
        ("a_i", "FLOAT", "an int"),
        ("a_s", "INT", "a str"),
        ("a_ints", "FLOATS", "a list of int"),
        ("a_floats", "INTS", "a list of float"),
    ):
        with pytest.raises(AttributeTypeError) as error:
            op.get_nodeattr(name)
        assert str(error.value) == (
            f"node EveryKind 'e': attribute '{name}' is stored as {stored}, wanted {wanted}. "
            f"Remedy: write it again, with set_nodeattr('{name}', ...)"
        )


def test_empty_lists_and_files_without_attribute_types() -> None:
    empty = helper.make_attribute("a_floats", [], attr_type=AttributeProto.INTS)
    untyped = AttributeProto(name="a_i", i=4)
    untyped.ClearField("type")
    op = EveryKind(NodeProto(op_type="EveryKind", output=["y"], attribute=[empty, untyped]))
    assert op.get_nodeattr("a_floats") == []
    assert op.get_nodeattr("a_i") == 4


class Choices(EveryKind):
    attributes: ClassVar[dict[str, Attribute]] = {
        "axes": Attribute("ints", [0], frozenset({0, 1})),
        "names": Attribute("strings", [], frozenset({"a", "b"})),
    }
    get_nodeattr_types = CustomOp.get_nodeattr_types


def test_allowed_values_of_lists_are_those_of_their_items() -> None:
    op = Choices(helper.make_node("Choices", ["x"], ["y"], name="c"))
    op.set_nodeattr("axes", [0, 1, 0])
    op.set_nodeattr("names", ("b",))
    assert (op.get_nodeattr("axes"), op.get_nodeattr("names")) == ([0, 1, 0], ["b"])
    with pytest.raises(ValueError, match=r"attribute 'axes' is \[0, 2\]\. Remedy: use one of: 0, 1"):
        op.set_nodeattr("axes", [0, 2])
    assert op.get_nodeattr_allowed_values("axes") == {0, 1}


def test_a_default_is_not_shared() -> None:
    first, second = (Choices(helper.make_node("Choices", ["x"], ["y"])) for _ in range(2))
    first.get_nodeattr("axes").append(7)
    assert second.get_nodeattr("axes") == first.get_nodeattr("axes") == [0]


def test_named_adds_the_node_to_errors_that_do_not_say_where() -> None:
    op = quant_node(signed=1, narrow=0)
    with pytest.raises(AttributeValueError, match=r"^node Quant 'Quant_0': no$"), op.named():
        raise AttributeValueError("no")
    with pytest.raises(AttributeValueError, match=r"^elsewhere: no$"), op.named():
        raise AttributeValueError("no", where="elsewhere")
    op.set_nodeattr("rounding_mode", "NEAREST")
    with pytest.raises(AttributeValueError, match=r"^node Quant 'Quant_0': there is no rounding mode 'NEAREST'"):
        op.verify_node()
