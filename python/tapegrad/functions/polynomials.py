"""Polynomials by their coefficients, the highest power first: np.polyval to np.polyfit, np.roots,
np.vander. Called through the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.convolutions import full_convolution
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    dtype_of,
    joined,
    operand,
    reshaped,
    result_dtype,
    seen,
    shape_of,
    sliced,
    transposed,
    where,
)
from tapegrad.functions.registry import implements

__all__ = ["polyfit", "polymul", "polyval", "vander"]


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


# Arithmetic ---------------------------------------------------------------------------------------


def _coefficients(p: Any) -> Array:
    x = operand(p)
    return reshaped(x, (1,)) if x.ndim == 0 else x


def _aligned(a1: Any, a2: Any) -> tuple[Array, Array]:
    """Both with as many coefficients, zeros in front."""
    a, b = _coefficients(a1), _coefficients(a2)
    n = max(a.shape[0], b.shape[0])
    a, b = (
        x if x.shape[0] == n else joined([np.zeros(n - x.shape[0], x.dtype), x], 0) for x in (a, b)
    )
    return a, b


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Array:
    a, b = _aligned(a1, a2)
    return a + b


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Array:
    a, b = _aligned(a1, a2)
    return a - b


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Array:
    return full_convolution(_coefficients(a1), _coefficients(a2))


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Array, Array]:
    """Quotient and remainder; leading coefficients of the remainder that vanish are left out."""
    u, v = _coefficients(u), _coefficients(v)
    dtype = result_dtype(u, v, 1.0)
    u, v = as_dtype(u, dtype), as_dtype(v, dtype)
    m, n = u.shape[0] - 1, v.shape[0] - 1
    rest, terms, scale = u, [], 1.0 / v[0]
    for k in range(max(m - n, -1) + 1):
        term = rest[k] * scale
        terms.append(reshaped(term, (1,)))
        rest = rest - joined([np.zeros(k, dtype), term * v, np.zeros(m - n - k, dtype)], 0)
    quotient = joined(terms, 0) if terms else np.zeros(1, dtype)
    values = seen(rest)
    first = 0
    while first < rest.shape[0] - 1 and bool(np.allclose(values[first], 0, rtol=1e-14)):
        first += 1
    return quotient, sliced(rest, 0, first, rest.shape[0])


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Array:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _coefficients(p)
    for _ in range(int(m)):
        n = max(p.shape[0] - 1, 0)
        p = sliced(p, 0, 0, n) * np.arange(n, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Array:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    p, order = _coefficients(p), int(m)
    constants = _coefficients(0.0 if k is None else k)
    if constants.shape[0] == 1 and order > 1:
        constants = np.broadcast_to(constants, (order,))
    if constants.shape[0] < order:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for i in range(order):
        powers = np.arange(p.shape[0], 0, -1)
        p = np.concatenate((p / powers, constants[i : i + 1]))
    return p


# Roots and fits -----------------------------------------------------------------------------------


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Array:
    zeros = _coefficients(seq_of_zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        return _characteristic(as_inexact(zeros))
    if zeros.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if zeros.size == 0:
        return 1.0
    result: Array = np.ones(1, result_dtype(zeros, 1.0))
    for k in range(zeros.shape[0]):
        below = joined([np.zeros(1, result.dtype), result], 0)
        result = joined([result, np.zeros(1, result.dtype)], 0) - zeros[k] * below
    return _real_if_paired(result, zeros)


def _real_if_paired(coefficients: Array, zeros: Array) -> Array:
    """Zeros that come in conjugate pairs make real coefficients."""
    if coefficients.dtype.kind != "c":
        return coefficients
    values = np.asarray(np.sort(seen(zeros)))
    return coefficients.real if np.all(values == np.sort(np.conj(values))) else coefficients


def _characteristic(matrix: Array) -> Array:
    """Coefficients of det(t - A), by the recursion of Faddeev and LeVerrier: products and traces
    only, so that repeated eigenvalues are no exception."""
    n = matrix.shape[0]
    eye = np.eye(n, dtype=matrix.dtype)
    coefficients, power = [np.ones(1, matrix.dtype)], eye
    for k in range(1, n + 1):
        product = apply("matmul", (matrix, power))
        c = -np.trace(product) / k
        coefficients.append(reshaped(c, (1,)))
        power = product + c * eye
    return joined(coefficients, 0)


@implements(np.roots)
def roots(p: Any) -> Array:
    """Eigenvalues of the companion matrix, and zeros for the last coefficients that are zero."""
    p = _coefficients(p)
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    filled = np.flatnonzero(seen(p) != 0)
    if filled.size == 0:
        return np.zeros(0)
    first, last = int(filled[0]), int(filled[-1])
    trailing = p.shape[0] - 1 - last
    p = as_inexact(sliced(p, 0, first, last + 1))
    n = p.shape[0] - 1
    if n == 0:
        return np.zeros(trailing, p.dtype)
    top = reshaped(-sliced(p, 0, 1, n + 1) / p[0], (1, n))
    companion = joined([top, np.eye(n - 1, n, dtype=p.dtype)], 0)
    found = np.linalg.eigvals(companion)
    return joined([found, np.zeros(trailing, found.dtype)], 0) if trailing else found


@implements(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """Least squares; `rcond` does not matter, because the matrix must have full rank."""
    del rcond
    order = int(deg) + 1
    x, y = operand(x) + 0.0, operand(y) + 0.0
    if deg < 0 or x.ndim != 1 or x.size == 0 or y.ndim not in (1, 2) or len(y) != len(x):
        raise ValueError("polyfit takes deg >= 0, a vector x, and y of one or two axes, as long")
    left, right = vander(x, order), y if y.ndim == 2 else reshaped(y, (y.size, 1))
    if w is not None:
        weights = operand(w) + 0.0
        if weights.shape != x.shape:
            raise TypeError("expected w and y to have the same length")
        left, right = (reshaped(weights, (x.size, 1)) * part for part in (left, right))
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    found = _least_squares(left, right)
    residuals = np.sum((right - apply("matmul", (left, found))) ** 2, axis=0)
    c = found / reshaped(scale, (order, 1))
    c = c if y.ndim == 2 else reshaped(c, (order,))
    if full:
        values = np.linalg.svd(np.asarray(seen(left)), compute_uv=False)
        return c, residuals, order, values, x.size * np.finfo(x.dtype).eps
    return (c, _uncertainty(left, scale, residuals, x.size, cov, y.ndim)) if cov else c


def _least_squares(left: Array, right: Array) -> Array:
    """The solution of the normal equations, refined twice by its residual: as accurate as that of
    an orthogonal method while the squared condition number is below 1 / eps."""
    turned = np.conjugate(transposed(left, (1, 0)))
    gram = apply("matmul", (turned, left))
    found: Array = 0.0
    residual = right
    for _ in range(3):
        found = found + np.linalg.solve(gram, apply("matmul", (turned, residual)))
        residual = right - apply("matmul", (left, found))
    return found


def _uncertainty(
    left: Array, scale: Array, residuals: Array, count: int, cov: Any, ndim: int
) -> Array:
    """The covariance of the coefficients, scaled by the residuals unless cov="unscaled"."""
    base = np.linalg.inv(apply("matmul", (transposed(left, (1, 0)), left)))
    base = base / scale[:, None] / scale
    order = base.shape[0]
    if cov != "unscaled":
        if count <= order:
            raise ValueError("the number of data points must exceed order to scale the covariance")
        residuals = residuals / (count - order)
        base = base if ndim == 2 else base * residuals[0]
        return base[:, :, None] * residuals if ndim == 2 else base
    return base if ndim == 1 else base[:, :, None] + np.zeros(residuals.shape)
