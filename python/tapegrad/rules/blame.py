"""Whose fault: names of functions with their place, and notes on exceptions of the user's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapegrad import errors


class blamed:
    """A `with` block: what is raised in it gets a note that it happened in `what`, and the line of
    the user's code that led there."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception):
            return
        file, line = errors.user_frame()
        note = f"in {self.what}, called from {file}:{line}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)


def place_of(function: Callable[..., Any]) -> str:
    """`file:line` of a Python function, or its module."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", None) or type(function).__name__)
    return f"{code.co_filename}:{code.co_firstlineno}"
