"""Linear filters of scipy.signal: lfilter, sosfilt, lfilter_zi and filtfilt. The recursive part is
the op `allpole`. tapegrad.scipy.signal exports them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import apply
from tapegrad.functions.fft import resized
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    axis_of,
    broadcast,
    joined,
    operand,
    reshaped,
    result_dtype,
    sliced,
)
from tapegrad.functions.signal import convolve

__all__ = ["filtfilt", "lfilter", "lfilter_zi", "sosfilt"]


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


def lfilter_zi(b: Any, a: Any) -> Array:
    """The state in which `lfilter` answers a constant 1 with a constant, as
    scipy.signal.lfilter_zi. Differentiated in both."""
    b, a = (_coefficients(as_inexact(operand(v)), name) for v, name in ((b, "b"), (a, "a")))
    n = max(b.size, a.size)
    b, a = resized(b / a[0], 0, n), resized(a / a[0], 0, n)
    # Each number of the state is the sum of what b and a have yet to add at a constant output.
    drive = sliced(b, 0, 1, n) - sliced(a, 0, 1, n) * b[0]
    output = np.sum(drive) / np.sum(a)
    if n == 1:
        return drive
    seen_so_far = sliced(np.cumsum(a), 0, 0, n - 1) * output
    none = np.zeros(1, drive.dtype)
    return seen_so_far - joined([none, sliced(np.cumsum(drive), 0, 0, n - 2)], 0)


def filtfilt(
    b: Any,
    a: Any,
    x: Any,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
    irlen: int | None = None,
) -> Array:
    """A filter forward and backward, without phase, as scipy.signal.filtfilt with method="pad"; the
    other method raises tg.UnsupportedError. Differentiated in `b`, `a` and `x`.

    >>> import numpy as np, tapegrad as tg
    >>> from tapegrad.scipy.signal import filtfilt
    >>> tg.grad(lambda x: filtfilt([0.5, 0.5], [1.0], x, padlen=1)[1])(np.zeros(4))
    array([0.25, 0.5 , 0.25, 0.  ])
    """
    if method != "pad":
        if method != "gust":
            raise ValueError("method must be 'pad' or 'gust'.")
        errors.unsupported("filtfilt with method='gust' has no derivative rule")
    b, a, x = (as_inexact(operand(v)) for v in (b, a, x))
    axis = axis_of(axis, x.ndim)
    x = np.moveaxis(x, axis, -1)
    if padlen is None:
        padlen = 3 * max(a.size, b.size) if padtype is not None else 0
    edge = 0 if padtype is None else int(padlen)
    if x.shape[-1] <= edge or edge < 0:
        raise ValueError(
            f"The length of the input vector x must be greater than padlen, which is {edge}."
        )
    state = lfilter_zi(b, a)
    y = _extended(x, edge, padtype)
    for _ in range(2):  # the second time from the end
        y, _ = lfilter(b, a, y, zi=y[..., :1] * state)
        y = y[..., ::-1]
    return np.moveaxis(y[..., edge : y.shape[-1] - edge], -1, axis)


def _extended(x: Array, edge: int, kind: str | None) -> Array:
    """`edge` numbers more at both ends of the last axis."""
    if kind not in (None, "odd", "even", "constant"):
        raise ValueError(f"Unknown value '{kind}' given to padtype.")
    if edge == 0:
        return x
    n, last = x.shape[-1], x.ndim - 1
    first, final = x[..., :1], x[..., n - 1 :]
    before, after = x[..., edge:0:-1], x[..., n - 2 : n - 2 - edge if n - 2 >= edge else None : -1]
    if kind == "odd":
        before, after = 2.0 * first - before, 2.0 * final - after
    elif kind == "constant":
        before, after = (np.broadcast_to(v, before.shape) for v in (first, final))
    return joined([before, x, after], last)
