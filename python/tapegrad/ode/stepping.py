"""The choice of step lengths, as in SciPy's solvers: computed from values without their
derivatives, decided by guards. Used by problems.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tapegrad.functions.operands import Array, seen
from tapegrad.ode.methods import Method, Slope, Start, Step, Tolerance, mean_norm

__all__ = ["Failed", "steps"]

SAFETY, LEAST_FACTOR, GREATEST_FACTOR = 0.9, 0.2, 10.0


class Failed(Exception):
    """No step length gives the accuracy wanted."""


def steps(
    method: Method, slope: Slope, span: tuple[Any, Any], y: Array, tolerance: Tolerance
) -> Iterator[tuple[Step, Any]]:
    """The accepted steps, each with the time at its end; raises Failed."""
    t, end = span
    direction = 1.0 if seen(end) >= seen(t) else -1.0
    f = slope(t, y)
    length = tolerance.first
    if length is None:
        length = _first_length(method, slope, (t, y, f), (direction, end), tolerance)
    while direction * (seen(end) - seen(t)) > 0:
        step, t, length = _accepted(method, slope, (t, y, f), (direction, end), tolerance, length)
        y, f = step.y_new, step.f_new
        yield step, t


def _accepted(
    method: Method,
    slope: Slope,
    start: Start,
    goal: tuple[float, Any],
    tolerance: Tolerance,
    length: Any,
) -> tuple[Step, Any, Any]:
    """The step, the time at its end, and the length to try next."""
    t, y, _ = start
    direction, end = goal
    now = seen(t)
    shortest = 10 * np.abs(np.nextafter(now, direction * np.inf) - now)
    length = np.minimum(np.maximum(length, shortest), tolerance.longest)
    growth = GREATEST_FACTOR
    while True:
        if length < shortest:
            raise Failed("Required step size is less than spacing between numbers.")
        t_new = t + direction * length
        if direction * (seen(t_new) - seen(end)) > 0:
            t_new = end
        h = t_new - t
        length = np.abs(seen(h))
        step = method.step(slope, start, h, tolerance)
        if step is None:
            length, growth = 0.5 * length, 1.0
            continue
        error = step.error(tolerance.scale(y, step.y_new))
        with np.errstate(divide="ignore"):
            factor = SAFETY * error ** (-1.0 / (method.order + 1))
        if error < 1:
            return step, t_new, length * np.fmin(growth, factor)
        # A NaN counts as an error that is too large.
        length = length * np.fmax(LEAST_FACTOR, factor)
        growth = 1.0


def _first_length(
    method: Method,
    slope: Slope,
    start: Start,
    goal: tuple[float, Any],
    tolerance: Tolerance,
) -> Any:
    """Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.4."""
    t, y, f = (seen(v) for v in start)
    direction, end = goal
    if y.size == 0:
        return np.inf
    whole = np.abs(seen(end) - t)
    scale = tolerance.scale(y)
    d0, d1 = mean_norm(y / scale), mean_norm(f / scale)
    small = (d0 < 1e-5) | (d1 < 1e-5)
    h = np.minimum(np.where(small, 1e-6, 0.01 * d0 / np.where(small, 1.0, d1)), whole)
    moved = seen(slope(t + h * direction, y + h * direction * f))
    d2 = mean_norm((moved - f) / scale) / np.where(h == 0, 1.0, h)
    largest = np.maximum(d1, d2)
    flat = largest <= 1e-15
    steep = (0.01 / np.where(flat, 1.0, largest)) ** (1.0 / (method.order + 1))
    h1 = np.where(flat, np.maximum(1e-6, h * 1e-3), steep)
    return np.minimum(np.minimum(100 * h, h1), np.minimum(whole, tolerance.longest))
