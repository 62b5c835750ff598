"""np.cov and np.corrcoef. Called through the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    joined,
    operand,
    reshaped,
    result_dtype,
    seen,
    transposed,
)
from tapegrad.functions.registry import implements

__all__ = ["corrcoef", "cov"]


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Array:
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    x = _observations(m, y, rowvar, dtype)
    if x.shape[0] == 0:
        return np.zeros((0, 0))
    if ddof is None:
        ddof = 0 if bias else 1
    weights = _weights(x, fweights, aweights)
    if weights is None:
        mean = np.mean(x, axis=1, keepdims=True)
        freedom: Any = max(x.shape[1] - ddof, 0)
    else:
        total = np.sum(weights)
        mean = np.sum(x * weights, axis=1, keepdims=True) / total
        lost = ddof if aweights is None or ddof == 0 else ddof * _effective(weights, aweights)
        freedom = np.maximum(total - lost, 0.0)
    centred = x - mean
    weighted = centred if weights is None else centred * weights
    product = apply("matmul", (centred, np.conjugate(transposed(weighted, (1, 0)))))
    return np.squeeze(product / freedom)


def _observations(m: Any, y: Any, rowvar: bool, dtype: Any) -> Array:
    """Variables in rows, observations in columns."""
    parts = [operand(m)] if y is None else [operand(m), operand(y)]
    for name, part in zip("my", parts, strict=False):
        if part.ndim > 2:
            raise ValueError(f"{name} has more than 2 dimensions")
    wanted = np.result_type(result_dtype(*parts), np.float64) if dtype is None else dtype
    rows = []
    for part in parts:
        row = as_dtype(part, wanted)
        if row.ndim < 2:
            row = reshaped(row, (1, row.size))
        elif not rowvar and not (part is not parts[0] and row.shape[0] == 1):
            row = transposed(row, (1, 0))
        rows.append(row)
    return joined(rows, 0)


def _weights(x: Array, fweights: Any, aweights: Any) -> Array | None:
    weights: Array | None = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        w = as_dtype(as_inexact(operand(given)), float)
        if w.ndim > 1:
            raise RuntimeError(f"cannot handle multidimensional {name}")
        if w.shape[0] != x.shape[1]:
            raise RuntimeError(f"incompatible numbers of samples and {name}")
        if name == "fweights" and not np.all(seen(w) == np.rint(seen(w))):
            raise TypeError("fweights must be integer")
        if np.any(seen(w) < 0):
            raise ValueError(f"{name} cannot be negative")
        weights = w if weights is None else weights * w
    return weights


def _effective(weights: Array, aweights: Any) -> Array:
    return np.sum(weights * operand(aweights)) / np.sum(weights)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.diagonal(c).real)
    c = c / deviation[:, None] / deviation
    # What lies beyond 1 by rounding is put back; that is no kink.
    return c + (_in_bounds(seen(c)) - seen(c))


def _in_bounds(c: Any) -> Any:
    if c.dtype.kind != "c":
        return np.clip(c, -1, 1)
    return np.clip(c.real, -1, 1) + 1j * np.clip(c.imag, -1, 1)
