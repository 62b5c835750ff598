"""Interpolation of data by piecewise polynomials: cubic splines with every kind of boundary
condition, PCHIP and Hermite. tapegrad.scipy.interpolate exports them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions.operands import (
    Array,
    axis_of,
    is_complex,
    joined,
    operand,
    reshaped,
    seen,
    sliced,
    where,
)
from tapegrad.functions.piecewise import PPoly, as_double

__all__ = ["CubicHermiteSpline", "CubicSpline", "Data", "PchipInterpolator"]


class CubicHermiteSpline(PPoly):
    """The piecewise cubic with given values y and slopes dydx at x, as
    scipy.interpolate.CubicHermiteSpline; differentiated in all of them."""

    def __init__(self, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None):
        data = Data(x, y, axis)
        slopes = np.moveaxis(as_double(operand(dydx)), axis, 0)
        if slopes.shape != data.y.shape:
            raise ValueError("The shapes of `y` and `dydx` must be identical.")
        self._fit(data, slopes, extrapolate)

    def _fit(self, data: Data, slopes: Array, extrapolate: Any) -> None:
        """Both ends of each interval: y + s t + (m - s)/h t^2 - k/h t^2 (1 - t/h) with
        k = s + s' - 2 m, where m is the slope of the chord."""
        n = data.n
        left, right = sliced(slopes, 0, 0, n - 1), sliced(slopes, 0, 1, n)
        bend = (left + right - 2.0 * data.chords) / data.steps
        rows = [
            bend / data.steps,
            (data.chords - left) / data.steps - bend,
            left,
            sliced(data.y, 0, 0, n - 1),
        ]
        c = np.stack(np.broadcast_arrays(*rows)) if data.y.size else np.zeros((4, n - 1, 0))
        super().__init__(c, data.x, True if extrapolate is None else extrapolate, data.axis)


class Data:
    """The points of an interpolation, their axis first, with steps and slopes between them."""

    def __init__(self, x: Any, y: Any, axis: int):
        self.x, y = as_double(operand(x)), as_double(operand(y))
        if is_complex(self.x):
            raise ValueError("`x` must contain real values.")
        self.axis = axis_of(axis, y.ndim)
        if self.x.ndim != 1:
            raise ValueError("`x` must be 1-dimensional.")
        self.n = self.x.shape[0]
        if self.n < 2:
            raise ValueError("`x` must contain at least 2 elements.")
        if self.n != y.shape[self.axis]:
            raise ValueError(
                f"The length of `y` along `axis`={axis} doesn't match the length of `x`"
            )
        if not np.all(np.diff(seen(self.x)) > 0):
            raise ValueError("`x` must be strictly increasing sequence.")
        self.y = np.moveaxis(y, self.axis, 0)
        self.steps = reshaped(np.diff(self.x), (self.n - 1,) + (1,) * (y.ndim - 1))
        self.chords = np.diff(self.y, axis=0) / self.steps


# Cubic splines ------------------------------------------------------------------------------------


class CubicSpline(CubicHermiteSpline):
    """Twice continuously differentiable cubic spline through points, as
    scipy.interpolate.CubicSpline.

    Differentiated in the argument of the call, in `x`, `y` and the values in `bc_type`.

    Args:
        x: n ascending points; y: values, n along `axis`.
        bc_type: "not-a-knot", "clamped", "natural", "periodic", or a pair of the first three or of
            (order of derivative, its values) for the two ends.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.interpolate import CubicSpline
    >>> x = np.arange(4.0)
    >>> float(round(tg.grad(CubicSpline(x, x**3))(2.0), 12))
    12.0
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        axis: int = 0,
        bc_type: Any = "not-a-knot",
        extrapolate: Any = None,
    ):
        data = Data(x, y, axis)
        ends = _ends(bc_type, data)
        periodic = ends[0] == "periodic"
        if extrapolate is None:
            extrapolate = "periodic" if periodic else True
        self._fit(data, _periodic(data) if periodic else _slopes(data, ends), extrapolate)


def _ends(bc_type: Any, data: Data) -> list[Any]:
    """For each end "not-a-knot", "periodic", or (order, values)."""
    if isinstance(bc_type, str):
        bc_type = (bc_type, bc_type)
        if bc_type[0] == "periodic":
            first, last = seen(data.y[0]), seen(data.y[-1])
            if not np.all(np.abs(first - last) <= 1e-15 + 1e-15 * np.abs(last)):
                raise ValueError(
                    f"The first and last `y` point along axis {data.axis} must be identical "
                    "(within machine precision) when bc_type='periodic'."
                )
    elif len(bc_type) != 2:
        raise ValueError("`bc_type` must contain 2 elements to specify start and end conditions.")
    elif any(isinstance(end, str) and end == "periodic" for end in bc_type):
        raise ValueError(
            "'periodic' `bc_type` is defined for both curve ends and cannot be used with other "
            "boundary conditions."
        )
    return [_end(end, data.y.shape[1:]) for end in bc_type]


def _end(condition: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(condition, str):
        orders = {"clamped": 1, "natural": 2}
        if condition in orders:
            return orders[condition], np.zeros(shape)
        if condition not in ("not-a-knot", "periodic"):
            raise ValueError(f"bc_type={condition} is not allowed.")
        return condition
    try:
        order, values = condition
    except Exception as error:
        raise ValueError(
            "A specified derivative value must be given in the form (order, value)."
        ) from error
    if order not in (1, 2):
        raise ValueError("The specified derivative order must be 1 or 2.")
    values = operand(values)
    if values.shape != shape:
        raise ValueError(f"`deriv_value` shape {values.shape} is not the expected one {shape}.")
    return order, values


# Rows of the tridiagonal system for the slopes s at the points: below, diagonal, above, right side.
_Rows = tuple[Array, Array, Array, Array]


def _slopes(data: Data, ends: list[Any]) -> Array:
    h, chords, n = data.steps, data.chords, data.n
    if n == 2:
        ends = [(1, chords[0]) if end == "not-a-knot" else end for end in ends]
    free = [end == "not-a-knot" for end in ends]
    if n == 3 and all(free):
        return _parabola(h, chords)
    rows = [_inner_rows(h, chords)] if n > 2 else []
    for side in (0, 1):
        if free[side]:
            rows[0] = _without_end(rows[0], _free_end(h, chords, side), side)
    rows = [_end_row(end, data, 0) for end in ends[:1] if not free[0]] + rows
    rows += [_end_row(end, data, 1) for end in ends[1:] if not free[1]]
    below, diagonal, above = (joined([row[k] for row in rows], 0) for k in range(3))
    right = joined([np.broadcast_to(r[3], (len(r[3]), *data.y.shape[1:])) for r in rows], 0)
    s = _tridiagonal(below, diagonal, above, right)
    for side in (0, 1):
        if free[side]:
            across, width, side_value = _free_end(h, chords, side)
            near = s[:1] if side == 0 else s[-1:]
            end = (side_value - width * near) / across
            s = joined([end, s] if side == 0 else [s, end], 0)
    return s


def _inner_rows(h: Array, chords: Array) -> _Rows:
    """Between neighbouring intervals of lengths h, h' with chords m, m' the second derivative is
    continuous: h' s_before + 2 (h + h') s + h s_after = 3 (h' m + h m')."""
    n = h.shape[0]
    before, after = sliced(h, 0, 0, n - 1), sliced(h, 0, 1, n)
    m, m_after = sliced(chords, 0, 0, n - 1), sliced(chords, 0, 1, n)
    return after, 2.0 * (before + after), before, 3.0 * (after * m + before * m_after)


def _end_row(end: tuple[int, Array], data: Data, side: int) -> _Rows:
    """The first derivative is given, or the second: 2 h s + h s_next = 3 h m -+ h^2/2 value."""
    order, values = end
    i = slice(0, 1) if side == 0 else slice(-1, None)
    h, chord = data.steps[i], data.chords[i]
    value = reshaped(as_double(values), (1, *values.shape))
    none = 0.0 * h
    if order == 1:
        return none, none + 1.0, none, value
    right = 3.0 * h * chord + (0.5 if side else -0.5) * value * h * h
    return (h, 2.0 * h, none, right) if side else (none, 2.0 * h, h, right)


def _free_end(h: Array, chords: Array, side: int) -> tuple[Array, Array, Array]:
    """One cubic over the two outer intervals, of lengths h and h': h' s_end + (h + h') s_near =
    ((h + 2 (h + h')) h' m + h^2 m') / (h + h'). The two factors and the right side."""
    first, second = (slice(0, 1), slice(1, 2)) if side == 0 else (slice(-1, None), slice(-2, -1))
    outer, inner = h[first], h[second]
    width = outer + inner
    right = (outer + 2.0 * width) * inner * chords[first] + outer * outer * chords[second]
    return inner, width, right / width


def _without_end(rows: _Rows, free: tuple[Array, Array, Array], side: int) -> _Rows:
    """The inner rows, from the outer one of which the row of a free end is subtracted: that
    eliminates s_end and leaves a diagonally dominant row."""
    below, diagonal, above, right = rows
    _, width, value = free
    return below, _minus_at(diagonal, width, side), above, _minus_at(right, value, side)


def _minus_at(x: Array, part: Array, side: int) -> Array:
    """x less `part` in its first or last row."""
    n = x.shape[0]
    if side == 0:
        return joined([sliced(x, 0, 0, 1) - part, sliced(x, 0, 1, n)], 0)
    return joined([sliced(x, 0, 0, n - 1), sliced(x, 0, n - 1, n) - part], 0)


def _parabola(h: Array, chords: Array) -> Array:
    """Slopes at three points of the parabola through them."""
    middle = (h[1] * chords[0] + h[0] * chords[1]) / (h[0] + h[1])
    return np.stack([2.0 * chords[0] - middle, middle, 2.0 * chords[1] - middle])


def _tridiagonal(below: Array, diagonal: Array, above: Array, right: Array) -> Array:
    """Parallel cyclic reduction: each step doubles the distance of the neighbours that an equation
    holds, until there are none. The rows are diagonally dominant, so it is stable."""
    n = diagonal.shape[0]
    below = joined([0.0 * below[:1], sliced(below, 0, 1, n)], 0)
    above = joined([sliced(above, 0, 0, n - 1), 0.0 * above[-1:]], 0)
    stride = 1
    while stride < n:
        rows = [
            (v, _later(v, stride, e), _earlier(v, stride, e))
            for v, e in ((below, 0.0), (diagonal, 1.0), (above, 0.0), (right, 0.0))
        ]
        below, diagonal, above, right = _reduced(*rows)
        stride *= 2
    return right / diagonal


_Neighbours = tuple[Array, Array, Array]  # the rows, those before, those after


def _reduced(
    below: _Neighbours, diagonal: _Neighbours, above: _Neighbours, right: _Neighbours
) -> _Rows:
    """Each row less multiples of its neighbours that eliminate their unknowns."""
    before = below[0] / diagonal[1]
    after = above[0] / diagonal[2]
    return (
        -before * below[1],
        diagonal[0] - before * above[1] - after * below[2],
        -after * above[2],
        right[0] - before * right[1] - after * right[2],
    )


def _later(v: Array, k: int, outside: float) -> Array:
    """Row i is row i - k of v."""
    n = v.shape[0]
    return joined([np.full((k, *v.shape[1:]), outside, v.dtype), sliced(v, 0, 0, n - k)], 0)


def _earlier(v: Array, k: int, outside: float) -> Array:
    """Row i is row i + k of v."""
    n = v.shape[0]
    return joined([sliced(v, 0, k, n), np.full((k, *v.shape[1:]), outside, v.dtype)], 0)


def _periodic(data: Data) -> Array:
    """The rows of the inner points, and around the ends, which are one point. The coefficients of
    the neighbours are at most half the diagonal; each step of the reduction squares that: after six
    they are below rounding."""
    h, chords = data.steps, data.chords
    h_before, m_before = np.roll(h, 1, 0), np.roll(chords, 1, 0)
    below, diagonal, above = h, 2.0 * (h_before + h), h_before
    right = 3.0 * (h * m_before + h_before * chords)
    for step in range(6):
        stride = 1 << step
        rows = [
            (v, np.roll(v, stride, 0), np.roll(v, -stride, 0))
            for v in (below, diagonal, above, right)
        ]
        below, diagonal, above, right = _reduced(*rows)
    s = right / diagonal
    return joined([s, s[:1]], 0)


# Local slopes -------------------------------------------------------------------------------------


class PchipInterpolator(CubicHermiteSpline):
    """Monotone piecewise cubic interpolation (Fritsch and Butland, 1984), as
    scipy.interpolate.PchipInterpolator; differentiated in the argument, `x` and `y`.

    The slope at a local extremum of the data is 0, and so is its derivative.
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: Any = None):
        data = Data(x, y, axis)
        if is_complex(data.y):
            raise ValueError("`PchipInterpolator` only works with real values for `y`.")
        self._fit(data, _monotone_slopes(data), extrapolate)


def _monotone_slopes(data: Data) -> Array:
    h, m = data.steps, data.chords
    if data.n == 2:
        return joined([m, m], 0)
    # Weighted harmonic mean of the chords on both sides, 0 if they have not the same sign.
    first, second = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
    same = np.sign(seen(m[1:])) * np.sign(seen(m[:-1])) > 0
    before, after = where(same, m[:-1], 1.0), where(same, m[1:], 1.0)
    inner = where(same, (first + second) / (first / before + second / after), 0.0)
    ends = [_monotone_end(h[:1], h[1:2], m[:1], m[1:2])]
    ends.append(_monotone_end(h[-1:], h[-2:-1], m[-1:], m[-2:-1]))
    return joined([ends[0], inner, ends[1]], 0)


def _monotone_end(h: Array, h_next: Array, m: Array, m_next: Array) -> Array:
    """The three-point formula, limited so that the shape of the data is kept."""
    slope = ((2.0 * h + h_next) * m - h * m_next) / (h + h_next)
    sign = np.sign(seen(m))
    turns = (sign != np.sign(seen(m_next))) & (np.abs(seen(slope)) > 3.0 * np.abs(seen(m)))
    return where(np.sign(seen(slope)) != sign, 0.0, where(turns, 3.0 * m, slope))
