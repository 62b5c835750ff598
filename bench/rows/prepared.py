"""Gradients of a prepared function: what a call costs inside an optimisation loop.

tapegrad runs a Program, JAX its compiled function; PyTorch and autograd, which prepare nothing,
record at each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.measure import Effort, PeakMemory, Thunk, time_together
from bench.results import Measurement
from bench.rows.base import Case, Row, Target, power_text
from bench.systems.base import System
from bench.workloads import Workload

FIRST, STEADY, INTO, HVP = "first call", "gradient", "gradient, out=", "HVP"
FIRST_MEMORY, MEMORY = "peak memory, first call", "peak memory, later calls"
VALUE, HVP_RATIO = "gradient / function", "HVP / gradient"
RIVALS = ("autograd", "jax-jit", "torch", "casadi")
TOO_LONG = 1.0  # seconds of a gradient beyond which no second order is asked for


@dataclass(frozen=True)
class PreparedRow(Row):
    workload: Workload
    size: int
    second_order: bool = True
    within: float = 2.5  # how many times the adjoint written by hand
    call_limit: float | None = None  # seconds with `out=`

    @property
    def name(self) -> str:
        return f"prepared-{self.workload.name}-{power_text(self.size)}"

    @property
    def title(self) -> str:
        size = power_text(self.size)
        unit = self.workload.unit
        return f"prepared, {self.workload.title}, {f'{size} {unit}' if unit else f'n = {size}'}"

    @property
    def targets(self) -> dict[str, Target]:
        return {
            FIRST: Target(at_most=0.1),
            STEADY: Target(peers=RIVALS, times={"limit": self.within}),
            INTO: Target(at_most=self.call_limit, times={"limit": self.within}),
            HVP: Target(peers=RIVALS),
            VALUE: Target(at_most=3.0),
            HVP_RATIO: Target(at_most=2.0),
            FIRST_MEMORY: Target(),
            MEMORY: Target(times={"limit": 1.5}),
        }

    def admits(self, system: type[System]) -> bool:
        return system.prepares and system.takes(self.workload, self.size)

    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        system = system.prepared()
        Case(system, self.workload, self.workload.small).gradient()
        case = Case(system, self.workload, self.size)
        first, second, peaks = _first_calls(case)
        order = self.second_order and second < TOO_LONG
        times = time_together(self._calls(case, second_order=order), effort)
        return self._measurements(system, first, peaks, times)

    def _calls(self, case: Case, second_order: bool) -> dict[str, Thunk]:
        """What is timed, each called and checked."""
        calls = {STEADY: case.gradient}
        into = case.gradient_into()
        if into is not None:
            case.check_gradient(into())
            calls[INTO] = into
        if case.system.has_value:
            case.check_value(case.value())
            calls[VALUE] = case.value
        if second_order and case.system.second_order:
            calls[HVP] = case.hvp()
            case.check_hvp(calls[HVP]())
        return calls

    def _measurements(
        self, system: System, first: float, peaks: list[int], times: dict[str, float]
    ) -> list[Measurement]:
        found = [(FIRST, first, "s")]
        found += [(m, times[m], "s") for m in (STEADY, INTO, HVP) if m in times]
        if VALUE in times:
            found.append((VALUE, times[STEADY] / times[VALUE], "x"))
        if HVP in times:
            found.append((HVP_RATIO, times[HVP] / times[STEADY], "x"))
        peaks_found = zip((FIRST_MEMORY, MEMORY), peaks, strict=True)
        found += [(m, float(peak), "B") for m, peak in peaks_found if peak > 0]
        return [Measurement(self.name, m, system.name, v, unit) for m, v, unit in found]


def _first_calls(case: Case) -> tuple[float, float, list[int]]:
    """Seconds of the first call, with all that it prepares, and of the second; their peaks.

    Both peaks are growth since before the first call: the second includes what the first left.
    """
    memory, results = PeakMemory(), list[Any]()
    seconds, peaks = list[float](), list[int]()
    for _ in range(2):
        results.clear()
        started = perf_counter()
        results.append(case.gradient())
        seconds.append(perf_counter() - started)
        peaks.append(memory.bytes())
        memory.forget_peak()
    case.check_gradient(results[0])
    return seconds[0], seconds[1], peaks
