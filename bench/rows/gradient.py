"""One-shot gradients, recorded anew at every call: time, peak memory, and the HVP beside it."""

from __future__ import annotations

from dataclasses import dataclass

from bench.measure import Effort, PeakMemory, time_together
from bench.results import Measurement
from bench.rows.base import Case, Row, Target, power_text
from bench.systems.base import System
from bench.workloads import Workload

TIME, MEMORY, RATIO = "time", "peak memory", "HVP / gradient"
RIVALS = ("autograd", "jax", "torch", "xad")


@dataclass(frozen=True)
class GradientRow(Row):
    workload: Workload
    size: int
    second_order: bool = True

    @property
    def name(self) -> str:
        return f"{self.workload.name}-{power_text(self.size)}"

    @property
    def title(self) -> str:
        what = (
            f"{power_text(self.size)} operations"
            if self.workload.scalar
            else f"n = {power_text(self.size)}"
        )
        return f"one-shot gradient, {self.workload.title}, {what}"

    @property
    def targets(self) -> dict[str, Target]:
        scalar = self.workload.scalar
        return {
            TIME: Target(at_most=80e-9 if scalar else None, peers=RIVALS),
            MEMORY: Target(at_most=48.0 if scalar else None, peers=("torch",)),
            RATIO: Target(at_most=2.5),
        }

    def admits(self, system: type[System]) -> bool:
        return not system.prepared_only

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        size = min(self.size, system.scalar_limit) if self.workload.scalar else self.size
        first = Case(system, self.workload, self.workload.small)
        first.check_gradient(first.gradient())
        case = Case(system, self.workload, size)
        memory = PeakMemory()
        result = case.gradient()
        peak = memory.bytes()
        case.check_gradient(result)
        del result
        calls = {TIME: case.gradient}
        if self.second_order and system.second_order:
            calls[RATIO] = case.hvp()
            case.check_hvp(calls[RATIO]())
        times = time_together(calls, effort)
        return self._measurements(system, size, peak, times)

    def _measurements(
        self, system: System, size: int, peak: int, times: dict[str, float]
    ) -> list[Measurement]:
        count, per = (size, "/op") if self.workload.scalar else (1, "")
        note = "" if size == self.size else f"at {power_text(size)} operations"
        found = [(TIME, times[TIME] / count, f"s{per}")]
        if peak > 0 and system.one_shot and system.differentiates:
            found.append((MEMORY, peak / count, f"B{per}"))
        if RATIO in times:
            found.append((RATIO, times[RATIO] / times[TIME], "x"))
        return [Measurement(self.name, m, system.name, v, unit, note) for m, v, unit in found]
