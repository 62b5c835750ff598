"""np.pad, each axis in turn. Called through the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import apply
from tapegrad.functions.indexing import moved
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    axis_of,
    broadcast,
    operand,
    sliced,
    where,
)
from tapegrad.functions.registry import implements, plain

__all__ = ["pad"]


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    x = operand(array)
    widths = _pairs(pad_width, x.ndim, "pad_width")
    if mode in ("reflect", "symmetric") and kwargs.get("reflect_type") == "odd":
        return _odd(x, widths, mode)
    if mode in ("edge", "wrap", "reflect", "symmetric"):
        return moved(lambda p: np.pad(p, widths, mode, **kwargs), x)
    if mode in STATISTICS:
        return _with_statistics(x, widths, mode, **kwargs)
    if mode == "constant":
        ends = _end_values(kwargs.pop("constant_values", 0), x)
        kwargs_left = kwargs
    elif mode == "empty":
        ends, kwargs_left = [(0, 0)] * x.ndim, kwargs
    elif mode == "linear_ramp":
        ends, kwargs_left = _end_values(kwargs.pop("end_values", 0), x), kwargs
    else:
        errors.unsupported(f"np.pad with mode={mode!r} has no derivative rule")
    if kwargs_left:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {set(kwargs_left)}")
    for axis, ((before, after), (low, high)) in enumerate(zip(widths, ends, strict=True)):
        if mode == "linear_ramp":
            borders = (_ramp(x, axis, before, low), _ramp(x, axis, after, high, last=True))
        else:
            borders = (_constant(x, axis, before, low), _constant(x, axis, after, high))
        if before or after:
            x = apply("concatenate", (borders[0], x, borders[1]), (axis,))
    return apply("positive", (x,)) if x is array else x


def _pairs(given: Any, ndim: int, name: str, low: int = 0) -> list[tuple[int, int]]:
    """np.pad's (before, after) for each axis from a number, a pair, pairs or a dictionary."""
    if isinstance(given, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in given.items():
            pairs[axis_of(axis, ndim)] = (width, width) if isinstance(width, int) else tuple(width)
        return pairs
    widths = np.broadcast_to(np.asarray(plain(given)), (ndim, 2))
    if widths.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be of integral type.")
    if (widths < low).any():
        raise ValueError(f"index can't contain negative values in {name}")
    return [(int(before), int(after)) for before, after in widths]


def _end_values(given: Any, x: Array) -> list[tuple[Array, Array]]:
    """(before, after) for each axis; recorded numbers keep their derivative."""
    values = broadcast(as_dtype(operand(given), x.dtype), (x.ndim, 2))
    return [(values[k, 0], values[k, 1]) for k in range(x.ndim)]


def _constant(x: Array, axis: int, width: int, number: Array) -> Array:
    shape = [width if k == axis else n for k, n in enumerate(x.shape)]
    return broadcast(as_dtype(operand(number), x.dtype), shape)


STATISTICS: dict[str, Any] = {
    "mean": np.mean,
    "maximum": np.max,
    "minimum": np.min,
    "median": np.median,
}


def _with_statistics(x: Array, widths: Any, mode: str, stat_length: Any = None) -> Array:
    """Borders that repeat a statistic of the `stat_length` elements (all by default) next to them;
    later axes see the borders of earlier ones."""
    statistic = STATISTICS[mode]
    lengths = _pairs(-1 if stat_length is None else stat_length, x.ndim, "stat_length", low=-1)
    for axis, (ends, taken) in enumerate(zip(widths, lengths, strict=True)):
        n = x.shape[axis]
        first, last = (n if k < 0 else min(k, n) for k in taken)
        near = (sliced(x, axis, 0, first), sliced(x, axis, n - last, n))
        borders = []
        for width, part in zip(ends, near, strict=True):
            shape = [width if k == axis else m for k, m in enumerate(x.shape)]
            borders.append(broadcast(statistic(part, axis=axis, keepdims=True), shape))
        x = apply("concatenate", (borders[0], x, borders[1]), (axis,))
    return x


def _odd(x: Array, widths: Any, mode: str) -> Array:
    """Reflection in the points at both ends: with D = last - first and i = t P + r, element i is
    x[r] + t D for even t and first + last - x[N - r] + t D for odd t; the period P counts the edge
    once (reflect: n - 1) or twice (symmetric: n)."""
    for axis, (before, after) in enumerate(widths):
        n = x.shape[axis]
        if n == 1:
            widths_here = [(before, after) if k == axis else (0, 0) for k in range(x.ndim)]
            x = moved(lambda p, w=widths_here: np.pad(p, w, "edge"), x)
            continue
        period = n if mode == "symmetric" else n - 1
        turns, rest = np.divmod(np.arange(-before, n + after), period)
        odd = turns % 2 == 1
        shape = [-1 if k == axis else 1 for k in range(x.ndim)]
        first, last = sliced(x, axis, 0, 1), sliced(x, axis, n - 1, n)
        base = np.take(x, np.where(odd, n - 1 - rest, rest), axis)
        base = where(odd.reshape(shape), first + last - base, base)
        x = base + turns.astype(x.dtype).reshape(shape) * (last - first)
    return x


def _ramp(x: Array, axis: int, width: int, end: Array, *, last: bool = False) -> Array:
    """`width` equidistant values from `end` towards the border of x, which is not included."""
    n = x.shape[axis]
    edge = sliced(x, axis, n - 1, n) if last else sliced(x, axis, 0, 1)
    steps = np.arange(width, dtype=x.dtype) / max(width, 1)
    weights = (steps[::-1] if last else steps).reshape(
        [-1 if k == axis else 1 for k in range(x.ndim)]
    )
    return end + (edge - end) * weights
