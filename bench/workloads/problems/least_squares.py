"""Linear least squares: `size` equations in 50 unknowns."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

UNKNOWNS = 50


def function(np: Any, x: Any, a: Any, b: Any) -> Any:
    return 0.5 * np.sum((a @ x - b) ** 2)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(13)
    data = (rng.standard_normal((size, UNKNOWNS)), rng.standard_normal(size))
    return Instance((rng.standard_normal(UNKNOWNS),), data)


def gradient(x: Any, a: Any, b: Any) -> tuple[Any, ...]:
    return (a.T @ (a @ x - b),)


LEAST_SQUARES = Workload(
    "least-squares", "linear least squares, 50 unknowns", function, make, gradient, small=60
)
