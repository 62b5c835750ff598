"""The data a run produces: measurements and failures, and their JSON form.

Written by the worker and the runner, read by the report and by ``compare``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Measurement:
    """One number: what `system` needed for `metric` of `row`.

    `unit` is "s", "s/op", "B", "B/op" or "x" (a ratio); values are in that base unit.
    """

    row: str
    metric: str
    system: str
    value: float
    unit: str
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.row, self.metric, self.system


@dataclass(frozen=True)
class Failure:
    """A system that could not finish a row, or whose result was wrong."""

    row: str
    system: str
    reason: str


@dataclass
class Run:
    """Everything one invocation measured, with the machine it was measured on."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n")

    @staticmethod
    def load(path: Path) -> Run:
        """Read a run back; ValueError names the file when it is not one."""
        try:
            data = json.loads(path.read_text())
            if data["schema"] != SCHEMA:
                raise ValueError(f"{path}: schema {data['schema']}, this version reads {SCHEMA}")
            return Run(
                machine=data["machine"],
                settings=data["settings"],
                measurements=[Measurement(**m) for m in data["measurements"]],
                failures=[Failure(**f) for f in data["failures"]],
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: not a result of python -m bench ({error})") from error
