"""BSpline and make_interp_spline of tapegrad.scipy.interpolate against SciPy, and derivatives in
argument, coefficients, knots and data."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
from functions.replayed import check_replay

import tapegrad as tg
from tapegrad.scipy import interpolate

RNG = np.random.default_rng(5)


def points(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.cumsum(RNG.uniform(0.3, 1.0, n)), RNG.standard_normal((n, 2))


@pytest.mark.parametrize("k", range(6))
def test_splines_of_every_degree(k):
    t = np.sort(RNG.uniform(0.0, 5.0, 2 * k + 6))
    if k > 1:
        t[k + 2] = t[k + 1]  # a double knot
    n = len(t) - k - 1
    c, at = RNG.standard_normal((n, 2)), RNG.uniform(t[k] - 0.1, t[n] + 0.1, 6)
    theirs = scipy.interpolate.BSpline(t, c, k)
    for nu in range(3):
        value, _ = tg.vjp(lambda c: interpolate.BSpline(t, c, k)(at, nu), c)
        scale = np.max(np.abs(theirs(at, nu)), initial=1.0)
        np.testing.assert_allclose(value / scale, theirs(at, nu) / scale, atol=1e-10)
    low, high = t[k] + 0.1, t[n] - 0.1
    area, _ = tg.vjp(lambda c: interpolate.BSpline(t, c, k).integrate(low, high), c)
    np.testing.assert_allclose(area, theirs.integrate(low, high), rtol=1e-9, atol=1e-9)
    plain = interpolate.BSpline(t, c, k)
    np.testing.assert_array_equal(plain(at), theirs(at))
    moved, _ = tg.vjp(lambda c: interpolate.BSpline(t, c.T, k, axis=1)(at), c)
    np.testing.assert_allclose(moved, theirs(at).T, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_derivatives_in_knots_coefficients_and_argument(k):
    t = np.cumsum(RNG.uniform(0.3, 1.0, 2 * k + 5))
    c, at = RNG.standard_normal(k + 4), RNG.uniform(t[k], t[-k - 1], 3)
    tg.testing.check_grads(lambda t, c, at: interpolate.BSpline(t, c, k)(at), (t, c, at))


@pytest.mark.parametrize("k", range(6))
def test_interpolation(k):
    x, y = points(9)
    at = RNG.uniform(x[0], x[-1], 4)
    value, _ = tg.vjp(lambda x, y: interpolate.make_interp_spline(x, y, k)(at), x, y)
    wanted = scipy.interpolate.make_interp_spline(x, y, k)
    np.testing.assert_allclose(value, wanted(at), rtol=1e-10, atol=1e-11)
    if k in (2, 3):
        tg.testing.check_grads(
            lambda x, y, at: interpolate.make_interp_spline(x, y, k)(at), (x, y, at)
        )


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("kind", ["natural", "clamped", "values", "one end"])
def test_conditions_at_the_ends(k, kind):
    x, y = points(7)
    v = RNG.standard_normal((2, 2))
    low = [(1, v[0])] if k == 3 else [(1, v[0]), (2, v[1])]
    bc_type = {"values": (low, low), "one end": (None, [*low, (k - 1, v[1])])}.get(kind, kind)
    if k == 5 and kind != "values":
        with pytest.raises(ValueError, match="derivatives at boundaries"):
            tg.vjp(lambda y: interpolate.make_interp_spline(x, y, k, bc_type=bc_type)(x), y)
        return
    at = RNG.uniform(x[0], x[-1], 4)
    value, _ = tg.vjp(lambda y: interpolate.make_interp_spline(x, y, k, bc_type=bc_type)(at), y)
    wanted = scipy.interpolate.make_interp_spline(x, y, k, bc_type=bc_type)(at)
    np.testing.assert_allclose(value, wanted, rtol=1e-7, atol=1e-8)


def test_programs():
    x, y = points(6)
    at = RNG.uniform(x[0], x[-1], 3)
    spline = lambda x, y, at: interpolate.make_interp_spline(x, y)(at)
    check_replay(spline, (x, y, at), (1.1 * x, 1.0 - y, at[::-1].copy()), rtol=1e-9)


def test_errors():
    x, y = points(6)
    for call in (
        lambda y: interpolate.make_interp_spline(x[::-1], y),
        lambda y: interpolate.make_interp_spline(x, y, bc_type="other"),
        lambda y: interpolate.make_interp_spline(x, y, bc_type=([(1, y[0])], None)),
        lambda y: interpolate.BSpline(x, y, -1),
        lambda y: interpolate.BSpline(x, y, 4),
        lambda y: interpolate.BSpline(-x, y, 1),
        lambda y: interpolate.BSpline(x, y[:2], 1),
    ):
        with pytest.raises(ValueError):
            tg.vjp(lambda y, call=call: call(y) and y, y)
    with pytest.raises(tg.UnsupportedError, match="periodic"):
        tg.vjp(lambda y: interpolate.make_interp_spline(x, y, bc_type="periodic")(x), y)
