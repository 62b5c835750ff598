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
# The namespaces of tapegrad, and what each mirrors.
MIRRORS = {
    "tapegrad.numpy": "numpy",
    "tapegrad.scipy": "scipy",
    "tapegrad.stats": "scipy.stats",
}
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
    for ours, theirs in MIRRORS.items():
        yield from _provided(ours, importlib.import_module(ours), importlib.import_module(theirs))


def _provided(path: str, ours: ModuleType, theirs: ModuleType) -> Iterator[Entry]:
    """What the module `ours` has in place of an object of the module it mirrors: a function, a
    class, a distribution, or a module to look into."""
    _load_submodules(ours)
    # Not getattr: the namespaces hand on what they do not have.
    for name, value in sorted(vars(ours).items()):
        original = getattr(theirs, name, None)
        if name.startswith("_") or original is None or value is original:
            continue
        if isinstance(value, ModuleType):
            yield from _provided(f"{path}.{name}", value, original)
        elif not _widens_a_registered_one(value):
            yield Entry(f"{path}.{name}", value, "function")


def _load_submodules(module: ModuleType) -> None:
    for info in pkgutil.iter_modules(vars(module).get("__path__", [])):
        if not info.name.startswith("_"):
            importlib.import_module(f"{module.__name__}.{info.name}")


def _widens_a_registered_one(value: Any) -> bool:
    """Whether `value` is a function that has its entry already, made to take sequences too."""
    return getattr(value, "__wrapped__", None) in IMPLEMENTATIONS


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
    tapegrad has one in its place."""
    original = resolve(path)
    if original is None:
        return True  # this version of NumPy or SciPy does not have it
    return any(e.function is original or e.name == f"tapegrad.{path}" for e in registered)


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
    if not {"(", "["} & set(line):
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
    match tree.body:
        # np.r_ and np.c_ are subscripted, not called.
        case ast.Call(func=outermost) | ast.Subscript(value=outermost):
            found.outermost.setdefault(id(_value(outermost, names)), []).append(line)


def _note(found: Tested, node: ast.AST, names: dict[str, Any]) -> Any:
    value = _value(node, names)
    if callable(value) or hasattr(value, "__getitem__"):
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
