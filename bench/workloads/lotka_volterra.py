"""Lotka-Volterra fitted to observations: `size` Runge-Kutta steps, a plain loop over scalars."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

STEP = 0.01


def _rates(theta: Any, x: Any, y: Any) -> Any:
    return theta[0] * x - theta[1] * x * y, theta[3] * x * y - theta[2] * y


def _step(theta: Any, x: Any, y: Any) -> Any:
    a, b = _rates(theta, x, y)
    c, d = _rates(theta, x + 0.5 * STEP * a, y + 0.5 * STEP * b)
    e, f = _rates(theta, x + 0.5 * STEP * c, y + 0.5 * STEP * d)
    g, h = _rates(theta, x + STEP * e, y + STEP * f)
    return (
        x + STEP / 6.0 * (a + 2.0 * c + 2.0 * e + g),
        y + STEP / 6.0 * (b + 2.0 * d + 2.0 * f + h),
    )


def function(np: Any, theta: Any, prey: Any, predators: Any) -> Any:
    x, y = theta[4], theta[5]
    total = 0.0
    for seen_x, seen_y in zip(prey, predators, strict=True):
        x, y = _step(theta, x, y)
        total = total + (x - seen_x) ** 2 + (y - seen_y) ** 2
    return total


def function_torch(torch: Any, theta: Any, prey: Any, predators: Any) -> Any:
    return function(torch, theta.unbind(), prey.tolist(), predators.tolist())


def function_jax(np: Any, theta: Any, prey: Any, predators: Any) -> Any:
    import jax

    def step(state: Any, seen: Any) -> Any:
        x, y = _step(theta, *state)
        return (x, y), (x - seen[0]) ** 2 + (y - seen[1]) ** 2

    _, terms = jax.lax.scan(step, (theta[4], theta[5]), (prey, predators))
    return np.sum(terms)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(5)
    prey, predators = 1.0 + 0.5 * rng.uniform(size=(2, size))
    theta = numpy.array([1.1, 0.4, 0.9, 0.3, 2.0, 1.0])
    return Instance(params=(theta,), data=(prey, predators))


def gradient(theta: Any, prey: Any, predators: Any) -> tuple[Any, ...]:
    """The adjoint of each step, stage by stage, from the stored states."""
    states = [theta[4:6]]
    for _ in range(len(prey)):
        states.append(numpy.array(_step(theta, *states[-1])))
    seen = numpy.stack([prey, predators], axis=1)
    rates = numpy.zeros_like(theta[:4])
    adjoint = numpy.zeros_like(theta[4:6])
    for before, after, target in zip(states[-2::-1], states[:0:-1], seen[::-1], strict=True):
        adjoint, part = _step_adjoint(theta, before, adjoint + 2.0 * (after - target))
        rates = rates + part
    return (numpy.concatenate([rates, adjoint]),)


def _step_adjoint(theta: Any, state: Any, adjoint: Any) -> tuple[Any, Any]:
    """(adjoint of the state before, of the four rates); the stages in reverse."""
    stages, k = [], numpy.zeros_like(state)
    for ahead in (0.0, 0.5 * STEP, 0.5 * STEP, STEP):
        stages.append(state + ahead * k)
        k = numpy.array(_rates(theta, *stages[-1]))
    before, rates, later = adjoint, numpy.zeros_like(theta[:4]), numpy.zeros_like(adjoint)
    weights = (STEP / 6.0, STEP / 3.0, STEP / 3.0, STEP / 6.0)
    leads = (0.5 * STEP, 0.5 * STEP, STEP, 0.0)  # how far the following stage went along k
    for (x, y), weight, lead in zip(stages[::-1], weights, leads[::-1], strict=True):
        p, q = weight * adjoint + lead * later
        later = numpy.array(
            [
                p * (theta[0] - theta[1] * y) + q * theta[3] * y,
                q * (theta[3] * x - theta[2]) - p * theta[1] * x,
            ]
        )
        before = before + later
        rates = rates + numpy.array([p * x, -p * x * y, -q * y, q * x * y])
    return before, rates


LOTKA_VOLTERRA = Workload(
    "lotka-volterra",
    "Lotka-Volterra, Runge-Kutta in a plain loop",
    function,
    make,
    gradient,
    small=3,
    unit="steps",
    symbolic=True,
    variants={"torch": function_torch, "jax-jit": function_jax},
)
