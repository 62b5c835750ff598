"""np.linalg: solve, inv, det, slogdet, cholesky and the norms. Called through the registry and by
the other modules of linear algebra."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    as_inexact,
    axes_of,
    axis_of,
    in_program,
    is_complex,
    magnitude_squared,
    operand,
    reshaped,
    root,
    seen,
    shape_of,
    value_of,
)
from tapegrad.functions.reductions import amax, amin
from tapegrad.functions.reductions import sum as total
from tapegrad.functions.registry import implements, on_values
from tapegrad.functions.shapes import matrix_transpose

__all__ = [
    "cholesky",
    "det",
    "hermitian_transpose",
    "inv",
    "matrix_norm",
    "matrix_of",
    "norm",
    "singular_values",
    "slogdet",
    "solve",
    "square",
    "vector_norm",
]


def matrix_of(a: Any, name: str) -> Array:
    """`a` as a stack of matrices of a differentiable dtype."""
    a = as_inexact(operand(a))
    if a.ndim < 2:
        raise np.linalg.LinAlgError(f"{name}: {a.ndim}-dimensional array given, at least 2 needed")
    return a


def square(a: Any, name: str) -> Array:
    a = matrix_of(a, name)
    if a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"{name}: the last 2 axes of shape {a.shape} must be square")
    return a


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Array:
    a, b = square(a, "solve"), as_inexact(operand(b))
    # As in NumPy 2: only a 1-D b is a vector.
    if b.ndim == 1:
        return reshaped_last(apply("solve", (a, reshaped(b, (b.size, 1))), (0,)))
    return apply("solve", (a, b), (0,))


def reshaped_last(x: Array) -> Array:
    """Drops the last axis, of length 1."""
    return reshaped(x, x.shape[:-1])


@implements(np.linalg.inv)
def inv(a: Any) -> Array:
    return apply("inv", (square(a, "inv"),))


@implements(np.linalg.det)
def det(a: Any) -> Array:
    return apply("det", (square(a, "det"),))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    a = square(a, "slogdet")
    logarithm = apply("logabsdet", (a,))
    if is_complex(a) or in_program(a):
        # sign = det / |det|, from a matrix scaled to |det| = 1 so that nothing overflows.
        scale = np.exp(-seen(logarithm) / max(a.shape[-1], 1))
        unit = apply("det", (a * reshaped(scale, (*scale.shape, 1, 1)),))
        sign = unit / np.abs(unit) if is_complex(a) else seen(np.sign(unit))
    else:
        sign, _ = np.linalg.slogdet(value_of(a))
    return _slogdet_result()(sign, logarithm)


@functools.cache
def _slogdet_result() -> Any:
    """NumPy's named tuple, which has no public name."""
    return type(np.linalg.slogdet(np.eye(1)))


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Array:
    a = square(a, "cholesky")
    if not upper:
        return apply("cholesky", (a,))
    return hermitian_transpose(apply("cholesky", (hermitian_transpose(a),)))


def hermitian_transpose(a: Array) -> Array:
    return np.conjugate(matrix_transpose(a))


def singular_values(a: Array) -> Array:
    return apply("singular_values", (a,))


implements(np.linalg.matrix_rank)(on_values(np.linalg.matrix_rank))


# Norms ------------------------------------------------------------------------------------------


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    x = as_inexact(operand(x))
    if axis is None:
        if ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1):
            # The Frobenius norm of everything, whatever the shape.
            return _euclidean(x, axes_of(None, x.ndim), keepdims)
        axes = list(range(x.ndim))
    else:
        axes = [axis_of(k, x.ndim) for k in ((axis,) if np.ndim(axis) == 0 else axis)]
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes[0], keepdims)
    if len(axes) == 2:
        if axes[0] == axes[1]:
            raise ValueError("Duplicate axes given.")
        return _matrix_norm(x, "fro" if ord is None else ord, axes[0], axes[1], keepdims)
    raise ValueError("Improper number of dimensions to norm.")


@implements(getattr(np.linalg, "vector_norm", None))
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    x = as_inexact(operand(x))
    axes = axes_of(axis, x.ndim)
    rest = [k for k in range(x.ndim) if k not in axes]
    length = math.prod(x.shape[k] for k in axes)
    lines = np.transpose(x, [*rest, *axes]).reshape([*(x.shape[k] for k in rest), length])
    result = _vector_norm(lines, 2 if ord is None else ord, len(rest), False)
    if not keepdims:
        return result
    return reshaped(result, [1 if k in axes else n for k, n in enumerate(x.shape)])


@implements(getattr(np.linalg, "matrix_norm", None))
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    x = as_inexact(operand(x))
    row, column = (axis_of(k, x.ndim) for k in (-2, -1))
    return _matrix_norm(x, "fro" if ord is None else ord, row, column, keepdims)


def _euclidean(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return root(total(magnitude_squared(x), axes, keepdims=keepdims))


def _vector_norm(x: Array, ord: Any, axis: int, keepdims: bool) -> Array:
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if ord == 2:
        return _euclidean(x, (axis,), keepdims)
    if ord == 0:
        # A count: derivative zero.
        count = np.sum(seen(x) != 0, axis=axis, keepdims=keepdims)
        return count.astype(np.real(np.zeros((), x.dtype)).dtype)
    size = np.abs(x)
    if ord == np.inf:
        return _largest(size, axis, keepdims)
    if ord == -np.inf:
        return amin(size, axis, keepdims=keepdims)
    if ord == 1:
        return total(size, axis, keepdims=keepdims)
    return total(size**ord, axis, keepdims=keepdims) ** (1.0 / ord)  # slope 0 at the origin


def _largest(sizes: Array, axis: int, keepdims: bool) -> Array:
    """The largest of numbers that are not negative; 0 of none. Where there are some, an initial 0
    would take its share of a tie."""
    return amax(sizes, axis, keepdims=keepdims, initial=None if sizes.shape[axis] else 0)


def _spectral_norm(x: Array, ord: Any, row: int, column: int, keepdims: bool) -> Array:
    """Largest, smallest or sum of the singular values; equal ones share as ties do."""
    values = singular_values(np.moveaxis(x, (row, column), (-2, -1)))
    if ord == "nuc":
        result = total(values, -1)
    elif values.shape[-1]:
        result = values.T[0 if ord == 2 else -1].T
    else:
        result = _largest(values, -1, False) if ord == 2 else amin(values, -1)
    if not keepdims:
        return result
    return reshaped(result, [1 if k in (row, column) else n for k, n in enumerate(x.shape)])


def _matrix_norm(x: Array, ord: Any, row: int, column: int, keepdims: bool) -> Array:
    if ord in ("fro", "f"):
        return _euclidean(x, axes_of((row, column), x.ndim), keepdims)
    if ord in ("nuc", 2, -2):
        return _spectral_norm(x, ord, row, column, keepdims)
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")
    along, across = (row, column) if ord in (1, -1) else (column, row)
    sums = total(np.abs(x), along, keepdims=True)
    largest = ord in (1, np.inf)
    result = (_largest if largest else amin)(sums, across, keepdims=True)
    if keepdims:
        return result
    return reshaped(result, [n for k, n in enumerate(shape_of(x)) if k not in (row, column)])
