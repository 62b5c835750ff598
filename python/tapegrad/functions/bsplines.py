"""B-splines: sums of coefficients times basis functions over knots, and interpolation by them.
tapegrad.scipy.interpolate exports them."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad.functions.arranging import take
from tapegrad.functions.operands import (
    Array,
    axis_of,
    has_variable,
    joined,
    operand,
    reshaped,
    seen,
    sliced,
    where,
)
from tapegrad.functions.piecewise import PPoly, as_double, interval

__all__ = ["BSpline", "make_interp_spline"]

# For each of the k + 1 basis functions that are not zero in an interval, and each power of the
# distance from its left end, ascending: one coefficient for each interval.
_Basis = list[list[Array]]


def _basis(t: Array, k: int) -> _Basis:
    """The basis functions in the intervals between t[k] and t[n], by the recursion of de Boor and
    Cox: B_{j,p-1} / (t[j+p] - t[j]), times x - t[j] for B_{j,p}, times t[j+p] - x for B_{j-1,p}."""
    n = t.shape[0] - k - 1
    left = sliced(t, 0, k, n)
    basis: _Basis = [[np.ones(n - k)]]
    for p in range(1, k + 1):
        raised: _Basis = [[np.zeros(n - k)] * (p + 1) for _ in range(p + 1)]
        for r, polynomial in enumerate(basis):
            first = k - (p - 1) + r  # the knot t[j] of the first interval
            low = sliced(t, 0, first, first + n - k)
            high = sliced(t, 0, first + p, first + p + n - k)
            width = high - low
            # An interval without length is never evaluated.
            width = where(seen(width) == 0, 1.0, width)
            for power, coefficient in enumerate(polynomial):
                part = coefficient / width
                raised[r][power] = raised[r][power] + part * (high - left)
                raised[r][power + 1] = raised[r][power + 1] - part
                raised[r + 1][power] = raised[r + 1][power] + part * (left - low)
                raised[r + 1][power + 1] = raised[r + 1][power + 1] + part
        basis = raised
    return basis


class BSpline:
    """The spline sum_j c[j] B_j of degree k over the knots t, as scipy.interpolate.BSpline.

    Differentiated in the argument of the call, in the coefficients and in the knots.
    `derivative`, `antiderivative` and `integrate` are those of the piecewise polynomial.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.interpolate import BSpline
    >>> hat = lambda c: BSpline(np.array([0.0, 0.0, 1.0, 2.0, 2.0]), c, 1)(0.25)
    >>> tg.grad(hat)(np.zeros(3))
    array([0.75, 0.25, 0.  ])
    """

    def __init__(self, t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0):
        self.t, c, self.k = as_double(operand(t)), as_double(operand(c)), int(k)
        self.axis, self.extrapolate = axis_of(axis, c.ndim), extrapolate
        self.c = np.moveaxis(c, self.axis, 0)
        n = self.t.shape[0] - self.k - 1
        if self.k < 0:
            raise ValueError("Spline order cannot be negative.")
        if self.t.ndim != 1 or n < self.k + 1:
            raise ValueError(f"Need at least {2 * self.k + 2} knots for degree {self.k}")
        if np.any(np.diff(seen(self.t)) < 0):
            raise ValueError("Knots must be in a non-decreasing order.")
        if self.c.shape[0] < n:
            raise ValueError("Knots, coefficients and degree are inconsistent.")
        self._polynomial: PPoly | None = None

    @property
    def _pieces(self) -> PPoly:
        if self._polynomial is None:
            k, n = self.k, self.t.shape[0] - self.k - 1
            basis, trailing = _basis(self.t, k), (1,) * (self.c.ndim - 1)
            rows = []
            for power in range(k, -1, -1):
                terms = [
                    reshaped(basis[r][power], (n - k, *trailing)) * sliced(self.c, 0, r, r + n - k)
                    for r in range(k + 1)
                ]
                rows.append(sum(terms[1:], terms[0]))
            knots = sliced(self.t, 0, k, n + 1)
            self._polynomial = PPoly(np.stack(rows), knots, self.extrapolate, self.axis)
        return self._polynomial

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The value, or the derivative of order nu, at x of any shape."""
        if not has_variable([x, self.t, self.c]):
            return self._plain()(x, nu, extrapolate)
        return self._pieces(x, nu, extrapolate)

    def _plain(self) -> Any:
        from scipy.interpolate import BSpline as Original

        c = np.moveaxis(self.c, 0, self.axis)
        return Original(self.t, c, self.k, self.extrapolate, self.axis)

    def __getattr__(self, name: str) -> Any:
        # insert_knot and the like, which ask for plain coefficients.
        if name.startswith("_") or has_variable([self.c, self.t]):
            raise AttributeError(f"a spline of recorded values has no {name!r}")
        return getattr(self._plain(), name)

    def derivative(self, nu: int = 1) -> PPoly:
        return self._pieces.derivative(nu)

    def antiderivative(self, nu: int = 1) -> PPoly:
        return self._pieces.antiderivative(nu)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        return self._pieces.integrate(a, b, extrapolate)


# Interpolation ------------------------------------------------------------------------------------

_Conditions = list[tuple[int, Any]]  # (order of derivative, its value) at an end


def make_interp_spline(
    x: Any, y: Any, k: int = 3, t: Any = None, bc_type: Any = None, axis: int = 0,
    check_finite: bool = True,
) -> BSpline:  # fmt: skip
    """The B-spline of degree k through points, as scipy.interpolate.make_interp_spline.

    Differentiated in `x`, `y`, `t` and the values in `bc_type`: None or "not-a-knot", "natural",
    "clamped", or for both ends a list of (order of derivative, value). "periodic" raises
    tg.UnsupportedError. Solves a dense system of equations.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.interpolate import make_interp_spline
    >>> x = np.arange(6.0)
    >>> round(tg.grad(make_interp_spline(x, x**2, k=2))(1.5), 9)
    3.0
    """
    if isinstance(bc_type, str) and bc_type == "periodic":
        errors.unsupported("make_interp_spline has no derivative rule for bc_type='periodic'")
    x, y = as_double(operand(x)), as_double(operand(y))
    axis = axis_of(axis, y.ndim)
    y = np.moveaxis(y, axis, 0)
    if x.ndim != 1 or x.shape[0] != y.shape[0] or np.any(np.diff(seen(x)) <= 0):
        raise ValueError("x must ascend, with as many elements as y has along the axis")
    free = bc_type is None or (isinstance(bc_type, str) and bc_type == "not-a-knot")
    first, last = (None, None) if free else (bc_type,) * 2 if isinstance(bc_type, str) else bc_type
    starts, ends = _conditions(first, y.shape[1:]), _conditions(last, y.shape[1:])
    if t is None:
        t = _knots(x, k, first is None and last is None)
    t = as_double(operand(t))
    n = t.shape[0] - k - 1
    if n != x.shape[0] + len(starts) + len(ends):
        raise ValueError(
            "The number of derivatives at boundaries does not match: expected "
            f"{n - x.shape[0]}, got {len(starts)}+{len(ends)}"
        )
    basis, knots = _basis(t, k), sliced(t, 0, k, n + 1)
    matrix = [_rows(basis, knots, x[:1], order) for order, _ in starts]
    matrix += [_rows(basis, knots, x, 0)]
    matrix += [_rows(basis, knots, x[-1:], order) for order, _ in ends]
    values = [reshaped(v, (1, *y.shape[1:])) for _, v in starts]
    values += [y] + [reshaped(v, (1, *y.shape[1:])) for _, v in ends]
    right = joined(values, 0)
    columns = reshaped(right, (n, right.size // n))
    c = reshaped(np.linalg.solve(joined(matrix, 0), columns), right.shape)
    return BSpline(t, np.moveaxis(c, 0, axis), k, True, axis)


def _knots(x: Array, k: int, free: bool) -> Array:
    """Each end k + 1 times. Between them the points; without conditions at the ends fewer: those
    near the ends are left out, and for even degrees they are the middles."""
    n = x.shape[0]
    if k == 0:
        return joined([x, x[-1:]], 0)
    if not free:
        inner = sliced(x, 0, 1, n - 1)
    elif k % 2:
        inner = x[(k + 1) // 2 : n - (k + 1) // 2]
    else:
        inner = (0.5 * (x[1:] + x[:-1]))[k // 2 : n - 1 - k // 2]
    return joined([x[:1]] * (k + 1) + [inner] + [x[-1:]] * (k + 1), 0)


def _conditions(end: Any, shape: tuple[int, ...]) -> _Conditions:
    if end is None:
        return []
    if isinstance(end, str):
        orders = {"natural": 2, "clamped": 1}
        if end not in orders:
            raise ValueError(f"Unknown boundary condition : {end}")
        return [(orders[end], np.zeros(shape))]
    return [(int(order), as_double(operand(value))) for order, value in end]


def _rows(basis: _Basis, knots: Array, x: Array, order: int) -> Array:
    """The derivatives of all basis functions at the points x, one row for each."""
    k, n = len(basis) - 1, knots.shape[0] - 1 + len(basis) - 1
    places = interval(knots, x)
    step = x - take(knots, places)
    rows: Array = np.zeros((x.shape[0], n))
    for r, polynomial in enumerate(basis):
        value: Array = 0.0 * step
        for power in range(k, order - 1, -1):
            factor = factorial(power) / factorial(power - order)
            value = value * step + factor * take(polynomial[power], places)
        here = np.arange(n) == reshaped(places + r, (x.shape[0], 1))
        rows = where(here, reshaped(value, (x.shape[0], 1)), rows)
    return rows
