"""Integrals of functions (quad, fixed_quad) and of samples (trapezoid, cumulative_trapezoid,
simpson). tapegrad.scipy.integrate exports them; SciPy itself does not dispatch them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tapegrad import errors
from tapegrad.functions.operands import (
    Array,
    as_inexact,
    axis_of,
    has_variable,
    joined,
    operand,
    reshaped,
    seen,
    sliced,
    where,
)

__all__ = ["cumulative_trapezoid", "fixed_quad", "quad", "simpson", "trapezoid"]

Integrand = Callable[[Any], Any]
EPS = float(np.finfo(float).eps)


# Functions ----------------------------------------------------------------------------------------


@functools.cache
def kronrod(n: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes in (-1, 1) of the 2n+1-point Gauss-Kronrod rule, its weights, and those of the n-point
    Gauss rule within, 0 at the other nodes.

    The added nodes are the roots of the polynomial E of degree n + 1 to which P_n E is orthogonal
    in all lower degrees (Stieltjes); the weights integrate Legendre polynomials.
    """
    from numpy.polynomial import legendre

    gauss, gauss_weights = legendre.leggauss(n)
    x, w = legendre.leggauss(2 * n + 2)
    table = legendre.legvander(x, n + 1)
    products = np.einsum("i,i,ij,ik->kj", w, table[:, n], table, table)[: n + 1]
    lower = np.linalg.lstsq(products[:, : n + 1], -products[:, n + 1], rcond=None)[0]
    stieltjes = np.append(lower, 1.0)
    added = legendre.legroots(stieltjes).real
    slope = legendre.legder(stieltjes)
    for _ in range(2):
        added = added - legendre.legval(added, stieltjes) / legendre.legval(added, slope)
    nodes = np.concatenate([gauss, added])
    order = np.argsort(nodes)
    moments = np.zeros(2 * n + 1)
    moments[0] = 2.0
    weights = np.linalg.solve(legendre.legvander(nodes, 2 * n).T, moments)
    inner = np.concatenate([gauss_weights, np.zeros(n + 1)])
    return nodes[order], weights[order], inner[order]


# How often the interval at an end is halved before its points crowd towards the end, and how: by
# x = start + (stop - start) u^POWER, which makes x^(-1/2), log x and their like smooth in u.
PLAIN_HALVINGS, POWER = 3, 6


class _Place(NamedTuple):
    """An interval: its limits, how often it was halved, and whether they are ends of the whole."""

    start: Any
    stop: Any
    depth: int = 0
    first: bool = True
    last: bool = True

    def halves(self) -> tuple[_Place, _Place]:
        middle = 0.5 * (self.start + self.stop)
        return (
            _Place(self.start, middle, self.depth + 1, self.first, False),
            _Place(middle, self.stop, self.depth + 1, False, self.last),
        )


class _Piece(NamedTuple):
    """The integral over one interval and, without derivative, its estimated error."""

    place: _Place
    integral: Array
    error: Any


def quad(
    func: Callable[..., Any],
    a: Any,
    b: Any,
    args: Any = (),
    full_output: int = 0,
    epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8,
    limit: int = 50,
    points: Sequence[Any] | None = None,
    weight: Any = None,
    **others: Any,
) -> Any:
    """Integral of func(x, *args) from a to b, and an estimate of its error, as
    scipy.integrate.quad.

    Differentiated in the limits, in `args` and in all recorded values that `func` uses: of the
    21-point Gauss-Kronrod rule on the intervals that were needed, which move with the limits. An
    infinite limit is brought to a finite one by x = a + (1 - t) / t. Recorded integrals are
    integrated by bisection alone, without extrapolation. `weight` and `full_output` raise
    tg.UnsupportedError. If nothing is recorded this is SciPy's own function.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.integrate import quad
    >>> area = lambda k: quad(lambda x: np.exp(-k * x), 0.0, np.inf)[0]
    >>> round(tg.grad(area)(2.0), 9)
    -0.25
    """
    extra = args if isinstance(args, tuple) else (args,)
    integrand: Integrand = lambda x: func(x, *extra)  # noqa: E731

    if not has_variable([a, b]) and not has_variable(integrand(_inside(a, b))):
        from scipy.integrate import quad as original

        return original(
            func, a, b, args, full_output, epsabs, epsrel, limit, points, weight, **others
        )
    if weight is not None or full_output or others:
        refused = ["weight"] * (weight is not None) + ["full_output"] * bool(full_output)
        errors.unsupported(f"quad has no derivative rule for {', '.join([*refused, *others])}=")
    if np.isinf(seen(a)) or np.isinf(seen(b)):
        if points is not None:
            raise ValueError("Infinity inputs cannot be used with break points.")
        sign, integrand, start, stop = _finite(integrand, a, b)
        edges: list[Any] = [start, stop]
    else:
        sign, edges = 1.0, [a, *sorted(points or (), reverse=bool(seen(b) < seen(a))), b]
    value, error = _adapted(integrand, edges, max(epsabs, 0.0), epsrel, limit)
    return sign * value, error


def _inside(a: Any, b: Any) -> float:
    """A number between two plain limits."""
    low, high = float(min(a, b)), float(max(a, b))
    if np.isinf(low):
        return 0.0 if np.isinf(high) else high - 1.0
    return low + 1.0 if np.isinf(high) else 0.5 * (low + high)


def _finite(f: Integrand, a: Any, b: Any) -> tuple[float, Integrand, float, float]:
    """An integral with an infinite limit as sign times one from 0 to 1."""
    if seen(b) < seen(a):
        _, integrand, start, stop = _finite(f, b, a)
        return -1.0, integrand, start, stop
    below, above = np.isinf(seen(a)), np.isinf(seen(b))

    def mapped(t: Any) -> Any:
        far = (1.0 - t) / t
        if below and above:
            return (f(far) + f(-far)) / (t * t)
        return (f(b - far) if below else f(a + far)) / (t * t)

    return 1.0, mapped, 0.0, 1.0


def _adapted(
    f: Integrand, edges: list[Any], epsabs: float, epsrel: float, limit: int
) -> tuple[Array, Any]:
    """The interval with the largest error is halved until the sum of the errors is small."""
    pieces = [_piece(f, _Place(*limits)) for limits in pairwise(edges)]
    while True:
        value = functools.reduce(lambda u, v: u + v, (p.integral for p in pieces))
        error = functools.reduce(lambda u, v: u + v, (p.error for p in pieces))
        if not error > np.maximum(epsabs, epsrel * np.abs(seen(value))):
            return value, error
        if len(pieces) >= limit:
            from scipy.integrate import IntegrationWarning

            warnings.warn(
                f"The maximum number of subdivisions ({limit}) has been achieved.",
                IntegrationWarning,
                stacklevel=3,
            )
            return value, error
        worst = max(range(len(pieces)), key=lambda i: pieces[i].error)
        pieces[worst : worst + 1] = [_piece(f, half) for half in pieces[worst].place.halves()]


def _samples(f: Integrand, place: _Place, u: np.ndarray) -> Array:
    """f dx/du at points of (0, 1), for an interval of length 1."""
    start, width = place.start, place.stop - place.start
    crowded = place.depth > PLAIN_HALVINGS
    if crowded and place.first:
        values = [f(start + width * v**POWER) * (POWER * v ** (POWER - 1)) for v in u]
    elif crowded and place.last:
        values = [f(place.stop - width * v**POWER) * (POWER * v ** (POWER - 1)) for v in 1.0 - u]
    else:
        values = [f(start + width * v) for v in u]
    samples = np.stack([operand(value) for value in values])
    if samples.ndim != 1:
        raise ValueError("quad: the integrand must give numbers")
    return samples


def _piece(f: Integrand, place: _Place) -> _Piece:
    """The error estimate is that of QUADPACK: the difference of the two rules, made smaller where
    the integrand is smooth, and not below rounding."""
    nodes, weights, inner = kronrod()
    half = 0.5 * (place.stop - place.start)
    values = _samples(f, place, 0.5 * (1.0 + nodes))
    integral = half * (weights @ values)
    plain, width = seen(values), np.abs(seen(half))
    size = width * (weights @ np.abs(plain))
    spread = width * (weights @ np.abs(plain - 0.5 * (weights @ plain)))
    error = width * np.abs((weights - inner) @ plain)
    flat = (spread == 0) | (error == 0)
    ratio = 200.0 * error / np.where(flat, 1.0, spread)
    error = np.where(flat, error, spread * np.minimum(1.0, ratio**1.5))
    return _Piece(place, integral, np.maximum(error, 50.0 * EPS * size))


def fixed_quad(func: Callable[..., Any], a: Any, b: Any, args: Any = (), n: int = 5) -> Any:
    """Integral of func(x, *args) from a to b by Gauss's rule of n points, as
    scipy.integrate.fixed_quad: `func` takes the array of the points. Differentiated in the limits,
    in `args` and in all recorded values that `func` uses. The result is (value, None).

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.integrate import fixed_quad
    >>> round(tg.grad(lambda b: fixed_quad(np.cos, 0.0, b)[0])(0.0), 12)
    1.0
    """
    if np.isinf(seen(a)) or np.isinf(seen(b)):
        raise ValueError("Gaussian quadrature is only available for finite limits.")
    nodes, weights = np.polynomial.legendre.leggauss(n)
    points = a + (b - a) * (0.5 * (nodes + 1.0))
    values = operand(func(points, *args))
    return 0.5 * (b - a) * np.sum(values * weights, axis=-1), None


# Samples ------------------------------------------------------------------------------------------


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """Integral of samples by the trapezoidal rule, as scipy.integrate.trapezoid."""
    y = operand(y)
    return np.sum(_areas(y, x, dx, axis_of(axis, y.ndim)), axis=axis)


def _areas(y: Array, x: Any, dx: Any, axis: int) -> Array:
    n = y.shape[axis]
    return _steps(y, x, dx, axis) * (0.5 * (sliced(y, axis, 0, n - 1) + sliced(y, axis, 1, n)))


def _steps(y: Array, x: Any, dx: Any, axis: int) -> Any:
    """The distances of neighbouring samples, to be multiplied with what has the axes of y."""
    if x is None:
        return dx
    x = operand(x)
    if x.ndim != 1:
        return np.diff(x, axis=axis)
    if x.shape[0] != y.shape[axis]:
        raise ValueError("If given, length of x along axis must be the same as y.")
    return reshaped(np.diff(x), [-1 + x.shape[0] if k == axis else 1 for k in range(y.ndim)])


def cumulative_trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Array:
    """Running integral of samples by the trapezoidal rule, as scipy.integrate.cumulative_trapezoid;
    `initial`, 0 or None, is put in front."""
    y = operand(y)
    axis = axis_of(axis, y.ndim)
    if y.shape[axis] == 0:
        raise ValueError("At least one point is required along `axis`.")
    if initial is not None and initial != 0:
        raise ValueError("`initial` must be `None` or `0`.")
    sums = np.cumsum(_areas(y, x, dx, axis), axis=axis)
    if initial is None:
        return sums
    shape = [1 if k == axis else n for k, n in enumerate(sums.shape)]
    return joined([np.zeros(shape, sums.dtype), sums], axis)


def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Array:
    """Integral of samples by Simpson's rule, as scipy.integrate.simpson: parabolas through three
    neighbouring samples; over the last interval, if their number is even, the parabola through the
    last three."""
    y = as_inexact(operand(y))
    axis = axis_of(axis, y.ndim)
    y, n = np.moveaxis(y, axis, -1), y.shape[axis]
    if n == 0:
        raise ValueError("At least one point is required along `axis`.")
    if x is not None and operand(x).ndim > 1:
        x = np.moveaxis(operand(x), axis, -1)
    h = _steps(y, x, dx, y.ndim - 1)
    if x is None:
        h = np.ones(n - 1) * h
    if n == 1:
        return 0.0 * y[..., 0]
    if n == 2:
        return h[..., 0] * 0.5 * (y[..., 0] + y[..., 1])
    last = n - 1 if n % 2 else n - 2
    total = np.sum(_parabolas(y[..., : last + 1], h[..., :last]), axis=-1)
    return total if n % 2 else total + _last_interval(y, h)


def _parabolas(y: Array, h: Array) -> Array:
    """Integrals over pairs of intervals; nothing where a pair has an interval of length 0."""
    first, second = h[..., 0::2], h[..., 1::2]
    width, empty = first + second, (seen(first) == 0) | (seen(second) == 0)
    one, two = where(empty, 1.0, first), where(empty, 1.0, second)
    before = where(empty, 2.0, 2.0 - two / one) * y[..., 0:-2:2]
    middle = where(empty, 0.0, width * width / (one * two)) * y[..., 1:-1:2]
    after = where(empty, 2.0, 2.0 - one / two) * y[..., 2::2]
    return width / 6.0 * (before + middle + after)


def _last_interval(y: Array, h: Array) -> Array:
    """The parabola through the last three samples, over the last interval."""
    g, k = h[..., -2], h[..., -1]
    width = g + k
    no_width, no_gap = seen(width) == 0, seen(g) == 0
    wide, gap = where(no_width, 1.0, width), where(no_gap, 1.0, g)
    after = where(no_width, 0.0, (2.0 * k * k + 3.0 * g * k) / (6.0 * wide))
    middle = where(no_gap, 0.0, (k * k + 3.0 * g * k) / (6.0 * gap))
    before = where(no_width | no_gap, 0.0, k * k * k / (6.0 * gap * wide))
    return after * y[..., -1] + middle * y[..., -2] - before * y[..., -3]
