"""The distribution functions among SciPy's ufuncs that are made of incomplete beta and gamma
functions: of tests in scipy.stats, and of the t distribution. Called through ufuncs.CALLS."""

from __future__ import annotations

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import Array, seen, where
from tapegrad.functions.ufuncs import composed

__all__ = ["student_t"]


@composed("chdtr")
def _chi2(df: Array, x: Array) -> Array:
    return apply("gammainc", (0.5 * df, 0.5 * x))


@composed("chdtrc")
def _chi2_complement(df: Array, x: Array) -> Array:
    return apply("gammaincc", (0.5 * df, 0.5 * x))


@composed("stdtr")
def student_t(df: Array, y: Array) -> Array:
    """The probability below y under the t distribution."""
    square = y * y
    near = seen(square) < 1e-3 * np.minimum(seen(df), 1.0)
    away = where(near, 1.0, square)
    # The tail beyond |y|, through whichever argument is the smaller one.
    middle = seen(away) < seen(df)
    low = where(middle, away / (df + away), 0.5)
    high = where(middle, 0.5, df / (df + away))
    half = 0.5 * df
    tail = 0.5 * where(
        middle, apply("betaincc", (0.5, half, low)), apply("betainc", (half, 0.5, high))
    )
    far = where(seen(y) < 0, tail, 1.0 - tail)
    return where(near, 0.5 + _about_zero(df, where(near, y, 0.0)), far)


def _about_zero(df: Array, y: Array) -> Array:
    """The integral of the density from 0 to a small y, by its series."""
    ratio = y * y / df
    term = y * np.exp(-apply("betaln", (0.5 * df, 0.5)) - 0.5 * np.log(df))
    total = term
    for k in range(1, 7):
        term = term * ratio * (-(0.5 * (df + 1.0) + (k - 1)) / k)
        total = total + term / (2 * k + 1)
    return total
