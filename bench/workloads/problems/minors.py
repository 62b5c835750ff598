"""The determinant of a `size` x `size` matrix by expansion in minors: a recursion over scalars."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload


def _minor(m: Any, row: int, columns: list[int]) -> Any:
    if len(columns) == 1:
        return m[row, columns[0]]
    total = 0.0
    for k, column in enumerate(columns):
        part = m[row, column] * _minor(m, row + 1, columns[:k] + columns[k + 1 :])
        total = total + part if k % 2 == 0 else total - part
    return total


def function(np: Any, matrix: Any) -> Any:
    return _minor(matrix, 0, list(range(matrix.shape[0])))


def make(size: int) -> Instance:
    return Instance((numpy.random.default_rng(16).standard_normal((size, size)),))


def gradient(matrix: Any) -> tuple[Any, ...]:
    return (numpy.linalg.det(matrix) * numpy.linalg.inv(matrix).T,)


MINORS = Workload("minors", "determinant by minors", function, make, gradient, small=3)
