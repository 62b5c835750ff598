"""Covariances, histograms, convolutions, interpolation and sets against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import check_complex, check_derivatives, check_value

import tapegrad as tg

SMOOTH = """
np.cov(x)
np.cov(x, y)
np.cov(v)
np.cov(v, w, ddof=0)
np.cov(x, rowvar=False)
np.cov(x, y, rowvar=False, bias=True)
np.cov(x, fweights=[1, 2, 3, 1])
np.cov(x, aweights=p)
np.cov(x, aweights=p, fweights=[1, 2, 3, 1], ddof=0)
np.cov(x, aweights=p, fweights=[1, 2, 3, 1])
np.cov(z)
np.cov(x, dtype=np.float64)
np.corrcoef(x)
np.corrcoef(v, w)
np.corrcoef(x, y, rowvar=False)
np.corrcoef(z)
np.bincount([0, 2, 2, 5], weights=v)
np.bincount([0, 2, 2, 1], weights=v, minlength=8)
np.histogram(v, bins=3, range=(-2, 2), weights=p)[0]
np.histogram(v, bins=[-2.5, 0.0, 3.0], weights=p)[0]
np.histogram(v, bins=[-2.5, 0.0, 3.0], weights=p, density=True)[0]
np.histogram(v, bins=4, weights=p, density=True)
np.histogram(x, bins=4)[1]
np.histogram(x, weights=q)
np.histogram(v, bins=3, range=(-1, 1), weights=c)[0]
np.histogram_bin_edges(v, 5)
np.histogram_bin_edges(v, "sturges")
np.histogram2d(v, w, bins=4, weights=p)[0]
np.histogram2d(v, w, bins=[2, [-4.0, 0.0, 4.0]], weights=p, density=True)
np.histogramdd(r, bins=(2, 3), weights=p, range=[(-3, 3), (-2, 2)])[0]
np.histogramdd((v, w), bins=4, weights=p, density=True)[0]
np.convolve(v, w)
np.convolve(v, u, "same")
np.convolve(u, v, "same")
np.convolve(v, u, mode="valid")
np.convolve(u, v, mode="valid")
np.convolve(v, s)
np.convolve(v, [1.0, 2.0])
np.convolve(c, v)
np.convolve(a.ravel(), x.ravel(), "same")
np.correlate(v, u)
np.correlate(u, v)
np.correlate(v, u, "same")
np.correlate(u, v, "same")
np.correlate(v, w, "same")
np.correlate(u, v, "full")
np.correlate(v, c, "full")
np.correlate(c, c, "same")
np.interp(x, np.cumsum(p) - 2.0, w)
np.interp(v, [-1.0, 0.0, 1.5], u)
np.interp(v, [-1.0, 0.0, 1.5], u, left=s, right=2.0 * s)
np.interp(s, np.cumsum(p), v)
np.interp(v, np.cumsum(p), w, period=1.7)
np.interp(v, [-1.0, 0.0, 1.5], u + 1j * u)
np.interp(v, [0.0], [2.0]) + v
np.union1d(v, w)
np.intersect1d(v, [v[1], 17.0, v[0]])
np.setdiff1d(v, [v[1], 17.0, v[0]])
np.setdiff1d(v, [v[1], 17.0], assume_unique=True)
np.setxor1d(v, [v[1], 17.0, v[0]])
np.unique_values(x)
np.unique_counts(x).values
np.unique_all(x).values
np.unique_inverse(x)[0]
""".strip().splitlines()

VALUES = """
np.corrcoef(v)
np.histogram(x, bins=3)[0] + 0.0
np.histogram(x, "auto")[0]
np.searchsorted(np.sort(v), w)
np.searchsorted(np.sort(v), w, side="right")
np.searchsorted(v, x, sorter=np.argsort(v))
np.sort(v).searchsorted(0.3)
np.digitize(x, [-1.0, 0.0, 0.7])
np.digitize(x, [0.7, 0.0, -1.0], right=True)
np.unique_counts(x).counts
np.unique_all(x).indices
np.intersect1d(v, [v[1], 17.0, v[0]], return_indices=True)[1]
""".strip().splitlines()


def plainly(expression):
    """Sequences with recorded numbers need the namespace that converts them."""
    return expression.replace("[v[1], 17.0, v[0]]", "np.append(v[:2], 17.0)").replace(
        "[v[1], 17.0]", "np.append(v[1:2], 17.0)"
    )


SMOOTH, VALUES = list(map(plainly, SMOOTH)), list(map(plainly, VALUES))


@pytest.mark.parametrize("expression", SMOOTH + VALUES)
def test_value(expression):
    check_value(expression)


@pytest.mark.parametrize("expression", SMOOTH)
def test_derivatives(expression):
    check_derivatives(expression)


FLOAT32 = [e for e in SMOOTH if ", s" not in e and "=s" not in e and "(s" not in e]


@pytest.mark.parametrize("expression", FLOAT32)
def test_float32(expression):
    check_value(expression, np.float32, rtol=1e-4)


@pytest.mark.parametrize(
    "expression", [e for e in SMOOTH if "convolve" in e or "correlate" in e or "cov(x" in e]
)
def test_complex(expression):
    if "weights" not in expression and "float64" not in expression:
        check_complex(expression)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 63, 64, 65, 130, 300])
@pytest.mark.parametrize("m", [1, 3, 16, 64, 129])
def test_convolutions_of_many_lengths(n, m):
    rng = np.random.default_rng(n * m)
    a, v = rng.standard_normal(n), rng.standard_normal(m)
    for mode in ("full", "same", "valid"):
        for f in (np.convolve, np.correlate):
            value, pullback = tg.vjp(lambda a, v, f=f, mode=mode: f(a, v, mode), a, v)
            np.testing.assert_allclose(value, f(a, v, mode), rtol=1e-12, atol=1e-13)
            g = rng.standard_normal(value.shape)
            # Bilinear: both inner products are those of the function itself.
            in_a, in_v = pullback(g)
            assert np.isclose(in_a @ a, g @ value) and np.isclose(in_v @ v, g @ value)
            da = rng.standard_normal(n)
            assert np.isclose(in_a @ da, g @ f(da, v, mode))


def test_convolution_keeps_infinities_where_they_belong():
    a = np.array([1.0, np.inf, 2.0, np.nan, 0.0, 3.0])
    v = np.array([1.0, 0.5])
    for mode in ("full", "same", "valid"):
        value, _ = tg.vjp(lambda a, mode=mode: np.convolve(a, v, mode), a)
        np.testing.assert_array_equal(value, np.convolve(a, v, mode))
        value, _ = tg.vjp(lambda a, mode=mode: np.correlate(v, a, mode), a)
        np.testing.assert_array_equal(value, np.correlate(v, a, mode))


def test_interp_at_and_beyond_the_data():
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.0, -2.0])
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, np.nan, np.inf])
    value, pullback = tg.vjp(lambda x: np.interp(x, xp, fp), x)
    np.testing.assert_array_equal(value, np.interp(x, xp, fp))
    # At a data point the slope is that of the interval to its right, at the last that to its left.
    assert pullback(np.ones(9))[0].tolist()[:7] == [0.0, 1.0, 1.0, -2.0, -2.0, -2.0, 0.0]
    jump = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 5.0])
    value, pullback = tg.vjp(lambda x: np.interp(x, *jump), np.array([0.5, 1.0, 2.0]))
    assert value.tolist() == np.interp([0.5, 1.0, 2.0], *jump).tolist()
    assert np.isfinite(pullback(np.ones(3))[0]).all()


def test_histogram_edges_at_the_data():
    a = np.array([0.0, 1.0, 2.0, 2.0, 1.0, -1.0, 3.0, np.nan])
    w = np.arange(8.0)
    for bins in ([0.0, 1.0, 2.0], [0.0, 0.0, 1.0, 2.0], [0.0, 2.0]):
        value, pullback = tg.vjp(lambda w, b=bins: np.histogram(a, b, weights=w)[0], w)
        np.testing.assert_array_equal(value, np.histogram(a, bins, weights=w)[0])
    assert pullback(np.array([2.0]))[0].tolist() == [2, 2, 2, 2, 2, 0, 0, 0]
    constant = np.ones(3)
    value, _ = tg.vjp(lambda a: np.histogram(a, 2)[1], constant)
    assert value.tolist() == np.histogram(constant, 2)[1].tolist()


def test_correlation_of_what_is_proportional():
    x = np.array([1.0, 2.0, 4.0])
    f = lambda y: np.corrcoef(x, y)[0, 1]
    value, gradient = tg.value_and_grad(f)(3.0 * x)
    assert value == 1.0 and np.allclose(gradient, 0.0, atol=1e-15)
    hessian = tg.hessian(f)(3.0 * x)
    d = np.array([1.0, -1.0, 0.5])
    h = 1e-3
    expected = (f(3 * x + h * d) - 2.0 + f(3 * x - h * d) + 0.0) / h**2
    assert np.isclose(d @ hessian @ d, expected, rtol=1e-3)


REPLAYED = [
    lambda x: np.interp(x, [0.0, 1.0, 3.0], [1.0, 2.0, -2.0]).sum(),
    lambda x: np.interp(0.5, np.cumsum(np.abs(x)), x),
    lambda x: np.histogram([0.1, 0.9, 2.5, 0.2], 3, weights=x)[0] @ np.arange(3.0),
    lambda x: np.histogram(x, [0.0, 1.0, 2.0, 3.0], weights=x)[0] @ np.arange(3.0),
    lambda x: np.convolve(x, x)[2:5].sum(),
    lambda x: np.bincount(np.digitize(x, [1.0, 2.0]), weights=x, minlength=4) @ np.arange(4.0),
    lambda x: np.cov(x, x**2)[0, 1],
    lambda x: np.sum(x[np.searchsorted([0.3, 1.0, 1.5], x)] ** 2),
    lambda x: np.sum(np.union1d(x, [1.0, 5.0]) ** 2),
]


@pytest.mark.parametrize("number", range(len(REPLAYED)))
def test_replayed(number):
    f = REPLAYED[number]
    program = tg.function(f)
    for values in ([0.5, 1.2, 2.7, 0.1], [1.2, 0.4, 0.3, 2.9], [2.0, 1.0, 0.3, np.inf]):
        x = np.array(values)
        if np.isinf(x).any() and number not in (0, 7):
            continue
        value, gradient = program.value_and_grad(x)
        expected, slopes = tg.value_and_grad(f)(x)
        np.testing.assert_allclose(value, f(x), rtol=1e-14)
        np.testing.assert_allclose(value, expected, rtol=1e-14)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-14)
