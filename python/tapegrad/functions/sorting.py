"""Sorting and searching: values are gathered in the order that NumPy finds on plain values, so the
derivative is that permutation's. Called through the registry and by methods.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.arranging import take, take_along_axis
from tapegrad.functions.operands import Array, operand, reshaped, value_of
from tapegrad.functions.registry import implements, on_values

__all__ = ["partition", "sort", "unique"]


@implements(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Array:
    x, axis = _along(a, axis)
    return _ordered(x, np.argsort(value_of(x), axis, kind, order, stable=stable), axis)


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Array:
    x, axis = _along(a, axis)
    return _ordered(x, np.argpartition(value_of(x), kth, axis, kind, order), axis)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Array:
    return sort(operand(a) + 0j)


def _along(a: Any, axis: int | None) -> tuple[Array, int]:
    x = operand(a)
    return (reshaped(x, (x.size,)), 0) if axis is None else (x, axis)


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


for function in (
    np.argsort,
    np.argpartition,
    np.lexsort,
    np.searchsorted,
    np.digitize,
    np.nonzero,
    np.flatnonzero,
    np.argwhere,
    np.isin,
    np.ix_,
    np.unravel_index,
    np.ravel_multi_index,
    np.diag_indices_from,
    np.tril_indices_from,
    np.triu_indices_from,
):
    implements(function)(on_values(function))
