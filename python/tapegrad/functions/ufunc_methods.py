"""The methods of ufuncs on recorded values: reduce, accumulate, outer, at, reduceat.
`ufunc_fallback` calls them through METHODS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import Variable, apply
from tapegrad.functions import reductions
from tapegrad.functions.indexing import flat_indices
from tapegrad.functions.memory_order import in_unknown_order_unless_rows
from tapegrad.functions.operands import (
    Array,
    Axis,
    as_dtype,
    axes_of,
    axis_of,
    broadcast,
    deliver,
    in_program,
    joined,
    operand,
    reshaped,
    sliced,
    transposed,
    value_of,
    where,
)
from tapegrad.functions.registry import implements, plain
from tapegrad.functions.ufuncs import ON_VALUES, call

__all__ = ["METHODS", "cumprod", "cumulative_prod"]

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add": reductions.sum,
    "multiply": reductions.prod,
    "maximum": reductions.amax,
    "minimum": reductions.amin,
    "logical_or": reductions.any,
    "logical_and": reductions.all,
}
ASSOCIATIVE = frozenset("add multiply maximum minimum fmax fmin logaddexp logaddexp2 hypot".split())


def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Axis = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    name = ufunc.__name__
    x = operand(array)
    mask = None if where is True else where
    if name in ("logical_or", "logical_and") and in_program(x, mask) and initial is None:
        return REDUCTIONS[name](x, axis, out, keepdims, where=mask)
    if name in ON_VALUES:
        options = {} if mask is None else {"where": plain(mask)}
        result = ufunc.reduce(value_of(x), axis=axis, keepdims=keepdims, **options)
        return deliver(result, out, f"{name}.reduce")
    if dtype is not None:
        x = as_dtype(x, dtype)
    if name in REDUCTIONS:
        return REDUCTIONS[name](
            x, axis=axis, out=out, keepdims=keepdims, initial=initial, where=mask
        )
    result = _folded(ufunc, x, axes_of(axis, x.ndim), initial, mask)
    if keepdims:
        axes = axes_of(axis, x.ndim)
        result = reshaped(result, [1 if k in axes else n for k, n in enumerate(x.shape)])
    return deliver(result, out, f"{name}.reduce")


def _folded(ufunc: np.ufunc, x: Array, axes: tuple[int, ...], initial: Any, mask: Any) -> Array:
    """The reduction with any binary ufunc; the reduced axes are dropped."""
    name = ufunc.__name__
    if not axes:
        return x
    if len(axes) > 1 and name not in ASSOCIATIVE:
        raise ValueError(f"reduction operation '{name}' is not reorderable, so at most one axis")
    if mask is not None:
        neutral = ufunc.identity if ufunc.identity is not None else initial
        if neutral is None:
            raise ValueError(f"reduction operation '{name}' needs initial= with where=")
        x = where(np.broadcast_to(np.asarray(plain(mask), bool), x.shape), x, neutral)
    rest = [k for k in range(x.ndim) if k not in axes]
    shape = [x.shape[k] for k in rest]
    lines = reshaped(transposed(x, [*axes, *rest]), [_product(x.shape[k] for k in axes), *shape])
    if initial is not None:
        first = broadcast(as_dtype(operand(initial), x.dtype), [1, *shape])
        lines = joined([first, lines], 0)
    if lines.shape[0] == 0:
        if ufunc.identity is None:
            raise ValueError(f"zero-size array to reduction operation {name} which has no identity")
        return np.full(shape, ufunc.identity, x.dtype)
    fold = _in_halves if name in ASSOCIATIVE else _in_turn
    return fold(name, lines)


def _product(lengths: Any) -> int:
    result = 1
    for n in lengths:
        result *= n
    return result


def _in_halves(name: str, lines: Array) -> Array:
    """Associative ufuncs in log2(n) steps; an odd line out waits for the next step."""
    while lines.shape[0] > 1:
        n = lines.shape[0]
        half = n // 2
        pairs = call(name, (sliced(lines, 0, 0, half), sliced(lines, 0, half, 2 * half)))
        lines = joined([pairs, sliced(lines, 0, 2 * half, n)], 0) if n % 2 else pairs
    return reshaped(lines, lines.shape[1:])


def _in_turn(name: str, lines: Array) -> Array:
    result = lines[0]
    for i in range(1, lines.shape[0]):
        result = call(name, (result, lines[i]))
    return result


@in_unknown_order_unless_rows
def accumulate(
    ufunc: np.ufunc, array: Any, axis: int | None = 0, dtype: Any = None, out: Any = None
) -> Array:
    name = ufunc.__name__
    x = operand(array)
    if x.ndim == 0:
        raise TypeError("cannot accumulate on a scalar")
    axis = _only_axis(axis, x, "accumulate")
    if dtype is not None:
        x = as_dtype(x, dtype)
    axis = axis_of(axis, x.ndim)
    if name in ON_VALUES:
        result: Array = ufunc.accumulate(value_of(x), axis)
    elif name == "add":
        result = reductions.cumsum(x, axis)
    elif name == "multiply":
        result = apply("cumprod", (x,), (x.ndim - 1 - axis,))
    elif name in ASSOCIATIVE:
        result = scan(name, x, axis)
    else:
        result = _running(name, x, axis)
    return deliver(result, out, f"{name}.accumulate")


def _only_axis(axis: int | None, x: Array, method: str) -> int:
    """None stands for the axis of an array that has one."""
    if axis is None and x.ndim > 1:
        raise ValueError(f"{method} does not allow multiple axes")
    return 0 if axis is None else axis


def scan(name: str, x: Array, axis: int) -> Array:
    """Running results of an associative ufunc in log2(n) steps over the whole array."""
    n, shift = x.shape[axis], 1
    while shift < n:
        earlier, later = sliced(x, axis, 0, n - shift), sliced(x, axis, shift, n)
        x = joined([sliced(x, axis, 0, shift), call(name, (earlier, later))], axis)
        shift *= 2
    return x


def _running(name: str, x: Array, axis: int) -> Array:
    lines = [sliced(x, axis, i, i + 1) for i in range(x.shape[axis])]
    for i in range(1, len(lines)):
        lines[i] = call(name, (lines[i - 1], lines[i]))
    return joined(lines, axis) if lines else x


def outer(ufunc: np.ufunc, a: Any, b: Any, **kwargs: Any) -> Any:
    a, b = operand(a), operand(b)
    return ufunc(reshaped(a, a.shape + (1,) * b.ndim), b, **kwargs)


def reduceat(
    ufunc: np.ufunc,
    array: Any,
    indices: Any,
    axis: int | None = 0,
    dtype: Any = None,
    out: Any = None,
) -> Array:
    x = operand(array)
    axis = axis_of(_only_axis(axis, x, "reduceat"), x.ndim)
    n = x.shape[axis]
    starts = [int(i) for i in np.asarray(plain(indices))]
    for i in starts:
        if not 0 <= i < n:
            raise IndexError(f"index {i} out-of-bounds in {ufunc.__name__}.reduceat [0, {n})")
    stops = [*starts[1:], n]
    parts = [
        reduce(ufunc, sliced(x, axis, i, max(j, i + 1)), axis, dtype, keepdims=True)
        for i, j in zip(starts, stops, strict=True)
    ]
    return deliver(joined(parts, axis), out, f"{ufunc.__name__}.reduceat")


def at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = None) -> None:
    """In place, each occurrence of an index in turn, as NumPy's unbuffered `at`."""
    name = ufunc.__name__
    if not isinstance(a, Variable):
        errors.detached(
            f"{name}.at cannot write a recorded value into a plain array",
            "make the array with np.zeros_like(x) from a recorded x",
        )
    flat = flat_indices(a.shape, plain(indices))
    others: tuple[Array, ...] = () if b is None else (broadcast(operand(b), flat.shape),)
    if name in ("add", "subtract"):
        total = apply("scatter_add", (as_dtype(others[0], a.dtype), flat), a.shape)
        a[...] = call(name, (a, total))
        return
    rank = _occurrence(flat.ravel())
    result: Array = a
    for k in range(int(rank.max()) + 1 if rank.size else 0):
        where_k = np.flatnonzero(rank == k)
        targets = flat.ravel()[where_k]
        arguments = [apply("gather", (x, where_k)) for x in others]
        updated = call(name, (apply("gather", (result, targets)), *arguments))
        result = apply("put", (result, as_dtype(updated, a.dtype), targets))
    a[...] = result


def _occurrence(indices: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How often each index has occurred before: [3, 5, 3] gives [0, 0, 1]."""
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    # An index has occurred as often as its run of equal ones is long so far.
    first = np.ones(indices.size, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(first)[np.cumsum(first) - 1]
    rank = np.empty(indices.size, np.int64)
    rank[order] = np.arange(indices.size) - starts
    return rank


METHODS: dict[str, Callable[..., Any]] = {
    "reduce": reduce,
    "accumulate": accumulate,
    "outer": outer,
    "reduceat": reduceat,
    "at": at,
}


@implements(np.cumprod)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Array:
    x = operand(a)
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    return accumulate(np.multiply, x, axis, dtype, out)


cumulative_prod = implements(getattr(np, "cumulative_prod", None))(
    reductions.cumulative("cumulative_prod", cumprod, 1)
)
