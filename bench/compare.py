"""``python -m bench compare A B``: which figures moved between two saved runs."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from bench.report import REFERENCE, quantity
from bench.results import Measurement, Run

USAGE_ERROR = 2


def main(arguments: list[str]) -> int:
    """Exit status: 0, 1 where --fail-above was exceeded, 2 for a file that cannot be read."""
    options = _parser().parse_args(arguments)
    try:
        a, b = Run.load(options.a), Run.load(options.b)
    except (OSError, ValueError) as error:
        print(f"bench compare: {error}")
        return USAGE_ERROR
    for key in ("processor", "system", "python"):
        if a.machine.get(key) != b.machine.get(key):
            print(f"note: {key} differs: {a.machine.get(key)} / {b.machine.get(key)}")
    if a.settings != b.settings:
        print(f"note: settings differ: {a.settings} / {b.settings}")
    pairs = _pairs(a, b)
    moved = [p for p in pairs if _moved(p) > options.threshold]
    print("\n".join(_table(moved, a, b)))
    print("\n".join(_summary(moved)))
    print(f"{len(moved)} of {len(pairs)} figures moved by more than {options.threshold:g}x")
    worst = max((_ratio(p) for p in pairs if p[0].system == REFERENCE), default=1.0)
    return int(options.fail_above is not None and worst > options.fail_above)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("a", type=Path, metavar="A", help="JSON of the earlier run")
    parser.add_argument("b", type=Path, metavar="B", help="JSON of the later run")
    parser.add_argument(
        "--threshold", type=float, default=1.1, metavar="R", help="show changes beyond this ratio"
    )
    parser.add_argument(
        "--fail-above",
        type=float,
        metavar="R",
        help=f"exit 1 if a figure of {REFERENCE} grew beyond it",
    )
    return parser


def _pairs(a: Run, b: Run) -> list[tuple[Measurement, Measurement]]:
    later = {m.key: m for m in b.measurements}
    return [(m, later[m.key]) for m in a.measurements if m.key in later]


def _summary(moved: list[tuple[Measurement, Measurement]]) -> list[str]:
    """The rows of tapegrad that need more, and those that need less, each with its metrics."""
    lines = []
    for head, grew in (("slower or larger", True), ("faster or smaller", False)):
        rows: dict[str, list[str]] = {}
        for pair in moved:
            if pair[0].system == REFERENCE and (_ratio(pair) > 1.0) == grew:
                rows.setdefault(pair[0].row, []).append(f"{pair[0].metric} {_ratio(pair):.2f}x")
        if rows:
            lines += [f"{REFERENCE} {head}:", *(f"  {r}: {', '.join(m)}" for r, m in rows.items())]
    return lines


def _ratio(pair: tuple[Measurement, Measurement]) -> float:
    """Later over earlier; 1 where a difference of times is not positive and has no ratio."""
    before, after = pair[0].value, pair[1].value
    return after / before if before > 0.0 and after > 0.0 else 1.0


def _moved(pair: tuple[Measurement, Measurement]) -> float:
    return math.exp(abs(math.log(_ratio(pair))))


def _table(pairs: list[tuple[Measurement, Measurement]], a: Run, b: Run) -> list[str]:
    """Lines, the largest growth first."""
    names = (a.machine.get("commit") or "A", b.machine.get("commit") or "B")
    lines = [f"{'row':<30} {'metric':<24} {'system':<10} {names[0]:>14} {names[1]:>14}   ratio"]
    for before, after in sorted(pairs, key=_ratio, reverse=True):
        values = [f"{quantity(m.value, m.unit):>14}" for m in (before, after)]
        head = f"{before.row:<30} {before.metric:<24} {before.system:<10}"
        lines.append(f"{head} {' '.join(values)}   {_ratio((before, after)):.2f}x")
    return lines
