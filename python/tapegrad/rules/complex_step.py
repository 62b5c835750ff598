"""The complex step, and the test that the code which it stepped through is analytic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad.rules.node import Arrays

Map = Callable[[Arrays], Arrays]
STEPS = (1e-4, 1e-5, 1e-6)  # of the differences that it is compared with


def complex_step(f: Map, base: Arrays, units: Arrays, likes: Arrays) -> Arrays:
    """Im f(x + iht) / h with h so small that h**2 vanishes: exact to rounding for analytic code.

    J. N. Lyness and C. B. Moler, Numerical differentiation of analytic functions, 1967.
    """
    h = 1e-100
    if any(x.dtype.kind == "c" for x in base):
        raise TypeError("the complex step differentiates functions of real numbers only")
    found = f(_moved(base, units, 1j * h))
    for part, like in zip(found, likes, strict=True):
        if part.dtype.kind != "c" and like.size and np.issubdtype(part.dtype, np.inexact):
            raise TypeError(
                "the complex step needs a function that computes with complex numbers; this one "
                'returned real ones: use "central"'
            )
    return [np.imag(part) / h for part in found]


def require_analytic(name: str, f: Map, base: Arrays, units: Arrays, found: Arrays) -> None:
    """Raise UnsupportedError where central differences show that the complex step is wrong, as it
    is behind abs, conj or vdot.

    One difference is enough where it agrees. Else it is wrong only where differences of several
    steps agree with each other, and so with the derivative: near a pole or a kink they do not.
    """
    given = _flat(found)
    slopes: list[Any] = []
    suspect = np.isfinite(given)
    for step in STEPS:
        try:
            slope, noise = _difference(f, base, units, step)
        except (ArithmeticError, ValueError):  # outside of the domain of f
            return
        slopes.append(slope)
        size = np.maximum(np.abs(slope), np.abs(given))
        suspect &= np.abs(slope - given) > 1e-3 * size + noise
        if not suspect.any():
            return
    spread = np.max(slopes, axis=0) - np.min(slopes, axis=0)
    suspect &= spread <= 0.1 * np.max(np.abs(slopes), axis=0) + noise
    if suspect.any():
        k = int(np.argmax(suspect))
        errors.unsupported(
            f"the complex step of {name} gives {given[k]:.6g}, differences {slopes[1][k]:.6g}: it "
            "is not analytic (np.abs, np.conj, np.vdot, a comparison of real parts)",
            'Use method="central", or derivatives="central" of tg.custom_rule.',
        )


def _difference(f: Map, base: Arrays, units: Arrays, relative: float) -> tuple[Any, Any]:
    """The central difference of all numbers, and what rounding may make of it."""
    moving = [(x, u) for x, u in zip(base, units, strict=True) if u is not None]
    size = max(float(np.max(np.abs(x * u), initial=0.0)) for x, u in moving)
    h = relative * (size or 1.0)
    ahead, behind = _flat(f(_moved(base, units, h))), _flat(f(_moved(base, units, -h)))
    noise = 4 * np.finfo(float).eps * (np.abs(ahead) + np.abs(behind)) / h
    return np.real(ahead - behind) / (2 * h), noise


def _moved(base: Arrays, units: Arrays, h: complex) -> Arrays:
    return [x.copy() if u is None else x + h * u for x, u in zip(base, units, strict=True)]


def _flat(parts: Arrays) -> np.ndarray[Any, Any]:
    return np.concatenate([np.zeros(0), *(np.reshape(part, -1) for part in parts)])
