"""Data types say the same in qonnx, but for the documented differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import both  # noqa: TID252 - test helpers are no installed package
from .peer import Ours, Peer, PeerError  # noqa: TID252

METHODS = [
    "bitwidth", "min", "max", "signed", "is_integer", "is_fixed_point",
    "get_hls_datatype_str", "to_numpy_dt", "get_num_possible_values",
]  # fmt: skip
FIXED = {"get_num_possible_values"}
"""Documented: qonnx counts -min + max + 1 of the scaled bounds."""

NAMES = [
    "BIPOLAR", "TERNARY", "BINARY", "FLOAT32", "FLOAT16", "SCALEDINT<8>", "SCALEDINT<32>",
    *(f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (*range(1, 13), 15, 16, 17, 31, 32)),
    *("FIXED<4,2>", "FIXED<8,1>", "FIXED<16,4>", "FIXED<9,8>"),
    *("FLOAT<4,3>", "FLOAT<4,3,7>", "FLOAT<2,1>", "FLOAT<5,2>", "FLOAT<3,0>", "FLOAT<4,3,5>", "FLOAT<3,4,-2>"),
]  # fmt: skip
EDGES = [0, 1, -1, 2, -2, 0.5, 1.5, 3.75, 1 / 3, 255, 256, -128, -129, 448.0, 480.0, 2.0**-9, 2.0**-10, 65504.0, 1e30]
QUICK = settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))


def as_halves(values: np.ndarray) -> np.ndarray:
    """Rounded to half precision. Documented: qonnx's FLOAT16 has all values."""
    with np.errstate(over="ignore"):
        return np.nan_to_num(values.astype(np.float16)).astype(np.float32)


def compared(peer: Peer, name: str, values: np.ndarray) -> None:
    methods = [m for m in METHODS if not (name.startswith("FIXED") and m in FIXED)]
    ours, theirs = Ours().datatype(name, methods, values), peer.datatype(name, methods, values)
    assert {k: str(v) for k, v in ours.items()} == {k: str(v) for k, v in theirs.items()}


@pytest.mark.parametrize("name", NAMES)
def test_data_type(name: str, peer: Peer) -> None:
    edges = np.array([] if name.startswith("SCALEDINT") else EDGES, np.float32)
    compared(peer, name, edges if name != "FLOAT16" else as_halves(edges))


@QUICK
@given(
    name=st.sampled_from([n for n in NAMES if not n.startswith("SCALEDINT")]),
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-300, 300), max_size=20),
)
def test_membership(name: str, values: list[float], peer: Peer) -> None:
    found = np.array(values, np.float32)
    compared(peer, name, as_halves(found) if name == "FLOAT16" else found)


@QUICK
@given(e=st.integers(2, 6), m=st.integers(0, 8), bias=st.none() | st.integers(1, 20), values=st.data())
def test_float_formats(e: int, m: int, bias: int | None, values: st.DataObject, peer: Peer) -> None:
    name = f"FLOAT<{e},{m}{'' if bias is None else f',{bias}'}>"
    found = values.draw(st.lists(st.floats(-1000, 1000, width=16), max_size=10))
    compared(peer, name, np.array(found, np.float32))


def test_smallest_types(peer: Peer) -> None:
    values = [v + d for v in (0, *(s * 2**b for b in range(1, 34) for s in (1, -1))) for d in (-1, 0, 1)] + [0.5]
    assert Ours().smallest(values) == peer.smallest(values)
    candidates = "core.datatype.DataType.get_accumulator_dt_cands"
    assert both.call("finn", candidates, []) == peer.call(candidates, [])


@pytest.mark.parametrize("name", ["INT", "FLOAT64", "int8", "FIXED<4>", "SCALEDINT", "FLOAT<4>", "INTx", ""])
def test_names_of_nothing(name: str, peer: Peer) -> None:
    source = f"find('core.datatype.resolve_datatype')({name!r})"
    with pytest.raises(KeyError):
        both.evaluate("finn", source)
    with pytest.raises(PeerError):  # documented: of several kinds
        peer.evaluate(source)


@pytest.mark.parametrize("ndims", [2, 3, 4])
@pytest.mark.parametrize("which", ["first", "last"])
def test_layouts(ndims: int, which: str, peer: Peer) -> None:
    source = (
        f"[find(f'core.data_layout.get_channels_{which}_layout_for_ndims')({ndims}), "
        f"find('core.data_layout.is_channels_last')(find('core.data_layout.get_channels_{which}_layout_for_ndims')({ndims}))]"
    )
    assert Ours().evaluate(source) == peer.evaluate(source)
    for name in ("NHWC", "NCHW", "NCW", "NWC", "NC", "UNKNOWN"):
        assert Ours().evaluate(f"find('core.data_layout.{name}')") == peer.evaluate(f"find('core.data_layout.{name}')")
