"""`tg.trace_report`: the ops of one call, by the line of the user's code that made them, with
counts, times and bytes."""

from __future__ import annotations

import html
import linecache
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad.program.explain import recording_of
from tapegrad.program.profile import time_text
from tapegrad.program.signature import arguments_of
from tapegrad.program.trace import record_trace
from tapegrad.program.views import EVERY_PASS
from tapegrad.transforms.outputs import name_of
from tapegrad.transforms.recording import check_function

HEAD = ("line", "op", "count", "time", "bytes", "reverse", "time")
LEAVES = ("input", "constant", "alias", "stop_gradient")

Place = tuple[str, int]


@dataclass(slots=True)
class Cost:
    """So many ops, the seconds they take one by one, and the bytes of their results."""

    count: int = 0
    seconds: float = 0.0
    nbytes: int = 0

    def add(self, seconds: float, nbytes: int) -> None:
        """One more op."""
        self.count += 1
        self.seconds += seconds
        self.nbytes += nbytes


@dataclass(frozen=True, slots=True)
class OpRow:
    """The ops of one name that come from one line of the user's code: those of the value, and those
    of the reverse sweep through the line."""

    file: str
    line: int
    op: str
    value: Cost
    reverse: Cost

    @property
    def place(self) -> str:
        """`model.py:12`, empty for what no line of the user's code has made."""
        return f"{os.path.basename(self.file)}:{self.line}" if self.file else ""

    @property
    def code(self) -> str:
        """The text of the line."""
        return linecache.getline(self.file, self.line).strip() if self.file else ""


@dataclass(frozen=True, slots=True)
class TraceReport:
    """What `tg.trace_report` gives: `rows`, those of the slowest lines first; `str()` is a table,
    and a notebook shows it as one."""

    name: str
    rows: list[OpRow]

    @property
    def value(self) -> Cost:
        """All ops of the value together."""
        return _sum([row.value for row in self.rows])

    @property
    def reverse(self) -> Cost:
        """All ops of the reverse sweep together."""
        return _sum([row.reverse for row in self.rows])

    def __str__(self) -> str:
        lines = [self._summary(), ""]
        table = [HEAD, *(cells for _, cells in self._cells())]
        widths = [max(len(cells[k]) for cells in table) for k in range(len(HEAD))]
        codes = ["", *(row.code for row, _ in self._cells())]
        shown = ""
        for cells, code in zip(table, codes, strict=True):
            text = "  ".join(
                cell.ljust(width) if k < 2 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            lines.append(f"{text}  {code}".rstrip() if cells[0] != shown else text.rstrip())
            shown = cells[0]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{head}</th>" for head in (*HEAD, "code"))
        rows = []
        for row, cells in self._cells():
            filled = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            rows.append(f"<tr>{filled}<td><code>{html.escape(row.code)}</code></td></tr>")
        return (
            f"<p>{html.escape(self._summary())}</p>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        )

    def _summary(self) -> str:
        parts = [
            f"{what} {cost.count} ops, {time_text(cost.seconds)}, {_bytes(cost.nbytes)}"
            for what, cost in (("value:", self.value), ("reverse:", self.reverse))
        ]
        return f"{self.name}; {'; '.join(parts)}"

    def _cells(self) -> Iterator[tuple[OpRow, tuple[str, ...]]]:
        for row in self.rows:
            value, reverse = row.value, row.reverse
            yield (
                row,
                (
                    row.place,
                    row.op,
                    str(value.count or ""),
                    time_text(value.seconds) if value.count else "",
                    _bytes(value.nbytes) if value.count else "",
                    str(reverse.count or ""),
                    time_text(reverse.seconds) if reverse.count else "",
                ),
            )


def trace_report(f: Callable[..., Any], *args: Any, repeats: int = 5, **kwargs: Any) -> TraceReport:
    """The ops that `f` records at these arguments, by line of its code: counts, times, bytes.

    `f` is recorded once; then its ops are computed one by one, `repeats` times, and the fastest run
    of each counts, first those of the value, then those of the adjoints by all arguments. So the
    times are those of the arithmetic, without Python's part and without the fusion of programs.
    `tg.Function.profile` times the steps of a program.

    >>> import numpy as np, tapegrad as tg
    >>> report = tg.trace_report(lambda x: np.sum(np.sin(x) ** 2), np.ones(1000))
    >>> sorted((row.op, row.value.nbytes) for row in report.rows if row.value.count)
    [('sin', 8000), ('square', 8000), ('sum', 8)]
    """
    check_function(f, "trace_report")
    arguments = arguments_of(args, kwargs)
    trace, _ = record_trace(f, arguments, EVERY_PASS)
    value = _costs(trace.recording, arguments.dynamic, repeats)
    reverse: dict[tuple[Place, str], list[Op]] = {}
    made = recording_of("adjoint", trace, arguments)
    if made is not None:
        both = _costs(*made, repeats)
        # The nodes of the value come first.
        reverse = {key: ops[len(value.get(key, ())) :] for key, ops in both.items()}
    return TraceReport(name_of(f), _rows(value, reverse))


Op = tuple[float, int]  # seconds and bytes
Costs = dict[tuple[Place, str], list[Op]]


def _rows(value: Costs, reverse: Costs) -> list[OpRow]:
    """The rows, those of the slowest line first, and in it the slowest op."""
    rows = [
        OpRow(*place, op, _cost(value.get((place, op), [])), _cost(reverse.get((place, op), [])))
        for place, op in {**value, **reverse}
    ]
    rows = [row for row in rows if row.value.count or row.reverse.count]
    of_line: dict[Place, float] = {}
    for row in rows:
        of_line[row.file, row.line] = of_line.get((row.file, row.line), 0.0) + _seconds(row)
    return sorted(rows, key=lambda row: (-of_line[row.file, row.line], row.line, -_seconds(row)))


def _seconds(row: OpRow) -> float:
    return row.value.seconds + row.reverse.seconds


def _cost(ops: Sequence[Op]) -> Cost:
    return Cost(len(ops), sum(seconds for seconds, _ in ops), sum(nbytes for _, nbytes in ops))


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(
        sum(cost.count for cost in costs),
        sum(cost.seconds for cost in costs),
        sum(cost.nbytes for cost in costs),
    )


def _costs(recording: _core.Recording, inputs: Sequence[Any], repeats: int) -> Costs:
    """The ops of a recording by place and name, in the order of the recording."""
    rows = recording.rows()
    seconds = np.min([_run(recording, rows, inputs) for _ in range(max(1, repeats))], axis=0)
    found: Costs = {}
    for node, (op, _, _, shape, dtype, _, place) in enumerate(rows):
        if op not in LEAVES:
            nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
            found.setdefault((place, op), []).append((float(seconds[node]), nbytes))
    return found


def _run(recording: _core.Recording, rows: Sequence[Any], inputs: Sequence[Any]) -> list[float]:
    """The seconds of each node, computed by itself."""
    nodes, _, _ = recording.ends()
    given = dict(zip(nodes, inputs, strict=True))
    numbers = [np.float64(number) for number in recording.numbers()]
    values: list[Any] = []
    seconds = []
    for node, (op, operands, attrs, _, dtype, constant, _) in enumerate(rows):
        read = [values[k] if k >= 0 else numbers[-k - 1] for k in operands]
        begin = time.perf_counter()
        if op == "input":
            value = np.asarray(given[node], dtype)
        elif op in LEAVES:
            value = constant if op == "constant" else read[0]
        else:
            value = _core.apply(op, read, attrs)
        seconds.append(time.perf_counter() - begin)
        values.append(value)
    return seconds


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
