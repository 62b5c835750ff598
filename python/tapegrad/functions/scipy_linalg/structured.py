"""scipy.linalg: matrices made of blocks and of diagonals."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions.operands import Array, as_dtype, joined, operand, result_dtype
from tapegrad.functions.scipy_linalg.arguments import refuse

__all__ = ["block_diag", "circulant", "hankel", "toeplitz"]


def block_diag(*arrs: Any) -> Array:
    blocks = [np.atleast_2d(operand(a)) for a in arrs or ([],)]
    if any(block.ndim > 2 for block in blocks):
        refuse("block_diag", **{"stacks of matrices": True})
    dtype = result_dtype(*blocks)
    width = sum(block.shape[1] for block in blocks)
    rows, start = [], 0
    for block in blocks:
        height, length = block.shape
        parts = [np.zeros((height, start), dtype), as_dtype(block, dtype)]
        rows.append(joined([*parts, np.zeros((height, width - start - length), dtype)], 1))
        start += length
    return joined(rows, 0)


def toeplitz(c: Any, r: Any = None) -> Array:
    c = np.atleast_1d(operand(c))
    r = np.conjugate(c) if r is None else np.atleast_1d(operand(r))
    m, n = c.shape[-1], r.shape[-1]
    dtype = result_dtype(c, r)
    lead = np.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    c = np.broadcast_to(as_dtype(c, dtype), (*lead, m))
    r = np.broadcast_to(as_dtype(r, dtype), (*lead, n))
    # Diagonals from the lowest to the highest; entry (i, j) is on diagonal j - i.
    diagonals = joined([c[..., ::-1], r[..., 1:]], len(lead))
    places = np.arange(n)[None, :] - np.arange(m)[:, None] + m - 1
    return np.take(diagonals, places, axis=-1)


def circulant(c: Any) -> Array:
    c = np.atleast_1d(operand(c))
    n = c.shape[-1]
    return c[..., (np.arange(n)[:, None] - np.arange(n)) % max(n, 1)]


def hankel(c: Any, r: Any = None) -> Array:
    c = operand(c)
    r = np.zeros(c.shape, c.dtype) if r is None else operand(r)
    # SciPy flattens them up to 1.18, and takes them as stacks from 1.19 on.
    if c.ndim != 1 or r.ndim != 1:
        refuse("hankel", **{"arguments that are not one-dimensional": True})
    antidiagonals = np.concatenate([c, r[1:]])
    return antidiagonals[np.arange(c.size)[:, None] + np.arange(r.size)]
