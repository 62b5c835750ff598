"""np.median, percentile, quantile and the forms that leave NaN out. Called through the registry.

Order statistics are gathered at positions that are found on values, so ties go by position, as in
np.sort. Between two of them a quantile is linear, in the data and in q.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    Axis,
    as_dtype,
    as_inexact,
    axes_of,
    axis_of,
    broadcast,
    deliver,
    operand,
    reshaped,
    seen,
    transposed,
    where,
)
from tapegrad.functions.reductions import absent
from tapegrad.functions.registry import implements
from tapegrad.functions.sorting import argsort

__all__ = ["median", "percentile", "quantile"]


# The lines along which order statistics are taken ------------------------------------------------


@dataclass
class Lines:
    """An array as lines along the reduced axes, and the order of each line, NaN last."""

    values: Array  # (lines, length)
    order: Array  # the same shape, int64
    axes: tuple[int, ...]
    shape: tuple[int, ...]  # of the whole array
    ignore_nan: bool

    @property
    def length(self) -> int:
        return int(self.values.shape[1])

    @property
    def count(self) -> Any:
        """How many elements count: a number, or with NaN left out one a line, (lines, 1)."""
        if not self.ignore_nan:
            return self.length
        return np.sum(~np.isnan(seen(self.values)), axis=1, keepdims=True)

    def at(self, places: Any) -> Array:
        """The elements at these places of the order; (k,) or (lines, k) gives (lines, k)."""
        lines, k = self.values.shape[0], places.shape[-1]
        first = np.arange(lines).reshape(-1, 1) * self.length
        picked = apply("gather", (self.order, broadcast(places + first, (lines, k))))
        return apply("gather", (self.values, picked + first))

    def laid_out(self, result: Array, q_shape: tuple[int, ...], keepdims: Any) -> Array:
        """(lines, k) as the axes of q followed by those of the array."""
        kept = keepdims is True or keepdims == 1
        rest = [
            1 if k in self.axes else n
            for k, n in enumerate(self.shape)
            if kept or k not in self.axes
        ]
        return reshaped(transposed(result, (1, 0)), [*q_shape, *rest])

    def or_nan(self, result: Array) -> Array:
        """The result, but NaN where a line has one, or has no other elements if NaN is left out."""
        if self.ignore_nan:
            return where(self.count == 0, np.asarray(np.nan, result.dtype), result)
        last = as_dtype(self.at(np.array([self.length - 1])), result.dtype)
        return where(np.isnan(seen(last)), last, result)


def _lines(a: Any, axis: Axis, ignore_nan: bool) -> Lines:
    x = as_inexact(operand(a))
    if x.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    axes = axes_of(axis, x.ndim)
    values = _as_lines(x, axes)
    return Lines(values, argsort(seen(values), -1), axes, x.shape, ignore_nan)


def _as_lines(x: Array, axes: tuple[int, ...]) -> Array:
    rest = [k for k in range(x.ndim) if k not in axes]
    length = int(np.prod([x.shape[k] for k in axes], dtype=int))
    count = int(np.prod([x.shape[k] for k in rest], dtype=int))
    return reshaped(transposed(x, [*rest, *axes]), (count, length))


# The median ---------------------------------------------------------------------------------------


@implements(np.median)
def median(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: Any = False,
) -> Array:
    del overwrite_input
    return deliver(_median(_lines(a, axis, False), keepdims), out, "median")


@implements(np.nanmedian)
def nanmedian(
    a: Any,
    axis: Axis = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: Any = False,
) -> Array:
    del overwrite_input
    return deliver(_median(_lines(a, axis, True), keepdims), out, "nanmedian")


def _median(lines: Lines, keepdims: Any) -> Array:
    if lines.length == 0:
        nothing: Array = np.full((lines.values.shape[0], 1), np.nan, lines.values.dtype)
        return lines.laid_out(nothing, (), keepdims)
    count = lines.count if lines.ignore_nan else np.array([lines.length])
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, lines.length - 1)
    # The mean of one infinity is that infinity.
    lower = lines.at(low)
    middle = where(low == high, lower, (lower + lines.at(high)) / 2)
    return lines.laid_out(lines.or_nan(middle), (), keepdims)


# Quantiles ----------------------------------------------------------------------------------------


def _at_levels(name: str, whole: int, ignore_nan: bool) -> Callable[..., Array]:
    """NumPy's function of this name, whose levels are parts of `whole`."""

    def function(
        a: Any,
        q: Any,
        axis: Axis = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
    ) -> Array:
        del overwrite_input
        result = _quantile(a, q, whole, axis, method, keepdims, weights, ignore_nan)
        return deliver(result, out, name)

    return function


quantile = implements(np.quantile)(_at_levels("quantile", 1, False))
percentile = implements(np.percentile)(_at_levels("percentile", 100, False))
implements(np.nanquantile)(_at_levels("nanquantile", 1, True))
implements(np.nanpercentile)(_at_levels("nanpercentile", 100, True))


def _quantile(
    a: Any,
    q: Any,
    whole: int,
    axis: Axis,
    method: str,
    keepdims: Any,
    weights: Any,
    ignore_nan: bool,
) -> Array:
    if not absent(weights) and method != "inverted_cdf":
        raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
    if method not in METHODS:
        raise ValueError(f"{method!r} is not a valid method. Use one of: {METHODS.keys()}")
    lines = _lines(a, axis, ignore_nan)
    # A Python number does not raise the precision of the data.
    data = lines.values.dtype
    levels = operand(q) if whole == 1 else operand(q) / data.type(whole)
    levels = as_inexact(levels)
    if type(q) in (int, float):
        levels = as_dtype(levels, data)
    if levels.ndim > 2:
        raise ValueError("q must be a scalar or 1d")
    if not np.all((seen(levels) >= 0) & (seen(levels) <= 1)):
        raise ValueError(
            f"{'Quantiles' if whole == 1 else 'Percentiles'} must be in the range [0, {whole}]"
        )
    flat = reshaped(levels, (levels.size,))
    if lines.length == 0:
        if lines.values.shape[0] and not ignore_nan:
            raise IndexError("index -1 is out of bounds for axis 0 with size 0")
        result: Array = np.full((lines.values.shape[0], flat.size), np.nan, data)
    elif absent(weights):
        result = lines.or_nan(METHODS[method](lines, flat))
    else:
        result = lines.or_nan(_weighted(lines, flat, operand(a), weights, axis))
    return lines.laid_out(result, levels.shape, keepdims)


def _weighted(lines: Lines, q: Array, a: Array, weights: Any, axis: Axis) -> Array:
    """The first element up to which the weights, in order, make up the share q of all."""
    spread = _weights_like(a, seen(operand(weights)), axis)
    ordered = apply("gather", (_as_lines(as_dtype(spread, float), lines.axes), _flat(lines)))
    if lines.ignore_nan:
        ordered = np.where(
            np.isnan(seen(apply("gather", (lines.values, _flat(lines))))), 0.0, ordered
        )
    if np.any(ordered < 0):
        raise ValueError("Weights must be non-negative.")
    share = np.cumsum(ordered, axis=1)
    share = share / share[:, -1:]
    if np.any(np.isnan(share[:, -1])):
        raise ValueError("Weights included NaN, inf or were all zero.")
    share = as_dtype(share, q.dtype)
    # Elements of weight zero in front do not count, not even for q = 0.
    before = (share[:, None, :] < seen(q)[:, None]) | (share[:, None, :] == 0)
    return lines.at(np.minimum(np.sum(before, axis=2), lines.length - 1))


def _flat(lines: Lines) -> Array:
    return lines.order + np.arange(lines.values.shape[0]).reshape(-1, 1) * lines.length


def _weights_like(a: Array, weights: Array, axis: Axis) -> Array:
    """Weights of the shape of `a`; fewer axes are those that `axis` names, in its order."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    order = [axis_of(k, a.ndim) for k in ([axis] if isinstance(axis, int) else axis)]
    if weights.shape != tuple(a.shape[k] for k in order):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    ascending = transposed(weights, [int(k) for k in np.argsort(order)])
    return broadcast(
        reshaped(ascending, [n if k in order else 1 for k, n in enumerate(a.shape)]), a.shape
    )


# Methods, as in R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages" (1996)


def _place(x: Array) -> Array:
    """Whole numbers as indices."""
    return as_dtype(seen(x), np.int64)


def _interpolated(lines: Lines, index: Array, share: Array) -> Array:
    """Linear between the elements around an index: by `share` from the lower to the higher one."""
    last = lines.count - 1
    below = np.floor(seen(index))
    low = np.clip(_place(below), 0, np.maximum(last, 0))
    high = np.clip(_place(below) + 1, 0, np.maximum(last, 0))
    high = np.where((seen(index) < 0) | (seen(index) >= last), low, high)
    a, b = lines.at(low), lines.at(high)
    step = b - a
    # As NumPy: from the nearer end, so that both ends are exact.
    return where(seen(share) >= 0.5, b - step * (1 - share), a + step * share)


def _continuous(index: Callable[[Any, Array], Array]) -> Callable[[Lines, Array], Array]:
    def quantiles(lines: Lines, q: Array) -> Array:
        h = index(_number(lines, q), q)
        return _interpolated(lines, h, h - np.floor(seen(h)))

    return quantiles


def _discrete(index: Callable[[Any, Array], Array]) -> Callable[[Lines, Array], Array]:
    def quantiles(lines: Lines, q: Array) -> Array:
        place = _place(index(_number(lines, q), seen(q)))
        return lines.at(np.clip(place, 0, lines.length - 1))

    return quantiles


def _number(lines: Lines, q: Array) -> Any:
    """The count in the dtype of q, in which NumPy computes indices."""
    count = lines.count
    return count if isinstance(count, int) else as_dtype(count, q.dtype)


def _between(alpha: float, beta: float) -> Callable[[Lines, Array], Array]:
    return _continuous(lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1)


def _averaged(lines: Lines, q: Array) -> Array:
    h = _number(lines, q) * seen(q) - 1
    share = np.where(h == np.floor(h), 0.5, 1.0)
    return _interpolated(lines, h, as_dtype(share, q.dtype))


def _midpoint(lines: Lines, q: Array) -> Array:
    h = (_number(lines, q) - 1) * seen(q)
    middle = 0.5 * (np.floor(h) + np.ceil(h))
    share = np.where(middle == np.floor(middle), 0.0, 0.5)
    return _interpolated(lines, middle, as_dtype(share, q.dtype))


def _closest(n: Any, q: Array) -> Array:
    """The nearest element; of two the one with the even rank."""
    h = n * q - 1.5
    below = np.floor(h)
    return np.where((h == below) & (below % 2 == 1), below, below + 1)


METHODS: dict[str, Callable[[Lines, Array], Array]] = {
    "inverted_cdf": _discrete(lambda n, q: np.ceil(n * q - 1)),
    "averaged_inverted_cdf": _averaged,
    "closest_observation": _discrete(_closest),
    "interpolated_inverted_cdf": _between(0, 1),
    "hazen": _between(0.5, 0.5),
    "weibull": _between(0, 0),
    "linear": _continuous(lambda n, q: (n - 1) * q),
    "median_unbiased": _between(1 / 3.0, 1 / 3.0),
    "normal_unbiased": _between(3 / 8.0, 3 / 8.0),
    "lower": _discrete(lambda n, q: np.floor((n - 1) * q)),
    "higher": _discrete(lambda n, q: np.ceil((n - 1) * q)),
    "midpoint": _midpoint,
    "nearest": _discrete(lambda n, q: np.rint((n - 1) * q)),
}
