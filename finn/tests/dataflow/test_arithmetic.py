"""Arithmetic on streams: every function on all pairs of small values, types of results, broadcasting, messages."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from test_ladder import climb, placed

from finn.core.datatype import BaseDataType, DataType
from finn.dataflow.arithmetic import FUNCTIONS, ends
from finn.dataflow.graph import make_graph
from finn.dataflow.layer import IntArray, Layer, LayerError
from finn.dataflow.layers.channelwise_op import ChannelwiseOp
from finn.dataflow.layers.elementwise import Elementwise
from finn.dataflow.layers.requant import Requant
from finn.dataflow.sequences import Sequence, sequence
from finn.rtl import Simulator, stitch

BIPOLAR, TERNARY = DataType["BIPOLAR"], DataType["TERNARY"]
INT3, INT4, INT8, INT12, INT20, UINT2, UINT3, UINT4, UINT5, UINT8 = (
    DataType[f"{sign}INT{bits}"] for sign, sizes in (("", (3, 4, 8, 12, 20)), ("U", (2, 3, 4, 5, 8))) for bits in sizes
)

MEANING: dict[str, Callable[[int, int], int]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Max": max,
    "Min": min,
    "AbsDiff": lambda a, b: abs(a - b),
    "Equal": operator.eq,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "And": lambda a, b: bool(a) and bool(b),
    "Or": lambda a, b: bool(a) or bool(b),
    "Xor": lambda a, b: bool(a) != bool(b),
    "BitwiseAnd": operator.and_,
    "BitwiseOr": operator.or_,
    "BitwiseXor": operator.xor,
    "BitShiftLeft": operator.lshift,
    "BitShiftRight": operator.rshift,
}
"""On Python's integers, which have no width."""


def test_every_function_has_a_meaning() -> None:
    assert set(MEANING) == set(FUNCTIONS)
    assert [f.code for f in FUNCTIONS.values()] == list(range(len(FUNCTIONS)))


def values(dtype: BaseDataType) -> list[int]:
    """All of a small type."""
    return [v for v in range(int(dtype.min()), int(dtype.max()) + 1) if dtype.allowed(v)]


def narrowest(results: set[int], operands: set[int]) -> BaseDataType:
    """BIPOLAR for bits that mean -1 and 1 and have come from such, else the shortest range."""
    if results == {-1, 1} and operands <= {-1, 1}:
        return BIPOLAR
    return DataType.spanning(min(results), max(results))


RANGES = ("BINARY", "INT2", "UINT2", "INT3", "UINT3", "INT4", "UINT4", "INT5")
SMALL = [BIPOLAR, TERNARY, *(DataType[name] for name in RANGES)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_type_of_two_streams_is_what_they_reach(name: str) -> None:
    for a, b in itertools.product(SMALL, SMALL):
        if FUNCTIONS[name].shifts and b.signed():
            continue
        reached = {int(MEANING[name](x, y)) for x in values(a) for y in values(b)}
        expected = DataType["BINARY"] if FUNCTIONS[name].tells else narrowest(reached, {*values(a), *values(b)})
        assert FUNCTIONS[name].result(ends(a), ends(b)) == expected, (a, b)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("left", [0, 1])
def test_type_with_constants_is_what_they_reach(name: str, left: int) -> None:
    function = FUNCTIONS[name]
    for x, constants in itertools.product(SMALL, ([0], [3], [-6, 5], [-1], [1, -1], [9, 2])):
        distances = values(x) if left else constants
        if function.shifts and min(distances) < 0:
            continue
        p = DataType.spanning(min(constants), max(constants))
        layer = ChannelwiseOp((1, len(constants)), name, x, np.array(constants), p, left)
        pairs = [(c, v) if left else (v, c) for v in values(x) for c in constants]
        reached = {int(MEANING[name](*pair)) for pair in pairs}
        expected = DataType["BINARY"] if function.tells else narrowest(reached, {*values(x), *constants})
        assert layer.outputs[0].dtype == expected, (x, constants)


OPERANDS: list[tuple[str, BaseDataType, BaseDataType]] = [
    *((name, INT3, UINT2) for name in FUNCTIONS),
    *((name, BIPOLAR, TERNARY) for name in ("Add", "Sub", "Mul", "Greater", "Min", "Xor", "BitwiseXor")),
    *((name, BIPOLAR, BIPOLAR) for name in ("Add", "Mul", "Max", "Min", "Equal", "AbsDiff")),
]


def test_hardware_knows_every_pair_of_values() -> None:
    """All values of one operand against all of the other, as an outer product."""
    layers: list[Layer] = []
    inputs: list[IntArray] = []
    expected = []
    for name, a, b in OPERANDS:
        x, y = values(a), values(b)
        layers.append(Elementwise((1, len(x), 1), (1, 1, len(y)), name, a, b, PE=len(y)))
        inputs += [np.array(x).reshape(1, -1, 1), np.array(y).reshape(1, 1, -1)]
        expected.append([[[int(MEANING[name](u, v)) for v in y] for u in x]])
    with Simulator(stitch(make_graph(placed(layers))), assertions=True) as sim:
        found = sim.run(*inputs).outputs
    for case, y, e in zip(OPERANDS, found, expected, strict=True):
        np.testing.assert_array_equal(y, e, str(case))


# Broadcasting


def test_sequences_are_numpys_broadcasting() -> None:
    for frame in itertools.product((1, 2, 3), (1, 2), (2, 4)):
        for operand in itertools.product(*({1, n} for n in frame)):
            for lanes in (1, 2):
                order = sequence(operand, frame, lanes)
                own = lanes if operand[-1] > 1 else 1
                beats = np.arange(np.prod(operand)).reshape(operand) // own
                wanted = np.broadcast_to(beats, frame).reshape(-1)[::lanes]
                np.testing.assert_array_equal(played(order), wanted)
                assert order.words == np.prod(operand) // own
                first, last = order.uses(len(wanted))
                for beat in range(order.words):
                    (steps,) = np.nonzero(wanted == beat)
                    assert (first[beat], last[beat]) == (steps[0], steps[-1])


def played(s: Sequence) -> IntArray:
    """Which beat each step uses, by the words of the docstring."""
    loops = itertools.product(range(s.groups), range(s.repeats), range(s.beats), range(s.hold))
    return np.array([group * s.beats + beat for group, _, beat, _ in loops])


def add(lhs: tuple[int, ...], rhs: tuple[int, ...], pe: int = 1) -> Elementwise:
    return Elementwise(lhs, rhs, "Add", INT4, UINT5, PE=pe)


def constant(*shape: int, pe: int = 2, left: int = 0) -> ChannelwiseOp:
    parameters = np.random.default_rng(0).integers(-8, 8, shape)
    return ChannelwiseOp((1, 3, 2, 4), "Sub", INT8, parameters, INT4, left, PE=pe)


BROADCAST: list[Layer] = [
    add((1, 3, 2, 4), (1, 1, 1, 4), 2),  # a vector per frame, replayed
    add((1, 1, 1, 4), (1, 3, 2, 4), 4),  # the same in one beat, held
    add((1, 3, 2, 4), (1, 3, 2, 1), 2),  # a value per pixel
    add((1, 1, 1, 1), (1, 3, 2, 4), 1),  # a value per frame
    add((1, 3, 1, 4), (1, 1, 2, 4), 2),  # both: rows and columns
    add((1, 1, 2, 1), (1, 3, 1, 4), 2),  # both, and one of them held
    add((1, 4), (1, 4), 4),  # a beat per frame
    add((1, 1), (1, 1), 1),
    constant(1),
    constant(4),
    constant(4, pe=4),
    constant(3, 2, 4),
    constant(3, 1, 4, left=1),
    constant(1, 2, 1),
    constant(3, 1, 1, pe=1),
]


def test_broadcasting_climbs_the_ladder() -> None:
    climb(BROADCAST, seed=3)


def test_squeeze_and_excite_takes_the_next_vector_ahead() -> None:
    """While a frame is multiplied with one vector, the next one comes in: frames follow each other without a pause."""
    layer = Elementwise((1, 4, 4, 8), (1, 1, 1, 8), "Mul", UINT4, UINT4, PE=2)
    reads = layer.schedule().reads[1]
    assert (reads.depth, len(reads.steps)) == (8, 4)
    assert layer.cycles == 4 * 4 * 4


# Requant


def test_requant_by_hand() -> None:
    layer = Requant((1, 2), INT8, np.array([3, -1]), 2, np.array([1, 0]), INT4)
    x = np.array([[0, 0], [1, 1], [2, 2], [-2, -2], [100, 100], [-100, -100]])
    # floor((3 x + 1) / 4 + 1/2) and floor(-x / 4 + 1/2), then -8 to 7
    np.testing.assert_array_equal(layer.execute(x), [[0, 0], [1, 0], [2, 0], [-1, 1], [7, -8], [-8, 7]])


def test_requant_rounds_half_up_and_clips() -> None:
    x = np.arange(-128, 128).reshape(1, -1)
    for shift, out, narrow in itertools.product((0, 1, 3), (INT4, UINT3, INT12), (0, 1)):
        layer = Requant((1, 256), INT8, np.array([5]), shift, np.array([-7]), out, narrow)
        exact = np.floor((x * 5 - 7) / 2**shift + 0.5)  # floats have it exactly
        low = out.min() + narrow
        np.testing.assert_array_equal(layer.execute(x), np.clip(exact, low, out.max()))


# Messages

THREE = np.array([1, 2, 3])


def requant(**changes: object) -> Requant:
    given: dict[str, object] = {
        "shape": (1, 4), "input_dtype": INT8, "multipliers": np.array([1]), "shift": 2, "offsets": np.array([0]),
        "output_dtype": INT4,
    }  # fmt: skip
    return Requant(**(given | changes))  # type: ignore[arg-type]


ERRORS: dict[str, tuple[Callable[[], Layer], str]] = {
    "ranks": (
        lambda: add((1, 4), (1, 3, 4)),
        "Elementwise: shapes (1, 4) and (1, 3, 4) (their first axes, which count frames, would not meet). "
        "Remedy: insert axes of one element behind the first",
    ),
    "sizes": (
        lambda: add((1, 2, 4), (1, 3, 4)),
        "Elementwise: an operand of shape (1, 2, 4) for frames of shape (1, 3, 4) "
        "(each axis has to have as many elements, or one)",
    ),
    "turns": (
        lambda: add((1, 2, 1, 2, 1, 2), (1, 2, 2, 2, 2, 2)),
        "an operand of shape (1, 2, 1, 2, 1, 2) for frames of (1, 2, 2, 2, 2, 2) "
        "(axes of the operand and repetitions take turns more than twice). Remedy: give the operand more of its axes",
    ),
    "function": (
        lambda: Elementwise((1, 4), (1, 4), "Plus", INT4, INT4),
        "Elementwise: function='Plus' (it is not one of the choices). "
        f"Remedy: use one of {', '.join(map(repr, FUNCTIONS))}",
    ),
    "signed shift": (
        lambda: Elementwise((1, 4), (1, 4), "BitShiftLeft", INT4, INT4),
        "BitShiftLeft by -8 to 7 (distances are 0 to 31). "
        "Remedy: use an unsigned type of 5 bits at the most for the second operand",
    ),
    "far shift": (
        lambda: Elementwise((1, 4), (1, 4), "BitShiftRight", INT4, UINT8),
        "BitShiftRight by 0 to 255 (distances are 0 to 31). "
        "Remedy: use an unsigned type of 5 bits at the most for the second operand",
    ),
    "wide product": (
        lambda: Elementwise((1, 4), (1, 4), "Mul", DataType["INT32"], DataType["INT32"]),
        "Mul: results of more than 62 bits. Remedy: use narrower operands",
    ),
    "wide shift": (
        lambda: Elementwise((1, 4), (1, 4), "BitShiftLeft", DataType["INT32"], UINT5),
        "BitShiftLeft: results of more than 62 bits. Remedy: use narrower operands",
    ),
    "PE": (
        lambda: add((1, 3, 4), (1, 1, 1), 3),
        "Elementwise: PE=3 does not divide channels=4 (each cycle has to do the same number of channels elements). "
        "Remedy: use one of 1, 2, 4",
    ),
    "parameters": (
        lambda: ChannelwiseOp((1, 4), "Add", INT4, THREE, UINT2),
        "ChannelwiseOp: an operand of shape (3,) for frames of shape (4,) "
        "(each axis has to have as many elements, or one)",
    ),
    "more axes than the frame": (
        lambda: ChannelwiseOp((1, 3), "Add", INT4, THREE.reshape(1, 3), UINT2),
        "ChannelwiseOp: an operand of shape (1, 3) for frames of shape (3,) "
        "(each axis has to have as many elements, or one)",
    ),
    "parameter type": (
        lambda: ChannelwiseOp((1, 3), "Add", INT4, THREE, TERNARY),
        "ChannelwiseOp: parameters outside TERNARY. Remedy: annotate their true type",
    ),
    "left": (
        lambda: ChannelwiseOp((1, 3), "Add", INT4, THREE, UINT2, 2),
        "ChannelwiseOp: left=2 (it is a mark). Remedy: use 0 or 1",
    ),
    "multipliers": (
        lambda: requant(multipliers=THREE),
        "Requant: multipliers of shape (3,) for 4 channels. Remedy: give one for all channels or one per channel",
    ),
    "offsets": (
        lambda: requant(offsets=np.zeros((1, 4), np.int64)),
        "Requant: offsets of shape (1, 4) for 4 channels. Remedy: give one for all channels or one per channel",
    ),
    "narrow": (lambda: requant(narrow=2), "Requant: narrow=2 (it is a mark). Remedy: use 0 or 1"),
    "shift": (lambda: requant(shift=-1), "Requant: shift=-1. Remedy: use 0 to 62"),
    "output": (
        lambda: requant(output_dtype=BIPOLAR),
        "Requant: output type BIPOLAR (results are clipped to the ends of a range of whole bits). "
        "Remedy: use INT2 or wider, UINT1 or wider, or a Thresholding layer",
    ),
    "sums": (
        lambda: requant(multipliers=np.array([2**60])),
        "Requant: sums of more than 62 bits. Remedy: use narrower multipliers",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused(name: str) -> None:
    make, message = ERRORS[name]
    with pytest.raises(LayerError) as error:
        make()
    assert str(error.value) == message


# Sizes


def test_schedules_of_large_images_are_quick() -> None:
    large, rng = (1, 224, 224, 64), np.random.default_rng(0)
    layers: list[Layer] = [
        Elementwise(large, large, "Add", INT4, INT4, PE=8),
        Elementwise(large, (1, 1, 1, 64), "Mul", INT4, INT4, PE=8),
        Elementwise(large, (1, 1, 1, 1), "Mul", INT4, INT4, PE=8),
        ChannelwiseOp(large, "Add", INT4, rng.integers(-8, 8, (224, 224, 64)), INT4, PE=8),
        Requant(large, INT20, np.array([3]), 8, rng.integers(-8, 8, 64), INT4, PE=8),
    ]
    for layer in layers:
        start = perf_counter()
        schedule = layer.schedule()
        assert perf_counter() - start < 0.5
        assert schedule.steps * schedule.periods == layer.cycles == 224 * 224 * 8


def test_costs_know_multipliers_and_memories() -> None:
    product = Elementwise((1, 64), (1, 64), "Mul", INT12, INT8, PE=4)
    assert product.resources().DSP == 4
    assert Elementwise((1, 64), (1, 64), "Mul", BIPOLAR, INT8, PE=4).resources().DSP == 0
    wide = ChannelwiseOp((1, 4096), "Mul", INT20, np.arange(4096), DataType["UINT12"], PE=1)
    assert wide.resources().BRAM_18K == 3  # of 2048 x 9: two words side by side
    assert wide.with_config(ram_style="distributed").resources().BRAM_18K == 0
    assert wide.op_and_param_counts() == {"param_mul_12b": 4096, "op_mul_12bx20b": 4096}
    assert requant(multipliers=np.array([1000]), PE=4).resources().DSP == 4
