"""What a function reads besides its arguments: globals, closure variables, attributes of objects it
holds. Their values are part of a recording, so a program is good only while they stay the same."""

from __future__ import annotations

import dis
import os
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tapegrad import errors

MOST_ITEMS = 64  # of a list or dict that is looked into
MOST_READINGS = 1000  # after that many, what containers hold is not looked into any further
DEPTH = 3  # functions that call functions, containers and objects that hold others

# (container, key, value): a cell has the key None.
Reading = tuple[Any, Any, Any]


def readings(f: Callable[..., Any]) -> list[Reading]:
    """Names and attributes that `f`, and the functions it names, read; with their present values.

    Followed are Python functions outside of installed libraries. What the code itself assigns, such
    as a counter, is left out; so is what it reaches by computed names (`getattr`, `vars`).
    """
    found: dict[tuple[int, Any], Reading] = {}
    _follow(f, found, DEPTH)
    return list(found.values())


def _follow(f: Any, found: dict[tuple[int, Any], Reading], depth: int) -> None:
    owner = getattr(f, "__self__", None)
    f = getattr(f, "__func__", f)
    f = getattr(f, "__wrapped__", f)
    if not isinstance(f, types.FunctionType) or _is_library(f.__code__.co_filename):
        return
    loaded, stored = _names(f.__code__)
    cells = zip(f.__code__.co_freevars, f.__closure__ or (), strict=True)
    values: list[Any] = [] if owner is None else [owner]
    for name, cell in cells:
        if name not in stored and _has_value(cell):
            _note(found, cell, None, cell.cell_contents)
            values.append(cell.cell_contents)
    for name in loaded - stored:
        if name in f.__globals__:
            _note(found, f.__globals__, name, f.__globals__[name])
            values.append(f.__globals__[name])
    for value in values:
        _look_into(value, loaded - stored, found, DEPTH)
        if depth > 0 and callable(value) and not isinstance(value, type):
            _follow(value, found, depth - 1)


def _look_into(
    value: Any, names: set[str], found: dict[tuple[int, Any], Reading], depth: int
) -> None:
    """Notes what a container or an object holds, and what that holds."""
    if type(value) in (list, dict, tuple) and len(value) <= MOST_ITEMS:
        held = list(value.items() if type(value) is dict else enumerate(value))
        noted = [] if type(value) is tuple else [pair for pair in held if _is_compared(pair[1])]
        container = value
    elif _holds_attributes(value):
        container = value.__dict__
        held = noted = [(name, container[name]) for name in names & container.keys()]
    else:
        return
    for key, item in noted:
        _note(found, container, key, item)
    for _, item in held if depth > 0 and len(found) < MOST_READINGS else ():
        _look_into(item, names, found, depth - 1)


def _holds_attributes(value: Any) -> bool:
    if isinstance(value, (types.ModuleType, types.FunctionType, type, np.ndarray)):
        return False
    return hasattr(value, "__dict__")


def _note(found: dict[tuple[int, Any], Reading], container: Any, key: Any, value: Any) -> None:
    if not isinstance(value, types.ModuleType):
        found[id(container), key] = (container, key, value)


def _is_compared(value: Any) -> bool:
    plain = (bool, int, float, complex, str, np.generic, np.ndarray)
    return isinstance(value, (*plain, list, dict, tuple))


def _names(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Names that the code, with the functions defined in it, loads and stores."""
    loaded: set[str] = set()
    stored: set[str] = set()
    for part in _codes(code):
        for instruction in dis.get_instructions(part):
            if instruction.opname.startswith(("STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR")):
                stored.add(instruction.argval)
            elif isinstance(instruction.argval, str) and "_FAST" not in instruction.opname:
                loaded.add(instruction.argval)
    return loaded, stored - set(code.co_cellvars)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _has_value(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _is_library(file: str) -> bool:
    return file.startswith(errors.LIBRARIES) or f"{os.sep}site-packages{os.sep}" in file
