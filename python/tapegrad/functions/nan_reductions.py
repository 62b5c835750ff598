"""Reductions that leave NaN out: np.nansum to np.nanstd, nancumsum, nancumprod. Called through the
registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions import reductions
from tapegrad.functions.operands import (
    Array,
    Axis,
    as_condition,
    broadcast,
    deliver,
    operand,
    root,
    seen,
    where,
)
from tapegrad.functions.reductions import absent, as_asked, floating, measured
from tapegrad.functions.registry import implements
from tapegrad.functions.ufunc_methods import cumprod

__all__ = ["nanmean", "nanstd", "nanvar", "without_nan"]


def without_nan(a: Any, otherwise: Any) -> Array:
    """`a` with `otherwise` in place of each NaN, which then has no derivative."""
    x = operand(a)
    if x.dtype.kind not in "fc":
        return x
    return where(np.isnan(seen(x)), np.asarray(otherwise, x.dtype), x)


def _counted(x: Array, mask: Any) -> Any:
    """Which elements count: those that are not NaN, and true in `mask` (a `where=`)."""
    numbers = ~np.isnan(seen(x))
    return numbers if absent(mask) else numbers & broadcast(as_condition(mask), x.shape)


def _kept(keepdims: Any) -> bool:
    return keepdims is True or keepdims == 1


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    return reductions.sum(without_nan(a, 0), axis, dtype, out, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    return reductions.prod(without_nan(a, 1), axis, dtype, out, keepdims, initial, where)


@implements(np.nanmax)
def nanmax(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    return _nan_extreme(reductions.amax, -np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    return _nan_extreme(reductions.amin, np.inf, a, axis, out, keepdims, initial, where)


def _nan_extreme(
    extreme: Any, last: float, a: Any, axis: Axis, out: Any, keepdims: Any, initial: Any, mask: Any
) -> Array:
    x = operand(a)
    if x.dtype.kind not in "f":
        return extreme(x, axis, out, keepdims, initial, mask)
    result = extreme(without_nan(x, last), axis, None, keepdims, initial, mask)
    # NaN is left where there is nothing else.
    nothing = np.logical_not(reductions.any(_counted(x, None), axis, None, _kept(keepdims)))
    if not absent(initial):
        nothing = nothing & np.isnan(seen(operand(initial)))
    return deliver(where(nothing, np.asarray(np.nan, result.dtype), result), out, extreme.__name__)


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = None,
) -> Array:
    x = floating(a, dtype, "nanmean")
    counted = _counted(x, where)
    return reductions.mean(without_nan(x, 0), axis, None, out, keepdims, where=counted)


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Array:
    x = measured(a, dtype, "nanvar")
    result = _nanvar(x, axis, ddof, keepdims, where, mean, correction)
    return deliver(as_asked(result, dtype), out, "nanvar")


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Array:
    x = measured(a, dtype, "nanstd")
    variance = _nanvar(x, axis, ddof, keepdims, where, mean, correction)
    return deliver(as_asked(root(variance), dtype), out, "nanstd")


def _nanvar(
    x: Array, axis: Axis, ddof: Any, keepdims: Any, mask: Any, mean: Any, correction: Any
) -> Array:
    counted = _counted(x, mask)
    result = reductions.var(
        without_nan(x, 0),
        axis,
        None,
        None,
        ddof,
        keepdims,
        where=counted,
        mean=mean,
        correction=correction,
    )
    # Unlike np.var, NaN for everything that has no degree of freedom.
    removed = ddof if absent(correction) else correction
    enough = reductions.sum(counted, axis, keepdims=_kept(keepdims)) - removed > 0
    return where(enough, result, np.asarray(np.nan, result.dtype))


@implements(np.nancumsum)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Array:
    return reductions.cumsum(without_nan(a, 0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Array:
    return cumprod(without_nan(a, 1), axis, dtype, out)
