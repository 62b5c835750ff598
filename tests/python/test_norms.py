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
