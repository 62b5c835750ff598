"""What has a derivative rule, and what the tests call: every function that is registered (NumPy's
dispatch, the table of ufuncs, the namespaces of tapegrad), and the functions that tests name, in
their code and in their expressions. Used by `generate_coverage.py` and by the test that no
registered function is without a test."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy.special

from tapegrad import _core
from tapegrad.functions import ufuncs
from tapegrad.functions.registry import IMPLEMENTATIONS, public_name

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "python"
FOLDERS = ("functions", "ode")  # of tests whose subject is what NumPy and SciPy have
OPS = {op["name"]: op for op in _core.ops()}
NUMBERS = set("dfDl?")  # characters of dtypes; isnat is for dates only
# How the function that stands for one of NumPy was made, by what is known of its derivative.
MADE_BY = {
    "on_values": "zero",
    "question": "zero",
    "on_metas": "structure",
    "_no_complex_order": "refused",
}


@dataclass(frozen=True)
class Entry:
    """A function with a rule. `kind`: "zero" and "structure" carry no derivative; "op" is one op of
    the table, tested with it; else "function"."""

    name: str
    function: Any = field(compare=False)
    kind: str


def entries() -> list[Entry]:
    """Everything that is registered, each function once, under its own name."""
    found: dict[str, Entry] = {}
    for function, implementation in IMPLEMENTATIONS.items():
        if not public_name(function).rsplit(".", 1)[-1].startswith("_"):
            entry = Entry(public_name(function), function, _kind(implementation))
            found.setdefault(entry.name, entry)
    for module in (np, scipy.special):
        for entry in _ufuncs(module):
            found.setdefault(entry.name, entry)
    for entry in _namespaces():
        found.setdefault(entry.name, entry)
    return sorted(found.values(), key=lambda entry: entry.name)


def _kind(implementation: Any) -> str:
    code = getattr(implementation, "__code__", None)
    maker = code.co_qualname.split(".", 1)[0] if code else ""
    return MADE_BY.get(maker, "function")


def _ufuncs(module: ModuleType) -> Iterator[Entry]:
    for value in vars(module).values():
        if not isinstance(value, np.ufunc) or not _takes_numbers(value):
            continue
        name = value.__name__
        if module is scipy.special and getattr(np, name, None) is value:
            continue
        path = f"{module.__name__}.{name}"
        if name in ufuncs.ON_VALUES:
            yield Entry(path, value, "zero")
        elif name in ufuncs.TABLE:
            yield Entry(path, value, "zero" if OPS[name]["kind"] == "comparison" else "op")
        elif name in ufuncs.CALLS:
            yield Entry(path, value, "function")


def _takes_numbers(ufunc: np.ufunc) -> bool:
    return any(set(types.split("->")[0]) & NUMBERS for types in ufunc.types)


def _namespaces() -> Iterator[Entry]:
    """Public functions, and objects such as distributions, that tapegrad's modules define where
    NumPy or SciPy have one of the same name."""
    for path in ("tapegrad.numpy", "tapegrad.scipy", "tapegrad.stats"):
        for module in _modules(path):
            for name, value in sorted(vars(module).items()):
                if name.startswith("_") or isinstance(value, ModuleType) or not _is_ours(value):
                    continue
                if path == "tapegrad.stats" or _original(module.__name__, name) is not None:
                    yield Entry(f"{module.__name__}.{name}", value, "function")


def _modules(path: str) -> Iterator[ModuleType]:
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError:
        return
    yield module
    # Not getattr: the namespaces hand on what they do not have.
    for info in pkgutil.iter_modules(vars(module).get("__path__", [])):
        if not info.name.startswith("_"):
            yield from _modules(f"{path}.{info.name}")


def _is_ours(value: Any) -> bool:
    origin = getattr(value, "__module__", None) or type(value).__module__
    return callable(value) and str(origin).startswith("tapegrad")


def _original(module: str, name: str) -> Any:
    return resolve(f"{module.removeprefix('tapegrad.')}.{name}")


def resolve(path: str) -> Any:
    """The object at a dotted path, None if there is none."""
    parts = path.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:k]))
        except ImportError:
            continue
        for name in parts[k:]:
            found = getattr(found, name, None)
        return found
    return None


def is_covered(path: str, registered: list[Entry]) -> bool:
    """Whether the function at a path such as `numpy.linalg.solve` has a rule, or a namespace of
    tapegrad has it."""
    original = resolve(path)
    if original is None or any(entry.function is original for entry in registered):
        return True  # this version of NumPy or SciPy does not have it
    for ours in (f"tapegrad.{path}", f"tapegrad.{path.removeprefix('scipy.')}"):
        found = resolve(ours)
        if found is not None and found is not original and not isinstance(found, ModuleType):
            return True
    return False


# What tests call --------------------------------------------------------------------------------


@dataclass
class Tested:
    """The functions that tests name, by identity, and the expressions that call each: those whose
    result is the function's own (`outermost`), and all."""

    functions: dict[int, Any] = field(default_factory=dict)
    outermost: dict[int, list[str]] = field(default_factory=dict)
    expressions: dict[int, list[str]] = field(default_factory=dict)

    def has(self, entry: Entry) -> bool:
        return id(entry.function) in self.functions

    def expressions_of(self, entry: Entry) -> list[str]:
        """The expressions that tell most about a function, short ones first."""
        own = id(entry.function)
        return sorted(self.outermost.get(own) or self.expressions.get(own, []), key=len)


def tested() -> Tested:
    """What the files of these folders name."""
    sys.path[:0] = [str(TESTS)]
    constants = importlib.import_module("functions.expressions").CONSTANTS
    found = Tested()
    for file in sorted(file for folder in FOLDERS for file in (TESTS / folder).glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {**constants, **_imports(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute | ast.Name):
                _note(found, node, names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                for line in node.value.splitlines():
                    _note_expression(found, line.strip(), names)
    return found


def _note_expression(found: Tested, line: str, names: dict[str, Any]) -> None:
    if "(" not in line:
        return
    try:
        tree = ast.parse(line, mode="eval")
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            value = _note(found, node, names)
            if value is not None:
                found.expressions.setdefault(id(value), []).append(line)
    if isinstance(tree.body, ast.Call):
        found.outermost.setdefault(id(_value(tree.body.func, names)), []).append(line)


def _note(found: Tested, node: ast.AST, names: dict[str, Any]) -> Any:
    value = _value(node, names)
    if callable(value):
        found.functions[id(value)] = value
        return value
    return None


def _value(node: ast.AST, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, names)
        return getattr(owner, node.attr, None) if owner is not None else None
    return None


def _imports(tree: ast.AST) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                path = alias.name if alias.asname else alias.name.split(".")[0]
                names[alias.asname or path] = _library(alias.name) and resolve(path)
        elif isinstance(node, ast.ImportFrom) and _library(node.module or ""):
            for alias in node.names:
                names[alias.asname or alias.name] = resolve(f"{node.module}.{alias.name}")
    return {name: value for name, value in names.items() if value}


def _library(module: str) -> bool:
    return module.split(".")[0] in ("numpy", "scipy", "tapegrad")


def untested(registered: list[Entry], seen: Tested) -> list[str]:
    """Registered functions that no test names. Ops of the table are tested by a loop over it."""
    return [e.name for e in registered if e.kind != "op" and not seen.has(e)]
