"""Where values lie among sorted ones: searchsorted, digitize, and np.interp, which rests on them.
Called through the registry and by methods.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    in_program,
    is_complex,
    operand,
    reshaped,
    seen,
    shape_of,
    value_of,
    where,
)
from tapegrad.functions.registry import implements

__all__ = ["digitize", "interp", "searchsorted"]


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    if not in_program(a, v, sorter):
        return np.searchsorted(value_of(a), value_of(v), side, value_of(sorter))  # type: ignore[call-overload]
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got '{side}')")
    row, wanted = seen(operand(a)), seen(operand(v))
    return _searched(row if sorter is None else np.take(row, sorter), wanted, side == "right")


def _searched(row: Any, wanted: Any, right: bool) -> Any:
    """Binary search of all at once: each step takes one more bit of the place."""
    n = row.shape[0]
    place: Any = np.zeros(wanted.shape, np.int64)
    for bit in reversed(range(n.bit_length())):
        further = place + (1 << bit)
        probe = apply("gather", (row, np.minimum(further, n) - 1))
        # NaN comes after all numbers.
        before = (probe <= wanted) if right else (probe < wanted)
        before = before | (np.isnan(wanted) & (True if right else ~np.isnan(probe)))
        place = np.where((further <= n) & before, further, place)
    return place


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    if not in_program(x, bins) or np.any(np.isnan(seen(operand(bins)))):
        return np.digitize(value_of(x), value_of(bins), right)
    edges = seen(operand(bins))
    steps = np.diff(edges)
    if np.all(steps >= 0):
        return searchsorted(edges, x, "left" if right else "right")
    if not np.all(steps <= 0):
        raise ValueError("bins must be monotonically increasing or decreasing")
    return edges.shape[0] - searchsorted(edges[::-1], x, "right" if right else "left")


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Array:
    # NumPy computes in double precision, whatever it is given.
    x, xp = as_dtype(operand(x), float), as_dtype(operand(xp), float)
    fp = operand(fp)
    fp = as_dtype(fp, complex if is_complex(fp) else float)
    if xp.ndim != 1 or fp.ndim != 1:
        raise ValueError("Data points must be 1-D sequences")
    if xp.shape != fp.shape:
        raise ValueError("fp and xp are not of the same length.")
    if xp.shape[0] == 0:
        raise ValueError("array of sample points is empty")
    if period is not None:
        if np.all(seen(operand(period)) == 0):
            raise ValueError("period must be a non-zero value")
        x, xp, fp = _once_around(x, xp, fp, np.abs(operand(period)))
        left = right = None
    result = _between(x, xp, fp)
    first, last = xp[0], xp[-1]
    result = where(seen(x) < seen(first), fp[0] if left is None else left, result)
    return where(seen(x) > seen(last), fp[-1] if right is None else right, result)


def _between(x: Array, xp: Array, fp: Array) -> Array:
    """On the line through the data points around x; at a data point, the one to its right."""
    n = xp.shape[0]
    if n == 1:
        return fp[0] + 0.0 * x
    below = np.maximum(searchsorted(seen(xp), seen(x), "right") - 1, 0)
    point, interval = np.minimum(below, n - 1), np.minimum(below, n - 2)
    width, rise = np.diff(xp), np.diff(fp)
    # Two data points at one place make a jump, on which nothing lies.
    slope = rise / where(seen(width) == 0, 1.0, width)
    along = x - _taken(xp, point)
    return _taken(slope, interval) * along + _taken(fp, point)


def _taken(row: Array, places: Any) -> Array:
    return apply("gather", (row, np.asarray(places) if shape_of(places) == () else places))


def _once_around(x: Array, xp: Array, fp: Array, period: Any) -> tuple[Array, Array, Array]:
    """Everything within one period, the data in order and one point more at both ends."""
    x, xp = x % period, xp % period
    order = np.argsort(seen(xp))
    xp, fp = (apply("gather", (row, order)) for row in (xp, fp))
    xp = np.concatenate((xp[-1:] - period, xp, xp[:1] + period))
    return x, xp, np.concatenate((fp[-1:], fp, reshaped(fp[:1], (1,))))
