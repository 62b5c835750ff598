"""A chain of `size` masses with cubic springs: 100 Runge-Kutta steps on arrays."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

STEPS, STEP = 100, 0.05
CUBIC = 0.3


def _force(np: Any, q: Any) -> Any:
    stretch = np.roll(q, -1) - q
    tension = stretch + CUBIC * stretch**3
    return tension - np.roll(tension, 1)


def _advance(np: Any, q: Any, p: Any) -> tuple[Any, Any]:
    a, b = p, _force(np, q)
    c, d = p + 0.5 * STEP * b, _force(np, q + 0.5 * STEP * a)
    e, f = p + 0.5 * STEP * d, _force(np, q + 0.5 * STEP * c)
    g, h = p + STEP * f, _force(np, q + STEP * e)
    return (
        q + STEP / 6.0 * (a + 2.0 * c + 2.0 * e + g),
        p + STEP / 6.0 * (b + 2.0 * d + 2.0 * f + h),
    )


def _energy(np: Any, q: Any, p: Any) -> Any:
    half = len(q) // 2
    return 0.5 * np.sum(p[:half] ** 2 + q[:half] ** 2)


def function(np: Any, q: Any, p: Any) -> Any:
    """Energy of the first half of the chain at the end."""
    for _ in range(STEPS):
        q, p = _advance(np, q, p)
    return _energy(np, q, p)


def function_jax(np: Any, q: Any, p: Any) -> Any:
    import jax

    def step(state: Any, _: Any) -> Any:
        return _advance(np, *state), None

    (q, p), _ = jax.lax.scan(step, (q, p), None, length=STEPS)
    return _energy(np, q, p)


def make(size: int) -> Instance:
    q, p = numpy.random.default_rng(17).standard_normal((2, size))
    return Instance((q, p))


ODE = Workload(
    "ode",
    f"chain of masses, {STEPS} Runge-Kutta steps",
    function,
    make,
    small=4,
    variants={"jax-jit": function_jax},
)
