"""np.polyval and np.vander. Called through the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions.operands import (
    Array,
    as_dtype,
    dtype_of,
    operand,
    reshaped,
    shape_of,
    where,
)
from tapegrad.functions.registry import implements

__all__ = ["polyval", "vander"]


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Array:
    coefficients = operand(p)
    x = operand(x)
    result: Array = np.zeros(shape_of(x), x.dtype)
    for k in range(coefficients.shape[0]):
        result = result * x + coefficients[k]
    return result


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    # Powers are taken in a dtype that holds integers, as NumPy does.
    x = as_dtype(operand(x), np.promote_types(dtype_of(x), int))
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    n = x.size if N is None else N
    powers = np.arange(n)[:: 1 if increasing else -1]
    # The power 0 is 1 with slope 0 for every x.
    raised = reshaped(x, (x.size, 1)) ** np.where(powers == 0, 1, powers).astype(x.dtype)
    return where(powers == 0, np.ones((), x.dtype), raised)
