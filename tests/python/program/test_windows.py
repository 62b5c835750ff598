"""Values that are computed in one loop and read at other indices by a later one: rolls, slices and
padded slices. Programs give the same bits whether such values are stored or computed again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_random_programs import SETTINGS

import tapegrad as tg


def burgers(u):
    for _ in range(3):
        slope = np.roll(u, -1, 0) - np.roll(u, 1, 0) + np.roll(u, -1, -1) - np.roll(u, 1, -1)
        curve = np.roll(u, -1, 0) + np.roll(u, 1, 0) - 2.0 * u
        u = u - 0.1 * u * slope + 0.05 * curve
    return np.sum(u * u)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def conservation(x):
    for _ in range(3):
        flux = 0.5 * x * x
        x = np.concatenate([x[:1], x[1:-1] - 0.1 * (flux[2:] - flux[:-2]), x[-1:]])
    return np.sum(x * x)


def padded(x):
    for _ in range(3):
        y = x * x - x
        x = np.pad(0.5 * (y[1:] + y[:-1]), (0, 1)) + 0.1 * x
    return np.sum(x * x)


def nested_windows(x):
    y = np.pad(np.roll(np.pad(x * x, (1, 2))[1:], 2), (2, 0))
    z = np.roll(np.roll(y, 3) * y, -3)[1:-1] + y[2:]
    return np.sum(z * z)


def long_shifts(x):
    y = x * x
    z = np.roll(y, 7) * np.roll(y, -100) + np.roll(y + 1.0, 3)
    return np.sum(np.roll(z, 11) * y)


def mixed_axes(x):
    y = x * x
    z = np.pad(y[1:], ((0, 1), (1, 0)))[:, 1:] + np.roll(y, 1, 1)
    return np.sum(z[:-1] * z[1:]) + np.sum(z[:, ::2] * 3.0)


FUNCTIONS = [burgers, rosenbrock, conservation, padded, nested_windows, long_shifts]
EVERYTHING = ("recompute", "reuse", "fuse")


def results(f, x, without=()):
    program = tg.function(f, without=without)
    v = np.cos(np.arange(x.size, dtype=x.dtype)).reshape(x.shape)
    value, gradient = program.value_and_grad(x)
    return value, gradient, program.hvp(x, v)


def check(f, x):
    value, gradient, product = results(f, x)
    for without in (("recompute",), EVERYTHING):
        other, *arrays = results(f, x, without)
        np.testing.assert_allclose(value, other, rtol=1e-6 if x.dtype == np.float32 else 1e-13)
        for a, b in zip((gradient, product), arrays, strict=True):
            assert np.array_equal(a, b, equal_nan=True)
    rtol = 1e-4 if x.dtype == np.float32 else 1e-12
    expected = tg.grad(f)(x)
    scale = max(1.0, np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    np.testing.assert_allclose(gradient, expected, rtol=rtol, atol=rtol * scale)
    return product


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("n", [3, 4, 5, 17, 64, 1000, 50_000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_vectors(f, n, dtype):
    check(f, np.sin(np.arange(n)).astype(dtype))


@pytest.mark.parametrize("f", [burgers, mixed_axes, long_shifts])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 2), (2, 9), (5, 3), (40, 33), (300, 200)])
def test_matrices(f, shape):
    check(f, np.sin(np.arange(np.prod(shape))).reshape(shape))


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("f", [burgers, long_shifts, padded, rosenbrock])
def test_short_vectors(f, n):
    if n == 0 and f is not long_shifts:
        return
    check(f, np.full(n, 0.5))


def test_what_lies_outside_of_a_slice_is_not_looked_at():
    """NaN and infinities of the parts that a padded slice does not take stay out of it."""

    def f(x):
        y = 1.0 / x * x
        return np.sum(np.pad(y[2:-2] * y[1:-3], 3)[2:-2] * 2.0)

    for n in (6, 100, 50_000):
        x = np.ones(n)
        x[0] = x[-1] = 0.0
        check(f, x)


def test_signed_zeros_survive():
    def f(x):
        y = -0.0 * x
        return np.roll(np.pad(y[1:] * 1.0, (1, 0)), 1) + y

    x = np.ones(50_000)
    a, b = (tg.function(f, without=w)(x) for w in ((), EVERYTHING))
    assert np.array_equal(a, b) and np.array_equal(np.signbit(a), np.signbit(b))


def test_large_arrays_are_computed_again_rather_than_stored():
    def bytes_of(without):
        x = np.ones((300, 300))
        program = tg.function(burgers, without=without)
        program.value_and_grad(x)
        return program.latest().program("gradient", (0,)).stats()["workspace_bytes"]

    assert bytes_of(()) < 0.6 * bytes_of(("recompute",))


# Random programs --------------------------------------------------------------------------------


class Chain:
    """A function of one array, of ops drawn beforehand: each reads values that are there already
    and appends one of any length; lengths are made equal by slicing and padding."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, x):
        values = [x]
        for op, i, j, k in self.steps:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(self.apply(op, a, b, k))
        total = 0.0
        for v in values[-3:]:
            total = total + np.sum(v * v)
        return total

    @staticmethod
    def apply(op, a, b, k):
        n = a.shape[0]
        if op == "roll":
            return np.roll(a, k, axis=k % a.ndim)
        if op == "slice":
            start = abs(k) % n
            return a[start : max(start + 1, n - abs(k) // 3 % 3)]
        if op == "pad":
            return np.pad(a, [(abs(k) % 3, abs(k) // 3 % 3)] + [(0, 0)] * (a.ndim - 1))
        if op == "concatenate":
            return np.concatenate([a, b]) if n + b.shape[0] < 70_000 else a * 2.0
        if op == "step":
            return np.roll(a, 1, 0) - 2.0 * a + np.roll(a, -1, 0)
        if op == "scale":
            return a * (0.25 * k)
        if op == "square":
            return 0.1 * a * a - a
        if op == "kink":
            return np.where(a > 0.1 * k, a, np.maximum(a, -0.5) * 0.5)
        m = min(n, b.shape[0])
        a, b = a[:m], b[b.shape[0] - m :]
        return a + b if op == "add" else a * b * 0.5


OPS = "roll roll slice slice pad concatenate step scale square kink add multiply".split()
STEPS = st.lists(
    st.tuples(st.sampled_from(OPS), st.integers(0, 9), st.integers(0, 9), st.integers(-5, 5)),
    min_size=3,
    max_size=14,
)
SHAPES = st.sampled_from([(1,), (2,), (3,), (8,), (67,), (20_000,), (4, 3), (1, 5), (60, 40)])


@settings(SETTINGS, max_examples=150)
@given(STEPS, SHAPES, st.booleans())
def test_random_programs(steps, shape, single):
    x = np.sin(1.0 + np.arange(np.prod(shape))).reshape(shape)
    check(Chain(steps), x.astype(np.float32) if single else x)
