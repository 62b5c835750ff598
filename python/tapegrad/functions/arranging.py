"""New arrays from the elements of one: tile, repeat, roll, triangles, diagonals, take and its
relatives. Called through the registry and by methods.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.indexing import in_bounds, integer_argument, moved, positions
from tapegrad.functions.operands import (
    Array,
    Axis,
    as_dtype,
    axes_of,
    axis_of,
    broadcast,
    deliver,
    gathered_view,
    in_program,
    operand,
    reshaped,
    seen,
    value_of,
    where,
)
from tapegrad.functions.reductions import sum as total
from tapegrad.functions.registry import implements, plain

__all__ = ["compress", "diagonal", "repeat", "roll", "take", "take_along_axis", "tile", "trace"]


# Repeating and rolling --------------------------------------------------------------------------


@implements(np.tile)
def tile(A: Any, reps: Any) -> Array:
    counts = [int(reps)] if np.ndim(reps) == 0 else [int(n) for n in reps]
    x = operand(A)
    ndim = max(x.ndim, len(counts))
    counts = [1] * (ndim - len(counts)) + counts
    shape = [1] * (ndim - x.ndim) + list(x.shape)
    apart = [n for pair in zip([1] * ndim, shape, strict=True) for n in pair]
    spread = [n for pair in zip(counts, shape, strict=True) for n in pair]
    result = [c * n for c, n in zip(counts, shape, strict=True)]
    return apply("reshape", (broadcast(reshaped(x, apart), spread),), result)


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Array:
    x = operand(a)
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    axis = axis_of(axis, x.ndim)
    counts = np.asarray(plain(repeats))
    if counts.size != 1:
        lines = np.repeat(np.arange(x.shape[axis]), counts)
        return take(x, lines, axis)
    count = int(counts.ravel()[0])
    if count < 0:
        raise ValueError("repeats may not contain negative values.")
    before, after = list(x.shape[: axis + 1]), list(x.shape[axis + 1 :])
    spread = broadcast(reshaped(x, [*before, 1, *after]), [*before, count, *after])
    return apply("reshape", (spread,), [*before[:-1], before[-1] * count, *after])


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Axis = None) -> Array:
    x = operand(a)
    if axis is None:
        row = apply("roll", (reshaped(x, (x.size,)),), (int(np.sum(shift)),))
        return reshaped(row, x.shape)
    pairs = np.broadcast(shift, axis)
    if pairs.ndim > 1:
        raise ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    shifts = [0] * x.ndim
    for by, k in pairs:
        shifts[axis_of(k, x.ndim)] += int(by)
    return apply("roll", (x,), shifts)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Array:
    if operand(a).size == 0:  # of nothing NumPy makes zeros
        return np.zeros_like(a, shape=new_shape)
    return moved(lambda p: np.resize(p, new_shape), a)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Array:
    return moved(lambda p: np.delete(p, plain(obj), axis), arr)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    x = operand(arr)
    added = as_dtype(operand(values), x.dtype)
    return moved(lambda p, v: np.insert(p, plain(obj), v, axis), x, added)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Axis = None) -> Array:
    x = operand(filt)
    if trim.lower() not in ("fb", "bf", "f", "b"):
        raise ValueError(f"unexpected character(s) in `trim`: {trim.lower()!r}")
    filled = np.argwhere(value_of(seen(x) != 0))
    cut = [slice(None)] * x.ndim
    for k in axes_of(axis, x.ndim):
        if len(filled) == 0:
            cut[k] = slice(0, 0)
            continue
        low, high = int(filled[:, k].min()), int(filled[:, k].max()) + 1
        cut[k] = slice(low if "f" in trim.lower() else None, high if "b" in trim.lower() else None)
    return x[tuple(cut)]


# Triangles and diagonals ------------------------------------------------------------------------


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Array:
    m = operand(m)
    return where(np.tri(*_matrix_shape(m), k=k, dtype=bool), m, np.zeros((), m.dtype))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Array:
    m = operand(m)
    return where(np.tri(*_matrix_shape(m), k=k - 1, dtype=bool), np.zeros((), m.dtype), m)


def _matrix_shape(m: Array) -> tuple[int, int]:
    # One row makes a square, as np.tril does.
    return (m.shape[-2], m.shape[-1]) if m.ndim > 1 else (m.shape[0], m.shape[0])


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """A read-only view, as NumPy's."""
    x = operand(a)
    if x.ndim != 2:
        return gathered_view(x, np.diagonal(positions(x.shape), offset, axis1, axis2))
    if axis_of(axis1, 2) > axis_of(axis2, 2):
        offset = -offset
    rows, columns = x.shape
    row, column = max(-offset, 0), max(offset, 0)
    length = max(min(rows - row, columns - column), 0)
    return gathered_view(x, np.arange(length) * (columns + 1) + row * columns + column)


@implements(getattr(np.linalg, "diagonal", None))
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Array:
    return diagonal(x, offset, -2, -1)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Array:
    return total(diagonal(a, offset, axis1, axis2), -1, dtype, out)


@implements(getattr(np.linalg, "trace", None))
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return trace(x, offset, -2, -1, dtype)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Array:
    v = operand(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    n = v.size + abs(k)
    rows = np.arange(v.size) + max(-k, 0)
    return apply("scatter_add", (v, rows * n + rows + k), (n, n))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Array:
    v = operand(v)
    return diag(reshaped(v, (v.size,)), k)


# Taking -----------------------------------------------------------------------------------------


@implements(np.take)
def take(
    a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise"
) -> Array:
    x = operand(a)
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    axis = axis_of(axis, x.ndim)
    if in_program(indices) and mode == "raise" and indices.dtype == np.int64:
        lines = in_bounds(indices, x.shape[axis], axis)
        return deliver(_lines_taken(x, lines, axis), out, "take")
    lines = np.take(np.arange(x.shape[axis]), integer_argument(indices), mode=mode)  # type: ignore[call-overload]
    return deliver(_lines_taken(x, np.asarray(lines), axis), out, "take")


def _lines_taken(x: Array, lines: Any, axis: int) -> Array:
    """`lines` (any shape) of x along the axis."""
    inner = int(np.prod(x.shape[axis + 1 :]))
    outer = int(np.prod(x.shape[:axis]))
    start = np.arange(outer)[:, None, None] * (x.shape[axis] * inner)
    flat = start + lines.reshape(1, -1, 1) * inner + np.arange(inner)
    shape = (*x.shape[:axis], *lines.shape, *x.shape[axis + 1 :])
    return apply("gather", (x, flat.reshape(shape).astype(np.int64)))


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Array:
    if not in_program(indices) or indices.dtype != np.int64:
        return moved(lambda p: np.take_along_axis(p, integer_argument(indices), axis), arr)
    x = operand(arr)
    if axis is None:
        x, axis = reshaped(x, (x.size,)), 0
    axis = axis_of(axis, x.ndim)
    first = np.take(positions(x.shape), [0], axis)
    lines = in_bounds(indices, x.shape[axis], axis)
    return apply("gather", (x, first + lines * int(np.prod(x.shape[axis + 1 :]))))


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Array:
    taken = moved(lambda p: np.compress(plain(condition), p, axis), a)
    return deliver(taken, out, "compress")


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Array:
    return moved(lambda p: np.extract(plain(condition), p), arr)
