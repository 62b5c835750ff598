"""Reductions against NumPy over their keyword arguments, and their derivatives."""

from __future__ import annotations

import re

import numpy as np
import pytest
from functions.expressions import check_complex, check_derivatives, check_value

import tapegrad as tg

SMOOTH = """
np.sum(x)
np.sum(s)
np.sum(t)
np.sum(x, axis=0)
np.sum(x, axis=-1, keepdims=True)
np.sum(a, axis=(0, -1))
np.sum(a, axis=(2, 0), keepdims=True)
np.sum(x, axis=())
np.sum(x, keepdims=True)
np.sum(x, where=MASK)
np.sum(x, axis=1, where=ROW, initial=2.0)
np.sum(x, initial=s)
np.sum(x, dtype=np.float32)
np.sum(z, axis=0).real
x.sum()
x.sum(0)
x.sum(axis=1, keepdims=True)
np.prod(x)
np.prod(x, axis=1)
np.prod(a, axis=(0, 2), keepdims=True)
np.prod(x, where=MASK, initial=3.0)
np.prod(t)
x.prod(axis=-1)
np.mean(x)
np.mean(x, axis=0, keepdims=True)
np.mean(a, axis=(1, 2))
np.mean(x, where=MASK)
np.mean(x, axis=1, where=MASK)
np.mean(x, axis=1, where=MASK, keepdims=True)
np.mean(t)
np.mean(z).imag
x.mean(1)
np.var(x)
np.var(x, axis=1, ddof=1)
np.var(x, axis=0, correction=1)
np.var(x, axis=0, keepdims=True)
np.var(a, axis=(0, 2))
np.var(x, where=MASK, ddof=1)
np.var(x, axis=1, where=MASK, keepdims=True)
np.var(x, mean=np.mean(x, axis=0, keepdims=True), axis=0)
np.var(z, axis=0)
x.var(axis=1)
np.std(x)
np.std(x, axis=-1, ddof=1, keepdims=True)
np.std(z)
np.var(x, axis=1, ddof=0.5)
np.std(x, ddof=0.5)
np.std(x, ddof=np.float64(1.5), axis=0, keepdims=True)
np.std(x, axis=1, where=ROW, correction=0.5)
np.nanvar(x + N, axis=0, ddof=0.5)
np.nanstd(x + N, ddof=np.float64(0.5))
np.std(x, dtype=complex)
np.var(z, axis=0, dtype=complex)
np.nanstd(z, axis=1, dtype=complex, ddof=0.5)
x.std(0)
np.max(x)
np.max(x, axis=0)
np.max(a, axis=(0, 1), keepdims=True)
np.max(x, initial=0.33)
np.max(x, where=MASK, initial=-5.0)
np.amax(x, axis=1)
np.min(x)
np.min(x, axis=0, keepdims=True)
np.min(x, axis=1, where=ROW, initial=9.0)
np.amin(a, axis=(-1, 0))
np.min(t)
x.max(axis=1)
x.min()
np.ptp(x)
np.ptp(x, axis=0, keepdims=True)
np.cumsum(x)
np.cumsum(x, axis=0)
np.cumsum(a, axis=-2)
np.cumsum(z, axis=1).real
x.cumsum(axis=1)
np.cumulative_sum(x, axis=0, include_initial=True)
np.cumulative_sum(v)
np.average(x)
np.average(x, axis=1, weights=p)
np.average(x, weights=q, axis=0, keepdims=True)
np.average(x, weights=q, axis=1, returned=True)
np.diff(v)
np.diff(x, n=2, axis=0)
np.diff(x, axis=1, prepend=0.5, append=y)
np.diff(v, n=0)
np.diff(v, n=5)
np.ediff1d(x)
np.ediff1d(v, to_end=[1.0, 2.0], to_begin=s)
np.gradient(v)
np.gradient(x)
np.gradient(x, 0.5, axis=0)
np.gradient(x, 0.5, [0.0, 1.0, 3.0, 3.5])
np.gradient(x, [0.0, 1.0, 2.0], axis=-2, edge_order=2)
np.gradient(x, np.cumsum(p), axis=1, edge_order=2)
np.gradient(v, s)
np.trapezoid(v)
np.trapezoid(x, dx=0.3)
np.trapezoid(x, np.cumsum(p))
np.trapezoid(x, q, axis=0)
np.cumprod(v)
""".strip().splitlines()

VALUES = """
np.argmax(x)
np.argmax(x, axis=1)
np.argmin(x, axis=0, keepdims=True)
np.any(x > 1)
np.all(x, axis=0)
np.count_nonzero(x, axis=1)
x.argmax(axis=0)
x.any()
x.all(axis=1)
np.sum(x > 0)
np.sum(x, dtype=int)
""".strip().splitlines()


@pytest.mark.parametrize("expression", SMOOTH + VALUES)
def test_value(expression):
    check_value(expression)


@pytest.mark.parametrize("expression", [e for e in SMOOTH if "float32" not in e])
def test_derivatives(expression):
    check_derivatives(expression)


# Recorded scalars have a dtype of their own, where Python floats take that of what they meet.
@pytest.mark.parametrize("expression", [e for e in SMOOTH if not re.search(r"float32|\bs\b", e)])
def test_float32(expression):
    check_value(expression, np.float32)


EMPTY = """
np.sum(e)
np.sum(e, axis=0)
np.sum(e, axis=1)
np.prod(e, axis=0)
np.mean(e, axis=1)
np.cumsum(e, axis=0)
np.max(e, axis=1)
np.max(e, initial=2.0)
np.max(e, axis=0, initial=2.0, keepdims=True)
np.min(e, axis=1)
np.var(e, axis=1)
np.diff(e, axis=1)
np.sum(e, axis=(0, 1), keepdims=True)
""".strip().splitlines()


@pytest.mark.parametrize("expression", EMPTY)
def test_empty(expression):
    check_value(expression)


def test_max_of_nothing():
    with pytest.raises(ValueError, match="zero-size"):
        tg.grad(np.max)(np.zeros(0))


@pytest.mark.parametrize("f", [np.mean, np.nanmean, np.var, np.std, np.nanvar, np.nanstd])
@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("dtype", [int, np.int32, bool])
def test_moments_in_integers_are_refused_by_name(f, axis, dtype):
    with pytest.raises(tg.UnsupportedError, match=rf"np\.{f.__name__} with dtype="):
        tg.grad(lambda x: np.sum(f(x, axis, dtype=dtype)))(np.arange(3.0))


@pytest.mark.parametrize("f", [np.var, np.std, np.nanvar, np.nanstd])
def test_real_deviations_of_complex_values_are_refused_by_name(f):
    with pytest.raises(tg.UnsupportedError, match=rf"np\.{f.__name__} of complex values"):
        tg.grad(lambda z: f(z, dtype=np.float32))(np.arange(3.0) * (1 + 2j))


def test_ties_share():
    assert np.allclose(tg.grad(np.max)(np.array([1.0, 2.0, 2.0])), [0, 0.5, 0.5])
    assert np.allclose(tg.grad(np.min)(np.array([1.0, 1.0, 2.0])), [0.5, 0.5, 0])


def test_prod_with_zeros():
    assert np.array_equal(tg.grad(np.prod)(np.array([2.0, 0.0, 3.0])), [0, 6, 0])
    assert np.array_equal(tg.grad(np.prod)(np.array([0.0, 0.0, 3.0])), [0, 0, 0])
    hessian = tg.hessian(np.prod)(np.array([0.0, 0.0, 3.0]))
    assert np.array_equal(hessian, [[0, 3, 0], [3, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("f", [np.var, np.std])
def test_equal_values_are_flat(f):
    x = np.full(4, 1.5)
    assert np.array_equal(tg.grad(f)(x), np.zeros(4))
    assert np.isfinite(tg.hessian(f)(x)).all()


def test_out():
    def f(x):
        y = np.zeros_like(x)
        total = np.sum(x, axis=0, out=y[0])
        np.multiply(x[0], 2.0, out=y[1])
        return np.sum(y * y) + np.sum(total)

    tg.testing.check_grads(f, (np.arange(6.0).reshape(2, 3),))
    with pytest.raises(tg.DetachedError, match=r"test_reductions\.py.*out="):
        tg.grad(lambda x: np.sum(np.sum(x, axis=0, out=np.zeros(2))))(np.ones((3, 2)))


ORDERED = re.compile("max|min|ptp|float32")


@pytest.mark.parametrize("expression", [e for e in SMOOTH if not ORDERED.search(e)])
def test_complex(expression):
    check_complex(expression)
