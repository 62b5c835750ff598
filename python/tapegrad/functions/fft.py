"""numpy.fft: the transforms of any length along one or several axes, and the shifts. All rest on
the ops `fft`, `rfft` and `irfft`, which transform whole axes without a factor. Called through the
registry and by tapegrad.scipy.fft."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    axes_of,
    axis_of,
    deliver,
    dtype_of,
    is_complex,
    operand,
    sliced,
)
from tapegrad.functions.registry import implements

__all__ = ["Lengths", "fft", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift"]
__all__ += ["ihfft", "irfft", "irfftn", "resized", "rfft", "rfftn", "swapped"]

Lengths = Sequence[int] | None


def swapped(norm: str | None) -> str:
    """The norm with which the other direction has the same factor."""
    return {"forward": "backward", "backward": "forward", "ortho": "ortho"}[_norm(norm)]


def _norm(norm: str | None) -> str:
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return norm or "backward"


def _scaled(x: Array, n: int, norm: str | None, direction: str) -> Array:
    """The result of a transform of n numbers, times the factor of its direction: a norm is named
    after the direction that divides by n."""
    norm = _norm(norm)
    if norm == "ortho":
        return x * (1.0 / np.sqrt(n))
    return x * (1.0 / n) if norm == direction else x


def resized(x: Array, axis: int, n: int) -> Array:
    """The first n elements along the axis, zeros where there are fewer."""
    length = x.shape[axis]
    if length >= n:
        return x if length == n else sliced(x, axis, 0, n)
    attrs: list[int] = []
    for k, size in enumerate(x.shape):
        attrs += (0, 1, n if k == axis else size)
    return apply("unslice", (x,), attrs)


def _arguments(a: Any, n: int | None, axis: int | None) -> tuple[Array, int | None, int]:
    x = operand(a)
    if n is not None and (n := operator.index(n)) < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return x, n, axis_of(-1 if axis is None else axis, x.ndim)


def _length(x: Array, n: int | None, axis: int) -> int:
    n = x.shape[axis] if n is None else n
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return n


def _transform(a: Any, n: int | None, axis: int | None, norm: str | None, direction: str) -> Array:
    x, n, axis = _arguments(a, n, axis)
    n = _length(x, n, axis)
    x = resized(as_dtype(x, complex), axis, n)
    return _scaled(apply("fft", (x,), (axis, direction == "backward")), n, norm, direction)


@implements(np.fft.fft)
def fft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Array:
    return deliver(_transform(a, n, axis, norm, "forward"), out, "fft")


@implements(np.fft.ifft)
def ifft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Array:
    return deliver(_transform(a, n, axis, norm, "backward"), out, "ifft")


@implements(np.fft.rfft)
def rfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Array:
    x, n, axis = _arguments(a, n, axis)
    if is_complex(x):
        raise TypeError("rfft takes real numbers; fft takes complex ones")
    n = _length(x, n, axis)
    half = apply("rfft", (resized(as_dtype(x, float), axis, n),), (axis,))
    return deliver(_scaled(half, n, norm, "forward"), out, "rfft")


@implements(np.fft.irfft)
def irfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Array:
    x, n, axis = _arguments(a, n, axis)
    if n is None:
        n = _length(x, 2 * (x.shape[axis] - 1), axis)
    # Of float32 numbers NumPy makes float32.
    dtype = np.float32 if dtype_of(x) == np.float32 else float
    half = resized(as_dtype(x, complex), axis, n // 2 + 1)
    whole = _scaled(apply("irfft", (half,), (axis, n)), n, norm, "backward")
    return deliver(as_dtype(whole, dtype), out, "irfft")


@implements(np.fft.hfft)
def hfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Array:
    return irfft(np.conjugate(operand(a)), n, axis, swapped(norm), out)


@implements(np.fft.ihfft)
def ihfft(
    a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
) -> Array:
    return deliver(np.conjugate(rfft(a, n, axis, swapped(norm))), out, "ihfft")


# Several axes -------------------------------------------------------------------------------------


def _plan(
    x: Array, s: Lengths, axes: Sequence[int] | None, halved: bool = False
) -> list[tuple[int, int]]:
    """(axis, length) for each axis to transform; `halved`: the last one holds the first half."""
    if axes is None:
        axes = range(-(x.ndim if s is None else len(s)), 0)
    axes = [axis_of(axis, x.ndim) for axis in axes]
    lengths = [-1] * len(axes) if s is None else [-1 if n is None else n for n in s]
    if len(lengths) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    if s is None and halved:
        lengths[-1] = 2 * (x.shape[axes[-1]] - 1)
    return [(axis, x.shape[axis] if n == -1 else n) for axis, n in zip(axes, lengths, strict=True)]


def _over_axes(
    x: Array, plan: list[tuple[int, int]], one: Callable[..., Array], norm: str | None
) -> Array:
    for axis, n in reversed(plan):
        x = one(x, n, axis, norm)
    return x


def _complex_over_axes(one: Callable[..., Array], name: str) -> Callable[..., Array]:
    """The complex transform over several axes made of `one` over each."""

    def transform(
        a: Any,
        s: Lengths = None,
        axes: Sequence[int] | None = None,
        norm: str | None = None,
        out: Any = None,
    ) -> Array:
        x = operand(a)
        return deliver(_over_axes(x, _plan(x, s, axes), one, norm), out, name)

    return transform


fftn = implements(np.fft.fftn)(_complex_over_axes(fft, "fftn"))
ifftn = implements(np.fft.ifftn)(_complex_over_axes(ifft, "ifftn"))


@implements(np.fft.rfftn)
def rfftn(
    a: Any,
    s: Lengths = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
    out: Any = None,
) -> Array:
    x = operand(a)
    *rest, (axis, n) = _plan(x, s, axes)
    return deliver(_over_axes(rfft(x, n, axis, norm), rest, fft, norm), out, "rfftn")


@implements(np.fft.irfftn)
def irfftn(
    a: Any,
    s: Lengths = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
    out: Any = None,
) -> Array:
    x = operand(a)
    *rest, (axis, n) = _plan(x, s, axes, halved=True)
    for other, length in rest:
        x = ifft(x, length, other, norm)
    return deliver(irfft(x, n, axis, norm), out, "irfftn")


def _in_the_plane(several: Callable[..., Array]) -> Callable[..., Array]:
    """The transform over the last two axes."""

    def transform(
        a: Any,
        s: Lengths = None,
        axes: Sequence[int] | None = (-2, -1),
        norm: str | None = None,
        out: Any = None,
    ) -> Array:
        return several(a, s, axes, norm, out)

    return transform


implements(np.fft.fft2)(_in_the_plane(fftn))
implements(np.fft.ifft2)(_in_the_plane(ifftn))
implements(np.fft.rfft2)(_in_the_plane(rfftn))
implements(np.fft.irfft2)(_in_the_plane(irfftn))


# Shifts -------------------------------------------------------------------------------------------


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Array:
    x = operand(x)
    over = axes_of(axes, x.ndim)
    return np.roll(x, [x.shape[axis] // 2 for axis in over], over)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Array:
    x = operand(x)
    over = axes_of(axes, x.ndim)
    return np.roll(x, [-(x.shape[axis] // 2) for axis in over], over)
