"""k-means: squared distance of `size` points to the nearest of 10 centres. Its Hessian is diagonal:
a Hessian-vector product with ones is all of it, as Newton's method wants it."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

CENTRES, DIMENSION = 10, 8


def function(np: Any, centres: Any, points: Any) -> Any:
    distances = np.sum((points[:, None] - centres) ** 2, axis=2)
    return np.sum(np.min(distances, axis=1))


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(15)
    centres = rng.standard_normal((CENTRES, DIMENSION))
    data = (rng.standard_normal((size, DIMENSION)),)
    return Instance((centres,), data, direction=(numpy.ones_like(centres),))


def gradient(centres: Any, points: Any) -> tuple[Any, ...]:
    distances = numpy.sum((points[:, None] - centres.real) ** 2, axis=2)
    member = numpy.eye(CENTRES)[numpy.argmin(distances, axis=1)]
    return (2.0 * (member.sum(axis=0)[:, None] * centres - member.T @ points),)


KMEANS = Workload(
    "kmeans", "k-means, HVP is the diagonal Hessian", function, make, gradient, small=30
)
