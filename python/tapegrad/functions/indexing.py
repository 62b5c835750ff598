"""Which elements an index takes, as flat C-order positions: the extension asks for keys with masks
and integer arrays. And the functions that only move elements, told by where they move positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tapegrad._core import Variable, apply
from tapegrad.functions.operands import Array, as_dtype, in_program, operand, reshaped
from tapegrad.functions.registry import plain

Positions = npt.NDArray[np.int64]

# Below this size NumPy itself indexes the positions of all elements.
SMALL = 4096

__all__ = ["flat_indices", "in_bounds", "last_writes", "moved", "positions"]


def positions(shape: Sequence[int]) -> Positions:
    """The flat position of each element."""
    return np.arange(_size(shape), dtype=np.int64).reshape(shape)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def flat_indices(shape: tuple[int, ...], key: Any) -> Any:
    """The flat positions that `x[key]` takes from an `x` of this shape, in the shape it takes them:
    a plain array, in programs a recorded one for integers that are recorded.

    Raises IndexError as NumPy does.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if in_program(*parts) and len(parts) <= len(shape) and all(map(_is_integral, parts)):
        return _recorded_indices(shape, parts)
    key = plain(key)
    if _size(shape) <= SMALL:
        return np.asarray(positions(shape)[key], np.int64)
    parts = tuple(_array_part(part) for part in (key if isinstance(key, tuple) else (key,)))
    first = parts[0] if parts else None
    if len(parts) == 1 and isinstance(first, np.ndarray):
        if first.dtype == bool:
            if first.shape == shape and first.ndim:
                return np.flatnonzero(first)
        elif shape:
            return _rows(first, shape)
    elif len(parts) == len(shape) and all(_is_integers(part) for part in parts):
        return _points(parts, shape)
    return _general(shape, parts)


def _is_integral(part: Any) -> bool:
    return part.dtype == np.int64 if isinstance(part, Variable) else _is_integers(part)


def _recorded_indices(shape: tuple[int, ...], parts: Sequence[Any]) -> Array:
    """Integer arrays, some of them recorded, on the first axes."""
    flat: Any = 0
    for axis, (part, n) in enumerate(zip(parts, shape, strict=False)):
        flat = flat * n + in_bounds(part, n, axis)
    inner = shape[len(parts) :]
    if not inner:
        return flat
    return flat.reshape(flat.shape + (1,) * len(inner)) * _size(inner) + positions(inner)


def in_bounds(indices: Any, n: int, axis: int) -> Any:
    """Indices into an axis of length n, plain or recorded; negative ones count from the end."""
    if not isinstance(indices, Variable):
        return _normal(indices, n, axis)
    # A program goes on only while this holds: out of bounds a flat index would hit another row.
    if not np.all((indices >= -n) & (indices < n)):
        raise IndexError(f"an index is out of bounds for axis {axis} with size {n}")
    return np.where(indices < 0, indices + n, indices)


def _array_part(part: Any) -> Any:
    """Lists as arrays; an empty list indexes like integers."""
    if isinstance(part, (list, range)):
        array = np.asarray(part)
        return array.astype(np.int64) if array.size == 0 else array
    return part


def _is_integers(part: Any) -> bool:
    if isinstance(part, np.ndarray):
        return part.dtype.kind in "iu"
    return isinstance(part, (int, np.integer)) and not isinstance(part, bool)


def _normal(indices: Any, n: int, axis: int) -> Positions:
    """Indices into an axis of length n with negative ones counted from the end."""
    array = np.asarray(indices)
    if array.dtype.kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    result = array.astype(np.int64)
    if result.size and (result.min() < -n or result.max() >= n):
        wrong = result[(result < -n) | (result >= n)].ravel()[0]
        raise IndexError(f"index {wrong} is out of bounds for axis {axis} with size {n}")
    return np.where(result < 0, result + n, result)


def _rows(indices: Any, shape: tuple[int, ...]) -> Positions:
    """One integer array on the first axis."""
    rows = _normal(indices, shape[0], 0)
    inner = shape[1:]
    if not inner:
        return rows
    return rows.reshape(rows.shape + (1,) * len(inner)) * _size(inner) + positions(inner)


def _points(parts: Sequence[Any], shape: tuple[int, ...]) -> Positions:
    """Integer arrays for all axes."""
    flat: Any = np.int64(0)
    for axis, (part, n) in enumerate(zip(parts, shape, strict=True)):
        flat = flat * n + _normal(part, n, axis)
    return np.asarray(flat, np.int64)


def _general(shape: tuple[int, ...], parts: tuple[Any, ...]) -> Positions:
    """NumPy itself indexes; along each axis the positions are an array that takes no memory."""
    if len(shape) < 2:
        return np.asarray(positions(shape)[parts], np.int64)
    flat: Any = 0
    stride = 1
    for axis in reversed(range(len(shape))):
        line = np.arange(shape[axis], dtype=np.int64) * stride
        line = line.reshape([-1 if k == axis else 1 for k in range(len(shape))])
        flat = flat + np.broadcast_to(line, shape)[parts]
        stride *= shape[axis]
    return np.asarray(flat, np.int64)


def last_writes(indices: Positions) -> Positions | None:
    """Of several writes to one element the last one counts: which entries (in C order) to keep, or
    None if the indices are distinct."""
    flat = indices.ravel()
    if flat.size < 2 or bool((flat[1:] > flat[:-1]).all()):
        return None
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    return None if last.all() else np.sort(order[last])


def moved(function: Callable[..., Any], *arrays: Any) -> Array:
    """`function(*arrays)` for a function that only moves or repeats elements: it is run on
    positions in the row of all elements, then those are gathered."""
    operands = [operand(a) for a in arrays]
    dtype = np.result_type(*(a.dtype for a in operands))
    places, lines, start = [], [], 0
    for a in operands:
        places.append(positions(a.shape) + start)
        lines.append(reshaped(as_dtype(a, dtype), (a.size,)))
        start += a.size
    row = lines[0] if len(lines) == 1 else apply("concatenate", lines, (0,))
    taken = np.asarray(function(*places), np.int64)
    return apply("gather", (row, taken))


def integer_argument(x: Any) -> Any:
    """Indices given as a Variable count as their values."""
    return plain(x)
