"""Sums, products, extremes and moments: np.sum to np.average and the methods of the same names.
Called through the registry and by methods.py."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tapegrad import errors
from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    Axis,
    as_condition,
    as_dtype,
    as_inexact,
    axes_of,
    axis_of,
    broadcast,
    deliver,
    dtype_of,
    in_program,
    is_complex,
    is_differentiable,
    joined,
    magnitude_squared,
    operand,
    reshaped,
    root,
    seen,
    transposed,
    value_of,
    where,
)
from tapegrad.functions.registry import implements, on_values, plain, question

NO_VALUE = np._NoValue

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "cumsum",
    "cumulative_sum",
    "mean",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]


def reduced(op: str, x: Array, axis: Axis, keepdims: Any) -> Array:
    return apply(op, (x,), (keepdims is True or keepdims == 1, *axes_of(axis, x.ndim)))


def absent(*arguments: Any) -> bool:
    return builtins.all(argument is None or argument is NO_VALUE for argument in arguments)


def _masked(x: Array, mask: Any, otherwise: Any) -> Array:
    """`x` where the mask (of a reduction's `where=`) is true."""
    return where(broadcast(as_condition(mask), x.shape), x, otherwise)


class Keywords(NamedTuple):
    """What the reductions take besides the array."""

    axis: Axis
    dtype: Any
    out: Any
    keepdims: Any
    initial: Any
    where: Any


@implements(np.sum)
def sum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    given = Keywords(axis, dtype, out, keepdims, initial, where)
    return _accumulated("sum", np.add, 0, a, given)


@implements(np.prod)
def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    given = Keywords(axis, dtype, out, keepdims, initial, where)
    return _accumulated("prod", np.multiply, 1, a, given)


def _accumulated(op: str, combine: Any, neutral: int, a: Any, given: Keywords) -> Array:
    """A sum or product."""
    a = operand(a)
    if given.dtype is None and _is_plain(a):
        return _on_values(getattr(np, op), a, given)
    if given.dtype is not None:
        a = as_dtype(a, given.dtype)
    if not absent(given.where):
        a = _masked(a, given.where, neutral)
    result = reduced(op, a, given.axis, given.keepdims)
    if not absent(given.initial):
        result = combine(result, given.initial)
    return result if given.out is None else deliver(result, given.out, op)


def _is_plain(a: Array) -> bool:
    """Integers or booleans, whose reductions carry no derivative, and which no program records."""
    return not is_differentiable(a) and not in_program(a)


def _on_values(function: Any, a: Array, given: Keywords) -> Array:
    """A reduction of integers or booleans, which carry no derivative."""
    choices = {"initial": given.initial, "where": given.where}
    options = {name: plain(v) for name, v in choices.items() if not absent(v)}
    keep = given.keepdims is True or given.keepdims == 1
    result = function(value_of(a), axis=given.axis, keepdims=keep, **options)
    return deliver(result, given.out, function.__name__)


@implements(np.max, np.amax)
def amax(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    return _extreme("max", np.maximum, a, Keywords(axis, None, out, keepdims, initial, where))


@implements(np.min, np.amin)
def amin(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    return _extreme("min", np.minimum, a, Keywords(axis, None, out, keepdims, initial, where))


def _extreme(op: str, combine: Any, a: Any, given: Keywords) -> Array:
    a = operand(a)
    if _is_plain(a):
        return _on_values(getattr(np, op), a, given)
    if is_complex(a):
        errors.unsupported(f"{op} of complex values has no derivative")
    _, _, out, keepdims, initial, mask = given
    axes = axes_of(given.axis, a.ndim)
    if not absent(mask):
        if absent(initial):
            raise ValueError(f"reduction operation '{op}' needs initial= with where=")
        a = _masked(a, mask, -np.inf if op == "max" else np.inf)
    if 0 in (a.shape[k] for k in axes):
        if absent(initial):
            raise ValueError(f"zero-size array to reduction operation {op} which has no identity")
        # Nothing but `initial` is left; the result has no other operand.
        kept = [1 if k in axes else n for k, n in enumerate(a.shape)]
        shape = kept if keepdims is True else [n for k, n in enumerate(a.shape) if k not in axes]
        return deliver(broadcast(as_dtype(operand(initial), a.dtype), shape), out, op)
    result = reduced(op, a, axes, keepdims)
    if not absent(initial):
        result = combine(result, initial)
    return result if out is None else deliver(result, out, op)


@implements(np.ptp)
def ptp(a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Array:
    highest = amax(a, axis, None, keepdims)
    return deliver(highest - amin(a, axis, None, keepdims), out, "ptp")


def _count(a: Array, axes: tuple[int, ...], mask: Any) -> Any:
    """How many elements a mean takes: a number, or an array with the reduced axes kept."""
    if absent(mask) or mask is True:
        count = 1
        for k in axes:
            count *= a.shape[k]
        return count
    taken = broadcast(as_condition(mask), a.shape)
    return np.sum(taken, axis=axes, keepdims=True)


def _without_axes(x: Any, axes: tuple[int, ...]) -> Array:
    """Drops axes of length 1."""
    return reshaped(x, [n for k, n in enumerate(x.shape) if k not in axes])


def _divided(total: Array, count: Any, axes: tuple[int, ...], keepdims: Any) -> Array:
    """The sum (reduced axes dropped unless keepdims) over a count that may be an array."""
    if type(count) not in (int, float):
        if not (keepdims is True or keepdims == 1):
            count = _without_axes(count, axes)
        # The division is in the dtype of the sum, as NumPy's is.
        count = as_dtype(count, dtype_of(total))
    return total / count


def floating(a: Any, dtype: Any, name: str) -> Array:
    """`a` in the dtype in which `name`, a mean or deviation, is computed. NumPy truncates quotients
    to integers if those are asked for; that is refused."""
    x = operand(a)
    if dtype is None:
        return as_inexact(x)
    if np.dtype(dtype).kind in "biu":
        errors.unsupported(f"np.{name} with dtype={np.dtype(dtype)} has no derivative rule")
    return as_dtype(x, dtype)


def measured(a: Any, dtype: Any, name: str) -> Array:
    """`floating` for a variance or deviation. With a real dtype NumPy takes complex values from the
    real part of their mean, which is no variance; that is refused."""
    if dtype is not None and np.dtype(dtype).kind == "f" and is_complex(operand(a)):
        errors.unsupported(f"np.{name} of complex values with dtype={np.dtype(dtype)}")
    return floating(a, dtype, name)


def as_asked(deviation: Array, dtype: Any) -> Array:
    """A variance or deviation is real; where a complex dtype was asked for, NumPy's has that."""
    wanted = dtype is not None and np.dtype(dtype).kind == "c"
    return as_dtype(deviation, dtype) if wanted else deviation


@implements(np.mean)
def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = None,
) -> Array:
    a = floating(a, dtype, "mean")
    axes = axes_of(axis, a.ndim)
    count = _count(a, axes, where)
    if not (absent(where) or where is True):
        a = _masked(a, where, 0)
    result = _divided(reduced("sum", a, axes, keepdims), count, axes, keepdims)
    return result if out is None else deliver(result, out, "mean")


@implements(np.var)
def var(
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
    if not absent(correction):
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    a = measured(a, dtype, "var")
    axes = axes_of(axis, a.ndim)
    count = _count(a, axes, where)
    partial = not (absent(where) or where is True)
    if absent(mean):
        taken = _masked(a, where, 0) if partial else a
        mean = _divided(reduced("sum", taken, axes, True), count, axes, True)
    squares = magnitude_squared(a - mean)
    if partial:
        squares = _masked(squares, where, 0)
    total = reduced("sum", squares, axes, keepdims)
    result = as_asked(_divided(total, _freedom(count, ddof), axes, keepdims), dtype)
    return result if out is None else deliver(result, out, "var")


def _freedom(count: Any, ddof: Any) -> Any:
    return builtins.max(count - ddof, 0) if isinstance(count, int) else np.maximum(count - ddof, 0)


@implements(np.std)
def std(
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
    a = measured(a, dtype, "std")
    variance = var(
        a, axis, None, None, ddof, keepdims, where=where, mean=mean, correction=correction
    )
    return deliver(as_asked(root(variance), dtype), out, "std")


@implements(np.average)
def average(
    a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    a = as_inexact(operand(a))
    axes = axes_of(axis, a.ndim)
    if weights is None:
        result = mean(a, axes, keepdims=keepdims)
        total: Array = np.full(result.shape, _count(a, axes, None), result.dtype)
        return (result, total) if returned else result
    weights = _weights_along(a, operand(weights), axis)
    total = reduced("sum", as_inexact(weights), axes, keepdims)
    if not np.all(seen(total)):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    result = reduced("sum", as_inexact(a * weights), axes, keepdims) / total
    return (result, broadcast(total, result.shape)) if returned else result


def _weights_along(a: Array, weights: Array, axis: Axis) -> Array:
    """Weights of the shape of `a`; one dimension of weights lies along the averaged axis."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    # The weights' axes follow the order in which `axis` names them.
    named = [axis] if isinstance(axis, int) else list(axis)
    order = [axis_of(k, a.ndim) for k in named]
    if weights.shape != tuple(a.shape[k] for k in order):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    ascending = transposed(weights, [int(k) for k in np.argsort(order)])
    placed = reshaped(ascending, [n if k in order else 1 for k, n in enumerate(a.shape)])
    return broadcast(placed, a.shape)


@implements(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Array:
    a = operand(a) if dtype is None else as_dtype(operand(a), dtype)
    if _is_plain(a):
        return deliver(np.cumsum(value_of(a), axis), out, "cumsum")
    if axis is None:
        a, axis = reshaped(a, (a.size,)), 0
    return deliver(apply("cumsum", (a,), (axis_of(axis, a.ndim), 0)), out, "cumsum")


def cumulative(name: str, running: Callable[..., Array], start: int) -> Callable[..., Array]:
    """The array API's function of this name: `running` along one axis, after `start` if asked."""

    def function(
        x: Any,
        /,
        *,
        axis: int | None = None,
        dtype: Any = None,
        out: Any = None,
        include_initial: bool = False,
    ) -> Array:
        x = operand(x)
        if axis is None:
            if x.ndim > 1:
                raise ValueError(f"axis must be specified in {name} for more than one dimension")
            axis = 0
        result = running(x, axis, dtype)
        if include_initial:
            shape = list(x.shape)
            shape[axis] = 1
            first = np.full(shape, start, result.dtype)
            result = joined([first, result], axis_of(axis, x.ndim))
        return deliver(result, out, name)

    return function


cumulative_sum = implements(getattr(np, "cumulative_sum", None))(
    cumulative("cumulative_sum", cumsum, 0)
)


# Questions, which programs record ----------------------------------------------------------------


def _quantified(op: str, empty: bool, x: Array, axis: Axis, keepdims: Any, mask: Any) -> Array:
    """`op` on booleans over the axes; `empty` is the answer if there are none."""
    x = as_condition(x)
    if not absent(mask):
        x = _masked(x, mask, empty)
    if x.size:
        return reduced(op, x, axis, keepdims)
    return np.full(reduced("sum", x, axis, keepdims).shape, empty)


@question(np.any)
def any(
    a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False, *, where: Any = None
) -> Array:
    return deliver(_quantified("max", False, operand(a), axis, keepdims, where), out, "any")


@question(np.all)
def all(
    a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False, *, where: Any = None
) -> Array:
    return deliver(_quantified("min", True, operand(a), axis, keepdims, where), out, "all")


@question(np.count_nonzero)
def count_nonzero(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Array:
    return reduced("sum", as_condition(operand(a)), axis, keepdims)


@question(np.argmax)
def argmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Array:
    return deliver(_position("argmax", operand(a), axis, keepdims), out, "argmax")


@question(np.argmin)
def argmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Array:
    return deliver(_position("argmin", operand(a), axis, keepdims), out, "argmin")


def _position(op: str, x: Array, axis: int | None, keepdims: Any) -> Array:
    x = seen(x)
    axes = axes_of(axis, x.ndim)
    kept = [1 if k in axes else n for k, n in enumerate(x.shape)]
    if axis is None:
        x, axes = reshaped(x, (x.size,)), (0,)
    found = apply(op, (x,), axes)
    return reshaped(found, kept) if keepdims is True else found


for function in (np.nanargmax, np.nanargmin):
    implements(function)(on_values(function))
