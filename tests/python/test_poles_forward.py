"""Zero tangents at infinite slopes: NaN where the element moves, nothing where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from modes import forward_modes
from numpy.testing import assert_array_equal

import tapegrad as tg

pytestmark = pytest.mark.filterwarnings("ignore")

LOSING = {
    "cbrt": lambda x: np.cbrt(x**3),
    "power": lambda x: (x**3) ** 0.25,
    "negative power": lambda x: 1.0 / (x**3) ** -0.5,
    "log": lambda x: np.exp(np.log(x**3) / 3.0),
    "divide": lambda x: 1.0 / (1.0 / x**3),
    "reciprocal": lambda x: np.arctan(np.reciprocal(x**3)),
}


@pytest.mark.parametrize("name", LOSING)
def test_a_vanishing_tangent_loses_the_slope(name):
    f = LOSING[name]
    for mode, derivative in forward_modes(f).items():
        assert np.isnan(derivative(0.0)), mode
        found = np.isnan(derivative(np.array([0.0, 0.5])))
        assert found.flat[0], mode
        assert not found.flat[-1], mode


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: np.sqrt(x**4), 0.0),
        (lambda x: np.sqrt(x**3), 0.0),
        (lambda x: np.sqrt(1.0 - np.cos(x)), 0.0),
        (lambda x: np.arccos(np.cos(x)), 0.0),
        (lambda x: (x**3) ** 0.5, 0.0),
    ],
)
def test_roots_lose_no_tangent(f, slope):
    for mode, derivative in forward_modes(f).items():
        assert derivative(0.0) == slope, mode


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sqrt(x**1.5),
        lambda x: np.arcsin(1.0 - x**1.5),
        lambda x: np.arccosh(1.0 + x**1.5),
        lambda x: (x**1.5) ** 0.6,
        lambda x: np.sqrt(np.abs(x)),
        lambda x: np.sqrt(np.maximum(x, -x)),
        lambda x: np.sqrt(np.sqrt(x) ** 3),
    ],
)
def test_roots_of_rough_arguments_lose_the_slope(f):
    """All of these are steeper than any line at 0."""
    for mode, derivative in forward_modes(f).items():
        assert not np.isfinite(derivative(0.0)), mode


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sqrt(np.maximum(x, 0.0) ** 1.5),
        lambda x: np.sqrt(np.where(x > 0.0, x**1.5, 0.0)),
        lambda x: np.sqrt(np.clip(x, 0.0, None)),
        lambda x: np.sqrt(np.abs(np.concatenate([np.maximum(x, 0.0), np.zeros(1)]))),
    ],
)
def test_roots_of_what_was_not_chosen_lose_nothing(f):
    x = np.array([-1.0, 4.0])
    wanted = tg.jacrev(f)(x).sum(axis=1)
    for mode, derivative in forward_modes(f).items():
        found = derivative(x)
        found = found.sum(axis=1) if found.ndim == 2 else found
        assert_array_equal(found, wanted, mode)


def test_what_does_not_move_hands_nothing_on():
    """In the directions of a Jacobian, and where constants were put."""
    x = np.array([0.0, 8.0])
    wanted = np.diag([np.inf, 1.0 / 12])
    for jacobian in (
        tg.jacfwd(np.cbrt),
        tg.function(tg.jacfwd(np.cbrt)),
        tg.jacfwd(tg.function(np.cbrt)),
    ):
        np.testing.assert_allclose(jacobian(x), wanted, 1e-14)

    def padded(x):
        y = np.zeros_like(x, shape=4)
        y[1:3] = x
        return np.cbrt(y)

    assert tg.jvp(lambda x: np.cbrt(0.0 * x), (0.0,), (1.0,))[1] == 0.0
    column = tg.jvp(padded, (np.array([1.0, 8.0]),), (np.ones(2),))[1]
    np.testing.assert_allclose(column, [0.0, 1.0 / 3, 1.0 / 12, 0.0], 1e-14)
    assert_array_equal(tg.jvp(np.cbrt, (x,), (np.array([0.0, 12.0]),))[1], [0.0, 1.0])
    for f in (
        lambda x: np.sum(np.cbrt(np.where(x > 1.0, x, 0.0))),
        lambda x: np.sum(np.cbrt(np.concatenate([x[1:], np.zeros(2)]))),
        lambda x: np.sum(np.cbrt(np.pad(x[1:], 1))),
        lambda x: np.sum(np.cbrt(np.array([0.0, 1.0]) * x)),
        lambda x: (
            np.sum(np.cbrt(np.maximum(x, 0.0)))
            + np.sum(np.cbrt(np.max(np.stack([x - 9.0, np.zeros(2)]), axis=0)))
        ),
    ):
        point = x if "maximum" not in f.__code__.co_names else np.array([-1.0, 8.0])
        np.testing.assert_allclose(tg.jvp(f, (point,), (np.ones(2),))[1], 1.0 / 12, 1e-14)
        np.testing.assert_allclose(tg.jacfwd(f)(point), [0.0, 1.0 / 12], 1e-14)


MASK = np.array([0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    "masked",
    [
        lambda x: MASK * np.sqrt(x),
        lambda x: np.cbrt(x) * MASK,
        lambda x: np.stack([0.0 * np.sqrt(x[0]), np.sqrt(x[1]), np.sqrt(x[2]) * 0.0]),
        lambda x: (x > 0.0) * (x < 5.0) * np.sqrt(x) * MASK,
        lambda x: MASK.astype(np.int64) * x**0.5,
        lambda x: (MASK > 0) * (np.arcsin(x / 9.0) * np.sqrt(x)),
        lambda x: 0.0 * np.sqrt(x) + MASK * x**2,
    ],
)
def test_a_factor_zero_leaves_out_an_infinite_tangent(masked):
    """As it leaves out an adjoint, in all directions and to second order."""
    x = np.array([0.0, 4.0, 9.0])
    total = lambda x: np.sum(masked(x) ** 2)
    at_4 = np.array([1.0, 4.0, 1.0])  # the same function there, away from the poles
    jacobian = tg.jacrev(masked)(at_4) * np.outer(MASK, MASK)
    second = tg.hessian(total)(at_4) * np.outer(MASK, MASK)
    program = tg.function(masked)
    for forward in tg.jacfwd(masked), program.jacobian, tg.jacrev(masked):
        assert_array_equal(forward(x), jacobian)
    for jvp in tg.jvp, lambda f, *given: tg.function(f).jvp(*given):
        assert_array_equal(jvp(masked, (x,), (np.ones(3),))[1], jacobian.sum(axis=1))
    for hessian in (
        tg.hessian(total),
        tg.function(total).hessian,
        tg.jacfwd(tg.grad(total)),
        tg.jacrev(tg.jacfwd(total)),
        tg.jacfwd(tg.jacfwd(total)),
    ):
        np.testing.assert_allclose(hessian(x), second, 1e-13)
