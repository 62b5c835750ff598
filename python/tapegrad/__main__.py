"""`python -m tapegrad`: the demo, the folder for CMake's find_package, the version."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import tapegrad


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.cmake_dir:
        return _cmake_dir()
    if chosen.command == "demo":
        return _demo(chosen.data, chosen.out)
    parser.print_help()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tapegrad", description="Exact derivatives of ordinary NumPy code."
    )
    parser.add_argument("--version", action="version", version=f"tapegrad {tapegrad.__version__}")
    parser.add_argument(
        "--cmake-dir",
        action="store_true",
        help="print the folder for CMake: -Dtapegrad_DIR=$(python -m tapegrad --cmake-dir)",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo", help="fit real data, measure what lectures on derivatives claim, paint pictures"
    )
    demo.add_argument(
        "--data",
        type=Path,
        metavar="FILE.csv",
        help="your own data: numbers separated by commas, a 0/1 label last, a header if you like",
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("tapegrad-demo"),
        metavar="FOLDER",
        help="where the pictures go (default: ./tapegrad-demo)",
    )
    return parser


def _cmake_dir() -> int:
    folders = [Path(part) / "cmake" for part in tapegrad.__path__]
    for folder in folders:
        if folder.is_dir():
            print(folder)
            return 0
    print(f"tapegrad: no CMake package in {folders[0].parent}", file=sys.stderr)
    return 2


def _demo(data: Path | None, out: Path) -> int:
    from tapegrad.demo import UserFault, run

    try:
        run(data, out)
    except UserFault as fault:
        print(f"tapegrad demo: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (a pager, `head`) left; what Python flushes at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
