"""Symplectic Euler steps of an oscillator: a Python loop over scalars, four operations a step.

Values and adjoints neither grow nor decay, so any number of steps keeps ordinary numbers.
"""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

OPERATIONS_PER_STEP = 4


def function(np: Any, q: Any, p: Any, h: Any, steps: int) -> Any:
    for _ in range(steps):
        p = p - h * q
        q = q + h * p
    return q + p


def make(size: int) -> Instance:
    return Instance(params=(1.0, 0.5, 0.01), data=(size // OPERATIONS_PER_STEP,))


def gradient(q: Any, p: Any, h: Any, steps: int) -> tuple[Any, ...]:
    """Closed form: M^N = S_N M - S_(N-1) I with S_k = sin(k t) / sin(t) and 2 cos(t) = trace M.

    M = [[1 - h^2, h], [-h, 1]] is one step on (q, p); its determinant is 1, so t = 2 arcsin(h / 2).
    """
    t = 2.0 * numpy.arcsin(h / 2.0)
    dt_dh = 1.0 / numpy.sqrt(1.0 - h * h / 4.0)

    def ratio(k: int) -> tuple[Any, Any]:
        s, c = numpy.sin(t), numpy.cos(t)
        value = numpy.sin(k * t) / s
        return value, (k * numpy.cos(k * t) - value * c) / s * dt_dh

    (now, dnow), (before, dbefore) = ratio(steps), ratio(steps - 1)
    step = numpy.array([[1.0 - h * h, h], [-h, 1.0]])
    dstep = numpy.array([[-2.0 * h, 1.0], [-1.0, 0.0]])
    power = now * step - before * numpy.eye(2)
    dpower = dnow * step - dbefore * numpy.eye(2) + now * dstep
    dq, dp = power.sum(axis=0)
    return dq, dp, dpower.sum(axis=0) @ numpy.array([q, p])


OSCILLATOR = Workload(
    "oscillator",
    "scalar loop",
    function,
    make,
    gradient,
    small=40,
    scalar=True,
    rtol=1e-7,
)
