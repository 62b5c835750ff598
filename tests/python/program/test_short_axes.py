"""Loops whose last axis is short: it is joined with the one before it, what is repeated is copied
into order, and sums, products, maxima and minima of the pieces are taken side by side."""

import numpy as np
import pytest

import tapegrad as tg

SHAPES = [(40, 7), (300, 3), (6, 50, 10), (70, 9, 5), (1100, 1, 2), (5, 2, 64), (3, 4, 65)]
REDUCTIONS = {
    "sum": np.sum,
    "prod": lambda x, axis: np.prod(1.0 + 1e-3 * x, axis=axis),
    "max": np.max,
    "min": np.min,
}


def operands(shape, dtype):
    """One array of the shape, and one that is repeated along each axis."""
    random = np.random.default_rng(sum(shape))
    shapes = [shape]
    shapes += [(*shape[:k], 1, *shape[k + 1 :]) for k in range(len(shape))]
    shapes += [shape[-1:], (*shape[:-1], 1)]
    return [random.uniform(0.5, 1.5, s).astype(dtype) for s in shapes]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_replays_are_those_of_the_function(name, shape, dtype):
    arrays = operands(shape, dtype)
    tolerance = {"rtol": 1e-11 if dtype == np.float64 else 1e-3, "atol": 1e-6}
    for axis in range(len(shape)):

        def f(xs, axis=axis):
            mixed = xs[0]
            for x in xs[1:]:
                mixed = mixed * x + x
            return np.sum(np.sqrt(REDUCTIONS[name](mixed, axis=axis))) + np.sum(mixed * xs[0])

        program = tg.function(f)
        for xs in (arrays, [x * x for x in arrays]):
            np.testing.assert_allclose(program(xs), f(xs), **tolerance)
            found, wanted = program.grad(xs), tg.grad(f)(xs)
            for one, other in zip(found, wanted, strict=True):
                assert one.dtype == dtype
                np.testing.assert_allclose(one, other, **tolerance)


def test_nan_in_one_piece_stays_there():
    x = np.random.default_rng(3).standard_normal((50, 6))
    x[7, 2] = np.nan
    for reduce in REDUCTIONS.values():
        f = lambda x, reduce=reduce: reduce(x + x[:, :1], axis=1)
        found = tg.function(f)(x)
        np.testing.assert_allclose(found, f(x), rtol=1e-12)
        assert np.isnan(found[7]) and np.isnan(found).sum() == 1


def test_transposed_and_reversed_operands():
    random = np.random.default_rng(4)
    a, b = random.standard_normal((6, 80)), random.standard_normal((80, 6))
    f = lambda a, b: np.sum(a.T * b[:, ::-1] * b[:1], axis=1)
    program = tg.function(f)
    np.testing.assert_allclose(program(a, b), f(a, b), rtol=1e-12)


def test_outer_products_join_the_loop_that_adds_them():
    random = np.random.default_rng(5)
    w, steps = random.standard_normal((9, 7)), random.standard_normal((4, 7))

    def f(w):
        total = 0.0
        for x in steps:
            total = total + np.sum(np.tanh(w @ x))
        return total

    program = tg.function(f)
    np.testing.assert_allclose(program.grad(w), tg.grad(f)(w), rtol=1e-13)
    column, row = random.standard_normal((2, 5, 1)), random.standard_normal((1, 6))
    outer = tg.function(lambda a, b: a @ b)
    assert np.array_equal(outer(column, row), column @ row)


@pytest.mark.parametrize("n", [3, 4])
def test_short_powers_are_products(n):
    f = lambda x: np.sum(x**n)
    x = np.array([-2.0, -0.0, 0.0, 1.5, np.inf, -np.inf, 1e-200, -1e200])
    value = tg.function(lambda x: x**n)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(value(x), x**n, rtol=5e-16)
        np.testing.assert_allclose(tg.grad(f)(x), n * x ** (n - 1), rtol=5e-16)
    assert np.array_equal(tg.function(f).grad(x), tg.grad(f)(x))
    assert tg.derivative(lambda x: x**n, 3)(2.0) == (6.0 if n == 3 else 48.0)
    z = np.array([1.0 + 2.0j])
    assert np.array_equal(tg.function(lambda z: z**n)(z), z**n)
