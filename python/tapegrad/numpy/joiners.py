"""`r_` and `c_` for tapegrad.numpy: NumPy's own convert their parts to plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions.joining import concatenate
from tapegrad.functions.operands import Array, has_variable, operand, reshaped

__all__ = ["c_", "r_"]


class Joiner:
    """`joiner[a, b, 2.0, 0:5]`: the parts one after the other along an axis.

    Each part gets at least `ndmin` axes; `trans1d` says where the axis of a 1-D part goes. A first
    part such as "0,2" or "0,2,-1" sets axis, ndmin and trans1d.
    """

    def __init__(self, plain: Any, axis: int, ndmin: int, trans1d: int) -> None:
        self._plain = plain
        self._axis, self._ndmin, self._trans1d = axis, ndmin, trans1d

    def __getitem__(self, key: Any) -> Array:
        parts = list(key) if isinstance(key, tuple) else [key]
        if not has_variable(parts):
            return self._plain[key]
        axis, ndmin, trans1d = self._axis, self._ndmin, self._trans1d
        if isinstance(parts[0], str):
            numbers = [int(n) for n in parts.pop(0).split(",")]
            axis, ndmin, trans1d = (
                (*numbers, axis, ndmin, trans1d)[:3]
                if len(numbers) == 3
                else ((*numbers, trans1d) if len(numbers) == 2 else (numbers[0], ndmin, trans1d))
            )
        return concatenate([_placed(_line(part), ndmin, trans1d) for part in parts], axis)


def _line(part: Any) -> Array:
    """A slice as the numbers it names: with an imaginary step, that many equidistant ones."""
    if not isinstance(part, slice):
        x = operand(part)
        return reshaped(x, (1,)) if x.ndim == 0 else x
    start, step = part.start or 0, 1 if part.step is None else part.step
    if isinstance(step, complex):
        return np.linspace(start, part.stop, int(abs(step)))
    return np.arange(start, part.stop, step)


def _placed(x: Array, ndmin: int, trans1d: int) -> Array:
    added = ndmin - x.ndim
    if added <= 0:
        return x
    # The axes of x begin at trans1d; -1 puts them last.
    first = trans1d % (added + 1)
    return reshaped(x, (1,) * first + x.shape + (1,) * (added - first))


r_ = Joiner(np.r_, 0, 1, -1)
c_ = Joiner(np.c_, -1, 2, 0)
