"""sum, prod, max, min, cumsum: values equal to NumPy's to the last bit, and their derivatives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ops.derivatives import LAYOUTS, apply, arranged, check, gradients, recording
from ops.single_op import RNG, sample

from tapegrad import UnsupportedError, _core

SHAPES = [(), (1,), (7,), (3, 4), (2, 1, 5), (2, 3, 2, 3)]
# Sizes at which the order of summation changes: 8 accumulators, blocks of 128, buffers of 8192.
SUM_SHAPES = [
    (5,), (8,), (127,), (129,), (1000,), (8191,), (30000,),
    (3, 9000), (9000, 3), (40, 300), (50, 21, 31), (7, 90, 100), (4, 5, 6, 7), (129, 2, 65),
]  # fmt: skip
# Before 2.3 NumPy's iterator filled its buffer otherwise when axes do not merge.
BUFFERS_WHOLE_ROWS = tuple(map(int, np.__version__.split(".")[:2])) >= (2, 3)
FUNCTIONS = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}


def subsets(ndim):
    return [axes for n in range(ndim + 1) for axes in itertools.combinations(range(ndim), n)]


def assert_same(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
@pytest.mark.parametrize("shape", SUM_SHAPES)
def test_sums_are_numpys_to_the_last_bit(shape, dtype):
    for layout in LAYOUTS:
        x = arranged(sample(shape, dtype), layout)
        for order in {tuple(range(x.ndim)), tuple(reversed(range(x.ndim)))}:
            moved = x.transpose(order)
            for y in (moved, moved[..., :-1])[: 1 + BUFFERS_WHOLE_ROWS]:
                for axes in subsets(x.ndim):
                    assert_same(apply("sum", [y], [0, *axes]), y.sum(axes))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f8", "f4", "?", "i8"])
@pytest.mark.parametrize("shape", [*SHAPES, (200,), (3, 100), (100, 3)])
def test_values(shape, dtype, layout):
    x = arranged(np.asarray(RNG.random(shape) * 3 - 1).astype(dtype), layout)
    for axes, keepdims in itertools.product(subsets(len(shape)), (False, True)):
        for name, f in FUNCTIONS.items():
            with np.errstate(over="ignore", under="ignore"):
                expected = f(x, axis=axes, keepdims=keepdims)
            assert_same(apply(name, [x], [keepdims, *axes]), expected)
    for axis in range(len(shape)):
        assert_same(apply("cumsum", [x], [axis, 0]), np.cumsum(x, axis))
        backwards = np.flip(np.cumsum(np.flip(x, axis), axis), axis)
        assert_same(apply("cumsum", [x], [axis, 1]), backwards)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_empty_arrays(name):
    for shape, axes in [((0,), (0,)), ((0, 3), (0,)), ((0, 3), (1,)), ((2, 0), (0, 1)), ((0,), ())]:
        x = np.zeros(shape)
        try:
            expected = FUNCTIONS[name](x, axis=axes)
        except ValueError:
            with pytest.raises(ValueError, match=f"reduction operation {name}imum"):
                apply(name, [x], [0, *axes])
            continue
        assert_same(apply(name, [x], [0, *axes]), expected)
        check(lambda x, axes=axes: apply(name, [x], [0, *axes]), x)


def test_nan_and_infinity_propagate_as_in_numpy():
    x = np.tile([1.0, np.nan, -np.inf, np.inf], 50)
    for y in (x, x[::4], x[2::4], x[1:2], x[3:5], np.where(np.isnan(x), 0, x)):
        for name, f in FUNCTIONS.items():
            with np.errstate(invalid="ignore"):
                assert_same(apply(name, [y], [0, 0]), f(y))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_derivatives(shape, name, layout):
    x = arranged(sample(shape), layout)
    if layout == "broadcast" and name in ("max", "min"):
        x = sample(shape)  # ties have a test of their own
    for axes in subsets(len(shape)):
        check(lambda x, axes=axes: apply(name, [x], [len(axes) % 2, *axes]), x)


@pytest.mark.parametrize("shape", [(4,), (3, 2), (2, 3, 4)])
def test_cumsum_derivatives(shape):
    for axis, reverse in itertools.product(range(len(shape)), (0, 1)):
        check(lambda x, a=(axis, reverse): apply("cumsum", [x], a), sample(shape))


def test_complex_derivatives():
    x = sample((3, 2), "c16")
    check(lambda x: apply("sum", [x], [0, 0]), x)
    check(lambda x: apply("prod", [x], [0, 1]), x)
    check(lambda x: apply("prod", [x], [0, 0, 1]), x)
    check(lambda x: apply("cumsum", [x], [1, 0]), x)


@pytest.mark.parametrize("n", range(1, 10))
def test_product_with_zeros(n):
    for zeros in range(min(n, 3) + 1):
        x = sample((2, n)) + 0.1
        x[:, :zeros] = 0
        check(lambda x: apply("prod", [x], [0, 1]), x)
        check(lambda x: apply("prod", [x], [1, 0]), x)


def test_third_derivative_of_a_product_with_zeros():
    """d3/da db dc of a b c d is d, at zeros of a, b and c."""
    with recording() as tape:
        x = tape.input(np.array([0.0, 0.0, 0.0, 5.0]))
        y = apply("prod", [x], [0, 0])
        for k in range(3):
            (g,) = tape.adjoint([y], [1.0], [x], 0, record=True)
            y = apply("item", [g], [k])
        assert _core.value(y) == 5.0


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share_equally(name):
    x = np.array([[2.0, 2.0, 1.0], [1.0, 2.0, 2.0]])
    (g,) = gradients(lambda x: apply(name, [x], [0, 0, 1]), [x], np.float64(1.0))
    tied = x == (2 if name == "max" else 1)
    np.testing.assert_array_equal(g, tied / tied.sum())


def test_zero_adjoints_stop_at_products_that_overflow():
    x = np.array([[1e200, 1e200, 1e200], [1.0, 2.0, 3.0]])
    (g,) = gradients(lambda x: apply("prod", [x], [0, 1]), [x], np.array([0.0, 1.0]))
    np.testing.assert_array_equal(g, [[0, 0, 0], [6, 3, 2]])


def test_errors():
    with pytest.raises(ValueError, match="axes must ascend"):
        apply("sum", [np.zeros(3)], (0, 1))
    with pytest.raises(ValueError, match="axes must ascend"):
        apply("max", [np.zeros((3, 3))], (0, 1, 0))
    with pytest.raises(ValueError, match="axis out of range"):
        apply("cumsum", [np.zeros(3)], (1, 0))
    with pytest.raises(UnsupportedError, match="complex numbers"):
        apply("max", [np.zeros(3, "c16")], (0, 0))
