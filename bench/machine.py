"""What a result was measured on: machine, commit, compiler, versions. The command line asks."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.systems import SYSTEMS

ROOT = Path(__file__).resolve().parent.parent


def describe() -> dict[str, Any]:
    """A flat, JSON-ready description."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else "",
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "compiler": _first_line([os.environ.get("CXX", "c++"), "--version"]),
        "commit": _commit(),
        "versions": {s.distribution: s.version() for s in SYSTEMS.values() if s.installed()},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Short commit of the checkout, with "+" when tracked files differ from it."""
    commit = _first_line(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"])
    changed = _first_line(["git", "-C", str(ROOT), "status", "--porcelain", "-uno"])
    return f"{commit}+" if commit and changed else commit


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip().split("\n")[0]
