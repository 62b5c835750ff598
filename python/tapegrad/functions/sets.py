"""Sets: unique_values and its relatives, union1d, intersect1d, setdiff1d, setxor1d. Which elements
are taken is a question about values. Called through the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.joining import concatenate
from tapegrad.functions.operands import Array, as_dtype, operand, reshaped, value_of
from tapegrad.functions.registry import implements
from tapegrad.functions.sorting import unique

__all__ = ["intersect1d", "setdiff1d", "setxor1d", "union1d"]


def _line(x: Any) -> Array:
    x = operand(x)
    return reshaped(x, (x.size,))


def _chosen(line: Array, which: Any) -> Array:
    return apply("gather", (line, np.asarray(which, np.int64)))


def _named(function: Any, *parts: Any) -> Any:
    """The named tuple that NumPy returns."""
    return type(function(np.zeros(1)))(*parts)


@implements(getattr(np, "unique_values", None))
def unique_values(x: Any, /) -> Array:
    return unique(x, equal_nan=False)


@implements(getattr(np, "unique_counts", None))
def unique_counts(x: Any, /) -> Any:
    return _named(np.unique_counts, *unique(x, return_counts=True, equal_nan=False))


@implements(getattr(np, "unique_inverse", None))
def unique_inverse(x: Any, /) -> Any:
    return _named(np.unique_inverse, *unique(x, return_inverse=True, equal_nan=False))


@implements(getattr(np, "unique_all", None))
def unique_all(x: Any, /) -> Any:
    parts = unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    return _named(np.unique_all, *parts)


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Array:
    return unique(concatenate((ar1, ar2), axis=None))


@implements(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    a, b = _line(ar1), _line(ar2)
    _, first, second = np.intersect1d(
        value_of(a), value_of(b), assume_unique=assume_unique, return_indices=True
    )
    common = as_dtype(_chosen(a, first), np.result_type(a.dtype, b.dtype))
    return (common, first, second) if return_indices else common


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Array:
    a = _line(ar1) if assume_unique else unique(ar1)
    return _chosen(a, np.flatnonzero(np.isin(value_of(a), value_of(_line(ar2)), invert=True)))


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Array:
    parts = (_line(ar1), _line(ar2)) if assume_unique else (unique(ar1), unique(ar2))
    both = concatenate(parts)
    values = value_of(both)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    differs = np.concatenate(([True], ordered[1:] != ordered[:-1], [True]))
    return _chosen(both, order[differs[1:] & differs[:-1]])
