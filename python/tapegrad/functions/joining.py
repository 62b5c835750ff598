"""concatenate, the stacks, append, block. Called through the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.creation import copy
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    axis_of,
    deliver,
    operand,
    reshaped,
)
from tapegrad.functions.registry import implements
from tapegrad.functions.shapes import atleast_1d, atleast_2d, atleast_3d

__all__ = ["append", "block", "concatenate", "stack"]


@implements(np.concatenate)
def concatenate(
    arrays: Any,
    /,
    axis: int | None = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Array:
    parts = [operand(a) for a in arrays]
    if not parts:
        raise ValueError("need at least one array to concatenate")
    if axis is None:
        parts, axis = [reshaped(p, (p.size,)) for p in parts], 0
    elif any(p.ndim == 0 for p in parts):
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    if dtype is not None:
        for p in parts:
            if not np.can_cast(p.dtype, dtype, casting):  # type: ignore[arg-type]
                raise TypeError(f"Cannot cast array data from {p.dtype} to {np.dtype(dtype)}")
        parts = [as_dtype(p, dtype) for p in parts]
    if len({p.ndim for p in parts}) != 1:
        found = ", ".join(str(p.shape) for p in parts)
        raise ValueError(f"concatenate: the parts must have one number of axes, got {found}")
    result = apply("concatenate", parts, (axis_of(axis, parts[0].ndim),))
    return result if out is None else deliver(result, out, "concatenate")


@implements(np.stack)
def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Array:
    parts = [operand(a) for a in arrays]
    if not parts:
        raise ValueError("need at least one array to stack")
    if len({p.shape for p in parts}) != 1:
        raise ValueError("all input arrays must have the same shape")
    axis = axis_of(axis, parts[0].ndim + 1)
    if parts[0].ndim == 0 and dtype is None:
        # The op stacks numbers as they are.
        return deliver(apply("concatenate", parts, (0,)), out, "stack")
    shape = (*parts[0].shape[:axis], 1, *parts[0].shape[axis:])
    return concatenate([reshaped(p, shape) for p in parts], axis, out, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    return concatenate([atleast_2d(a) for a in tup], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    parts = [atleast_1d(a) for a in tup]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return concatenate(parts, axis, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Array:
    return concatenate([atleast_3d(a) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Array:
    parts = [operand(a) for a in tup]
    return concatenate([p if p.ndim >= 2 else reshaped(p, (p.size, 1)) for p in parts], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    return concatenate((arr, values), axis)


@implements(np.block)
def block(arrays: Any) -> Array:
    depth = _depth(arrays)
    if depth == 0:
        return copy(arrays)
    ndim = max(depth, *(leaf.ndim for leaf in _blocks(arrays)))
    return _joined_block(arrays, depth, ndim)


def _depth(arrays: Any) -> int:
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) else 0


def _blocks(arrays: Any) -> list[Array]:
    if not isinstance(arrays, list):
        return [operand(arrays)]
    return [leaf for part in arrays for leaf in _blocks(part)]


def _joined_block(arrays: Any, depth: int, ndim: int) -> Array:
    """Lists of depth d are joined along the d-th last axis."""
    if depth == 0:
        x = operand(arrays)
        return reshaped(x, (1,) * (ndim - x.ndim) + x.shape)
    return concatenate([_joined_block(part, depth - 1, ndim) for part in arrays], -depth)
