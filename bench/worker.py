"""The child process of one system on one row: ``python -m bench.worker``, JSON in, JSON out.

Started by the runner; a process of its own, so that memory and threads belong to one system.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """Environment that holds BLAS, OpenMP and XLA to `threads` threads."""
    settings = dict.fromkeys(THREAD_VARIABLES, str(threads))
    settings["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        settings["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return settings


def pin(threads: int) -> None:
    """Allow only `threads` cores where the platform can: XLA's pool follows nothing else."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        # The first core is left out where possible: it serves most interrupts.
        os.sched_setaffinity(0, allowed[-threads:])


def perform(task: dict[str, Any]) -> dict[str, Any]:
    """Run the task's row on its system: {"measurements": [...]} or {"failure": reason}."""
    from dataclasses import asdict

    from bench.checks import CheckFailed
    from bench.measure import EFFORTS
    from bench.rows import rows_for
    from bench.systems import SYSTEMS

    effort = EFFORTS[task["effort"]]
    try:
        system = SYSTEMS[task["system"]]()
        system.threads = task["threads"]
        found = rows_for(effort)[task["row"]].measure(system, effort)
    except CheckFailed as error:
        return {"failure": f"wrong result, not timed: {error}"}
    except Exception as error:
        text = str(error).strip().split("\n")[0]
        return {"failure": f"{type(error).__name__}: {text}"}
    return {"measurements": [asdict(m) for m in found]}


def main() -> None:
    task = json.load(sys.stdin)
    pin(task["threads"])
    # A library that prints must not get into the answer.
    with contextlib.redirect_stdout(sys.stderr):
        answer = perform(task)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
