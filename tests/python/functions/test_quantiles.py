"""Medians, quantiles and reductions without NaN against NumPy, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import check_derivatives, check_value

import tapegrad as tg

METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]

SMOOTH = """
np.median(v)
np.median(u)
np.median(t)
np.median(x, axis=0)
np.median(x, axis=1, keepdims=True)
np.median(a, axis=(0, 2))
np.median(a, axis=(0, -1), keepdims=True)
np.percentile(x, 30)
np.percentile(x, [10, 50.0, 85], axis=1)
np.percentile(x, 30.0, axis=0, keepdims=True)
np.quantile(v, 0.3)
np.quantile(v, 0.0)
np.quantile(v, 1.0)
np.quantile(x, [[0.1, 0.9], [0.5, 1.0]], axis=0)
np.quantile(x, 0.3, axis=1, method="hazen")
np.quantile(v, 0.7, weights=p, method="inverted_cdf")
np.quantile(x, [0.2, 0.7], weights=q, axis=0, method="inverted_cdf")
np.percentile(x, 70, weights=p, axis=1, method="inverted_cdf")
np.nanmedian(N + x)
np.nanmedian(N + x, axis=0)
np.nanmedian(N + x, axis=1, keepdims=True)
np.nanquantile(N + x, 0.3)
np.nanquantile(N + x, [0.3, 0.9], axis=0, keepdims=True)
np.nanquantile(N + x, 0.3, axis=1, method="lower")
np.nanquantile(N + x, 0.3, axis=1, method="midpoint")
np.nanpercentile(N + x, 30, axis=1)
np.nanpercentile(N + x, 30, weights=q, axis=1, method="inverted_cdf")
np.nansum(N + x)
np.nansum(N + x, axis=0, keepdims=True)
np.nansum(N + x, axis=1, where=MASK, initial=2.0)
np.nansum(N + z, axis=1).real
np.nanprod(N + x, axis=1)
np.nanprod(N + x, axis=0, where=MASK, initial=0.5)
np.nanmax(N + x)
np.nanmax(N + x, axis=0, keepdims=True)
np.nanmax(N + x, axis=1, initial=0.1, where=MASK)
np.nanmin(N + x, axis=1)
np.nanmin(N + x, axis=(0, 1), keepdims=True)
np.nanmean(N + x)
np.nanmean(N + x, axis=0)
np.nanmean(N + x, axis=1, where=MASK, keepdims=True)
np.nanvar(N + x)
np.nanvar(N + x, axis=1, ddof=1)
np.nanvar(N + x, axis=1, correction=1, keepdims=True)
np.nanvar(N + x, axis=1, where=MASK)
np.nanvar(N + x, axis=1, mean=np.nanmean(N + x, axis=1, keepdims=True))
np.nanvar(N + z, axis=0)
np.nanstd(N + x)
np.nanstd(N + x, axis=1, ddof=1, keepdims=True)
np.nancumsum(N + x)
np.nancumsum(N + x, axis=1)
np.nancumprod(N + x, axis=0)
np.nancumprod(N + x)
""".strip().splitlines()
SMOOTH += [f"np.quantile(x, [0.3, 0.62], axis=1, method={m!r})" for m in METHODS]


@pytest.mark.parametrize("expression", SMOOTH)
def test_value(expression):
    check_value(expression)


@pytest.mark.parametrize("expression", SMOOTH)
def test_derivatives(expression):
    check_derivatives(expression)


@pytest.mark.parametrize("expression", [e for e in SMOOTH if "N" not in e])
def test_float32(expression):
    check_value(expression, np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 4, 5, 8])
def test_every_level_of_every_method(method, n):
    x = np.random.default_rng(n).standard_normal(n)
    q = np.linspace(0.0, 1.0, 17)
    value, _ = tg.vjp(lambda x: np.quantile(x, q, method=method), x)
    np.testing.assert_allclose(value, np.quantile(x, q, method=method), rtol=1e-15)
    with_nan = np.append(x, np.nan)
    value, _ = tg.vjp(lambda x: np.nanquantile(x, q, method=method), with_nan)
    np.testing.assert_allclose(value, np.nanquantile(with_nan, q, method=method), rtol=1e-15)


@pytest.mark.parametrize("method", ["linear", "hazen", "weibull", "median_unbiased"])
def test_in_the_level(method):
    x = np.array([3.0, 1.0, 2.5, 7.0])
    tg.testing.check_grads(lambda x, q: np.quantile(x, q, method=method), (x, 0.37))
    tg.testing.check_grads(
        lambda x, q: np.percentile(x, q, method=method), (x, np.array([31.0, 55.0]))
    )


def test_weighted_levels():
    x, w = np.array([3.0, 1.0, 2.5, 7.0]), np.array([0.0, 0.0, 2.0, 1.0])
    q = np.linspace(0.0, 1.0, 9)
    value, _ = tg.vjp(lambda x: np.quantile(x, q, weights=w, method="inverted_cdf"), x)
    assert np.array_equal(value, np.quantile(x, q, weights=w, method="inverted_cdf"))
    with pytest.raises(ValueError, match="non-negative"):
        tg.grad(lambda x: np.quantile(x, 0.5, weights=-w, method="inverted_cdf"))(x)
    with pytest.raises(ValueError, match="inverted_cdf"):
        tg.grad(lambda x: np.quantile(x, 0.5, weights=w))(x)


SPECIAL = {
    "NaN": np.array([1.0, np.nan, 2.0]),
    "infinities": np.array([np.inf, np.inf, 1.0, 2.0, np.inf]),
    "one": np.array([4.0]),
    "nothing but NaN": np.array([np.nan, np.nan]),
}
FUNCTIONS = ["median", "nanmedian", "nanmax", "nanmin", "nanmean", "nansum", "nanvar", "nanprod"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("case", SPECIAL)
def test_special_numbers(name, case):
    f = getattr(np, name)
    value, _ = tg.vjp(f, SPECIAL[case])
    np.testing.assert_array_equal(value, f(SPECIAL[case]))


def test_slopes_are_those_of_the_chosen_elements():
    assert tg.grad(np.median)(np.array([5.0, 1.0, 2.0])).tolist() == [0, 0, 1]
    assert tg.grad(np.median)(np.array([5.0, 1.0, 2.0, 9.0])).tolist() == [0.5, 0, 0.5, 0]
    x = np.array([2.0, np.nan, 5.0])
    assert tg.grad(np.nanmax)(x).tolist() == [0, 0, 1]
    assert tg.grad(np.nanmean)(x).tolist() == [0.5, 0, 0.5]
    assert tg.grad(np.nansum)(x).tolist() == [1, 0, 1]
    assert tg.grad(np.nanvar)(x).tolist() == [-1.5, 0, 1.5]
    # As np.max: ties share.
    assert tg.grad(np.nanmax)(np.array([2.0, np.nan, 2.0])).tolist() == [0.5, 0, 0.5]


@pytest.mark.parametrize(
    "f",
    [
        np.median,
        lambda x: np.quantile(x, 0.4),
        lambda x: np.quantile(x, 0.4, method="nearest"),
        lambda x: np.nanquantile(x, [0.4, 0.8])[1],
        np.nanmedian,
        np.nanmean,
        np.nanstd,
        np.nanmin,
        lambda x: np.quantile(x, 0.4, weights=np.arange(1.0, 6.0), method="inverted_cdf"),
        lambda x: np.quantile(x, x[0] / 10.0),
    ],
)
def test_replayed(f):
    program = tg.function(f)
    for order in (
        [3.0, 1.0, 2.0, 5.0, 4.0],
        [1.0, 5.0, 4.0, 2.0, 3.0],
        [1.0, np.nan, 4.0, 2.0, 3.0],
    ):
        x = np.array(order)
        value, gradient = program.value_and_grad(x)
        np.testing.assert_allclose(value, f(x), rtol=1e-15)
        np.testing.assert_allclose(gradient, tg.grad(f)(x), rtol=1e-15)


def test_empty():
    assert np.isnan(tg.vjp(np.median, np.zeros(0))[0])
    assert tg.vjp(lambda x: np.median(x, axis=1), np.zeros((0, 3)))[0].shape == (0,)
    assert tg.vjp(lambda x: np.quantile(x, [0.1, 0.2], axis=1), np.zeros((0, 3)))[0].shape == (2, 0)


def test_out_and_refusals():
    def f(x):
        y = np.zeros_like(x)
        np.median(x, axis=0, out=y[0])
        np.nansum(x, axis=0, out=y[1])
        return np.sum(y**2)

    tg.testing.check_grads(f, (np.array([[1.0, 2.0], [3.0, 5.0]]),))
    with pytest.raises(ValueError, match="range"):
        tg.grad(lambda x: np.quantile(x, 1.5))(np.ones(3))
    with pytest.raises(ValueError, match="valid method"):
        tg.grad(lambda x: np.quantile(x, 0.5, method="best"))(np.ones(3))
    with pytest.raises(TypeError, match="real"):
        tg.grad(lambda z: np.quantile(z, 0.5).real)(np.ones(3) + 1j)
