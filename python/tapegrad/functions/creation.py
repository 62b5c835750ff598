"""Arrays like others, ranges between recorded ends, copies. Called through the registry;
tapegrad.numpy adds what NumPy does not dispatch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad._core import Variable
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    broadcast,
    fresh,
    guess_order,
    joined,
    like,
    operand,
    seen,
    shape_of,
    sliced,
    value_of,
)
from tapegrad.functions.registry import implements

__all__ = ["copy", "full_like", "geomspace", "linspace", "logspace"]


def _like(function: Any) -> Any:
    def make(prototype: Any, *args: Any, **kwargs: Any) -> Array:
        return _as_uncertain(fresh(function(like(prototype), *args, **kwargs)), prototype)

    return make


def _as_uncertain(result: Array, prototype: Any) -> Array:
    guessed = isinstance(prototype, Variable) and prototype._guessed
    return guess_order(result) if guessed else result


for function in (np.zeros_like, np.ones_like, np.empty_like):
    implements(function)(_like(function))


@implements(np.full_like)
def full_like(a: Any, fill_value: Any, *args: Any, **kwargs: Any) -> Array:
    result = _as_uncertain(fresh(np.empty_like(like(a), *args, **kwargs)), a)
    if isinstance(result, Variable):
        result[...] = operand(fill_value)
    else:
        result[...] = value_of(fill_value)
    return result


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Array:
    del subok
    if not isinstance(a, Variable):
        return np.array(operand(a), order=order)  # type: ignore[call-overload]
    if order == "F":
        return _core.copy(a.T).T
    if order == "A" and a._guessed:
        return guess_order(_core.copy(a))
    return _core.copy(a, order == "K" or (order == "A" and like(a).flags.f_contiguous))


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    del device
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    start, stop = (as_inexact(operand(x)) for x in (start, stop))
    intervals = num - 1 if endpoint else num
    delta = stop - start
    steps = np.arange(num, dtype=delta.dtype).reshape((-1, *(1,) * len(delta.shape)))
    step = delta / intervals if intervals > 0 else np.nan
    points = start + (steps * step if intervals > 0 else steps * delta)
    if endpoint and num > 1:
        last = broadcast(as_dtype(stop, points.dtype), (1, *delta.shape))
        points = joined([sliced(points, 0, 0, num - 1), last], 0)
    points = points if dtype is None else as_dtype(points, dtype)
    points = np.moveaxis(points, 0, axis) if axis else points
    return (points, step) if retstep else points


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    if len(shape_of(base)):
        shape = np.broadcast_shapes(*map(shape_of, (start, stop, base)))
        start, stop, base = (broadcast(operand(x), shape) for x in (start, stop, base))
        base = np.expand_dims(base, axis)
    powers = base ** linspace(start, stop, num, endpoint, axis=axis)
    return powers if dtype is None else as_dtype(powers, dtype)


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    start, stop = (as_inexact(operand(x)) for x in (start, stop))
    if bool(np.any(seen(start) == 0)) or bool(np.any(seen(stop) == 0)):
        raise ValueError("Geometric sequence cannot include zero")
    sign = np.sign(start)
    points = logspace(np.log10(start / sign), np.log10(stop / sign), num, endpoint) * sign
    # The ends are exact.
    if num > 0:
        first = broadcast(as_dtype(start, points.dtype), (1, *points.shape[1:]))
        points = joined([first, sliced(points, 0, 1, num)], 0)
    if endpoint and num > 1:
        last = broadcast(as_dtype(stop, points.dtype), (1, *points.shape[1:]))
        points = joined([sliced(points, 0, 0, num - 1), last], 0)
    points = points if dtype is None else as_dtype(points, dtype)
    return np.moveaxis(points, 0, axis) if axis else points
