"""Functions of shape whose results are views in NumPy, and so write through here: reshape to split.
Called through the registry and by methods.py."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tapegrad import _core, errors
from tapegrad._core import Variable
from tapegrad.functions.operands import (
    Array,
    Axis,
    axes_of,
    axis_of,
    like,
    operand,
    reshaped,
    shape_of,
    sliced,
    view,
)
from tapegrad.functions.registry import implements, on_metas

__all__ = [
    "broadcast_to",
    "expand_dims",
    "flip",
    "moveaxis",
    "ordered",
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "transpose",
]


def reshape_view(x: Array, shape: Sequence[int]) -> Array:
    """A reshape that writes through where NumPy's does: where the memory order allows a view."""
    return view(x, "reshape", shape)


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Array:
    x = operand(a)
    target = _full_shape(x, shape)
    if copy and isinstance(x, Variable):
        x = _core.copy(x, order != "C")
    if order == "F" or (order == "A" and not _stored_in_rows(x)):
        return _reversed(reshape_view(_reversed(x), target[::-1]))
    return reshape_view(x, target)


def _stored_in_rows(x: Array) -> bool:
    flags = ordered(x).flags
    return bool(flags.c_contiguous or not flags.f_contiguous)


def ordered(x: Array) -> Any:
    """A plain array of the shape and memory order of `x`; raises UnsupportedError where NumPy's
    order is not known."""
    if isinstance(x, Variable) and x._guessed and sum(n > 1 for n in x.shape) > 1:
        errors.memory_order()
    return like(x)


def _reversed(x: Array) -> Array:
    return view(x, "transpose", range(x.ndim)[::-1])


def _full_shape(x: Array, shape: Any) -> tuple[int, ...]:
    """The shape with a number in place of -1; raises ValueError as NumPy does."""
    wanted = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if -1 not in wanted:
        return wanted
    if wanted.count(-1) > 1:
        raise ValueError("can only specify one unknown dimension")
    known = math.prod(n for n in wanted if n != -1)
    if known == 0 or x.size % known:
        raise ValueError(f"cannot reshape array of size {x.size} into shape {wanted}")
    return tuple(x.size // known if n == -1 else n for n in wanted)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Array:
    x = operand(a)
    if order == "K":
        strides = ordered(x).strides
        x = view(x, "transpose", sorted(range(x.ndim), key=lambda k: -abs(strides[k])))
    elif order == "F" or (order == "A" and not _stored_in_rows(x)):
        x = _reversed(x)
    return view(x, "reshape", (x.size,), "ravel")


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Array:
    x = operand(a)
    if axes is None:
        permutation = tuple(range(x.ndim))[::-1]
    else:
        permutation = normalize_axis_tuple(axes, x.ndim)
        if len(permutation) != x.ndim:
            raise ValueError("axes don't match array")
    return view(x, "transpose", permutation)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    x = operand(a)
    order = list(range(x.ndim))
    i, j = axis_of(axis1, x.ndim), axis_of(axis2, x.ndim)
    order[i], order[j] = order[j], order[i]
    return view(x, "transpose", order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Array:
    x = operand(a)
    origin = normalize_axis_tuple(source, x.ndim, "source")
    target = normalize_axis_tuple(destination, x.ndim, "destination")
    if len(origin) != len(target):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [k for k in range(x.ndim) if k not in origin]
    for place, axis in sorted(zip(target, origin, strict=True)):
        order.insert(place, axis)
    return view(x, "transpose", order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    x = operand(a)
    axis = axis_of(axis, x.ndim)
    start = axis_of(start, x.ndim + 1)
    order = [k for k in range(x.ndim) if k != axis]
    order.insert(start - (start > axis), axis)
    return view(x, "transpose", order)


@implements(getattr(np, "matrix_transpose", None), getattr(np.linalg, "matrix_transpose", None))
def matrix_transpose(x: Any, /) -> Array:
    x = operand(x)
    if x.ndim < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {x.ndim}")
    return swapaxes(x, -1, -2)


@implements(np.squeeze)
def squeeze(a: Any, axis: Axis = None) -> Array:
    x = operand(a)
    dropped = axes_of(axis, x.ndim) if axis is not None else range(x.ndim)
    if axis is not None and any(x.shape[k] != 1 for k in dropped):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    shape = [n for k, n in enumerate(x.shape) if n != 1 or k not in dropped]
    return view(x, "reshape", shape)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Array:
    x = operand(a)
    new = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    added = normalize_axis_tuple(new, x.ndim + len(new))
    lengths = iter(x.shape)
    shape = [1 if k in added else next(lengths) for k in range(x.ndim + len(new))]
    return view(x, "reshape", shape)


def _at_least(x: Array, ndim: int) -> Array:
    if x.ndim >= ndim:
        return x
    if ndim == 3 and x.ndim == 2:
        shape = [*x.shape, 1]
    elif ndim == 3 and x.ndim == 1:
        shape = [1, x.size, 1]
    else:
        shape = [1] * (ndim - x.ndim) + list(x.shape)
    return view(x, "reshape", shape)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    return _each(arys, 1)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    return _each(arys, 2)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    return _each(arys, 3)


def _each(arrays: Sequence[Any], ndim: int) -> Any:
    results = tuple(_at_least(operand(a), ndim) for a in arrays)
    return results[0] if len(results) == 1 else results


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Array:
    del subok
    target = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(map(int, shape))
    return view(operand(array), "broadcast_to", target)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Array, ...]:
    arrays = [operand(a) for a in args]
    shape = np.broadcast_shapes(*(shape_of(a) for a in arrays))
    return tuple(broadcast_to(a, shape, subok) for a in arrays)


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Array, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    lines = [operand(x) for x in xi]
    ndim = len(lines)
    grids = []
    for k, line in enumerate(lines):
        # "xy" exchanges the first two axes.
        axis = 1 - k if indexing == "xy" and ndim > 1 and k < 2 else k
        grids.append(reshaped(line, [line.size if j == axis else 1 for j in range(ndim)]))
    if sparse:
        return tuple(grids)
    full = broadcast_arrays(*grids)
    return tuple(+grid for grid in full) if copy else full


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Array, ...]:
    grids = []
    for k, line in enumerate(map(_indices, args)):
        grids.append(reshape_view(line, [line.size if j == k else 1 for j in range(len(args))]))
    return tuple(grids)


def _indices(x: Any) -> Array:
    """One argument of `np.ix_`: a mask stands for the positions where it is true."""
    given = operand(x)
    if given.ndim != 1:
        raise ValueError("Cross index must be 1 dimensional")
    if given.dtype == bool:
        return np.nonzero(given)[0]
    # An empty list indexes like integers.
    return given if given.size or hasattr(x, "dtype") else given.astype(np.intp)


# Flips and parts --------------------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Axis = None) -> Array:
    x = operand(m)
    flipped = axes_of(axis, x.ndim)
    attrs: list[int] = []
    for k, n in enumerate(x.shape):
        attrs += (n - 1, -1, n) if k in flipped and n else (0, 1, n)
    return view(x, "slice", attrs)


@implements(np.flipud)
def flipud(m: Any) -> Array:
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Array:
    return flip(m, 1)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Array:
    first, second = axes
    x = operand(m)
    if axis_of(first, x.ndim) == axis_of(second, x.ndim):
        raise ValueError("Axes must be different.")
    k %= 4
    if k == 0:
        return flip(x, ())
    if k == 2:
        return flip(flip(x, first), second)
    if k == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    x = operand(ary)
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = int(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, extra = divmod(n, sections)
        cuts = [k * each + min(k, extra) for k in range(sections + 1)]
    else:
        cuts = [0, *(int(i) for i in indices_or_sections), n]
    parts = []
    for start, stop in itertools.pairwise(cuts):
        low, high, _ = slice(start, stop).indices(n)
        parts.append(sliced(x, axis, low, max(low, high), alias=True))
    return parts


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    if np.ndim(indices_or_sections) == 0 and shape_of(ary)[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    if len(shape_of(ary)) < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    if len(shape_of(ary)) == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if len(shape_of(ary)) > 1 else 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    if len(shape_of(ary)) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


@implements(getattr(np, "unstack", None))
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    first = moveaxis(x, axis, 0)
    return tuple(first[i] for i in range(first.shape[0]))


for function in (np.shares_memory, np.may_share_memory):
    implements(function)(on_metas(function))
