"""A run as a picture: prepared gradients beside tapegrad's and their growth with n, `--picture`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.report import REFERENCE, quantity
from bench.results import Run
from bench.rows import Row
from bench.rows.prepared import STEADY, PreparedRow
from bench.rows.scaling import ScalingRow
from bench.systems import SYSTEMS

MARKERS = "osD^vPX*<>"
ROW_HEIGHT, HEAD, WIDTH = 0.32, 1.6, 9.0  # inches
Cells = Mapping[tuple[str, str, str], float]


def save(run: Run, rows: Mapping[str, Row], path: Path) -> None:
    """Draw what the run holds; ValueError where it has no row that can be drawn."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    cells = {m.key: m.value for m in run.measurements}
    bars = [r for r in rows.values() if isinstance(r, PreparedRow) and _has(cells, r, STEADY)]
    curves = [r for r in rows.values() if isinstance(r, ScalingRow) and _has(cells, r, *r.targets)]
    if not bars and not curves:
        raise ValueError("no prepared gradient was measured: there is nothing to draw")
    heights = [HEAD + ROW_HEIGHT * len(bars)] * bool(bars) + [3.0] * bool(curves)
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    parts = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    if bars:
        _dots(parts[0].subplots(), bars, cells)
    if curves:
        for axes, row in zip(
            parts[-1].subplots(1, len(curves), squeeze=False)[0], curves, strict=True
        ):
            _curves(axes, row, cells)
    title = f"{run.machine.get('processor', '')}, {run.settings['threads']} thread(s)"
    figure.suptitle(f"{title}, commit {run.machine.get('commit', '')}", fontsize=9)
    figure.savefig(path, dpi=150)


def _has(cells: Cells, row: Row, *metrics: str) -> bool:
    return any((row.name, metric, REFERENCE) in cells for metric in metrics)


def _style(system: str) -> dict[str, Any]:
    number = list(SYSTEMS).index(system)
    return {"color": f"C{number}", "marker": MARKERS[number], "label": SYSTEMS[system].title}


def _dots(axes: Any, rows: list[PreparedRow], cells: Cells) -> None:
    """A line for each row, a mark for each system: its time over tapegrad's."""
    names = [row.name for row in rows]
    own = [cells[name, STEADY, REFERENCE] for name in names]
    for system in SYSTEMS:
        found = [
            (cells[name, STEADY, system] / base, y)
            for y, (name, base) in enumerate(zip(names, own, strict=True))
            if (name, STEADY, system) in cells
        ]
        if found:
            axes.plot(*zip(*found, strict=True), linestyle="", **_style(system))
    axes.axvline(1.0, color="C0", linewidth=0.8, zorder=0)
    labels = [
        f"{n.removeprefix('prepared-')}  ({quantity(t, 's')})"
        for n, t in zip(names, own, strict=True)
    ]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("time of a prepared gradient over tapegrad's (in brackets)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _curves(axes: Any, row: ScalingRow, cells: Cells) -> None:
    sizes = dict(zip(row.targets, row.sizes, strict=True))
    for system in SYSTEMS:
        found = [
            (n, cells[row.name, metric, system])
            for metric, n in sizes.items()
            if (row.name, metric, system) in cells
        ]
        if found:
            axes.loglog(*zip(*found, strict=True), **_style(system))
    axes.set_xlabel(f"{row.workload.title}: {row.workload.unit or 'n'}", fontsize=8)
    axes.set_ylabel("seconds a gradient")
    axes.grid(alpha=0.3)
