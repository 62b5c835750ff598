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
)
from tapegrad.functions.registry import implements, plain

__all__ = ["pad"]


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    x = operand(array)
    widths = _pairs(pad_width, x.ndim, "pad_width")
    if mode in ("edge", "wrap", "reflect", "symmetric") and kwargs.get("reflect_type") != "odd":
        return moved(lambda p: np.pad(p, widths, mode, **kwargs), x)
    if mode == "constant":
        ends = _end_values(kwargs.pop("constant_values", 0), x)
        kwargs_left = kwargs
    elif mode == "empty":
        ends, kwargs_left = [(0, 0)] * x.ndim, kwargs
    elif mode == "linear_ramp":
        ends, kwargs_left = _end_values(kwargs.pop("end_values", 0), x), kwargs
    else:
        errors.unsupported(
            f"np.pad with mode={mode!r}"
            + (", reflect_type='odd'" if "reflect_type" in kwargs else "")
            + " has no derivative rule"
        )
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


def _pairs(given: Any, ndim: int, name: str) -> list[tuple[int, int]]:
    """np.pad's (before, after) for each axis from a number, a pair, pairs or a dictionary."""
    if isinstance(given, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in given.items():
            pairs[axis_of(axis, ndim)] = (width, width) if isinstance(width, int) else tuple(width)
        return pairs
    widths = np.broadcast_to(np.asarray(plain(given)), (ndim, 2))
    if widths.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be of integral type.")
    if (widths < 0).any():
        raise ValueError(f"index can't contain negative values in {name}")
    return [(int(before), int(after)) for before, after in widths]


def _end_values(given: Any, x: Array) -> list[tuple[Array, Array]]:
    """(before, after) for each axis; recorded numbers keep their derivative."""
    values = broadcast(as_dtype(operand(given), x.dtype), (x.ndim, 2))
    return [(values[k, 0], values[k, 1]) for k in range(x.ndim)]


def _constant(x: Array, axis: int, width: int, number: Array) -> Array:
    shape = [width if k == axis else n for k, n in enumerate(x.shape)]
    return broadcast(as_dtype(operand(number), x.dtype), shape)


def _ramp(x: Array, axis: int, width: int, end: Array, *, last: bool = False) -> Array:
    """`width` equidistant values from `end` towards the border of x, which is not included."""
    n = x.shape[axis]
    edge = sliced(x, axis, n - 1, n) if last else sliced(x, axis, 0, 1)
    steps = np.arange(width, dtype=x.dtype) / max(width, 1)
    weights = (steps[::-1] if last else steps).reshape(
        [-1 if k == axis else 1 for k in range(x.ndim)]
    )
    return end + (edge - end) * weights
