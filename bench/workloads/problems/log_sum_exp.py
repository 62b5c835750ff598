"""The logarithm of a sum of `size` exponentials, shifted by the largest."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload


def function(np: Any, x: Any) -> Any:
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def make(size: int) -> Instance:
    return Instance((3.0 * numpy.random.default_rng(14).standard_normal(size),))


def gradient(x: Any) -> tuple[Any, ...]:
    weights = numpy.exp(x - x.real.max())
    return (weights / numpy.sum(weights),)


LOG_SUM_EXP = Workload("log-sum-exp", "log-sum-exp", function, make, gradient, small=5)
