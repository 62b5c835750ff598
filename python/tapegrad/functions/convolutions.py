"""np.convolve and np.correlate. Called through the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    broadcast,
    joined,
    operand,
    reshaped,
    result_dtype,
    seen,
    sliced,
    where,
)
from tapegrad.functions.registry import implements

__all__ = ["convolve", "correlate"]

MODES = ("full", "same", "valid")


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Array:
    a, v = _line(a, "a"), _line(v, "v")
    if v.size > a.size:
        a, v = v, a
    return _cut(full_convolution(a, v), a.size, v.size, mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    a, v = operand(a), operand(v)
    if a.size == 0 or v.size == 0:
        raise ValueError("first argument cannot be empty" if a.size == 0 else "v cannot be empty")
    whole = full_convolution(a, np.conjugate(v[::-1]))
    if a.size >= v.size:
        return _cut(whole, a.size, v.size, mode)
    # NumPy exchanges the arguments and turns the result round.
    return _cut(whole[::-1], v.size, a.size, mode)[::-1]


def _line(x: Any, name: str) -> Array:
    x = operand(x)
    x = reshaped(x, (1,)) if x.ndim == 0 else x
    if x.ndim != 1:
        raise ValueError("object too deep for desired array")
    if x.size == 0:
        raise ValueError(f"{name} cannot be empty")
    return x


def _cut(whole: Array, n: int, m: int, mode: str) -> Array:
    """The part of the full convolution of n and m <= n numbers that a mode takes."""
    if mode not in MODES:
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got '{mode}')")
    if mode == "full":
        return whole
    if mode == "valid":
        return sliced(whole, 0, m - 1, n)
    start = m - 1 - m // 2
    return sliced(whole, 0, start, start + n)


def full_convolution(a: Array, v: Array) -> Array:
    """sum_j a[i-j] v[j] for all i at which there is anything to sum."""
    dtype = result_dtype(a, v)
    a, v = as_dtype(a, dtype), as_dtype(v, dtype)
    if v.size > a.size:
        a, v = v, a
    if np.all(np.isfinite(seen(a))) and np.all(np.isfinite(seen(v))):
        return _by_blocks(a, v)
    return _by_windows(a, v)


def _by_blocks(a: Array, v: Array) -> Array:
    """Blocks of `a` times Toeplitz matrices of blocks of `v`, in one matrix product.

    The memory is that of n m / B numbers for blocks of B.
    """
    n, m = a.size, v.size
    b = min(max(m, 16), 64)
    p, r = -(-n // b), -(-m // b)
    rows = reshaped(_padded(a, p * b), (p, b))
    # Row k of the Toeplitz matrix of a block is the block shifted by k; a zero stands at the end.
    shift = np.arange(2 * b) - np.arange(b)[:, None]
    inside = (shift >= 0) & (shift < b)
    places = np.where(inside, shift, 0)[:, None, :] + np.arange(r)[:, None] * b
    places = np.where(inside[:, None, :], places, r * b)
    toeplitz = apply("gather", (_padded(v, r * b + 1), places.reshape(b, r * 2 * b)))
    products = reshaped(apply("matmul", (rows, toeplitz)), (p, r, 2 * b))
    # Product (i, k) belongs at block i + k: rows that are p wider and cut one short are skewed.
    wide = joined([products, np.zeros((p, p, 2 * b), a.dtype)], 1)
    skewed = sliced(reshaped(wide, (p * (p + r), 2 * b)), 0, 0, p * (p + r - 1))
    summed = apply("sum", (reshaped(skewed, (p, p + r - 1, 2 * b)),), (0, 0))
    # The second half of each block overlaps the first of the next.
    none = np.zeros((1, b), a.dtype)
    low = joined([sliced(summed, 1, 0, b), none], 0)
    high = joined([none, sliced(summed, 1, b, 2 * b)], 0)
    return sliced(reshaped(low + high, ((p + r) * b,)), 0, 0, n + m - 1)


def _padded(x: Array, length: int) -> Array:
    return x if x.size == length else joined([x, np.zeros(length - x.size, x.dtype)], 0)


def _by_windows(a: Array, v: Array) -> Array:
    """Sums of nothing but the products that count, as infinities and NaN ask for."""
    n, m = a.size, v.size
    places = np.arange(n + m - 1)[:, None] - np.arange(m)
    inside = (places >= 0) & (places < n)
    windows = apply("gather", (a, np.where(inside, places, 0)))
    products = windows * broadcast(v, (n + m - 1, m))
    return apply("sum", (where(inside, products, np.zeros((), a.dtype)),), (0, 1))
