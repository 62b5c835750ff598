"""The cost of recording one scalar operation from a Python loop, the loop itself included."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import Any, ClassVar

from bench.checks import require_close
from bench.measure import Effort
from bench.results import Measurement
from bench.rows.base import Row, Target, as_tuple, power_text
from bench.systems.base import System

PARAMS = (1.5, 0.999999)
PRODUCT, SUM = "x * y", "x + 2.0"


def _product(count: int, spent: list[float]) -> Callable[..., Any]:
    def function(x: Any, y: Any) -> Any:
        started = perf_counter()
        for _ in repeat(None, count):
            x = x * y
        spent.append(perf_counter() - started)
        return x

    return function


def _sum(count: int, spent: list[float]) -> Callable[..., Any]:
    def function(x: Any, y: Any) -> Any:
        started = perf_counter()
        for _ in repeat(None, count):
            x = x + 2.0
        spent.append(perf_counter() - started)
        return x

    return function


PROBES = {PRODUCT: _product, SUM: _sum}


def _expected(metric: str, count: int) -> tuple[float, float]:
    """Gradient of x y^count, and of x + 2 count."""
    x, y = PARAMS
    return (y**count, count * x * y ** (count - 1)) if metric == PRODUCT else (1.0, 0.0)


@dataclass(frozen=True)
class ScalarRecordRow(Row):
    count: int
    name: ClassVar[str] = "record-scalar"
    title: ClassVar[str] = "recording one scalar operation"
    targets: ClassVar[dict[str, Target]] = {
        metric: Target(at_most=40e-9, peers=("autograd", "jax", "torch", "xad"))
        for metric in PROBES
    }

    def admits(self, system: type[System]) -> bool:
        return system.records

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        params = [system.array(p) for p in PARAMS]
        for metric, probe in PROBES.items():
            self._check(system, metric, probe, params)
        count = min(self.count, system.scalar_limit)
        note = "" if count == self.count else f"at {power_text(count)} operations"
        found = []
        for metric, probe in PROBES.items():
            spent: list[float] = []
            started = perf_counter()
            while len(spent) < effort.min_samples or (
                len(spent) < effort.max_samples and perf_counter() - started < effort.seconds
            ):
                system.record(probe(count, spent), params)
            found.append(
                Measurement(
                    self.name, metric, system.name, statistics.median(spent) / count, "s/op", note
                )
            )
        return found

    def _check(self, system: System, metric: str, probe: Any, params: list[Any]) -> None:
        if not system.differentiates:
            return
        count = 20
        _, gradients = system.gradient(probe(count, []), params)()
        computed = [system.numpy(g) for g in as_tuple(gradients)]
        require_close(f"{self.name}: {metric}", computed, _expected(metric, count), 1e-12)
