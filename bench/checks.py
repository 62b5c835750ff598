"""Comparison with an independent result; every row calls it before it times anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class CheckFailed(Exception):
    """A system's result differs from the independent one."""


def relative_error(computed: Any, reference: Any) -> float:
    """Largest |error| / (|reference| + rms(reference)); infinite for NaN or another shape."""
    a, b = np.asarray(computed), np.asarray(reference)
    if a.shape != b.shape:
        return float("inf")
    if b.size == 0:
        return 0.0
    if not np.all(np.isfinite(a)):
        return float("inf")
    scale = np.abs(b) + np.sqrt(np.mean(np.abs(b) ** 2))
    error = np.abs(a - b)
    # A component whose reference is zero everywhere must be zero itself, up to rounding.
    return float(np.max(error / np.where(scale > 0.0, scale, 1.0)))


def require_close(
    what: str, computed: Sequence[Any], reference: Sequence[Any], rtol: float
) -> None:
    """Raise CheckFailed, naming the argument, unless all pairs agree to `rtol`."""
    if len(computed) != len(reference):
        raise CheckFailed(f"{what}: {len(computed)} results where {len(reference)} are expected")
    for position, (a, b) in enumerate(zip(computed, reference, strict=True)):
        error = relative_error(a, b)
        if not error <= rtol:
            raise CheckFailed(
                f"{what}, argument {position}: relative error {error:.1e} exceeds {rtol:.0e}"
                f" (shape {np.shape(a)}, expected {np.shape(b)})"
            )


def slope(function: Any, params: Sequence[Any], direction: Sequence[Any]) -> float:
    """Derivative of a scalar function along `direction` by the complex step: exact to rounding."""
    h = 1e-30
    moved = [p + 1j * h * d for p, d in zip(params, direction, strict=True)]
    return float(np.imag(function(*moved)) / h)


def projected(parts: Sequence[Any], direction: Sequence[Any]) -> float:
    """The inner product over all parameters."""
    return float(sum(np.sum(a * d) for a, d in zip(parts, direction, strict=True)))


def complex_step(gradient: Any, params: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """Hessian-vector product as Im gradient(x + i h v) / h: exact to rounding."""
    h = 1e-30
    moved = [p + 1j * h * t for p, t in zip(params, tangents, strict=True)]
    return tuple(np.imag(g) / h for g in gradient(*moved))
