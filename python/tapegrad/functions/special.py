"""Functions of scipy.special that are no ufuncs: logsumexp, softmax, polygamma, spherical_jn and
others. tapegrad.scipy.special exports them; SciPy itself does not dispatch them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    Axis,
    as_inexact,
    axes_of,
    broadcast,
    deliver,
    is_complex,
    operand,
    reshaped,
    seen,
    where,
)

__all__ = [
    "log_softmax",
    "logsumexp",
    "multigammaln",
    "polygamma",
    "softmax",
    "spherical_jn",
    "zeta",
]


def _shift(x: Array, axes: tuple[int, ...]) -> Array:
    """A number near the largest element, from which exp cannot overflow.

    The results do not depend on it, so neither does their derivative: floor has slope zero.
    """
    largest = apply("floor", (apply("max", (x.real,), (1, *axes)),))
    return where(np.isfinite(seen(largest)), largest, 0.0)


def _log_of(total: Array, x: Array, axes: tuple[int, ...]) -> Array:
    """The logarithm of a sum of powers of x. If all of x are -inf, none has a slope; of several
    that are +inf each has an equal part of it, as for a maximum."""
    if is_complex(x):
        return np.log(total)
    nothing = seen(total) == 0
    result = where(nothing, -np.inf, np.log(where(nothing, 1.0, total)))
    if np.any(seen(total) == np.inf):
        infinite = seen(x) == np.inf
        highest = apply("sum", (where(infinite, x, 0.0),), (1, *axes))
        count = np.sum(infinite, axis=axes, keepdims=True)
        result = where(seen(total) == np.inf, highest / np.maximum(count, 1), result)
    return result


def logsumexp(
    a: Any,
    axis: Axis = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    """Log of the sum of exponentials, weighted by `b`, as scipy.special.logsumexp.

    `a` and `b` broadcast; the sum runs over `axis` (all axes by default). With `return_sign` the
    result is the pair (log of the magnitude, sign).

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.special import logsumexp
    >>> tg.grad(logsumexp)(np.zeros(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    x = as_inexact(operand(a))
    if b is not None:
        weights = operand(b)
        shape = np.broadcast_shapes(x.shape, weights.shape)
        x, weights = broadcast(x, shape), broadcast(weights, shape)
        # An element of weight zero adds nothing, even if it is infinite.
        x = where(seen(weights) == 0, -np.inf, x)
    axes = axes_of(axis, x.ndim)
    kept = [1 if k in axes else n for k, n in enumerate(x.shape)]
    if x.size == 0:
        result: Array = np.full(kept, -np.inf, x.dtype)
        sign: Array = np.sign(result)
    else:
        shift = _shift(x, axes)
        terms = np.exp(x - shift)
        total = apply("sum", (terms if b is None else weights * terms,), (1, *axes))
        sign = np.sign(total) if return_sign else None
        magnitude = np.abs(total) if return_sign else total
        result = np.log(magnitude) + shift if b is not None else _log_of(total, x, axes) + shift
    if not keepdims:
        shape = tuple(n for k, n in enumerate(x.shape) if k not in axes)
        result = reshaped(result, shape)
        sign = None if sign is None else reshaped(sign, shape)
    return (result, sign) if return_sign else result


def softmax(x: Any, axis: Axis = None) -> Array:
    """exp(x) / sum(exp(x)) over `axis`, as scipy.special.softmax.

    >>> import numpy as np
    >>> from tapegrad.scipy.special import softmax
    >>> softmax(np.zeros(2))
    array([0.5, 0.5])
    """
    x = as_inexact(operand(x))
    if x.size == 0:
        return x
    axes = axes_of(axis, x.ndim)
    powers = np.exp(x - _shift(x, axes))
    return powers / apply("sum", (powers,), (1, *axes))


def log_softmax(x: Any, axis: Axis = None) -> Array:
    """log(softmax(x)) over `axis` without loss of small values, as scipy.special.log_softmax.

    >>> import numpy as np
    >>> from tapegrad.scipy.special import log_softmax
    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    x = as_inexact(operand(x))
    if x.size == 0:
        return x
    if is_complex(x):
        raise TypeError("log_softmax takes real values")
    axes = axes_of(axis, x.ndim)
    shifted = x - _shift(x, axes)
    return shifted - np.log(apply("sum", (np.exp(shifted),), (1, *axes)))


def polygamma(n: Any, x: Any) -> Array:
    """The n-th derivative of the digamma function at `x`, as scipy.special.polygamma.

    `n` are orders, whole and not negative, without derivative; they broadcast with `x`, which may
    be complex here. (Euler and Maclaurin's formula for the Hurwitz zeta function.)

    >>> import tapegrad as tg
    >>> from tapegrad.scipy.special import polygamma
    >>> bool(abs(tg.grad(lambda x: polygamma(0, x))(1.0) - polygamma(1, 1.0)) < 1e-15)
    True
    """
    return apply("polygamma", (as_inexact(operand(n)), as_inexact(operand(x))))


def zeta(x: Any, q: Any = None, out: Any = None) -> Array:
    """The sum of (k + q)**-x over k >= 0 in both arguments, as scipy.special.zeta; q is 1 if left
    out. Real values only.

    >>> import tapegrad as tg
    >>> from tapegrad.scipy.special import zeta
    >>> round(tg.grad(zeta)(2.0), 12)
    -0.937548254316
    """
    shift = 1.0 if q is None else as_inexact(operand(q))
    return deliver(apply("zeta", (as_inexact(operand(x)), shift)), out, "zeta")


def multigammaln(a: Any, d: int) -> Array:
    """Log of the multivariate gamma function of dimension `d`, as scipy.special.multigammaln.

    >>> import tapegrad as tg
    >>> from tapegrad.scipy.special import multigammaln
    >>> round(tg.grad(lambda a: multigammaln(a, 2))(3.0), 12)
    1.625941080152
    """
    values = as_inexact(operand(a))
    if d != int(d):
        raise ValueError("d should be a positive integer (dimension)")
    if np.any(seen(values) <= 0.5 * (d - 1)):
        raise ValueError(f"condition a > 0.5 * (d-1) not met, with d = {d}")
    total: Array = (d * (d - 1) * 0.25) * np.log(np.pi)
    for k in range(int(d)):
        total = total + apply("gammaln", (values - 0.5 * k,))
    return total


def spherical_jn(n: Any, z: Any, derivative: bool = False) -> Array:
    """Spherical Bessel function of the first kind of whole order `n`, or its derivative, at real
    `z`, as scipy.special.spherical_jn.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.special import spherical_jn
    >>> round(tg.grad(lambda z: spherical_jn(1, z))(0.0), 12)
    0.333333333333
    """
    order, x = as_inexact(operand(n)), as_inexact(operand(z))
    value = apply("spherical_jn", (order, x))
    if derivative:
        lower = apply("spherical_jn", (order - 1.0, x))
        upper = apply("spherical_jn", (order + 1.0, x))
        value = (order * lower - (order + 1.0) * upper) / (2.0 * order + 1.0)
    return where(order < 0, np.nan, value)
