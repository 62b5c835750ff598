"""Linearity of a one-shot gradient: time and memory of 2 N operations over those of N."""

from __future__ import annotations

from dataclasses import dataclass

from bench.measure import Effort, PeakMemory, time_together
from bench.results import Measurement
from bench.rows.base import Case, Row, Target, power_text
from bench.systems.base import System
from bench.workloads import Workload

TIME, MEMORY = "time 2N / N", "memory 2N / N"


@dataclass(frozen=True)
class GrowthRow(Row):
    workload: Workload
    size: int

    @property
    def name(self) -> str:
        return f"growth-{power_text(self.size)}"

    @property
    def title(self) -> str:
        return f"growth of {self.workload.title}, N = {power_text(self.size)} operations"

    @property
    def targets(self) -> dict[str, Target]:
        return {TIME: Target(at_most=2.2), MEMORY: Target(at_most=2.2)}

    def admits(self, system: type[System]) -> bool:
        return system.differentiates and system.one_shot and self.size <= system.scalar_limit

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        first = Case(system, self.workload, self.workload.small)
        first.check_gradient(first.gradient())
        cases = {n: Case(system, self.workload, n) for n in (self.size, 2 * self.size)}
        # One meter for both: what the first run leaves to the second counts for it too.
        memory, peaks = PeakMemory(), {}
        for n, case in cases.items():
            result = case.gradient()
            peaks[n] = memory.bytes()
            case.check_gradient(result)
            del result
        times = time_together({str(n): case.gradient for n, case in cases.items()}, effort)
        one, two = self.size, 2 * self.size
        found = [(TIME, times[str(two)] / times[str(one)])]
        if peaks[one] > 0:
            found.append((MEMORY, peaks[two] / peaks[one]))
        return [Measurement(self.name, m, system.name, v, "x") for m, v in found]
