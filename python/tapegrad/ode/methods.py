"""What a method is, and the explicit Runge-Kutta methods: one step on recorded values, its error
estimate, and the polynomial between its ends. The coefficients are those of SciPy's classes. Used
by stepping.py and problems.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from tapegrad.functions.operands import Array, seen

__all__ = ["Explicit", "Method", "Slope", "Start", "Step", "Tolerance", "explicit", "mean_norm"]

Slope = Callable[[Any, Any], Any]  # f(t, y)
Start = tuple[Any, Array, Array]  # t, y and the slope there


class Tolerance:
    """How exact and how long steps may be; `first` is the length of the first one, if given."""

    def __init__(self, rtol: Any, atol: Any, first: Any = None, longest: Any = np.inf):
        if np.any(np.asarray(atol) < 0):
            raise ValueError("`atol` must be positive.")
        if not longest > 0:
            raise ValueError("`max_step` must be positive.")
        if first is not None and not first > 0:
            raise ValueError("`first_step` must be positive.")
        self.rtol = np.maximum(rtol, 100 * np.finfo(float).eps)
        self.atol, self.first, self.longest = np.asarray(atol), first, longest

    def scale(self, *values: Any) -> Any:
        largest = np.abs(seen(values[0]))
        for value in values[1:]:
            largest = np.maximum(largest, np.abs(seen(value)))
        return self.atol + largest * self.rtol


class Step(Protocol):
    """A step that was tried, from (t, y) over h."""

    t: Any
    y: Array
    h: Any
    y_new: Array
    f_new: Array

    def error(self, scale: Any) -> Any:
        """The norm of the estimated error in units of `scale`, without derivative."""

    def dense(self, slope: Slope) -> Callable[[Any], Array]:
        """The solution at t + x h for x between 0 and 1."""


class Method(Protocol):
    order: int  # of the error estimate

    def step(self, slope: Slope, start: Start, h: Any, tolerance: Tolerance) -> Step | None:
        """The step, or None if it cannot be made at this length."""


def combined(weights: Sequence[float], rows: Sequence[Array]) -> Array:
    """The sum of weighted rows, those of weight zero left out."""
    used = [k for k, w in enumerate(weights) if w != 0.0]
    if not used:
        return 0.0 * rows[0]
    return np.asarray([weights[k] for k in used]) @ np.stack([rows[k] for k in used])


class ExplicitStep:
    """A step of an explicit method, with the slopes of its stages."""

    def __init__(self, method: Explicit, slope: Slope, start: Start, h: Any):
        self.method, self.h = method, h
        self.t, self.y, f = start
        self.stages = [f]
        solver = method.solver
        for a, c in zip(solver.A[1:], solver.C[1:], strict=True):
            self.stages.append(slope(self.t + c * h, self.y + h * combined(a, self.stages)))
        self.y_new = self.y + h * combined(solver.B, self.stages)
        self.f_new = slope(self.t + h, self.y_new)
        self.stages.append(self.f_new)

    def error(self, scale: Any) -> Any:
        stages, h = [seen(k) for k in self.stages], seen(self.h)
        return self.method.error(stages, h, scale)

    def dense(self, slope: Slope) -> Callable[[Any], Array]:
        return self.method.dense(self, slope)


class Explicit:
    """RK23 or RK45: an embedded error estimate, and a polynomial made of the stages."""

    def __init__(self, solver: Any):
        self.solver = solver
        self.order: int = solver.error_estimator_order

    def step(self, slope: Slope, start: Start, h: Any, tolerance: Tolerance) -> ExplicitStep:
        return ExplicitStep(self, slope, start, h)

    def error(self, stages: list[Any], h: Any, scale: Any) -> Any:
        return mean_norm(h * combined(self.solver.E, stages) / scale)

    def dense(self, step: ExplicitStep, slope: Slope) -> Callable[[Any], Array]:
        rows = [combined(column, step.stages) for column in self.solver.P.T]

        def at(x: Any) -> Array:
            value = rows[-1]
            for row in rows[-2::-1]:
                value = value * x + row
            return step.y + step.h * x * value

        return at


class Eighth(Explicit):
    """DOP853: two error estimates of orders 5 and 3, and three more stages for the polynomial
    (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.10)."""

    def error(self, stages: list[Any], h: Any, scale: Any) -> Any:
        fifth = np.sum(np.abs(combined(self.solver.E5, stages) / scale) ** 2)
        third = np.sum(np.abs(combined(self.solver.E3, stages) / scale) ** 2)
        both = (fifth + 0.01 * third) * scale.size
        return np.abs(h) * fifth / np.sqrt(np.where(both == 0, 1.0, both))

    def dense(self, step: ExplicitStep, slope: Slope) -> Callable[[Any], Array]:
        stages, h = list(step.stages), step.h
        for a, c in zip(self.solver.A_EXTRA, self.solver.C_EXTRA, strict=True):
            stages.append(slope(step.t + c * h, step.y + h * combined(a[: len(stages)], stages)))
        gain = step.y_new - step.y
        rows = [gain, h * stages[0] - gain, 2.0 * gain - h * (step.f_new + stages[0])]
        rows += [h * combined(d, stages) for d in self.solver.D]

        def at(x: Any) -> Array:
            value = 0.0 * gain
            for i, row in enumerate(reversed(rows)):
                value = (value + row) * (x if i % 2 == 0 else 1.0 - x)
            return step.y + value

        return at


def mean_norm(x: Any) -> Any:
    """The root of the mean square."""
    return np.sqrt(np.sum(np.abs(x) ** 2) / max(x.size, 1))


def explicit(name: str) -> Explicit:
    """The method of this name with SciPy's coefficients."""
    import scipy.integrate

    solver = getattr(scipy.integrate, name)
    return Eighth(solver) if name == "DOP853" else Explicit(solver)
