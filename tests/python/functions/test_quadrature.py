"""tapegrad.scipy.integrate: quad, fixed_quad and the integrals of samples."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.integrate
from functions.expressions import check_complex, check_derivatives, check_program, check_value
from functions.replayed import check_replay

import tapegrad as tg
from tapegrad.functions.quadrature import kronrod
from tapegrad.scipy import integrate

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("n", [2, 7, 10])
def test_kronrod_is_exact_as_far_as_it_should_be(n):
    nodes, weights, inner = kronrod(n)
    assert len(nodes) == 2 * n + 1 and np.all(np.abs(nodes) < 1) and np.all(weights > 0)
    for k in range(3 * n + 2):
        assert weights @ nodes**k == pytest.approx(0.0 if k % 2 else 2 / (k + 1), abs=1e-14)
    for k in range(2 * n):
        assert inner @ nodes**k == pytest.approx(0.0 if k % 2 else 2 / (k + 1), abs=1e-14)


def value(f, *args):
    return tg.vjp(f, *args)[0]


def test_parameters_and_limits():
    def area(a, b, k):
        return integrate.quad(lambda x, k: np.sin(k * x), a, b, (k,))[0]

    at = (0.1, 2.0, 3.0)
    assert value(area, *at) == pytest.approx((math.cos(0.3) - math.cos(6.0)) / 3.0, rel=1e-13)
    found = tg.grad(area, (0, 1, 2))(*at)
    by_k = (2 * math.sin(6.0) - 0.1 * math.sin(0.3)) / 3 - (math.cos(0.3) - math.cos(6.0)) / 9
    np.testing.assert_allclose(found, [-math.sin(0.3), math.sin(6.0), by_k], rtol=1e-11)
    tg.testing.check_grads(area, at)
    assert area(*at) == scipy.integrate.quad(lambda x: np.sin(3 * x), 0.1, 2.0)[0]
    assert value(lambda a: area(a, 0.1, 3.0), 2.0) == pytest.approx(-area(*at), rel=1e-13)


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.0, math.inf, 1), (-math.inf, 0.0, 1), (math.inf, 0.0, -1), (-math.inf, math.inf, 2)],
)
def test_infinite_limits(low, high, sign):
    def area(k):
        return integrate.quad(lambda x: np.exp(-k * x * x), low, high)[0]

    wanted = 0.5 * math.sqrt(math.pi / 2.0)
    assert value(area, 2.0) == pytest.approx(sign * wanted, rel=1e-10)
    assert tg.grad(area)(2.0) == pytest.approx(-sign * wanted / 4.0, rel=1e-8)
    assert tg.derivative(area, 2)(2.0) == pytest.approx(sign * wanted * 3 / 16, rel=1e-7)


def test_a_limit_with_the_other_infinite():
    found = tg.grad(lambda a: integrate.quad(lambda x: np.exp(-x), a, math.inf)[0])(0.5)
    assert found == pytest.approx(-math.exp(-0.5), rel=1e-9)


def test_singularities_peaks_and_kinks():
    root = tg.value_and_grad(lambda b: integrate.quad(lambda x: 1 / np.sqrt(x), 0.0, b)[0])(2.0)
    np.testing.assert_allclose(root, [math.sqrt(8.0), math.sqrt(0.5)], rtol=1e-8)
    log = tg.value_and_grad(lambda k: integrate.quad(lambda x: np.log(k * x), 0.0, 1.0)[0])(2.0)
    np.testing.assert_allclose(log, [math.log(2.0) - 1.0, 0.5], rtol=1e-8)
    peak = tg.grad(lambda k: integrate.quad(lambda x: 1 / (1 + k * x * x), -5.0, 5.0)[0])
    k, h = 100.0, 1e-3
    exact = lambda k: 2 / math.sqrt(k) * math.atan(5 * math.sqrt(k))
    assert peak(k) == pytest.approx((exact(k + h) - exact(k - h)) / (2 * h), rel=1e-6)

    def kinked(c):
        return integrate.quad(lambda x: np.abs(x - c), 0.0, 1.0, points=[0.3])[0]

    assert value(kinked, 0.3) == pytest.approx(0.29, rel=1e-14)
    assert tg.grad(kinked)(0.3) == pytest.approx(-0.4, rel=1e-12)


def test_programs_adapt_again():
    check_replay(
        lambda k: integrate.quad(lambda x: 1 / (1 + k * x * x), -5.0, 5.0)[0],
        (1.0,),
        (90.0,),
        (2.0,),
    )
    check_replay(
        lambda a, b: integrate.quad(np.exp, a, b)[0], (0.0, 1.0), (2.0, -1.0), (-math.inf, 0.5)
    )


def test_what_quad_refuses():
    with pytest.raises(tg.UnsupportedError, match="weight"):
        tg.grad(lambda a: integrate.quad(np.cos, a, 1.0, weight="cos", wvar=2.0)[0])(0.0)
    with pytest.raises(ValueError, match="break points"):
        tg.grad(lambda a: integrate.quad(np.exp, a, math.inf, points=[1.0])[0])(0.0)
    with warnings.catch_warnings(), pytest.raises(scipy.integrate.IntegrationWarning):
        warnings.simplefilter("error")
        tg.grad(lambda a: integrate.quad(lambda x: np.sin(1 / x), a, 1.0, limit=3)[0])(0.01)


def test_fixed_quad():
    found = tg.grad(lambda p: integrate.fixed_quad(lambda x: x**p, 0.0, 2.0, n=40)[0])(3.0)
    assert found == pytest.approx(4 * math.log(2.0) - 1.0, rel=1e-9)
    f = lambda x: 1.0 + 2.0 * x + 3.0 * x**2
    assert tg.grad(lambda b: integrate.fixed_quad(f, 0.0, b)[0])(1.5) == pytest.approx(f(1.5))
    rows = lambda x: np.stack([x, x**2])
    np.testing.assert_allclose(
        value(lambda b: integrate.fixed_quad(rows, 0.0, b)[0], 2.0),
        scipy.integrate.fixed_quad(rows, 0.0, 2.0)[0],
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("spacing", ["", "x", "dx"])
def test_samples(n, axis, spacing):
    y = RNG.standard_normal((n, 3) if axis == 0 else (3, n))
    x = np.cumsum(RNG.uniform(0.1, 1.0, n))
    options = {"x": {"x": x}, "dx": {"dx": 0.3}}.get(spacing, {})
    for name, more in [
        ("simpson", {}),
        ("trapezoid", {}),
        ("cumulative_trapezoid", {}),
        ("cumulative_trapezoid", {"initial": 0}),
    ]:
        options = {**options, **more, "axis": axis}
        ours, theirs = getattr(integrate, name), getattr(scipy.integrate, name)
        np.testing.assert_allclose(
            value(lambda y: ours(y, **options), y), theirs(y, **options), rtol=1e-13, atol=1e-14
        )
        options.pop("initial", None)
    if spacing == "x":
        tg.testing.check_grads(lambda y, x: integrate.simpson(y, x, axis=axis), (y, x))
        tg.testing.check_grads(lambda y, x: integrate.cumulative_trapezoid(y, x, axis=axis), (y, x))


SAMPLED = """
tintegrate.trapezoid(v)
tintegrate.trapezoid(y, x, axis=0)
tintegrate.trapezoid(a, dx=0.3, axis=1)
tintegrate.cumulative_trapezoid(y, x, axis=0)
tintegrate.cumulative_trapezoid(a, initial=0)
tintegrate.simpson(v)
tintegrate.simpson(y, [0.0, 0.5, 1.5, 1.9])
tintegrate.simpson(a, dx=0.3, axis=0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", SAMPLED)
def test_expressions_of_samples(expression):
    check_value(expression)
    check_derivatives(expression)
    check_program(expression)
    check_complex(expression)


def test_simpson_where_samples_coincide():
    y, x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([0.0, 1.0, 1.0, 2.0, 3.0, 3.0])
    assert value(lambda y: integrate.simpson(y, x), y) == pytest.approx(
        scipy.integrate.simpson(y, x), rel=1e-13
    )
    assert np.isfinite(tg.grad(lambda x: integrate.simpson(y, x))(x)).all()


def test_scipy_serves_what_is_not_recorded():
    assert integrate.quad(np.exp, 0.0, 1.0) == scipy.integrate.quad(np.exp, 0.0, 1.0)
    assert integrate.dblquad is scipy.integrate.dblquad
