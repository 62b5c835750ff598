"""Generalised ufuncs: matmul, vecdot, matvec, vecmat with axis=, axes=, keepdims=. Called through
ufuncs.CALLS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import Array, operand
from tapegrad.functions.ufuncs import CALLS

__all__ = ["along"]

Core = Callable[[Array, Array], Array]


def along(core: Core) -> Callable[..., Any]:
    """`core`, which works on the last axes, with NumPy's axis, axes and keepdims."""

    def apply_along(
        a: Any, b: Any, *, axes: Any = None, axis: int | None = None, keepdims: bool = False
    ) -> Array:
        a, b = operand(a), operand(b)
        if axis is not None:
            axes = [axis, axis, axis] if keepdims else [axis, axis]
        if axes is None:
            result = core(a, b)
            return np.expand_dims(result, -1) if keepdims else result
        places = [(k,) if isinstance(k, int) else tuple(k) for k in axes]
        result = core(_to_last(a, places[0]), _to_last(b, places[1]))
        if keepdims:
            result = np.expand_dims(result, -1)
        if len(places) < 3 or not places[2]:
            return result
        return np.moveaxis(result, range(-len(places[2]), 0), places[2])

    return apply_along


def _to_last(x: Array, axes: tuple[int, ...]) -> Array:
    return np.moveaxis(x, axes, range(-len(axes), 0))


def _matmul(a: Array, b: Array) -> Array:
    return apply("matmul", (a, b))


def _vecdot(a: Array, b: Array) -> Array:
    return apply("matmul", (np.conjugate(a)[..., None, :], b[..., :, None]))[..., 0, 0]


def _matvec(a: Array, b: Array) -> Array:
    return apply("matmul", (a, b[..., :, None]))[..., 0]


def _vecmat(a: Array, b: Array) -> Array:
    return apply("matmul", (np.conjugate(a)[..., None, :], b))[..., 0, :]


CALLS["matmul"] = along(_matmul)
CALLS["vecdot"] = along(_vecdot)
CALLS["matvec"] = along(_matvec)
CALLS["vecmat"] = along(_vecmat)
