"""np.emath: functions that give complex results where real ones do not exist. Which they are is a
question about values. And sliding_window_view. Called through the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tapegrad import errors
from tapegrad.functions.indexing import positions
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    gathered_view,
    is_complex,
    operand,
    seen,
    where,
)
from tapegrad.functions.registry import implements

__all__ = ["windows"]


def _where_defined(x: Any, is_outside: Callable[[Any], Any]) -> Array:
    """`x`, as complex numbers if any of them is outside of the domain."""
    x = as_inexact(operand(x))
    if is_complex(x) or not np.any(is_outside(seen(x))):
        return x
    return as_dtype(x, complex)


def _negative(x: Any) -> Any:
    return x < 0


def _beyond_one(x: Any) -> Any:
    return np.abs(x) > 1


def _extend(name: str, is_outside: Callable[[Any], Any]) -> None:
    function = getattr(np, name)

    def call(x: Any) -> Array:
        return function(_where_defined(x, is_outside))

    implements(getattr(np.emath, name))(call)


for _name in ("sqrt", "log", "log2", "log10"):
    _extend(_name, _negative)
_extend("arctanh", _beyond_one)


def _inverse(name: str, sign: int) -> None:
    """arcsin and arccos, whose real numbers beyond 1 lie on a branch cut: there the imaginary part
    is sign * arccosh(|x|) and the real part constant."""
    function = getattr(np, name)

    def call(x: Any) -> Array:
        x = as_inexact(operand(x))
        if is_complex(x) or not np.any(_beyond_one(seen(x))):
            return function(x)
        beyond = np.abs(seen(x)) > 1
        real = function(where(beyond, np.sign(seen(x)), x))
        return real + 1j * sign * np.arccosh(where(beyond, np.abs(x), 1.0))

    implements(getattr(np.emath, name))(call)


_inverse("arcsin", 1)
_inverse("arccos", -1)


@implements(np.emath.logn)
def logn(n: Any, x: Any) -> Array:
    return np.log(_where_defined(x, _negative)) / np.log(_where_defined(n, _negative))


@implements(np.emath.power)
def power(x: Any, p: Any) -> Array:
    return np.power(_where_defined(x, _negative), operand(p))


@implements(sliding_window_view)
def windows(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Array:
    del subok
    if writeable:
        errors.unsupported(
            "sliding_window_view(writeable=True) would write through overlapping windows",
            "write to the array itself",
        )
    x = operand(x)
    return gathered_view(x, sliding_window_view(positions(x.shape), window_shape, axis))
