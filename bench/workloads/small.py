"""`size` inputs, five scalar operations for each: the cost of a call."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload


def function(np: Any, x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        total = total + x[i] * (np.sin(x[i - 1]) - 0.5 * x[i])
    return total


def function_casadi(np: Any, x: Any) -> Any:
    return function(np, np.vertsplit(x))


def make(size: int) -> Instance:
    return Instance(params=(numpy.random.default_rng(8).standard_normal(size),))


def gradient(x: Any) -> tuple[Any, ...]:
    return (numpy.sin(numpy.roll(x, 1)) - x + numpy.roll(x, -1) * numpy.cos(x),)


SMALL = Workload(
    "small-call",
    "scalars, 5 operations an input",
    function,
    make,
    gradient,
    small=3,
    symbolic=True,
    variants={"casadi": function_casadi},
)
