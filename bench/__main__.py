"""The command line: ``python -m bench [--smoke] [--only NAME] [--json FILE]`` runs the table,

``python -m bench compare A B`` shows what moved between two saved runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import compare, machine, picture, report
from bench.measure import FULL, QUICK, SMOKE
from bench.results import Run
from bench.rows import Row, rows_for
from bench.runner import Settings, run_rows
from bench.systems import SYSTEMS, System

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Exit status: 0; 1 where a check failed or a process died; 2 for an impossible request."""
    if arguments[:1] == ["compare"]:
        return compare.main(arguments[1:])
    options = _parser().parse_args(arguments)
    effort = SMOKE if options.smoke else QUICK if options.quick else FULL
    try:
        rows = _chosen_rows(rows_for(effort), options.only)
        if options.list:
            print("\n".join(f"{name:<20} {row.title}" for name, row in rows.items()))
            return 0
        systems = _chosen_systems(options.systems)
        _make_folders(options.json, options.markdown, options.picture)
    except (ValueError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return USAGE_ERROR
    run = Run(machine.describe(), {"effort": effort.name, "threads": options.threads})
    settings = Settings(effort, options.threads, options.timeout)
    try:
        run_rows(list(rows.values()), systems, settings, run, _progress)
    except KeyboardInterrupt:
        _progress("interrupted: the table holds what was measured")
        _finish(run, rows, options)
        return INTERRUPTED
    _finish(run, rows, options)
    return int(bool(run.failures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure tapegrad beside its peers; results are checked first.",
        epilog="python -m bench compare A B shows what moved between two saved runs",
    )
    parser.add_argument("--smoke", action="store_true", help="small sizes and few samples, for CI")
    parser.add_argument(
        "--quick", action="store_true", help="full sizes, the best of samples in a short time"
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="the row NAME, else all that contain it; repeatable",
    )
    parser.add_argument("--systems", metavar="A,B", help=f"some of {','.join(SYSTEMS)}")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="per system and row"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the run")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="save the table")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it; needs matplotlib")
    parser.add_argument("--list", action="store_true", help="show the rows' names and end")
    return parser


def _chosen_rows(rows: dict[str, Row], only: list[str] | None) -> dict[str, Row]:
    """The rows named, or all that hold a part where it is no row's whole name."""
    if not only:
        return rows
    chosen: set[str] = set()
    for part in only:
        found = {part} if part in rows else {name for name in rows if part in name}
        if not found:
            raise ValueError(f"no row matches {part!r}; rows: {', '.join(rows)}")
        chosen |= found
    return {name: row for name, row in rows.items() if name in chosen}


def _chosen_systems(names: str | None) -> list[type[System]]:
    """The named systems, all of which must be installed; else tapegrad and the peers that are."""
    if names is not None:
        wanted = names.split(",")
        for name in wanted:
            if name not in SYSTEMS:
                raise ValueError(f"no system is called {name!r}; systems: {', '.join(SYSTEMS)}")
    else:
        wanted = [n for n, s in SYSTEMS.items() if n == report.REFERENCE or s.installed()]
        for name in (n for n in SYSTEMS if n not in wanted):
            _progress(f"{name} is not installed: left out")
    missing = [name for name in wanted if not SYSTEMS[name].installed()]
    if missing:
        hint = "; install it with pip install ." if report.REFERENCE in missing else ""
        raise ValueError(
            f"not installed: {', '.join(missing)}{hint} (or choose others with --systems)"
        )
    return [SYSTEMS[name] for name in SYSTEMS if name in wanted]


def _make_folders(*files: Path | None) -> None:
    """Before the run, so that a path that cannot be written costs no run; OSError names it."""
    for file in files:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def _finish(run: Run, rows: dict[str, Row], options: argparse.Namespace) -> None:
    table = report.build(run, rows)
    for key, value in run.machine.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        )
        if shown:
            print(f"{key + ':':<11} {shown}")
    print(f"{'settings:':<11} {run.settings['effort']}, {run.settings['threads']} thread(s)\n")
    print(report.text(table))
    if options.json:
        run.save(options.json)
    if options.markdown:
        options.markdown.write_text(report.markdown(table, run))
    if options.picture:
        try:
            picture.save(run, rows, options.picture)
        except (ImportError, ValueError) as error:
            print(f"bench: no picture: {error}", file=sys.stderr)
    for failure in run.failures:
        print(f"error: {failure.row}: {failure.system}: {failure.reason}", file=sys.stderr)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
