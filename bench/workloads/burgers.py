"""2-D Burgers on a periodic `size` x `size` grid, 100 explicit steps written with np.roll.

u' = u - C (u u_x + v u_y) + D lap u in grid units, v likewise; the energy at the end.
"""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

STEPS = 100
ADVECTION, DIFFUSION = 0.05, 0.1


def _around(np: Any, f: Any) -> tuple[Any, ...]:
    return np.roll(f, -1, 0), np.roll(f, 1, 0), np.roll(f, -1, 1), np.roll(f, 1, 1)


def _advance(np: Any, f: Any, u: Any, v: Any, c: float, d: float) -> Any:
    east, west, north, south = _around(np, f)
    drift = u * (east - west) + v * (north - south)
    return f - c * drift + d * (east + west + north + south - 4.0 * f)


def function(np: Any, u: Any, v: Any, steps: int, c: float, d: float) -> Any:
    for _ in range(steps):
        u, v = _advance(np, u, u, v, c, d), _advance(np, v, u, v, c, d)
    return np.mean(u * u + v * v)


def function_jax(np: Any, u: Any, v: Any, steps: int, c: float, d: float) -> Any:
    import jax

    def step(state: Any, _: Any) -> Any:
        u, v = state
        return (_advance(np, u, u, v, c, d), _advance(np, v, u, v, c, d)), None

    (u, v), _ = jax.lax.scan(step, (u, v), None, length=steps)
    return np.mean(u * u + v * v)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(6)
    x = 2.0 * numpy.pi * numpy.arange(size) / size
    wave = numpy.sin(x)[:, None] * numpy.cos(2.0 * x)
    u, v = (s * wave + 0.1 * rng.standard_normal((size, size)) for s in (1.0, -0.5))
    return Instance(params=(u, v), data=(STEPS, ADVECTION, DIFFUSION))


def gradient(u: Any, v: Any, steps: int, c: float, d: float) -> tuple[Any, ...]:
    """The adjoint stencil, run back over the stored trajectory."""
    states = [(u, v)]
    for _ in range(steps):
        states.append(tuple(_advance(numpy, f, *states[-1], c, d) for f in states[-1]))
    a, b = (2.0 * f / f.size for f in states.pop())
    for u, v in reversed(states):
        (ue, uw, un, us), (ve, vw, vn, vs) = _around(numpy, u), _around(numpy, v)
        a, b = (
            _transposed(a, u, v, c, d) - c * (a * (ue - uw) + b * (ve - vw)),
            _transposed(b, u, v, c, d) - c * (a * (un - us) + b * (vn - vs)),
        )
    return a, b


def _transposed(a: Any, u: Any, v: Any, c: float, d: float) -> Any:
    """The transpose of a step that is linear in f, for fixed velocities."""
    return (
        (1.0 - 4.0 * d) * a
        + numpy.roll(a * (d - c * u), 1, 0)
        + numpy.roll(a * (d + c * u), -1, 0)
        + numpy.roll(a * (d - c * v), 1, 1)
        + numpy.roll(a * (d + c * v), -1, 1)
    )


BURGERS = Workload(
    "burgers",
    f"2-D Burgers, {STEPS} steps with np.roll",
    function,
    make,
    gradient,
    small=4,
    variants={"jax-jit": function_jax},
)
