"""Differences and the trapezoidal rule: np.diff, ediff1d, gradient, trapezoid. Called through
the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad.functions.operands import (
    Array,
    Axis,
    as_dtype,
    as_inexact,
    axis_of,
    broadcast,
    joined,
    operand,
    reshaped,
    shape_of,
    sliced,
)
from tapegrad.functions.reductions import absent, reduced
from tapegrad.functions.registry import implements

__all__ = ["diff", "ediff1d", "gradient", "trapezoid"]


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    a = operand(a)
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = axis_of(axis, a.ndim)
    parts = [_border(prepend, a, axis), a, _border(append, a, axis)]
    a = joined([part for part in parts if part is not None], axis)
    for _ in range(n):
        length = a.shape[axis]
        a = sliced(a, axis, min(1, length), length) - sliced(a, axis, 0, max(length - 1, 0))
    return a


def _border(part: Any, a: Array, axis: int) -> Array | None:
    if absent(part):
        return None
    part = operand(part)
    if part.ndim == 0:
        part = broadcast(part, [1 if k == axis else n for k, n in enumerate(a.shape)])
    return part


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    x = operand(ary)
    parts = [to_begin, diff(reshaped(x, (x.size,))), to_end]
    lines = [reshaped(p, (p.size,)) for p in (operand(p) for p in parts if p is not None)]
    return joined(lines, 0)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    y = operand(y)
    axis = axis_of(axis, y.ndim)
    if x is None:
        steps = dx
    elif len(shape_of(x)) == 1:
        steps = diff(x)
        steps = reshaped(steps, [steps.size if k == axis else 1 for k in range(y.ndim)])
    else:
        steps = diff(x, axis=axis)
    n = y.shape[axis]
    pairs = sliced(y, axis, min(1, n), n) + sliced(y, axis, 0, max(n - 1, 0))
    return reduced("sum", steps * pairs / 2.0, axis, False)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    f = as_inexact(operand(f))
    axes: Sequence[int] = (
        range(f.ndim)
        if axis is None
        else (
            [axis_of(axis, f.ndim)] if isinstance(axis, int) else [axis_of(k, f.ndim) for k in axis]
        )
    )
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    results = tuple(
        as_dtype(_slopes(f, spacing, k, edge_order), f.dtype)
        for k, spacing in zip(axes, _spacings(f, varargs, axes), strict=True)
    )
    return results[0] if len(results) == 1 else results


def _spacings(f: Array, varargs: Sequence[Any], axes: Sequence[int]) -> list[Any]:
    """One spacing for each axis: a number, or an array of the distances between points."""
    if len(varargs) == 0:
        return [1.0] * len(axes)
    if len(varargs) == 1 and len(shape_of(varargs[0])) == 0:
        return [varargs[0]] * len(axes)
    if len(varargs) != len(axes):
        raise TypeError("invalid number of arguments")
    spacings: list[Any] = []
    for given, k in zip(varargs, axes, strict=True):
        points = operand(given)
        if points.ndim == 0:
            spacings.append(given)
            continue
        if points.ndim != 1:
            raise ValueError("distances must be either scalars or 1d")
        if points.size != f.shape[k]:
            raise ValueError(
                "when 1d, distances must match the length of the corresponding dimension"
            )
        spacings.append(diff(as_inexact(points)))
    return spacings


def _slopes(f: Array, spacing: Any, axis: int, edge_order: int) -> Array:
    """Second-order differences inside, one-sided ones of `edge_order` at both ends."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, "
            "at least (edge_order + 1) elements are required."
        )
    if isinstance(spacing, np.ndarray) and spacing.ndim and len(set(spacing.tolist())) == 1:
        spacing = spacing[0]

    def at(i: int) -> Array:
        return sliced(f, axis, i, i + 1)

    def step(i: int) -> Any:
        return spacing if len(shape_of(spacing)) == 0 else spacing[i]

    low, mid, high = (sliced(f, axis, k, max(n - 2 + k, k)) for k in range(3))
    if len(shape_of(spacing)) == 0:
        inside = (high - low) / (2.0 * spacing)
    else:
        shape = [n - 2 if k == axis else 1 for k in range(f.ndim)]
        h0, h1 = reshaped(spacing[:-1], shape), reshaped(spacing[1:], shape)
        a, b, c = -h1 / (h0 * (h0 + h1)), (h1 - h0) / (h0 * h1), h0 / (h1 * (h0 + h1))
        inside = a * low + b * mid + c * high
    if edge_order == 1:
        first, last = (at(1) - at(0)) / step(0), (at(n - 1) - at(n - 2)) / step(-1)
    else:
        first = _edge(at(0), at(1), at(2), step(0), step(min(1, n - 2)))
        last = -_edge(at(n - 1), at(n - 2), at(n - 3), step(-1), step(-2))
    return joined([first, inside, last], axis)


def _edge(f0: Array, f1: Array, f2: Array, h0: Any, h1: Any) -> Array:
    """The derivative at the first of three points a distance h0 and h1 apart."""
    a, b, c = -(2.0 * h0 + h1) / (h0 * (h0 + h1)), (h0 + h1) / (h0 * h1), -h0 / (h1 * (h0 + h1))
    return a * f0 + b * f1 + c * f2
