"""The cost of recording one array operation: its time beyond NumPy's own for the same operation."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import Any, ClassVar

import numpy

from bench.checks import require_close
from bench.measure import Effort
from bench.results import Measurement
from bench.rows.base import Row, Target, as_tuple, power_text
from bench.systems.base import System


@dataclass(frozen=True)
class ArrayOp:
    """One operation on a and b, and the gradient of the sum of its result."""

    name: str
    apply: Callable[[Any, Any, Any], Any]
    gradient: Callable[[Any, Any], tuple[Any, Any]]


def _first_cleared(a: Any) -> Any:
    result = numpy.ones_like(a)
    result[0] = 0.0
    return result


OPS = (
    ArrayOp("a * b", lambda np, a, b: a * b, lambda a, b: (b, a)),
    ArrayOp("np.sin(a)", lambda np, a, b: np.sin(a), lambda a, b: (numpy.cos(a), 0.0 * b)),
    ArrayOp("np.sum(a)", lambda np, a, b: np.sum(a), lambda a, b: (numpy.ones_like(a), 0.0 * b)),
    ArrayOp("a[1:]", lambda np, a, b: a[1:], lambda a, b: (_first_cleared(a), 0.0 * b)),
)


@dataclass(frozen=True)
class ArrayRecordRow(Row):
    sizes: tuple[int, ...]
    name: ClassVar[str] = "record-array"
    title: ClassVar[str] = "recording one array operation, time beyond NumPy's own"

    @property
    def targets(self) -> dict[str, Target]:
        return {metric: Target(at_most=0.4e-6) for _, _, metric in self._lines()}

    def _lines(self) -> Iterator[tuple[ArrayOp, int, str]]:
        for op in OPS:
            for size in self.sizes:
                yield op, size, f"{op.name}, n = {power_text(size)}"

    def admits(self, system: type[System]) -> bool:
        return system.records and system.records_arrays

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        for op in OPS:
            self._check(system, op)
        return [
            Measurement(self.name, metric, system.name, _extra(system, op, size, effort), "s/op")
            for op, size, metric in self._lines()
        ]

    def _check(self, system: System, op: ArrayOp) -> None:
        a, b = _inputs(5)
        params = [system.array(a), system.array(b)]
        _, gradients = system.gradient(
            lambda u, v: system.np.sum(op.apply(system.np, u, v)), params
        )()
        computed = [system.numpy(g) for g in as_tuple(gradients)]
        require_close(f"{self.name}: {op.name}", computed, op.gradient(a, b), 1e-12)


def _inputs(size: int) -> tuple[Any, Any]:
    rng = numpy.random.default_rng(5)
    return rng.uniform(0.5, 1.5, size), rng.uniform(0.5, 1.5, size)


def _extra(system: System, op: ArrayOp, size: int, effort: Effort) -> float:
    """Median of recorded minus plain seconds; the two loops alternate inside one recording."""
    a, b = _inputs(size)
    count = max(5, min(500, 500_000 // size))
    differences: list[float] = []

    def function(u: Any, v: Any) -> Any:
        started = perf_counter()
        for _ in range(effort.max_samples):
            recorded = _loop(op.apply, system.np, u, v, count)
            plain = _loop(op.apply, numpy, a, b, count)
            differences.append((recorded - plain) / count)
            if len(differences) >= effort.min_samples and perf_counter() - started > effort.seconds:
                break
        return u.sum() + v.sum()

    system.record(function, [system.array(a), system.array(b)])
    # The first sample pays for first uses.
    return statistics.median(differences[1:])


def _loop(apply: Callable[[Any, Any, Any], Any], np: Any, a: Any, b: Any, count: int) -> float:
    started = perf_counter()
    for _ in repeat(None, count):
        apply(np, a, b)
    return perf_counter() - started
