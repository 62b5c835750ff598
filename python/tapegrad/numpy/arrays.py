"""Functions that make arrays, for tapegrad.numpy. Inside a recording their floating-point results
can be assigned recorded values, and sequences may hold recorded numbers; else they are NumPy's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core import Variable, recording
from tapegrad.functions import joining
from tapegrad.functions.operands import (
    Array,
    assemble,
    fresh,
    has_variable,
    reshaped,
)
from tapegrad.functions.shapes import ordered, reshape_view

__all__ = [
    "arange",
    "array",
    "asanyarray",
    "asarray",
    "ascontiguousarray",
    "asfortranarray",
    "block",
    "column_stack",
    "concatenate",
    "dstack",
    "empty",
    "eye",
    "fromfunction",
    "fromiter",
    "full",
    "hstack",
    "identity",
    "ones",
    "stack",
    "tri",
    "vstack",
    "zeros",
]


def _recordable(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with a result that recorded values can be assigned to, inside a recording."""

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Array:
        result = function(*args, **kwargs)
        return _writable(result) if recording() else result

    return make


def _writable(array: Any) -> Array:
    """`fresh`, also for arrays without axes: a recorded number is none that could be assigned to,
    but a view of one element is."""
    if array.ndim:
        return fresh(array)
    line = fresh(array.reshape(1))
    return reshape_view(line, ()) if isinstance(line, Variable) else array


zeros = _recordable(np.zeros)
ones = _recordable(np.ones)
empty = _recordable(np.empty)
eye = _recordable(np.eye)
identity = _recordable(np.identity)
arange = _recordable(np.arange)
tri = _recordable(np.tri)


def full(shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Array:
    """np.full; the fill value may be recorded."""
    if not has_variable(fill_value):
        return _recordable(np.full)(shape, fill_value, dtype, **kwargs)
    number = assemble(fill_value, dtype)
    result = fresh(np.empty(shape, number.dtype, **kwargs))
    result[...] = number
    return result


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    ndmin: int = 0,
    **kwargs: Any,
) -> Array:
    """np.array of nested sequences that may contain recorded numbers and arrays."""
    if not has_variable(object):
        result = np.array(object, dtype, copy=copy, ndmin=ndmin, **kwargs)
        return fresh(result) if recording() else result
    result = assemble(object, dtype)
    if isinstance(object, Variable) and copy:
        result = +result
    return reshaped(result, (1,) * max(ndmin - result.ndim, 0) + result.shape)


def asarray(a: Any, dtype: Any = None, order: Any = None, **kwargs: Any) -> Array:
    """np.asarray; a recorded array stays the one it is."""
    if not has_variable(a):
        result = np.asarray(a, dtype, order, **kwargs)
        # An array of the caller's stays the caller's: writes to it must be seen there.
        return result if result is a or not recording() else fresh(result)
    if kwargs.pop("copy", None):
        return array(a, dtype)
    return assemble(a, dtype)


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None, **kwargs: Any) -> Array:
    """np.ascontiguousarray: the value itself, or a copy if it lies in another order."""
    result = asarray(a, dtype, "C", **kwargs)
    if isinstance(result, Variable) and not ordered(result).flags.c_contiguous:
        result = result.copy()
    return reshaped(result, (1,)) if result.ndim == 0 else result


def asfortranarray(a: Any, dtype: Any = None, **kwargs: Any) -> Array:
    """np.asfortranarray: the value itself, or a copy if it lies in another order."""
    result = asarray(a, dtype, "F", **kwargs)
    if isinstance(result, Variable) and not ordered(result).flags.f_contiguous:
        result = result.copy("F")
    return result


def fromiter(iter: Any, dtype: Any, count: int = -1, **kwargs: Any) -> Array:
    """np.fromiter of numbers that may be recorded."""
    items = list(iter) if count < 0 else [item for item, _ in zip(iter, range(count), strict=False)]
    return array(items, dtype) if has_variable(items) else np.fromiter(items, dtype, **kwargs)


def fromfunction(function: Any, shape: Any, *, dtype: Any = float, **kwargs: Any) -> Array:
    """np.fromfunction; the function may return recorded arrays."""
    return function(*np.indices(shape, dtype=dtype), **kwargs)


def _of_sequences(function: Callable[..., Any]) -> Callable[..., Any]:
    """A joining function whose parts may be nested sequences with recorded numbers in them."""
    original = getattr(np, function.__name__)

    @functools.wraps(original)
    def join(arrays: Any, *args: Any, **kwargs: Any) -> Array:
        if has_variable(arrays) or any(isinstance(a, Variable) for a in kwargs.values()):
            return function(arrays, *args, **kwargs)
        result = original(arrays, *args, **kwargs)
        return fresh(result) if recording() else result

    return join


concatenate = _of_sequences(joining.concatenate)
stack = _of_sequences(joining.stack)
vstack = _of_sequences(joining.vstack)
hstack = _of_sequences(joining.hstack)
dstack = _of_sequences(joining.dstack)
column_stack = _of_sequences(joining.column_stack)
block = _of_sequences(joining.block)
