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
