"""Functions of scipy.signal: convolutions and correlations of any number of axes, and linear
filters. tapegrad.scipy.signal exports them; SciPy itself does not dispatch them."""

from __future__ import annotations

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
    broadcast,
    is_complex,
    like,
    operand,
    reshaped,
    result_dtype,
    sliced,
)

__all__ = ["convolve", "correlate", "fftconvolve", "lfilter", "oaconvolve", "sosfilt"]

MODES = ("full", "same", "valid")
# Numbers that one matrix of windows may have.
MOST_WINDOWS = 1 << 22


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
    """The full convolution: windows of x, as rows of a matrix, times the kernel."""
    dtype = result_dtype(x, kernel)
    shape = tuple(n + m - 1 for n, m in zip(x.shape, kernel.shape, strict=True))
    if x.size == 0 or kernel.size == 0:
        return np.zeros([max(n, 0) for n in shape], dtype)
    padded = as_dtype(x, dtype)
    for k, m in enumerate(kernel.shape):
        padded = _between_zeros(padded, k, m - 1)
    # Element i of the result takes the padded elements i + (m - 1) - j for the elements j of the
    # kernel: flat places that are sums of one part for i and one for j.
    steps = [int(np.prod(padded.shape[k + 1 :])) for k in range(x.ndim)]
    starts = _places(shape, steps)
    offsets = _places(kernel.shape, steps)[::-1]
    weights = reshaped(as_dtype(kernel, dtype), (kernel.size, 1))
    chunk = max(1, MOST_WINDOWS // max(starts.size, 1))
    result: Array = 0.0
    for first in range(0, kernel.size, chunk):
        last = min(first + chunk, kernel.size)
        windows = apply("gather", (padded, starts[:, None] + offsets[None, first:last]))
        product = apply("matmul", (windows, sliced(weights, 0, first, last)))
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


# Linear filters -----------------------------------------------------------------------------------


def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A digital filter along one axis, as scipy.signal.lfilter: y with
    a[0] y[t] = sum_j b[j] x[t-j] - sum_{k>0} a[k] y[t-k].

    Differentiated in the coefficients, the signal and the initial state `zi`, of which there are
    max(len(a), len(b)) - 1 numbers along the axis; with `zi` the result is (y, final state).
    Raises ValueError if a[0] is zero.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.signal import lfilter
    >>> decay = lambda a: lfilter([1.0], np.stack([1.0, -a]), np.array([1.0, 0, 0]))[2]
    >>> tg.grad(decay)(0.5)
    1.0
    """
    b, a, x = (as_inexact(operand(v)) for v in (b, a, x))
    b, a = (_coefficients(v, name) for v, name in ((b, "b"), (a, "a")))
    if a[0] == 0:
        raise ValueError("lfilter: the filter coefficient a[0] is zero")
    b, poles = b / a[0], sliced(a, 0, 1, a.size) / a[0]
    axis = axis_of(axis, x.ndim)
    x = np.moveaxis(x, axis, -1)
    order = max(b.size, a.size) - 1
    state = None if zi is None else _state(zi, x, axis, order)
    dtype = result_dtype(b, a, x) if state is None else result_dtype(b, a, x, state)
    y, last = _filtered(as_dtype(b, dtype), as_dtype(poles, dtype), as_dtype(x, dtype), state)
    y = np.moveaxis(y, -1, axis)
    return y if state is None else (y, np.moveaxis(last, -1, axis))


def _coefficients(v: Array, name: str) -> Array:
    v = reshaped(v, (1,)) if v.ndim == 0 else v
    if v.ndim != 1 or v.size == 0:
        raise ValueError(f"Parameter {name} is not a non-empty 1d array, since {v.shape=}!")
    return v


def _state(zi: Any, x: Array, axis: int, order: int) -> Array:
    """The initial state with the filtered axis last; x has it there already."""
    zi = as_inexact(operand(zi))
    if zi.ndim != x.ndim:
        raise ValueError(
            f"Dimensions of parameters x and zi must match, but {x.ndim=}, {zi.ndim=}!"
        )
    state, expected = np.moveaxis(zi, axis, -1), (*x.shape[:-1], order)
    fits = all(n in (1, m) for n, m in zip(state.shape[:-1], expected[:-1], strict=True))
    if state.shape[-1] != order or not fits:
        raise ValueError(
            f"Unexpected shape for parameter zi: expected {expected} with the filtered axis last, "
            f"found {state.shape}."
        )
    return broadcast(state, expected)


def _filtered(b: Array, poles: Array, x: Array, state: Array | None) -> tuple[Array, Array]:
    """Output and final state along the last axis, for a[0] = 1.

    The state of the transposed direct form is what the past adds to the next inputs of the
    recursive part.
    """
    n, last = x.shape[-1], x.ndim - 1
    order = max(b.size - 1, poles.size)
    driven = _along_last(x, b)
    if state is not None:
        driven = resized(driven, last, n + order) + resized(state, last, n + order)
    y = sliced(driven, last, 0, n)
    if poles.size:
        y = apply("allpole", (y, poles), (0,))
    if state is None:
        return y, None
    left = sliced(driven, last, n, n + order)
    tail = min(n, poles.size)
    if tail:
        echo = _along_last(sliced(y, last, n - tail, n), poles)
        echo = sliced(echo, last, tail - 1, tail - 1 + poles.size)
        left = left - resized(echo, last, order)
    return y, left


def _along_last(x: Array, b: Array) -> Array:
    """The full convolution of each row of x with b."""
    if x.size == 0:
        return np.zeros((*x.shape[:-1], max(x.shape[-1] + b.size - 1, 0)), x.dtype)
    kernel = reshaped(b, (1,) * (x.ndim - 1) + (b.size,))
    return convolve(x, kernel, method="direct" if min(b.size, x.shape[-1]) <= 64 else "fft")


def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filters in series, each of second order, as scipy.signal.sosfilt: row i of `sos` holds b and
    a of one; zi[i] is its state. Differentiated like `lfilter`."""
    sos, y = operand(sos), as_inexact(operand(x))
    if sos.ndim != 2 or sos.shape[1] != 6:
        raise ValueError("sos array must be shape (n_sections, 6)")
    states = []
    for i in range(sos.shape[0]):
        if zi is None:
            y = lfilter(sos[i, :3], sos[i, 3:], y, axis)
        else:
            y, state = lfilter(sos[i, :3], sos[i, 3:], y, axis, zi[i])
            states.append(state)
    return y if zi is None else (y, np.stack(states))
