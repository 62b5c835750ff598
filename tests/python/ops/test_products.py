"""matmul: NumPy's product for every number of axes and every layout, and its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from ops.single_op import Recorded, check_op, recording, sample, transposed

from tapegrad import _core

SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((1, 2, 3), (5, 3, 1)),
    ((3, 1), (1, 4)),
]
EMPTY = [((0,), (0,)), ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((0, 2, 3), (3, 2)), ((2, 0), (0,))]
LARGE = [
    ((600,), (600,)),
    ((40, 50), (50,)),
    ((50,), (50, 40)),
    ((20, 30), (30, 20)),
    ((4, 20, 30), (30, 20)),
    ((20, 30), (6, 30, 1)),
    ((3, 20, 30), (3, 30, 20)),
    ((2, 3, 20, 30), (3, 30, 1)),
    ((6, 1, 30), (30, 20)),
    ((30, 1), (1, 40)),
]


def layouts(x: np.ndarray):
    """The same values in memory as views of other arrays are."""
    yield x
    yield np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    yield np.ascontiguousarray(x[::-1])[::-1]
    if x.ndim >= 2:
        yield transposed(np.ascontiguousarray(transposed(x)))
        yield np.repeat(np.repeat(x, 2, -1), 2, -2)[..., ::2, ::2]
        yield np.repeat(x, 3, -2)[..., ::3, :]
        yield np.ascontiguousarray(np.moveaxis(x, -2, 0)).swapaxes(0, -2) if x.ndim == 2 else x
    if x.dtype == np.complex128:  # steps that are no multiple of an element
        pairs = np.zeros(x.shape, dtype=[("z", "c16"), ("w", "f8")])
        pairs["z"] = x
        yield pairs["z"]
    if x.size:
        yield np.broadcast_to(x[:1], x.shape)


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
@pytest.mark.parametrize(("a", "b"), SHAPES + EMPTY + LARGE)
def test_value_in_every_layout(a, b, dtype):
    tolerance = 1e-4 if dtype == "f4" else 1e-12
    for x in layouts(sample(a, dtype)):
        for y in layouts(sample(b, dtype)):
            value, expected = _core.apply("matmul", (x, y)), np.matmul(x, y)
            assert np.shape(value) == np.shape(expected)
            assert np.asarray(value).dtype == expected.dtype
            np.testing.assert_allclose(value, expected, rtol=tolerance, atol=30 * tolerance)


@pytest.mark.parametrize("first", ["f8", "c16"])
@pytest.mark.parametrize("second", ["f8", "c16"])
@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_derivatives(a, b, first, second):
    check_op("matmul", np.matmul, [sample(a, first), sample(b, second)])


@pytest.mark.parametrize(("a", "b"), EMPTY + LARGE)
def test_derivatives_of_empty_and_large(a, b):
    check_op("matmul", np.matmul, [sample(a), sample(b)])


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("active", [0, 1])
def test_one_active_operand(a, b, active):
    xs = [sample(a), sample(b)]
    g = sample(np.matmul(*xs).shape)
    with recording() as tape:
        expected = Recorded(tape, "matmul", xs).adjoint(g)[active]
        begin, x = tape.mark(), tape.input(xs[active])
        operands = [xs[0], x] if active else [x, xs[1]]
        y = _core.apply("matmul", tuple(operands))
        (gradient,) = tape.adjoint([y], [g], [x], begin)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)


def test_closed_form_of_a_quadratic_form():
    a, x = sample((30, 30)), sample((30,))
    with recording() as tape:
        begin, v = tape.mark(), tape.input(x)
        y = _core.apply("matmul", (v, _core.apply("matmul", (a, v))))
        (gradient,) = tape.adjoint([y], [1.0], [v], begin)
        _, _, (product,) = tape.second_order(y, 1.0, [v], [x], begin)
    np.testing.assert_allclose(gradient, (a + a.T) @ x, rtol=1e-12)
    np.testing.assert_allclose(product, (a + a.T) @ x, rtol=1e-12)


def test_float32_stays_float32():
    xs = [sample((4, 3), "f4"), sample((3,), "f4")]
    with recording() as tape:
        op = Recorded(tape, "matmul", xs)
        g = np.ones(4, "f4")
        assert op.tangent(xs).dtype == np.float32
        for a in (*op.adjoint(g), *op.second_order(g, xs)[2]):
            assert a.dtype == np.float32


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((2, 3), (4, 5), r"shapes \(2, 3\) and \(4, 5\) do not fit: 3 .* != 4"),
        ((3,), (4,), r"shapes \(3,\) and \(4,\) do not fit"),
        ((), (3,), "at least one axis"),
        ((2, 2, 3), (4, 3, 2), "leading axes .* do not broadcast"),
    ],
)
def test_shapes_that_do_not_fit(a, b, message):
    with pytest.raises(ValueError, match=message):
        _core.apply("matmul", (np.ones(a), np.ones(b)))
