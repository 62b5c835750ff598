"""where, select, choose, piecewise, and functions applied along axes. Called through the
registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions.indexing import moved
from tapegrad.functions.joining import stack
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    axes_of,
    axis_of,
    deliver,
    operand,
    reshaped,
    result_dtype,
    shape_of,
    where,
)
from tapegrad.functions.registry import implements, plain
from tapegrad.functions.shapes import expand_dims

__all__ = ["choose", "select"]


@implements(np.where)
def where_function(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None and y is None:
        return np.where(plain(condition))
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    return where(condition, x if _is_number(x) else operand(x), y if _is_number(y) else operand(y))


def _is_number(x: Any) -> bool:
    return type(x) in (float, int, complex, bool)


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise ValueError("select with an empty condition list is not possible")
    choices = [v if _is_number(v) else operand(v) for v in (*choicelist, default)]
    dtype = result_dtype(*choices)
    result = as_dtype(operand(choices.pop()), dtype)
    for condition, choice in zip(reversed(list(condlist)), reversed(choices), strict=True):
        result = where(condition, as_dtype(operand(choice), dtype), result)
    return result


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Array:
    x = operand(x)
    conditions = np.asarray(plain(condlist), bool)
    if conditions.ndim == x.ndim:
        conditions = conditions[None]
    if len(funclist) == len(conditions) + 1:
        conditions = np.concatenate([conditions, ~conditions.any(axis=0, keepdims=True)])
    elif len(funclist) != len(conditions):
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or "
            f"{len(conditions) + 1} functions are expected"
        )
    result = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        chosen = np.broadcast_to(condition, shape_of(x))
        if not callable(function):
            result = where(chosen, as_dtype(operand(function), x.dtype), result)
        elif chosen.any():
            result[chosen] = function(x[chosen], *args, **kw)
    return result


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Array:
    x = operand(arr)
    axis = axis_of(axis, x.ndim)
    lines = np.moveaxis(x, axis, -1)
    outer = lines.shape[:-1]
    results = [operand(func1d(lines[i], *args, **kwargs)) for i in np.ndindex(outer)]
    if not results:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    inner = results[0].shape
    stacked = reshaped(stack(results), (*outer, *inner))
    first = len(outer)
    return np.moveaxis(stacked, range(first, first + len(inner)), range(axis, axis + len(inner)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Array:
    result = operand(a)
    for axis in axes_of(axes, result.ndim):
        reduced = func(result, axis)
        result = reduced if reduced.ndim == result.ndim else expand_dims(reduced, axis)
    return result


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Array:
    which = plain(a)
    parts = list(choices) if isinstance(choices, (list, tuple)) else list(operand(choices))
    chosen = moved(lambda *ps: np.choose(which, ps, mode=mode), *parts)  # type: ignore[call-overload]
    return deliver(chosen, out, "choose")
