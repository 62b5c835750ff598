"""How time and memory are measured: interleaved medians, and the growth of the peak resident set.

Called by the rows, inside the child process of one system.
"""

from __future__ import annotations

import gc
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

Thunk = Callable[[], Any]

STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Effort:
    """How long to measure: samples of at least `sample_seconds`, until `seconds` have passed."""

    name: str
    seconds: float
    sample_seconds: float
    min_samples: int
    max_samples: int
    statistic: Callable[[list[float]], float] = statistics.median


FULL = Effort("full", seconds=1.5, sample_seconds=5e-3, min_samples=3, max_samples=25)
# For a machine that others use as well: the best of many short samples.
QUICK = Effort("quick", 0.4, sample_seconds=5e-4, min_samples=3, max_samples=400, statistic=min)
SMOKE = Effort("smoke", seconds=0.05, sample_seconds=2e-4, min_samples=3, max_samples=5)
EFFORTS = {effort.name: effort for effort in (FULL, QUICK, SMOKE)}


def time_call(call: Thunk, effort: Effort) -> float:
    """Seconds of one `call`."""
    return time_together({"call": call}, effort)["call"]


def time_together(calls: Mapping[str, Thunk], effort: Effort) -> dict[str, float]:
    """Seconds of each call, by the effort's statistic.

    Samples are taken in turn, so that drifts cancel in ratios; before each the call runs once
    untimed, because the others have taken its place in the caches. The result of a call is released
    inside its own time. The caller has run each call once.
    """
    gc.collect()
    loops = {name: _loops(call, effort) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    started = perf_counter()
    for taken in range(effort.max_samples):
        elapsed = perf_counter() - started
        budget = effort.seconds * len(calls)
        # A call so slow that few samples take ten budgets is reported from one.
        if elapsed > (budget if taken >= effort.min_samples else 10.0 * budget):
            break
        for name, call in calls.items():
            if len(calls) > 1:
                call()
            samples[name].append(_sample(call, loops[name]))
    return {name: effort.statistic(taken) for name, taken in samples.items()}


def _sample(call: Thunk, loops: int) -> float:
    started = perf_counter()
    for _ in repeat(None, loops):
        call()
    return (perf_counter() - started) / loops


def _loops(call: Thunk, effort: Effort) -> int:
    loops = 1
    while True:
        spent = _sample(call, loops) * loops
        if spent >= effort.sample_seconds:
            return loops
        loops = max(2 * loops, int(loops * effort.sample_seconds / max(spent, 1e-9)))


class PeakMemory:
    """Growth of the process's peak resident set since construction, in bytes."""

    def __init__(self) -> None:
        gc.collect()
        _reset_peak()
        self._start = _peak_bytes()

    def forget_peak(self) -> None:
        """Measure later peaks alone, still as growth since construction."""
        _reset_peak()

    def bytes(self) -> int:
        return _peak_bytes() - self._start


def _peak_bytes() -> int:
    # Linux: the size of this program alone. getrusage starts from the size of the process that
    # started this one, which hides everything below it.
    if sys.platform == "linux":
        fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return 1024 * int(fields["VmHWM"].split()[0])
    try:
        import resource  # absent on Windows
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _reset_peak() -> None:
    """Lower the recorded peak to the present size where the system can (Linux).

    Elsewhere memory that the imports used for a moment hides the first megabytes of a measurement.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
