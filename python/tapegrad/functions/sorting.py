"""Sorting and searching: an op sorts as NumPy does; where there is none, values are gathered in the
order that NumPy finds on plain values. So the derivative is that permutation's. Called through the
registry and by methods.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.arranging import take, take_along_axis
from tapegrad.functions.operands import (
    Array,
    axis_of,
    in_program,
    operand,
    reshaped,
    seen,
    value_of,
)
from tapegrad.functions.registry import implements, on_values, question

__all__ = ["argsort", "nonzero", "partition", "sort", "unique"]


@implements(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Array:
    x, axis = _along(a, axis)
    if _has_op(x, kind, order, stable):
        return apply("sort", (x,), _attributes(x, axis, kind, stable))
    return _ordered(x, argsort(x, axis, kind, order, stable=stable), axis)


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Array:
    x, axis = _along(a, axis)
    if in_program(x):
        np.argpartition(np.empty(x.shape), kth, axis, kind, order)  # raises what it refuses
        return sort(x, axis)  # one of the orders that a partition may have
    return _ordered(x, np.argpartition(value_of(x), kth, axis, kind, order), axis)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Array:
    return sort(operand(a) + 0j)


def _along(a: Any, axis: int | None) -> tuple[Array, int]:
    x = operand(a)
    return (reshaped(x, (x.size,)), 0) if axis is None else (x, axis)


# The kinds of sort that the ops know, by NumPy's names.
KINDS = {None: 0, "quicksort": 0, "stable": 1, "mergesort": 1}


def _has_op(x: Array, kind: Any, order: Any, stable: Any) -> bool:
    """Whether an op does this; what NumPy refuses goes to NumPy."""
    known = kind is None or (stable is None and isinstance(kind, str) and kind in KINDS)
    return known and order is None and x.ndim > 0


def _attributes(x: Array, axis: int, kind: Any, stable: Any) -> tuple[int, int]:
    return axis_of(axis, x.ndim), 1 if stable else KINDS[kind]


@implements(np.argsort)
def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    x, axis = _along(a, axis)
    if not in_program(x) or not _has_op(x, kind, order, stable):
        return np.argsort(value_of(x), axis, kind, order, stable=stable)
    return apply("argsort", (x,), _attributes(x, axis, kind, stable))


def _ordered(x: Array, order: Any, axis: int) -> Array:
    if x.ndim == 1:
        return apply("gather", (x, order))
    return take_along_axis(x, order, axis)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    **options: Any,
) -> Any:
    x = operand(ar)
    asked = return_index or return_inverse or return_counts
    if in_program(x) and axis is None and not asked and x.dtype.kind in "fib":
        return _distinct(x, options.get("equal_nan", True))
    _, index, inverse, counts = np.unique(
        value_of(x),
        return_index=True,
        return_inverse=True,
        return_counts=True,
        axis=axis,
        **options,
    )
    values = take(x, index, axis)
    extra = ((return_index, index), (return_inverse, inverse), (return_counts, counts))
    chosen = tuple(part for wanted, part in extra if wanted)
    return (values, *chosen) if chosen else values


def _distinct(x: Array, equal_nan: bool) -> Array:
    """The values of `np.unique` in a program, which guards which neighbours in order are equal, and
    not the values: these may differ by rounding from replay to replay."""
    ordered = sort(reshaped(x, (x.size,)), kind="stable")
    if x.size < 2:
        return ordered
    before, after = seen(ordered)[:-1], seen(ordered)[1:]
    differs = before != after
    if equal_nan:
        differs = differs & ((before == before) | (after == after))
    return take(ordered, np.flatnonzero(np.append(True, value_of(differs))), 0)


# In programs these guard which elements are zero, and nothing else.


@question(np.nonzero)
def nonzero(a: Any) -> Any:
    return np.nonzero(value_of(seen(operand(a)) != 0))


@question(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    return np.flatnonzero(value_of(seen(operand(a)) != 0))


@question(np.argwhere)
def argwhere(a: Any) -> Any:
    return np.argwhere(value_of(seen(operand(a)) != 0))


for function in (
    np.argpartition,
    np.lexsort,
    np.isin,
    np.unravel_index,
    np.ravel_multi_index,
    np.diag_indices_from,
    np.tril_indices_from,
    np.triu_indices_from,
):
    implements(function)(on_values(function))
