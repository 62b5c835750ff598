"""The table of a run, side by side with ratios to tapegrad, for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.measure import SMOKE
from bench.results import Measurement, Run
from bench.rows import Row, Target
from bench.systems import SYSTEMS

REFERENCE = "tapegrad"
SCALES = {
    "s": ((1e-6, 1e9, "ns"), (1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (float("inf"), 1.0, "s")),
    "B": ((1e4, 1.0, "B"), (1e7, 1e-3, "kB"), (1e10, 1e-6, "MB"), (float("inf"), 1e-9, "GB")),
}


def quantity(value: float, unit: str) -> str:
    """`value` with three digits and a prefix: 12.3 us, 548 ns/op, 2.04 x."""
    base, slash, per = unit.partition("/")
    if base not in SCALES:
        return f"{_digits(value)} {unit}"
    for limit, factor, name in SCALES[base]:
        if abs(value) < limit:
            return f"{_digits(value * factor)} {name}{slash}{per}"
    raise ValueError(f"not a finite quantity: {value}")


def _digits(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000.0 else f"{value:.0f}"


@dataclass(frozen=True)
class Section:
    """One row's title and its lines of cells, the first cell being the metric."""

    title: str
    lines: list[list[str]]


@dataclass(frozen=True)
class Table:
    header: list[str]
    sections: list[Section]
    notes: list[str]


def build(run: Run, rows: Mapping[str, Row]) -> Table:
    """Lay the measurements out: a column a system, a line a metric, a section a row."""
    measured = {m.system for m in run.measurements}
    systems = [name for name in SYSTEMS if name in measured]
    cells = {m.key: m for m in run.measurements}
    notes: list[str] = []
    sections = []
    # The targets are for the full sizes; at small ones a figure is mostly fixed cost.
    judged = run.settings["effort"] != SMOKE.name
    for row in rows.values():
        lines = []
        for metric, target in row.targets.items():
            found = {
                s: cells[row.name, metric, s] for s in systems if (row.name, metric, s) in cells
            }
            if found:
                line = [_cell(found.get(s), found.get(REFERENCE), notes) for s in systems]
                lines.append([metric, *line, _verdict(target, found) if judged else ""])
        if lines:
            sections.append(Section(f"{row.title}  [{row.name}]", lines))
    header = ["", *(SYSTEMS[s].title for s in systems), "target" if judged else ""]
    return Table(header, sections, notes)


def _cell(found: Measurement | None, reference: Measurement | None, notes: list[str]) -> str:
    if found is None:
        return "-"
    text = quantity(found.value, found.unit)
    if reference is not None and reference is not found:
        text += _ratio(found, reference)
    if found.note:
        if found.note not in notes:
            notes.append(found.note)
        text += f" [{notes.index(found.note) + 1}]"
    return text


def _ratio(found: Measurement, reference: Measurement) -> str:
    # A time beyond NumPy's own can be negative, and then has no ratio; a ratio needs none.
    if found.unit == "x" or min(found.value, reference.value) <= 0.0:
        return ""
    return f" ({_digits(float(f'{found.value / reference.value:.2g}'))}x)"


def _verdict(target: Target, found: Mapping[str, Measurement]) -> str:
    if REFERENCE not in found:
        return ""
    parts = []
    if target.at_most is not None:
        parts.append(f"<= {quantity(target.at_most, found[REFERENCE].unit)}")
    parts += [f"<= {factor:g} {s}" for s, factor in target.times.items() if s in found]
    peers = [p for p in target.peers if p in found]
    if peers:
        parts.append("<= " + ("peers" if len(peers) > 1 else peers[0]))
    if not parts:
        return ""
    met = target.met({s: m.value for s, m in found.items()})
    return f"{', '.join(parts)}: {'met' if met else 'MISSED'}"


def text(table: Table) -> str:
    """For a terminal."""
    grid = [table.header, *(line for section in table.sections for line in section.lines)]
    widths = [max(len(line[c]) for line in grid) for c in range(len(table.header))]

    def layout(line: Sequence[str]) -> str:
        first, *rest = line
        *middle, last = zip(rest, widths[1:], strict=True)
        columns = [f"  {first:<{widths[0]}}", *(f"{cell:>{w}}" for cell, w in middle), last[0]]
        return "  ".join(columns).rstrip()

    out = [layout(table.header)]
    for section in table.sections:
        out += ["", section.title, *(layout(line) for line in section.lines)]
    if table.notes:
        out += ["", *(f"[{i}] {note}" for i, note in enumerate(table.notes, 1))]
    return "\n".join(out)


def markdown(table: Table, run: Run) -> str:
    """One Markdown table, with the machine above it."""
    machine = ", ".join(
        f"{k} {v}" for k, v in run.machine.items() if isinstance(v, (str, int)) and v
    )
    out = [machine, "", _pipe(table.header), _pipe(["---"] * len(table.header))]
    for section in table.sections:
        out.append(_pipe([f"**{section.title}**", *[""] * (len(table.header) - 1)]))
        out += [_pipe(line) for line in section.lines]
    if table.notes:
        out += ["", *(f"{i}. {note}" for i, note in enumerate(table.notes, 1))]
    return "\n".join(out) + "\n"


def _pipe(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
