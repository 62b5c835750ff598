"""Where the time of a program goes: its steps timed one by one, shared out to ops and lines."""

from __future__ import annotations

import linecache
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad.program.trace import Request, Trace
from tapegrad.program.views import request_of

if TYPE_CHECKING:
    from tapegrad.program.function import Function

SECONDS = 0.5  # that a profile takes about, if nobody says how many repeats
MOST_REPEATS = 1000
MOST_ROWS = 12  # of a printed table


@dataclass(frozen=True, slots=True)
class Row:
    """One op, line or step: its time in a call, and how many nodes it stands for."""

    name: str
    seconds: float
    nodes: int


@dataclass(frozen=True, slots=True)
class Profile:
    """The times of one call on one thread, longest first; `str()` is a table.

    A step that computes several nodes, a loop or scalar code, shares its time out to them evenly.
    """

    kind: str
    total: float  # of all steps, in seconds
    by_op: list[Row]
    by_line: list[Row]
    steps: list[Row]
    repeats: int

    def __str__(self) -> str:
        times = "run" if self.repeats == 1 else f"fastest of {self.repeats} runs"
        lines = [f"{self.kind}: {time_text(self.total)} in {len(self.steps)} steps, {times} each"]
        for head, rows in (("op", self.by_op), ("line", self.by_line), ("step", self.steps)):
            lines += ["", *_table(head, rows, self.total)]
        return "\n".join(lines)


def profile(
    f: Function, args: Sequence[Any], kwargs: dict[str, Any], kind: str, repeats: int
) -> Profile:
    """What `Function.profile` gives."""
    arguments = f.arguments(args, kwargs)
    trace = f.traces.run(arguments, "value", ()).trace
    request = request_of(trace, kind)
    inputs = [*arguments.dynamic, *seeds(trace, request)]
    program = trace.program(*request)
    if repeats < 1:
        begin = time.perf_counter()
        program.profile(inputs, 1)
        once = time.perf_counter() - begin
        repeats = min(MOST_REPEATS, max(3, int(SECONDS / max(once, 1e-9))))
    steps = program.profile(inputs, repeats)
    return _summed(kind, steps, trace.derived(request).sources(), repeats)


def seeds(trace: Trace, request: Request) -> list[Any]:
    """Ones for the further inputs of a program: tangents or cotangents."""
    if request.kind == "pullback":
        metas = trace.recording.outputs
    elif request.kind in ("tangent", "pushforward", "hvp"):
        metas = [trace.recording.inputs[k] for k in request.wrt]
    else:
        return []
    return [np.ones(shape, dtype) for shape, dtype in metas]


def _summed(kind: str, steps: Sequence[Any], sources: Sequence[Any], repeats: int) -> Profile:
    places = [_place(file, line) for file, line in sources]
    by_op: dict[str, Row] = {}
    by_line: dict[str, Row] = {}
    rows = []
    for step, seconds, shares in steps:
        nodes = sum(count for _, _, count in shares)
        for op, line, count in shares:
            _add(by_op, op, seconds * count / nodes, count)
            _add(by_line, places[line], seconds * count / nodes, count)
        ops = list(dict.fromkeys(op for op, _, _ in shares))
        rows.append(Row(f"{step}: {', '.join(ops)}", seconds, nodes))
    total = sum(row.seconds for row in rows)
    return Profile(kind, total, _sorted(by_op.values()), _sorted(by_line.values()), rows, repeats)


def _add(rows: dict[str, Row], name: str, seconds: float, count: int) -> None:
    before = rows.get(name, Row(name, 0.0, 0))
    rows[name] = Row(name, before.seconds + seconds, before.nodes + count)


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row.seconds, row.name))


def _place(file: str, line: int) -> str:
    if not file:
        return "(no line)"
    code = linecache.getline(file, line).strip()
    return f"{os.path.basename(file)}:{line}" + (f"  {code}" if code else "")


def _table(head: str, rows: Sequence[Row], total: float) -> list[str]:
    shown = sorted(rows, key=lambda row: -row.seconds)[:MOST_ROWS]
    lines = [f"{'time':>10}  {'share':>6}  {'nodes':>6}  {head}"]
    for row in shown:
        share = row.seconds / total if total else 0.0
        text = row.name if len(row.name) <= 80 else row.name[:77] + "..."
        lines.append(f"{time_text(row.seconds):>10}  {share:6.1%}  {row.nodes:6d}  {text}")
    if len(rows) > len(shown):
        rest = sum(row.seconds for row in rows) - sum(row.seconds for row in shown)
        lines.append(f"{time_text(rest):>10}  and {len(rows) - len(shown)} more")
    return lines


def time_text(seconds: float) -> str:
    """`1.5 ms` and the like."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
