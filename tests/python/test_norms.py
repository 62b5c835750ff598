"""Norms written out: the root of a sum of squares, however it is spelt, is `np.linalg.norm`."""

from __future__ import annotations

import numpy as np
import pytest
from modes import reverse_modes
from numpy.testing import assert_array_equal

import tapegrad as tg

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: np.sqrt(np.sum(x**2)),
        lambda x: np.sqrt(np.sum(x * x)),
        lambda x: np.sqrt(x @ x),
        lambda x: np.sum(np.square(x)) ** 0.5,
        lambda x: np.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2),
        lambda x: np.sqrt(sum(v * v for v in x)),
        lambda x: np.sqrt(3.0 * np.mean(x**2)),
        lambda x: np.sqrt(np.sum(np.abs(x) ** 2)),
        lambda x: np.sum(np.sqrt(np.sum(x.reshape(3, 1) ** 2, axis=0))),
        lambda x: np.sqrt(np.sum(np.power(x, 2.0))),
        lambda x: np.sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]),
        lambda x: np.sum(x**2) ** np.float64(0.5),
        lambda x: np.power(np.sum(x**2), 0.5),
        lambda x: np.sqrt(np.sum(np.abs(x) * np.abs(x))),
        lambda x: np.sqrt(np.sum(np.concatenate([(-x[:1]) * (-x[:1]), x[1:] ** 2]))),
        np.linalg.norm,
    ],
)
def test_norms_written_out_agree_with_the_norm(norm):
    """At the origin by the convention for symmetric kinks, elsewhere anyway, to second order."""
    for x in np.zeros(3), np.array([1.0, -2.0, 2.0]):
        r = np.linalg.norm(x)
        wanted = x / r if r else x
        for mode, gradient in reverse_modes(norm).items():
            np.testing.assert_allclose(gradient(x), wanted, 1e-14, err_msg=mode)
        along = tg.jvp(norm, (x,), (np.ones(3),))[1]
        np.testing.assert_allclose(along, wanted.sum(), 1e-14)
        second = (np.eye(3) - np.outer(x, x) / r**2) / r if r else np.zeros((3, 3))
        for hessian in tg.hessian(norm), tg.jacrev(tg.grad(norm)), tg.function(norm).hessian:
            np.testing.assert_allclose(hessian(x), second, 1e-13, 1e-15)


def test_long_and_centred_norms():
    x = np.zeros(1000)
    f = lambda x: np.sqrt(sum(v * v for v in x))
    centred = lambda x: np.sqrt(np.mean((x - x.mean()) * (x - x.mean())))
    for norm in f, centred:
        assert_array_equal(tg.grad(norm)(x), x)
        assert_array_equal(tg.function(norm).grad(x), x)


def test_a_difference_of_squares_is_no_norm():
    for gradient in reverse_modes(lambda x: np.sqrt(x[0] ** 2 - x[1] ** 2)).values():
        assert np.isnan(gradient(np.zeros(2))).any()


@pytest.mark.parametrize(
    ("norm", "p"),
    [
        (lambda x: np.linalg.norm(x, 3), 3),
        (lambda x: np.sum(np.abs(x) ** 3) ** (1 / 3), 3),
        (lambda x: (np.abs(x[0]) ** 3 + np.abs(x[1]) ** 3 + np.abs(x[2]) ** 3) ** (1 / 3), 3),
        (lambda x: np.sum(np.fabs(x) * x**2) ** (1 / 3), 3),
        (lambda x: np.linalg.norm(x, 2.5), 2.5),
        (lambda x: np.sum(np.abs(x) ** 2.5) ** (1 / 2.5), 2.5),
        (lambda x: np.sum(x**4) ** 0.25, 4),
        (lambda x: np.sum(x**6) ** (1 / 6), 6),
    ],
)
def test_norms_of_other_powers(norm, p):
    for x in np.zeros(3), np.array([1.0, -2.0, 2.0]):
        r = np.linalg.norm(x, p)
        wanted = np.sign(x) * np.abs(x / r) ** (p - 1) if r else x
        for mode, gradient in reverse_modes(norm).items():
            np.testing.assert_allclose(gradient(x), wanted, 1e-13, err_msg=mode)
        along = tg.jvp(norm, (x,), (np.ones(3),))[1]
        np.testing.assert_allclose(along, wanted.sum(), 1e-13)
        curved = np.diag((p - 1) * np.abs(x) ** (p - 2) * r ** (1 - p)) if r else np.zeros((3, 3))
        second = curved - (p - 1) / r * np.outer(wanted, wanted) if r else curved
        for hessian in tg.hessian(norm), tg.jacrev(tg.grad(norm)), tg.function(norm).hessian:
            np.testing.assert_allclose(hessian(x), second, 1e-12, 1e-14)


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: np.sqrt(np.sum(np.array([1.0, 0.0, 3.0]) * x**2)),
        lambda x: np.sqrt(np.sum(x**2 / np.array([1.0, 2.0, 3.0]))),
        lambda x: np.sqrt(np.sum(x**2 * np.array([[1], [2]], dtype=np.int32))),
    ],
)
def test_weighted_norms_have_slope_0_at_the_origin(norm):
    for gradient in reverse_modes(norm).values():
        assert_array_equal(gradient(np.zeros(3)), np.zeros(3))
    assert tg.jvp(norm, (np.zeros(3),), (np.ones(3),))[1] == 0.0


@pytest.mark.parametrize(
    "no_norm",
    [
        lambda x: np.sqrt(np.sum(np.array([1.0, -1.0, 0.0]) * x**2)),
        lambda x: np.sum(x**2) ** (1 / 3),  # a cusp
        lambda x: np.sum(np.abs(x) ** 3 + x**2) ** (1 / 3),
        lambda x: np.sum(np.abs(x) * x) ** 0.5,
        lambda x: np.sum(x**3) ** (1 / 3),
        lambda x: np.sum(x**2) ** 0.75,  # of slope 0, but curved
        lambda x: np.sqrt(np.sum(np.abs(x) ** 3)),
        lambda x: np.sqrt(np.abs(x[0]) * np.abs(x[1] + 4.0)),
        lambda x: (x[0] ** 2 * (x[1] - 2.0) ** 2) ** 0.25,
        lambda x: np.sqrt(np.abs(np.maximum(x[0], 0.0)) * np.abs(np.exp(x[1]))),
    ],
)
def test_what_is_no_norm_has_no_slope_at_the_origin(no_norm):
    for gradient in reverse_modes(no_norm).values():
        assert np.isnan(gradient(np.zeros(3))).any()


@pytest.mark.parametrize(
    "norm",
    [
        np.linalg.norm,
        np.std,
        np.nanstd,
        lambda x: np.std(x, ddof=1),
        lambda x: np.std(x, where=np.array([True, True, False])),
        lambda x: np.linalg.norm(x, 3),
        lambda x: np.linalg.norm(x.reshape(3, 1)),
        lambda x: np.linalg.norm(x.reshape(3, 1), axis=0)[0],
        lambda x: np.linalg.norm(x + 0j),
        lambda x: np.linalg.norm(x[:2]),
        lambda x: np.hypot(x[0], x[1]),
        lambda x: np.sqrt(x @ x),
    ],
)
def test_an_infinite_adjoint_at_the_kink_of_a_norm_is_nan(norm):
    """Not a silent 0, whatever made the norm; and what a mask leaves out hands nothing on."""
    x = np.zeros(3)
    for outer in np.log, np.sqrt, np.reciprocal:
        for mode, gradient in reverse_modes(lambda x: outer(norm(x))).items():
            assert np.isnan(gradient(x)).any(), mode
    for outer in np.log, np.reciprocal:
        assert np.isnan(tg.jvp(lambda x: outer(norm(x)), (x,), (np.ones(3),))[1])
    masked = lambda x: np.where(norm(x) > 0, np.log(norm(x)), 0.0)
    for gradient in reverse_modes(masked).values():
        assert_array_equal(gradient(x), x)


@pytest.mark.parametrize("p", [1.5, 2, 2.5, 3, 4, 7])
def test_norms_of_float32(p):
    x = np.zeros(3, np.float32)
    norms = (
        lambda x: np.linalg.norm(x, p),
        lambda x: np.sum(np.abs(x) ** p) ** (1 / p),
        lambda x: np.power(np.sum(np.abs(x) ** np.float32(p)), np.float32(1 / p)),
    )
    for norm in norms:
        for mode, gradient in reverse_modes(norm).items():
            assert_array_equal(gradient(x), x, mode)


def test_norms_under_vmap_and_of_rows_with_columns():
    x = np.zeros((4, 3))
    for norm in (
        lambda v: np.sqrt(v @ v),
        lambda v: np.sqrt(np.einsum("i,i->", v, v)),
        lambda v: np.sqrt((v[None] @ v[:, None])[0, 0]),
    ):
        assert_array_equal(tg.grad(lambda x: np.sum(tg.vmap(norm)(x)))(x), x)
        assert_array_equal(tg.vmap(tg.grad(norm))(x), x)


def test_norms_that_overflow_are_flat_whatever_else_is_zero():
    f = lambda x: np.sum((np.abs(x) ** 3) ** (1 / 3))
    for x in np.array([1e120]), np.array([0.0, 1e120]):
        for gradient in reverse_modes(f).values():
            assert_array_equal(gradient(x), np.zeros(x.size))
