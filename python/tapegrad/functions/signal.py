"""Convolutions and correlations of scipy.signal, over any number of axes. tapegrad.scipy.signal
exports them; SciPy itself does not dispatch them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.fft import fftn, ifftn, irfftn, resized, rfftn
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    axis_of,
    is_complex,
    joined,
    like,
    operand,
    reshaped,
    result_dtype,
    seen,
    sliced,
)

__all__ = ["convolve", "correlate", "fftconvolve", "oaconvolve"]

MODES = ("full", "same", "valid")
# Numbers that one matrix of windows may have.
MOST_WINDOWS = 1 << 22
SHORTEST_BLOCK, MOST_SHIFTS = 32, 12


# Convolution --------------------------------------------------------------------------------------


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Array:
    """Convolution of two arrays with equally many axes, as scipy.signal.convolve.

    `mode` is "full", "same" (as in1, centred) or "valid"; `method` "direct", "fft", or "auto" for
    the faster one. Both arguments are differentiated. Raises ValueError for shapes that do not fit.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.signal import convolve
    >>> tg.grad(lambda k: convolve(np.arange(3.0), k)[2])(np.ones(2))
    array([2., 1.])
    """
    x, y, dtype = _pair(in1, in2)
    if x.ndim == 0:
        return x * y
    x, y = _ordered(x, y, mode, range(x.ndim))
    if method == "auto":
        from scipy.signal import choose_conv_method

        method = choose_conv_method(like(x), like(y), mode)
    if method == "fft":
        return as_dtype(fftconvolve(x, y, mode), dtype)
    if method != "direct":
        raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
    whole = _direct(x, y) if x.size >= y.size else _direct(y, x)
    return _cut(whole, x.shape, y.shape, mode, range(x.ndim))


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Array:
    """Cross-correlation, as scipy.signal.correlate: `convolve` with in2 reversed and conjugated."""
    y = operand(in2)
    return convolve(in1, np.conjugate(np.flip(y)) if y.ndim else np.conjugate(y), mode, method)


def fftconvolve(
    in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None
) -> Array:
    """Convolution along `axes` (all by default) by Fourier transforms, as scipy.signal.fftconvolve.

    The other axes broadcast.
    """
    x, y, dtype = _pair(in1, in2)
    if x.ndim == 0:
        return x * y
    if x.size == 0 or y.size == 0:
        return np.zeros(0)
    along = _axes(axes, x.ndim)
    # An axis of length 1 broadcasts.
    along = [k for k in along if x.shape[k] != 1 and y.shape[k] != 1]
    for k, (n, m) in enumerate(zip(x.shape, y.shape, strict=True)):
        if k not in along and n != m and 1 not in (n, m):
            raise ValueError(f"incompatible shapes for in1 and in2: {x.shape} and {y.shape}")
    x, y = _ordered(x, y, mode, along)
    whole = _by_transforms(x, y, along) if along else x * y
    return as_dtype(_cut(whole, x.shape, y.shape, mode, along), dtype)


def oaconvolve(
    in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None
) -> Array:
    """What `fftconvolve` gives: blocks only change how fast SciPy computes it."""
    return fftconvolve(in1, in2, mode, axes)


def _pair(in1: Any, in2: Any) -> tuple[Array, Array, np.dtype[Any]]:
    x, y = as_inexact(operand(in1)), as_inexact(operand(in2))
    if x.ndim != y.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")
    return x, y, result_dtype(x, y)


def _axes(axes: Any, ndim: int) -> list[int]:
    if axes is None:
        return list(range(ndim))
    along = [axis_of(k, ndim) for k in ([axes] if np.ndim(axes) == 0 else axes)]
    if not along:
        raise ValueError("when provided, axes cannot be empty")
    if len(set(along)) != len(along):
        raise ValueError("all axes must be unique")
    return along


def _ordered(x: Array, y: Array, mode: str, axes: Sequence[int]) -> tuple[Array, Array]:
    """Both, for mode "valid" the larger one first."""
    if mode not in MODES:
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    if mode != "valid" or all(x.shape[k] >= y.shape[k] for k in axes):
        return x, y
    if not all(y.shape[k] >= x.shape[k] for k in axes):
        raise ValueError(
            "For 'valid' mode, one must be at least as large as the other in every dimension"
        )
    return y, x


def _cut(
    whole: Array, first: Sequence[int], second: Sequence[int], mode: str, axes: Sequence[int]
) -> Array:
    """The middle of the full convolution that a mode takes."""
    if mode == "full":
        return whole
    for k in axes if mode == "valid" else range(len(first)):
        length = first[k] - second[k] + 1 if mode == "valid" else first[k]
        start = (whole.shape[k] - length) // 2
        whole = sliced(whole, k, start, start + length)
    return whole


def _by_transforms(x: Array, y: Array, axes: list[int]) -> Array:
    from scipy.fft import next_fast_len

    real = not (is_complex(x) or is_complex(y))
    shape = [x.shape[k] + y.shape[k] - 1 for k in axes]
    padded = [next_fast_len(n, real) for n in shape]
    ahead, back = (rfftn, irfftn) if real else (fftn, ifftn)
    whole = back(ahead(x, padded, axes) * ahead(y, padded, axes), padded, axes)
    for k, n in zip(axes, shape, strict=True):
        whole = sliced(whole, k, 0, n)
    return whole


def _direct(x: Array, kernel: Array) -> Array:
    """The full convolution by products, for a kernel that is not larger than x."""
    dtype = result_dtype(x, kernel)
    if x.size == 0 or kernel.size == 0:
        shape = [n + m - 1 for n, m in zip(x.shape, kernel.shape, strict=True)]
        return np.zeros([max(n, 0) for n in shape], dtype)
    x, kernel = as_dtype(x, dtype), as_dtype(kernel, dtype)
    # Zeros in a matrix would make NaN of an infinity elsewhere.
    finite = np.all(np.isfinite(seen(x))) and np.all(np.isfinite(seen(kernel)))
    if finite and kernel.size == kernel.shape[-1]:
        row = reshaped(kernel, (kernel.size,))
        return _by_shifts(x, row) if row.size <= MOST_SHIFTS else _by_blocks(x, row)
    return _by_windows(x, kernel)


def _by_shifts(x: Array, kernel: Array) -> Array:
    """The sum of x, moved along the last axis, times each number of a short kernel."""
    *rows, n = x.shape
    m, whole = kernel.size, [v for length in rows for v in (0, 1, length)]
    moved = (apply("unslice", (x,), (*whole, j, 1, n + m - 1)) for j in range(m))
    return functools.reduce(operator.add, (x_j * kernel[j] for j, x_j in enumerate(moved)))


def _by_blocks(x: Array, kernel: Array) -> Array:
    """Rows of x, in blocks, times the Toeplitz matrix of the kernel; the ends of the products
    overlap the next block, which is not shorter than they are."""
    *rows, n = x.shape
    m, last = kernel.size, x.ndim - 1
    b = max(m - 1, min(n, SHORTEST_BLOCK))
    p = -(-n // b)
    blocks = reshaped(resized(x, last, p * b), (*rows, p, b))
    shift = np.arange(b + m - 1) - np.arange(b)[:, None]
    places = np.where((shift >= 0) & (shift < m), shift, m)
    matrix = apply("gather", (resized(kernel, 0, m + 1), places))
    product = apply("matmul", (blocks, matrix))
    none = np.zeros((*rows, 1, b), x.dtype)
    ends = resized(sliced(product, last + 1, b, b + m - 1), last + 1, b)
    whole = joined([sliced(product, last + 1, 0, b), none], last) + joined([none, ends], last)
    return sliced(reshaped(whole, (*rows, (p + 1) * b)), last, 0, n + m - 1)


def _by_windows(x: Array, kernel: Array) -> Array:
    """Windows of x, as rows of a matrix, times the kernel."""
    shape = tuple(n + m - 1 for n, m in zip(x.shape, kernel.shape, strict=True))
    padded = x
    for k, m in enumerate(kernel.shape):
        padded = _between_zeros(padded, k, m - 1)
    # Element i of the result takes the padded elements i + (m - 1) - j for the elements j of the
    # kernel: flat places that are sums of one part for i and one for j.
    steps = [int(np.prod(padded.shape[k + 1 :])) for k in range(x.ndim)]
    starts = _places(shape, steps)
    offsets = _places(kernel.shape, steps)[::-1]
    weights = reshaped(kernel, (kernel.size, 1))
    chunk = max(1, MOST_WINDOWS // max(starts.size, 1))
    result: Array = 0.0
    for first in range(0, kernel.size, chunk):
        end = min(first + chunk, kernel.size)
        windows = apply("gather", (padded, starts[:, None] + offsets[None, first:end]))
        product = apply("matmul", (windows, sliced(weights, 0, first, end)))
        result = product if first == 0 else result + product
    return reshaped(result, shape)


def _between_zeros(x: Array, axis: int, count: int) -> Array:
    if count == 0:
        return x
    attrs: list[int] = []
    for k, n in enumerate(x.shape):
        attrs += (count, 1, n + 2 * count) if k == axis else (0, 1, n)
    return apply("unslice", (x,), attrs)


def _places(shape: Sequence[int], steps: Sequence[int]) -> np.ndarray:
    """The flat places of the elements of an array of `shape` within one with these steps."""
    places = np.zeros(1, np.int64)
    for n, step in zip(shape, steps, strict=True):
        places = np.add.outer(places, step * np.arange(n, dtype=np.int64)).ravel()
    return places
