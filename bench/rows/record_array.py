"""The cost of recording one array operation: its time beyond NumPy's own for the same operation.
NumPy's own time stands in the column of plain Python."""

from __future__ import annotations

import functools
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
    wide: bool = True  # for every size and system; else for small arrays and NumPy's own namespace


def _function(name: str, apply: Callable[[Any, Any, Any], Any], gradient: Any) -> ArrayOp:
    return ArrayOp(name, apply, gradient, wide=False)


# Constants of the size of an operand.


@functools.cache
def _mask(size: int) -> Any:
    return numpy.arange(size) % 3 > 0


@functools.cache
def _index(size: int) -> Any:
    return numpy.arange(size)[::-1].copy()


@functools.cache
def _matrix(size: int) -> Any:
    return numpy.random.default_rng(3).uniform(0.5, 1.5, (10, size))


def _constant(size: int) -> Any:
    return _matrix(size)[0]


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


SMALL = 1_000  # where a function's own work does not hide what surrounds it


def _ones(a: Any, b: Any) -> tuple[Any, Any]:
    return numpy.ones_like(a), 0.0 * b


def _both(a: Any, b: Any) -> tuple[Any, Any]:
    return numpy.ones_like(a), numpy.ones_like(b)


def _ends(a: Any, b: Any) -> tuple[Any, Any]:
    return numpy.r_[-1.0, 0.0 * a[2:], 1.0], 0.0 * b


FUNCTIONS = (
    _function("constant * a", lambda np, a, b: _constant(len(a)) * a,
              lambda a, b: (_constant(len(a)), 0.0 * b)),
    _function("np.maximum(a, 0)", lambda np, a, b: np.maximum(a, 0.0), _ones),
    _function("np.clip(a, low, high)", lambda np, a, b: np.clip(a, 0.1, 1.9), _ones),
    _function("np.where(mask, a, b)", lambda np, a, b: np.where(_mask(len(a)), a, b),
              lambda a, b: (1.0 * _mask(len(a)), 1.0 * ~_mask(len(a)))),
    _function("np.mean(a)", lambda np, a, b: np.mean(a),
              lambda a, b: (numpy.full_like(a, 1.0 / a.size), 0.0 * b)),
    _function("np.max(a)", lambda np, a, b: np.max(a),
              lambda a, b: (1.0 * (a == a.max()), 0.0 * b)),
    _function("np.linalg.norm(a)", lambda np, a, b: np.linalg.norm(a),
              lambda a, b: (a / numpy.linalg.norm(a), 0.0 * b)),
    _function("a.reshape(1, -1)", lambda np, a, b: a.reshape(1, -1), _ones),
    _function("np.concatenate([a, b])", lambda np, a, b: np.concatenate([a, b]), _both),
    _function("np.stack([a, b])", lambda np, a, b: np.stack([a, b]), _both),
    _function("np.roll(a, 1)", lambda np, a, b: np.roll(a, 1), _ones),
    _function("np.diff(a)", lambda np, a, b: np.diff(a), _ends),
    _function("np.dot(a, b)", lambda np, a, b: np.dot(a, b), lambda a, b: (b, a)),
    _function("matrix @ a", lambda np, a, b: _matrix(len(a)) @ a,
              lambda a, b: (_matrix(len(a)).sum(0), 0.0 * b)),
    _function('np.einsum("i,i->", a, b)', lambda np, a, b: np.einsum("i,i->", a, b),
              lambda a, b: (b, a)),
    _function("a[mask]", lambda np, a, b: a[_mask(len(a))],
              lambda a, b: (1.0 * _mask(len(a)), 0.0 * b)),
    _function("a[index]", lambda np, a, b: a[_index(len(a))], _ones),
    _function("np.zeros_like(a)", lambda np, a, b: np.zeros_like(a),
              lambda a, b: (0.0 * a, 0.0 * b)),
)  # fmt: skip


@dataclass(frozen=True)
class ArrayRecordRow(Row):
    sizes: tuple[int, ...]
    name: ClassVar[str] = "record-array"
    title: ClassVar[str] = "recording one array operation, time beyond NumPy's own"

    @property
    def targets(self) -> dict[str, Target]:
        return {metric: Target(at_most=0.4e-6) for _, _, metric in self._lines()}

    def _lines(self) -> Iterator[tuple[ArrayOp, int, str]]:
        for op in (*OPS, *FUNCTIONS):
            for size in self.sizes:
                if op.wide or size <= SMALL:
                    yield op, size, f"{op.name}, n = {power_text(size)}"

    def admits(self, system: type[System]) -> bool:
        return (system.records and system.records_arrays) or not system.differentiates

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        found = []
        lines = [line for line in self._lines() if line[0].wide or system.np is numpy]
        for op in dict.fromkeys(op for op, _, _ in lines):
            if system.differentiates:
                self._check(system, op)
        measured = _extra if system.differentiates else _plain
        for op, size, metric in lines:
            seconds = measured(system, op, size, effort)
            found.append(Measurement(self.name, metric, system.name, seconds, "s/op"))
        return found

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
    count = _repeats(size)
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


def _plain(system: System, op: ArrayOp, size: int, effort: Effort) -> float:
    """Median seconds of the operation on plain arrays."""
    a, b = _inputs(size)
    count = _repeats(size)
    samples = [
        _loop(op.apply, system.np, a, b, count) / count for _ in range(effort.min_samples + 1)
    ]
    return statistics.median(samples[1:])


def _repeats(size: int) -> int:
    return max(5, min(500, 500_000 // size))


def _loop(apply: Callable[[Any, Any, Any], Any], np: Any, a: Any, b: Any, count: int) -> float:
    started = perf_counter()
    for _ in repeat(None, count):
        apply(np, a, b)
    return perf_counter() - started
