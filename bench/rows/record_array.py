"""The cost of recording one array operation: its time beyond NumPy's own for the same operation.
NumPy's own time stands in the column of plain Python."""

from __future__ import annotations

import functools
import math
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

SMALL = 1_000  # where a function's own work does not hide what surrounds it
TINY = 10  # for results with the square of the size


@dataclass(frozen=True)
class ArrayOp:
    """One operation on a and b, and the gradient of the sum of its result."""

    name: str
    apply: Callable[[Any, Any, Any], Any]
    gradient: Callable[[Any, Any], tuple[Any, Any]]
    wide: bool = True  # for every system; else for those that take NumPy's own namespace
    largest: float = math.inf  # size


def _function(
    name: str, apply: Callable[[Any, Any, Any], Any], gradient: Any, largest: float = 0
) -> ArrayOp:
    return ArrayOp(name, apply, gradient, wide=False, largest=largest or SMALL)


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


@functools.cache
def _square(size: int) -> Any:
    return numpy.eye(size) + numpy.random.default_rng(4).uniform(0.0, 0.1, (size, size))


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


def _ones(a: Any, b: Any) -> tuple[Any, Any]:
    return numpy.ones_like(a), 0.0 * b


def _both(a: Any, b: Any) -> tuple[Any, Any]:
    return numpy.ones_like(a), numpy.ones_like(b)


def _nothing(a: Any, b: Any) -> tuple[Any, Any]:
    return 0.0 * a, 0.0 * b


def _twice(a: Any, b: Any) -> tuple[Any, Any]:
    return numpy.full_like(a, 2.0), 0.0 * b


def _all_pairs(a: Any, b: Any) -> tuple[Any, Any]:
    return numpy.full_like(a, b.sum()), numpy.full_like(b, a.sum())


def _of_linear(function: Callable[[Any], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """The gradient of the sum of a linear function of a, from unit vectors."""
    return lambda a, b: (
        numpy.array([function(unit).sum() for unit in numpy.eye(a.size)]),
        0.0 * b,
    )


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
    _function('np.einsum("ij,j->i", matrix, a)',
              lambda np, a, b: np.einsum("ij,j->i", _matrix(len(a)), a),
              lambda a, b: (_matrix(len(a)).sum(0), 0.0 * b)),
    _function('np.einsum("i,j->ij", a, b)', lambda np, a, b: np.einsum("i,j->ij", a, b),
              _all_pairs, TINY),
    _function("np.outer(a, b)", lambda np, a, b: np.outer(a, b), _all_pairs, TINY),
    _function("np.kron(a, b)", lambda np, a, b: np.kron(a, b), _all_pairs, TINY),
    _function("np.inner(a, b)", lambda np, a, b: np.inner(a, b), lambda a, b: (b, a)),
    _function("np.tensordot(a, b, 1)", lambda np, a, b: np.tensordot(a, b, 1),
              lambda a, b: (b, a)),
    _function("np.linalg.solve(matrix, a)", lambda np, a, b: np.linalg.solve(_square(len(a)), a),
              lambda a, b: (numpy.linalg.solve(_square(len(a)).T, numpy.ones_like(a)), 0.0 * b),
              TINY),
    _function("np.var(a)", lambda np, a, b: np.var(a),
              lambda a, b: (2.0 * (a - a.mean()) / a.size, 0.0 * b)),
    _function("np.std(a)", lambda np, a, b: np.std(a),
              lambda a, b: ((a - a.mean()) / (a.size * a.std()), 0.0 * b)),
    _function("np.ptp(a)", lambda np, a, b: np.ptp(a),
              lambda a, b: (1.0 * (a == a.max()) - (a == a.min()), 0.0 * b)),
    _function("np.cumsum(a)", lambda np, a, b: np.cumsum(a), _of_linear(numpy.cumsum)),
    _function("np.gradient(a)", lambda np, a, b: np.gradient(a), _of_linear(numpy.gradient)),
    _function("np.sort(a)", lambda np, a, b: np.sort(a), _ones),
    _function("np.repeat(a, 2)", lambda np, a, b: np.repeat(a, 2), _twice),
    _function("np.tile(a, 2)", lambda np, a, b: np.tile(a, 2), _twice),
    _function("np.pad(a, 1)", lambda np, a, b: np.pad(a, 1), _ones),
    _function("np.append(a, b)", lambda np, a, b: np.append(a, b), _both),
    _function("np.vstack([a, b])", lambda np, a, b: np.vstack([a, b]), _both),
    _function("np.column_stack([a, b])", lambda np, a, b: np.column_stack([a, b]), _both),
    _function("np.take(a, [0, 1])", lambda np, a, b: np.take(a, [0, 1]),
              _of_linear(lambda a: a[:2])),
    _function("np.diag(a)", lambda np, a, b: np.diag(a), _ones, TINY),
    _function("np.flip(a)", lambda np, a, b: np.flip(a), _ones),
    _function("np.expand_dims(a, 0)", lambda np, a, b: np.expand_dims(a, 0), _ones),
    _function("np.squeeze(a)", lambda np, a, b: np.squeeze(a), _ones),
    _function("a ** 3", lambda np, a, b: a**3, lambda a, b: (3.0 * a**2, 0.0 * b)),
    _function("np.argmax(a)", lambda np, a, b: np.argmax(a), _nothing),
    _function("np.isnan(a)", lambda np, a, b: np.isnan(a), _nothing),
    _function("np.any(a > 1)", lambda np, a, b: np.any(a > 1.0), _nothing),
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
                if size <= op.largest:
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
    """Recorded minus plain seconds; the two loops alternate inside one recording."""
    a, b = _inputs(size)
    count = _repeats(size)
    recorded: list[float] = []
    plain: list[float] = []

    def function(u: Any, v: Any) -> Any:
        _loop(op.apply, system.np, u, v, 1)  # pays for first uses
        started = perf_counter()
        for _ in range(effort.max_samples):
            recorded.append(_loop(op.apply, system.np, u, v, count))
            plain.append(_loop(op.apply, numpy, a, b, count))
            if len(plain) >= effort.min_samples and perf_counter() - started > _budget(effort):
                break
        return u.sum() + v.sum()

    system.record(function, [system.array(a), system.array(b)])
    return (effort.statistic(recorded) - effort.statistic(plain)) / count


def _plain(system: System, op: ArrayOp, size: int, effort: Effort) -> float:
    """Seconds of the operation on plain arrays."""
    a, b = _inputs(size)
    count = _repeats(size)
    _loop(op.apply, system.np, a, b, 1)
    samples: list[float] = []
    started = perf_counter()
    while len(samples) < effort.min_samples or perf_counter() - started < 0.25 * _budget(effort):
        samples.append(_loop(op.apply, system.np, a, b, count) / count)
    return effort.statistic(samples)


def _budget(effort: Effort) -> float:
    """Of one line: there are many, and each is short."""
    return 0.4 * effort.seconds


def _repeats(size: int) -> int:
    return max(5, min(200, 200_000 // size))


def _loop(apply: Callable[[Any, Any, Any], Any], np: Any, a: Any, b: Any, count: int) -> float:
    started = perf_counter()
    for _ in repeat(None, count):
        apply(np, a, b)
    return perf_counter() - started
