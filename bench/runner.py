"""Runs each row on each system in a child process; called by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.machine import ROOT
from bench.measure import Effort
from bench.results import Failure, Measurement, Run
from bench.rows import Row
from bench.systems import System
from bench.worker import thread_environment


@dataclass(frozen=True)
class Settings:
    effort: Effort
    threads: int
    timeout: float  # seconds for one system on one row


def run_rows(
    rows: Sequence[Row],
    systems: Sequence[type[System]],
    settings: Settings,
    into: Run,
    progress: Callable[[str], None],
) -> None:
    """Add all measurements and failures to `into`; systems follow each other inside a row."""
    for row in rows:
        for system in systems:
            if not row.admits(system):
                continue
            progress(f"{row.name}: {system.name}")
            found: list[Measurement] = []
            for threads in row.threads or (settings.threads,):
                answer = _run_child(row.name, system.name, replace(settings, threads=threads))
                if isinstance(answer, Failure):
                    into.failures.append(answer)
                    progress(f"{row.name}: {system.name}: FAILED: {answer.reason}")
                else:
                    found += answer
            into.measurements += [*found, *row.summary(found)]


def _run_child(row: str, system: str, settings: Settings) -> list[Measurement] | Failure:
    task = {
        "row": row,
        "system": system,
        "effort": settings.effort.name,
        "threads": settings.threads,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker"],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, **thread_environment(settings.threads)},
            timeout=settings.timeout,
        )
    except subprocess.TimeoutExpired:
        return Failure(row, system, f"no result after {settings.timeout:.0f} s")
    if done.returncode != 0:
        last = done.stderr.strip().split("\n")[-1]
        return Failure(row, system, f"the process ended with status {done.returncode}: {last}")
    answer = json.loads(done.stdout)
    if "failure" in answer:
        return Failure(row, system, answer["failure"])
    return [Measurement(**m) for m in answer["measurements"]]
