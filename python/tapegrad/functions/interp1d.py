"""interp1d: piecewise linear, constant and cubic interpolation with values for what lies outside.
tapegrad.scipy.interpolate exports it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad.functions.operands import Array, axis_of, operand, reshaped, seen, where
from tapegrad.functions.piecewise import PPoly, as_double, axes_behind
from tapegrad.functions.splines import CubicSpline, Data

__all__ = ["interp1d"]


class interp1d:
    """Interpolation of a function of one variable, as scipy.interpolate.interp1d.

    Differentiated in the argument of the call, in `x`, `y` and `fill_value`. The kinds "linear",
    "slinear", "nearest", "nearest-up", "previous", "zero", "next" and "cubic" are there; others
    raise tg.UnsupportedError.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.interpolate import interp1d
    >>> tg.grad(interp1d([0.0, 1.0, 3.0], [0.0, 1.0, 7.0]))(2.0)
    3.0
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        kind: Any = "linear",
        axis: int = -1,
        copy: bool = True,
        bounds_error: bool | None = None,
        fill_value: Any = np.nan,
        assume_sorted: bool = False,
    ):
        x, y = as_double(operand(x)), as_double(operand(y))
        axis = axis_of(axis, y.ndim)
        if not assume_sorted:
            order = np.argsort(seen(x), kind="mergesort")
            x, y = np.take(x, order), np.take(y, order, axis)
        self.x, self.axis = x, axis
        self._extrapolate = isinstance(fill_value, str) and fill_value == "extrapolate"
        if self._extrapolate and bounds_error:
            raise ValueError("Cannot extrapolate and raise at the same time.")
        self.bounds_error = not self._extrapolate if bounds_error is None else bounds_error
        # Beyond the data there is no next point on one side, no previous one on the other.
        kept = {"previous": (np.nan, None), "next": (None, np.nan)}.get(kind, (None, None))
        self.fill_value = kept if self._extrapolate else fill_value
        self._pieces = _pieces(x, y, axis, kind)

    def __call__(self, x: Any) -> Any:
        x = as_double(operand(x))
        value = operand(self._pieces(x, extrapolate=True))
        below, above = operand(seen(x) < seen(self.x[0])), operand(seen(x) > seen(self.x[-1]))
        if self.bounds_error and (np.any(below) or np.any(above)):
            raise ValueError("A value in x_new is outside the interpolation range.")
        filled = self.fill_value
        low, high = filled if isinstance(filled, tuple) else (filled, filled)
        for outside, fill in ((below, low), (above, high)):
            if fill is not None:
                value = operand(where(self._among(outside, value), operand(fill), value))
        return value

    def _among(self, condition: Any, value: Array) -> Any:
        """The condition on x in the place that the axes of x have in the value."""
        rest = value.ndim - condition.ndim - self.axis
        return reshaped(condition, (*condition.shape, *(1,) * rest))


def _pieces(x: Array, y: Array, axis: int, kind: Any) -> Any:
    """The kind as a piecewise polynomial."""
    if kind == "cubic" or kind == 3:
        return CubicSpline(x, y, axis, extrapolate=True)
    lines = np.moveaxis(y, axis, 0)
    if kind in ("linear", "slinear", 1):
        data = Data(x, y, axis)
        return PPoly(np.stack([data.chords, lines[:-1]]), x, True, axis)
    if kind in ("nearest", "nearest-up"):
        # Half-way between two points "nearest" takes the lower one.
        return _Steps(lines, 0.5 * (x[1:] + x[:-1]), axis, kind == "nearest-up")
    if kind in ("previous", "zero", 0):
        return _Steps(lines, x[1:], axis, True)
    if kind == "next":
        return _Steps(lines, x[:-1], axis, False)
    errors.unsupported(f"scipy.interpolate.interp1d has no derivative rule for kind={kind!r}")


class _Steps:
    """Piecewise constant: line i between edges i - 1 and i."""

    def __init__(self, lines: Array, edges: Array, axis: int, right: bool):
        self.lines, self.edges, self.axis = lines, edges, axis
        self.side: Any = "right" if right else "left"

    def __call__(self, x: Array, extrapolate: bool = True) -> Array:
        places = np.searchsorted(seen(self.edges), seen(reshaped(x, (x.size,))), self.side)
        values = np.take(self.lines, places, 0)
        values = reshaped(values, (*x.shape, *self.lines.shape[1:]))
        return axes_behind(values, x.ndim, self.axis)
