"""SciPy's ufuncs that are no lines of the table: those with several results or more than two
arguments, and those that are composed of ops. Called through ufuncs.CALLS."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import apply
from tapegrad.functions.operands import Array, as_dtype, is_complex, operand, seen, where
from tapegrad.functions.ufuncs import CALLS, composed


def _structured(name: str) -> Any:
    def call(*operands: Array) -> Array:
        return apply(name, operands)

    return call


# Ops of several parameters, whose attributes (orders of derivatives) are left out here.
for name in "gammainc gammaincc betainc betaincc betaln beta hyp1f1 hyp2f1".split():
    CALLS[name] = _structured(name)


@composed("_zeta", "_riemann_zeta")
def _zeta(s: Array, q: Array = 1.0) -> Array:
    return apply("zeta", (s, q))


@composed("yn")
def _yn(order: Array, x: Array) -> Array:
    return apply("yv", (order, x))


@composed("sici")
def _sici(x: Array) -> tuple[Array, Array]:
    if is_complex(x):
        errors.unsupported("sici of complex values has no derivative rule")
    return apply("sine_integral", (x,)), apply("cosine_integral", (x,))


@composed("wofz")
def _wofz(z: Array) -> Array:
    return apply("erfcx", (-1j * as_dtype(operand(z), complex),))


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
    inside = np.isnan(vy) | ((vy > pole) & (vy < np.inf))
    irrelevant = (vx == 0) & np.logical_not(inside)
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
