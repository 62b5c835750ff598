"""Rosenbrock's function of n variables: memory-bound for large n, call overhead for small."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload


def function(np: Any, x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def make(size: int) -> Instance:
    return Instance(params=(numpy.random.default_rng(1).uniform(-1.2, 1.2, size),))


def gradient(x: Any) -> tuple[Any, ...]:
    residual = x[1:] - x[:-1] ** 2
    result = numpy.zeros_like(x)
    result[:-1] += -400.0 * residual * x[:-1] - 2.0 * (1.0 - x[:-1])
    result[1:] += 200.0 * residual
    return (result,)


ROSENBROCK = Workload("rosenbrock", "Rosenbrock", function, make, gradient, small=3, symbolic=True)
