"""Piecewise polynomials whose coefficients, breakpoints and arguments may be recorded values: what
the interpolators of splines.py give. tapegrad.scipy.interpolate exports them."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from tapegrad.functions.operands import (
    Array,
    as_dtype,
    has_variable,
    is_complex,
    operand,
    reshaped,
    seen,
    sliced,
    where,
)

__all__ = ["PPoly", "as_double", "axes_behind", "interval"]


def as_double(x: Array) -> Array:
    """Double precision, as SciPy computes in whatever it is given."""
    return as_dtype(x, complex if is_complex(x) else float)


def interval(breakpoints: Array, x: Array) -> Any:
    """Which interval between the breakpoints x lies in; the outer ones go on to infinity."""
    found = np.searchsorted(seen(breakpoints), seen(x), "right") - 1
    return np.minimum(np.maximum(found, 0), breakpoints.shape[0] - 2)


def axes_behind(values: Array, count: int, axis: int) -> Array:
    """The first `count` axes go behind the `axis` axes that follow them."""
    if axis == 0 or count == 0:
        return values
    order = list(range(values.ndim))
    after = count + axis
    return np.transpose(values, order[count:after] + order[:count] + order[after:])


class PPoly:
    """Piecewise polynomial sum_j c[j, i] (x - x[i])^(k-j) for x[i] <= x < x[i+1], as
    scipy.interpolate.PPoly.

    Differentiated in the argument of the call, in `c` and in the breakpoints `x`.

    Args:
        c: coefficients, the highest power first, of shape (k + 1, m) or (k + 1, m, ...).
        x: m + 1 breakpoints, ascending.
        extrapolate: whether the outer polynomials go on beyond the breakpoints (else NaN), or
            "periodic".
        axis: where the axis of the argument goes among the trailing axes of `c`.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.interpolate import PPoly
    >>> square = PPoly(np.array([[1.0], [0.0], [0.0]]), np.array([0.0, 1.0]))
    >>> tg.grad(square)(3.0)
    6.0
    """

    def __init__(self, c: Any, x: Any, extrapolate: Any = None, axis: int = 0):
        self.c = as_double(operand(c))
        self.x = as_double(operand(x))
        self.axis = axis
        self.extrapolate = extrapolate if extrapolate == "periodic" else extrapolate is not False
        if self.x.ndim != 1 or self.x.shape[0] < 2:
            raise ValueError("x must have one axis and at least 2 elements")
        if self.c.ndim < 2 or self.c.shape[1] != self.x.shape[0] - 1:
            raise ValueError("number of coefficients != len(x)-1")

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The value, or the derivative of order nu, at x of any shape."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        if not has_variable([x, self.c, self.x]):
            return self._plain()(x, nu, extrapolate)
        if nu < 0:
            raise ValueError("Order of derivative cannot be negative")
        x = as_double(operand(x))
        values = self._values(reshaped(x, (x.size,)), nu, extrapolate)
        values = reshaped(values, (*x.shape, *self.c.shape[2:]))
        return axes_behind(values, x.ndim, self.axis)

    def _values(self, x: Array, nu: int, extrapolate: Any) -> Array:
        """At x with one axis; the axes of the coefficients follow it."""
        first, last = self.x[0], self.x[-1]
        if extrapolate == "periodic":
            x = first + np.remainder(x - first, last - first)
        places = interval(self.x, x)
        trailing = (1,) * (self.c.ndim - 2)
        step = reshaped(x - np.take(self.x, places), (*x.shape, *trailing))
        degree = self.c.shape[0] - 1
        result: Array = np.take(self.c[0] * 0.0, places, 0) if nu > degree else None
        for j in range(degree - nu + 1):
            power = degree - j
            term = np.take(self.c[j], places, 0)
            if nu > 0:
                term = term * (factorial(power) / factorial(power - nu))
            result = term if result is None else result * step + term
        if nu > degree:  # zero, but NaN where x is
            result = result + 0.0 * step
        if extrapolate is False:
            inside = (seen(x) >= seen(first)) & (seen(x) <= seen(last))
            result = where(reshaped(inside, (*x.shape, *trailing)), result, np.nan)
        return result

    def derivative(self, nu: int = 1) -> PPoly:
        """The piecewise polynomial that is the derivative of order nu."""
        if nu < 0:
            return self.antiderivative(-nu)
        degree = self.c.shape[0] - 1
        if nu > degree:
            return self._with(sliced(self.c, 0, 0, 1) * 0.0)
        factors = [factorial(k) / factorial(k - nu) for k in range(degree, nu - 1, -1)]
        kept = sliced(self.c, 0, 0, degree + 1 - nu)
        return self._with(kept * _column(factors, self.c.ndim))

    def antiderivative(self, nu: int = 1) -> PPoly:
        """The continuous piecewise polynomial that is the integral of order nu, 0 at x[0]."""
        if nu <= 0:
            return self.derivative(-nu)
        primitive = self
        for _ in range(nu):
            primitive = primitive._integrated()
        return primitive

    def _integrated(self) -> PPoly:
        order = self.c.shape[0]
        powers = self.c * _column([1.0 / (order - j) for j in range(order)], self.c.ndim)
        steps = reshaped(np.diff(self.x), (-1 + self.x.shape[0],) + (1,) * (self.c.ndim - 2))
        # The integral over each interval, by Horner, and the sums of those before.
        gain: Array = 0.0
        for j in range(order):
            gain = (gain + powers[j]) * steps
        before = np.cumsum(gain, axis=0) - gain
        constant = reshaped(before, (1, *before.shape))
        extrapolate = False if self.extrapolate == "periodic" else self.extrapolate
        return PPoly(np.concatenate([powers, constant]), self.x, extrapolate, self.axis)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from a to b, differentiated in both and in the polynomial."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        if not has_variable([a, b, self.c, self.x]):
            return self._plain().integrate(a, b, extrapolate)
        primitive = self.antiderivative()
        if extrapolate != "periodic":
            return primitive(b, 0, extrapolate) - primitive(a, 0, extrapolate)
        return self._over_periods(primitive, b) - self._over_periods(primitive, a)

    def _over_periods(self, primitive: PPoly, x: Any) -> Array:
        first, last = self.x[0], self.x[-1]
        x = as_double(operand(x))
        turns = np.floor(seen((x - first) / (last - first)))
        rest = x - turns * (last - first)
        return turns * primitive(last) + primitive(rest)

    def _with(self, c: Array) -> PPoly:
        return PPoly(c, self.x, self.extrapolate, self.axis)

    def _plain(self) -> Any:
        from scipy.interpolate import PPoly as Original

        return Original(self.c, self.x, self.extrapolate, self.axis)

    def __getattr__(self, name: str) -> Any:
        # roots, solve and the like, which ask for plain coefficients.
        if name.startswith("_") or has_variable([self.c, self.x]):
            raise AttributeError(f"a piecewise polynomial of recorded values has no {name!r}")
        return getattr(self._plain(), name)


def _column(factors: list[float], ndim: int) -> np.ndarray:
    return np.array(factors).reshape((-1,) + (1,) * (ndim - 1))
