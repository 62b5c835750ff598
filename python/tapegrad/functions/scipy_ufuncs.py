"""SciPy's elementwise functions that are composed of ops: logit, log_expit, xlogy, entr and others.
Called through ufuncs.CALLS."""

from __future__ import annotations

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import Array, seen, where
from tapegrad.functions.ufuncs import composed


@composed("logit")
def _logit(x: Array) -> Array:
    # Both forms are exact to rounding where they are chosen.
    centred = 2.0 * x - 1.0
    return where(np.abs(seen(centred)) < 0.4, 2.0 * np.arctanh(centred), np.log(x / (1.0 - x)))


@composed("log_expit")
def _log_expit(x: Array) -> Array:
    return -apply("logaddexp", (0.0, -x))


@composed("xlogy")
def _xlogy(x: Array, y: Array) -> Array:
    return x * np.log(_one_where_irrelevant(x, y, 0.0))


@composed("xlog1py")
def _xlog1py(x: Array, y: Array) -> Array:
    return x * np.log1p(_one_where_irrelevant(x, y, -1.0))


def _one_where_irrelevant(x: Array, y: Array, pole: float) -> Array:
    """y, moved one off the pole of the logarithm where x = 0 and y is beyond: 0 * log is 0."""
    vx, vy = seen(x), seen(y)
    irrelevant = (vx == 0) & ~np.isnan(vy) & ~((vy > pole) & (vy < np.inf))
    return where(irrelevant, pole + 1.0, y)


@composed("entr")
def _entr(x: Array) -> Array:
    return where(seen(x) < 0, -np.inf, -_xlogy(x, x))


@composed("rel_entr")
def _rel_entr(x: Array, y: Array) -> Array:
    vx, vy = seen(x), seen(y)
    bad = (vx < 0) | (vy < 0) | ((vx > 0) & (vy == 0))
    inside = where((vx == 0) | bad, 0.0 * x, x * np.log(x / y))
    return where(bad, np.inf, inside)


@composed("kl_div")
def _kl_div(x: Array, y: Array) -> Array:
    return _rel_entr(x, y) - x + y


@composed("ndtr")
def _ndtr(x: Array) -> Array:
    return 0.5 * apply("erfc", (x * (-(0.5**0.5)),))
