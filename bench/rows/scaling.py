"""How a prepared gradient grows with n, and what a second thread brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from bench.measure import Effort, time_call
from bench.results import Measurement
from bench.rows.base import Case, Row, Target, power_text
from bench.rows.prepared import RIVALS, TOO_LONG
from bench.systems.base import System
from bench.workloads import Workload

SPEEDUP = "time, 2 threads / 1"


@dataclass(frozen=True)
class ScalingRow(Row):
    """A line for each size; a system stops where a call becomes too long."""

    workload: Workload
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"scaling-{self.workload.name}"

    @property
    def title(self) -> str:
        return f"prepared gradient by size, {self.workload.title}"

    @property
    def targets(self) -> dict[str, Target]:
        return {self._metric(n): Target(peers=RIVALS) for n in self.sizes}

    def _metric(self, size: int) -> str:
        return f"{power_text(size)} {self.workload.unit}".strip()

    def admits(self, system: type[System]) -> bool:
        return system.prepares and system.takes(self.workload, self.sizes[0])

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        system, found = system.prepared(), []
        for size in self.sizes:
            if not system.takes(self.workload, size):
                break
            case = Case(system, self.workload, size)
            started = perf_counter()
            case.check_gradient(case.gradient())
            seconds = time_call(case.gradient, effort)
            found.append(Measurement(self.name, self._metric(size), system.name, seconds, "s"))
            if perf_counter() - started > 10.0 * TOO_LONG:
                break
        return found


@dataclass(frozen=True)
class ThreadsRow(Row):
    """The same call held to one thread and to two."""

    workload: Workload
    size: int

    @property
    def name(self) -> str:
        return f"threads-{self.workload.name}-{power_text(self.size)}"

    @property
    def title(self) -> str:
        return f"prepared gradient by threads, {self.workload.title}, {power_text(self.size)}"

    @property
    def targets(self) -> dict[str, Target]:
        return {
            _threads(1): Target(),
            _threads(2): Target(peers=RIVALS),
            SPEEDUP: Target(at_most=1.0 / 1.6),
        }

    @property
    def threads(self) -> tuple[int, ...]:
        return 1, 2

    def admits(self, system: type[System]) -> bool:
        return (
            system.prepares and system.name not in SINGLE and system.takes(self.workload, self.size)
        )

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        count, system = system.threads, system.prepared()
        case = Case(system, self.workload, self.size)
        case.check_gradient(case.gradient())
        seconds = time_call(case.gradient, effort)
        return [Measurement(self.name, _threads(count), system.name, seconds, "s")]

    def summary(self, found: Sequence[Measurement]) -> list[Measurement]:
        by_count = {m.metric: m for m in found}
        if len(by_count) < 2:
            return []
        one, two = by_count[_threads(1)], by_count[_threads(2)]
        return [Measurement(self.name, SPEEDUP, one.system, two.value / one.value, "x")]


SINGLE = ("autograd", "casadi", "limit")  # never more than one thread


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"
