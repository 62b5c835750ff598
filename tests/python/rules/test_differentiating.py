"""Numerical derivatives under the interface of exact ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tapegrad as tg

X = np.array([0.4, 1.1, 2.3])


def compiled(x):
    """Takes plain numbers only."""
    return float(np.sum(np.exp(np.asarray(x)) / (1.0 + np.asarray(x) ** 2)))


def recordable(x):
    return np.sum(np.exp(x) / (1.0 + x**2))


@pytest.mark.parametrize("method, tolerance", [("central", 1e-9), ("forward", 1e-7)])
def test_differences(method, tolerance):
    f = tg.differentiate_with(compiled, method)
    exact = tg.grad(recordable)(X)
    assert np.allclose(tg.grad(f)(X), exact, rtol=tolerance)
    assert np.allclose(tg.jvp(f, (X,), (X,))[1], exact @ X, rtol=tolerance)
    assert np.allclose(tg.function(f).grad(X), exact, rtol=tolerance)
    mixed = tg.grad(lambda x: f(np.sin(x)) ** 2)(X)
    assert np.allclose(mixed, tg.grad(lambda x: recordable(np.sin(x)) ** 2)(X), rtol=10 * tolerance)
    hessian = tg.hessian(recordable)(X)
    assert np.allclose(tg.hessian(f)(X), hessian, rtol=1e-3, atol=1e-3)


def test_complex_step_is_exact():
    f = tg.differentiate_with(lambda x: np.sum(np.exp(x) / (1.0 + x**2)), "complex-step")
    assert np.allclose(tg.grad(f)(X), tg.grad(recordable)(X), rtol=1e-14)
    assert np.allclose(tg.hessian(f)(X), tg.hessian(recordable)(X), rtol=1e-6)
    with pytest.raises(TypeError, match="returned real"):
        tg.grad(tg.differentiate_with(lambda x: np.abs(x), "complex-step"))(1.0)
    with pytest.raises(TypeError, match="real numbers only"):
        tg.grad(tg.differentiate_with(lambda z: np.abs(z), "complex-step"))(1.0 + 1j)


def test_the_end_of_a_domain_and_scales():
    log = tg.differentiate_with(lambda x: math.log(x), "central")
    for x in (1e-8, 1e-3, 1.0, 1e6):
        assert tg.grad(log)(x) == pytest.approx(1.0 / x, rel=1e-7)
    assert tg.grad(tg.differentiate_with(lambda x: x * 2.0))(0.0) == pytest.approx(2.0, rel=1e-12)


def test_several_arguments_results_and_dtypes():
    f = tg.differentiate_with(lambda a, z: (a * np.real(z), {"y": a * z**2}), "central")
    plain = lambda a, z: (a * np.real(z), {"y": a * z**2})
    a, z = 1.5, np.array([1.0 + 2j, -0.5j])
    tangents = (0.3, np.array([1j, 2.0 + 1j]))
    found, expected = tg.jvp(f, (a, z), tangents)[1], tg.jvp(plain, (a, z), tangents)[1]
    assert np.allclose(found[0], expected[0]) and np.allclose(found[1]["y"], expected[1]["y"])
    weigh = lambda r: np.sum(r[0] ** 2) + np.sum(np.abs(r[1]["y"]) ** 2)
    for k in (0, 1):
        found = tg.grad(lambda a, z: weigh(f(a, z)), k)(a, z)
        assert np.allclose(found, tg.grad(lambda a, z: weigh(plain(a, z)), k)(a, z), rtol=1e-8)
    assert tg.grad(lambda x: np.sum(f(x, 1j)[0]))(np.zeros((0, 2))).shape == (0, 2)


def test_wrong_methods():
    with pytest.raises(ValueError, match="magic"):
        tg.differentiate_with(np.sin, "magic")
    with pytest.raises(TypeError, match="function"):
        tg.differentiate_with(3)


@pytest.mark.parametrize("method", ["central", "forward", "complex-step"])
def test_single_precision_is_differenced_in_double(method):
    f = tg.differentiate_with(np.sin, method)
    x = np.float32(0.7)
    slope = tg.grad(f)(x)
    assert type(slope) is np.float32 and slope == pytest.approx(np.cos(0.7), rel=2e-7)
    assert tg.derivative(f, 2)(x) == pytest.approx(-np.sin(0.7), rel=1e-4)
    many = np.array([0.2, 0.7], np.float32)
    assert tg.jacobian(f)(many).dtype == np.float32
    np.testing.assert_allclose(tg.jacobian(f)(many), np.diag(np.cos(many)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "function, x",
    [(lambda x: np.vdot(x, x), 2.0), (lambda x: np.abs(x) * x, -2.0), (np.conj, 0.3)],
)
def test_the_complex_step_of_what_is_not_analytic_is_refused(function, x):
    f = tg.differentiate_with(function, "complex-step")
    with pytest.raises(tg.UnsupportedError, match=r"not analytic(.|\n)*central") as caught:
        tg.grad(f)(x)
    assert f.__name__ in str(caught.value)
    exact = tg.grad(lambda x: np.real(function(x)))(x)
    assert tg.grad(tg.differentiate_with(function, "central"))(x) == pytest.approx(exact)


@pytest.mark.parametrize(
    "function, x, exact",
    [
        (lambda x: x**3, 0.0, 0.0),
        (lambda x: 1.0 + 1e-20 * x, 1.0, 1e-20),
        (lambda x: (1e8 + x) - 1e8, 1.0, 1.0),
        (lambda x: np.sin(1e4 * x), 1.0, 1e4 * math.cos(1e4)),
        (lambda x: np.sin(1e7 * x), 1.0, 1e7 * math.cos(1e7)),
        (lambda x: 1.0 / x, 1e-7, -1e14),
        (lambda x: np.where(x.real > 1.0, 3.0 * x, x), 1.0, 1.0),
        (np.sqrt, 1e-60, 0.5e30),
        (np.log, 1e6, 1e-6),
    ],
)
def test_the_complex_step_of_what_is_analytic_is_taken(function, x, exact):
    found = tg.grad(tg.differentiate_with(function, "complex-step"))(x)
    assert found == pytest.approx(exact, rel=1e-13)
