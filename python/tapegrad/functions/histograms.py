"""np.histogram, histogram2d, histogramdd and bincount: sums of weights over bins. Counts are steps
in the data; derivatives go to the weights, and to bin edges that the data set. Called through the
registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core import Variable, apply
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    in_program,
    operand,
    reshaped,
    result_dtype,
    seen,
    shape_of,
)
from tapegrad.functions.registry import implements, plain
from tapegrad.functions.searching import searchsorted

__all__ = ["bincount", "histogram", "histogram2d", "histogramdd"]


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Array:
    places = seen(operand(x))
    if places.ndim != 1:
        raise ValueError("object too deep for desired array")
    if places.size and places.dtype.kind not in "iub":
        raise TypeError(f"Cannot cast array data from {places.dtype} to int64 by 'safe'")
    if places.size and np.min(places) < 0:
        raise ValueError("'list' argument must have no negative elements")
    length = max(int(np.max(places)) + 1 if places.size else 0, int(minlength))
    if weights is None:
        return _counts(places, length)
    w = operand(weights)
    if w.dtype.kind == "c":
        raise TypeError("Cannot cast array data from complex128 to float64 by 'safe'")
    if w.shape != places.shape:
        raise ValueError("The weights and list don't have the same length.")
    return _summed(as_dtype(w, float), places, length)


def _summed(weights: Array, places: Any, length: int) -> Array:
    return apply("scatter_add", (weights, as_dtype(places, np.int64)), (length,))


def _counts(places: Any, length: int) -> Array:
    if not isinstance(places, Variable):
        return np.bincount(np.asarray(places, np.int64), minlength=length)
    return as_dtype(_summed(np.ones(places.shape), places, length), np.int64)


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    a = operand(a)
    return _edges(reshaped(a, (a.size,)), bins, range, weights)


def _edges(a: Array, bins: Any, range: Any, weights: Any = None) -> Array:
    """The edges of the bins: given, or equidistant between the limits or the extreme data."""
    if isinstance(bins, str):
        # How many bins is a question about values.
        count = len(np.histogram_bin_edges(plain(a), bins, plain(range), plain(weights))) - 1
    elif len(shape_of(bins)):
        edges = operand(bins)
        if not np.all(np.diff(seen(edges)) >= 0):
            raise ValueError("`bins` must increase monotonically, when an array")
        return edges
    else:
        count = int(bins)
    if count < 1:
        raise ValueError("`bins` must be positive, when an integer")
    low, high = _limits(a, range)
    dtype = np.result_type(result_dtype(low, high, a))
    dtype = np.dtype(float) if dtype.kind in "biu" else dtype
    return np.linspace(low, high, count + 1, dtype=dtype)


def _limits(a: Array, range: Any) -> tuple[Any, Any]:
    if range is not None:
        low, high = range
        if seen(low) > seen(high):
            raise ValueError("max must be larger than min in range parameter.")
    elif a.size == 0:
        low, high = 0.0, 1.0
    else:
        low, high = np.min(a), np.max(a)
    if not (np.isfinite(seen(low)) and np.isfinite(seen(high))):
        raise ValueError("the range of the bins is not finite")
    return (low - 0.5, high + 0.5) if seen(low) == seen(high) else (low, high)


def _bins(a: Array, edges: Array) -> Any:
    """The bin of each element, from 1; 0 or one more than there are for those outside."""
    values, borders = seen(a), seen(edges)
    found = searchsorted(borders, values, "right")
    # The last bin includes its upper edge.
    return found - (values == borders[-1])


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Array, Array]:
    a = operand(a)
    w = None if weights is None else operand(weights)
    if w is not None:
        if w.shape != a.shape:
            raise ValueError("weights should have the same shape as a.")
        w = reshaped(w, (w.size,))
    a = reshaped(a, (a.size,))
    edges = _edges(a, bins, range, w)
    places, count = _bins(a, edges), edges.shape[0] - 1
    total = _counts(places, count + 2) if w is None else _weighed(w, places, count + 2)
    total = total[1:-1]
    if density:
        return total / as_dtype(np.diff(edges), float) / np.sum(total), edges
    return total, edges


def _weighed(w: Array, places: Any, length: int) -> Array:
    if w.dtype.kind in "biu" and not in_program(w):
        return _summed(as_dtype(w, float), places, length).astype(w.dtype)
    return _summed(w, places, length)


@implements(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Array, tuple[Array, ...]]:
    columns = _columns(sample)
    given = list(bins) if _are_several(bins) else [bins] * len(columns)
    if len(given) != len(columns):
        raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    limits = [None] * len(columns) if range is None else list(range)
    if len(limits) != len(columns):
        raise ValueError("range argument must have one entry per dimension")
    edges = tuple(_edges(a, b, r) for a, b, r in zip(columns, given, limits, strict=True))
    shape = [e.shape[0] + 1 for e in edges]
    places: Any = 0
    for a, e, n in zip(columns, edges, shape, strict=True):
        places = places * n + _bins(a, e)
    w = np.ones(columns[0].shape) if weights is None else as_dtype(operand(weights), float)
    total = reshaped(_summed(w, places, int(np.prod(shape))), shape)
    total = total[(slice(1, -1),) * len(columns)]
    return (_dense(total, edges) if density else total), edges


def _dense(total: Array, edges: Sequence[Array]) -> Array:
    """Shares of the whole per volume."""
    whole = np.sum(total)
    for k, e in enumerate(edges):
        widths = np.diff(e)
        axes = range(len(edges))
        total = total / reshaped(widths, [widths.size if i == k else 1 for i in axes])
    return total / whole


def _are_several(bins: Any) -> bool:
    return isinstance(bins, (list, tuple)) or getattr(bins, "ndim", 0) > 0


def _columns(sample: Any) -> list[Array]:
    """The coordinates: a matrix has one in each column, a sequence is one of coordinates."""
    if isinstance(sample, (list, tuple)):
        return [operand(column) for column in sample]
    x = operand(sample)
    x = reshaped(x, (x.size, 1)) if x.ndim == 1 else x
    return [x[:, k] for k in range(x.shape[1])]


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Array, Array, Array]:
    x, y = operand(x), operand(y)
    if x.shape != y.shape:
        raise ValueError("x and y must have the same length.")
    if _are_several(bins) and len(bins) != 2:
        bins = [bins[0], bins[0]] if len(bins) == 1 else [bins, bins]
    total, edges = histogramdd((as_inexact(x), as_inexact(y)), bins, range, density, weights)
    return total, edges[0], edges[1]
