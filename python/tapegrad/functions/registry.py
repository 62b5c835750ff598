"""Which Python function stands for which NumPy function. Variable's `__array_function__` calls
`array_function`; every module of this package fills IMPLEMENTATIONS through `implements`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tapegrad import errors
from tapegrad._core import Variable, value

__all__ = ["IMPLEMENTATIONS", "array_function", "implements", "on_values", "plain"]

Function = TypeVar("Function", bound=Callable[..., Any])

IMPLEMENTATIONS: dict[Callable[..., Any], Callable[..., Any]] = {}


def implements(*functions: Callable[..., Any] | None) -> Callable[[Function], Function]:
    """Register the decorated function for each of `functions`; None stands for one that this
    version of NumPy does not have."""

    def register(implementation: Function) -> Function:
        for function in functions:
            if function is not None:
                IMPLEMENTATIONS[function] = implementation
        return implementation

    return register


def plain(tree: Any) -> Any:
    """The tree (nested tuples, lists, dicts) with the value in place of each Variable."""
    if isinstance(tree, Variable):
        return value(tree)
    if isinstance(tree, (tuple, list)):
        parts = [plain(part) for part in tree]
        # A named tuple takes its fields one by one.
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if isinstance(tree, dict):
        return {key: plain(part) for key, part in tree.items()}
    return tree


def on_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` on plain values: for results that have derivative zero or are no numbers."""

    @functools.wraps(function)
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        return function(*plain(args), **plain(kwargs))

    return evaluate


def array_function(
    function: Callable[..., Any],
    types: Sequence[type],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """NumPy's protocol: run the implementation of `function` or say that there is none."""
    implementation = IMPLEMENTATIONS.get(function)
    if implementation is None:
        errors.unsupported(f"{public_name(function)} has no derivative rule")
    return implementation(*args, **kwargs)


def public_name(function: Callable[..., Any]) -> str:
    """`numpy.linalg.eig` and the like, for messages."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', function)}"
