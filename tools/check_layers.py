#!/usr/bin/env python3
"""Checks that C++ includes point only leftward in the layer order, and prints each that does not.

Called by pre-commit, nox and .ci/run as `python tools/check_layers.py [ROOT]`; exits 1 on any.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

LAYERS = (
    "base",
    "ops",
    "tape",
    "sweeps",
    "program",
    "backends",
    "derivatives",
    "bindings",
    "python",
)
PUBLIC = (
    "tapegrad"  # cpp/include/tapegrad: may include all of cpp, and only bindings may include it
)
PYTHON_HEADERS = ("Python.h", "pybind11/", "numpy/")

SUFFIXES = {".hpp", ".h", ".cpp", ".def", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Violation(NamedTuple):
    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


def rank(layer: str) -> float:
    """The layer's place in the order; the public C++ interface stands just before bindings."""
    return LAYERS.index("bindings") - 0.5 if layer == PUBLIC else LAYERS.index(layer)


def layer_of(path: PurePosixPath) -> str | None:
    """The layer that owns a path relative to the root, or None outside every layer."""
    match path.parts:
        case ("cpp", "include", *_):
            return PUBLIC
        case ("cpp", folder, _, *_):
            return folder
        case ("python", "bindings", *_):
            return "bindings"
        case ("python", *_):
            return "python"
    return None


def target_layer(root: Path, file: Path, included: str, quoted: bool) -> str | None:
    """The layer an include leads to, or None for the standard library and third parties."""
    if quoted:
        beside = (root / file.parent / included).resolve()
        if beside.exists() and beside.is_relative_to(root):
            return layer_of(PurePosixPath(beside.relative_to(root).as_posix()))
    if any(included.startswith(header) for header in PYTHON_HEADERS):
        return "bindings"
    first = PurePosixPath(included).parts[0]
    return first if first in (*LAYERS, PUBLIC) else None


def check_file(root: Path, file: Path) -> Iterator[Violation]:
    layer = layer_of(PurePosixPath(file.as_posix()))
    if layer not in (*LAYERS, PUBLIC):
        yield Violation(file, 1, f"'{layer}' is not in the order {' < '.join(LAYERS)}")
        return
    text = (root / file).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if not (found := INCLUDE.match(line)):
            continue
        target = target_layer(root, file, found[2], quoted=found[1] == '"')
        if target is not None and rank(target) > rank(layer):
            yield Violation(file, number, f"{layer} may not include {target} ({found[2]})")


def check(root: Path) -> list[Violation]:
    """Every include below ROOT's cpp/ and python/bindings/ that points rightward."""
    root = root.resolve()
    files = (p for top in ("cpp", "python/bindings") for p in sorted((root / top).rglob("*")))
    sources = (p.relative_to(root) for p in files if p.suffix in SUFFIXES)
    return [violation for source in sources for violation in check_file(root, source)]


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).parents[1]
    violations = check(root)
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
