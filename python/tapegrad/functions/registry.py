"""Which Python function stands for which NumPy function. Variable's `__array_function__` looks
them up in IMPLEMENTATIONS, which every module of this package fills through `implements`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tapegrad import errors
from tapegrad._core import Variable, in_program, value
from tapegrad._core import peek as look

__all__ = [
    "IMPLEMENTATIONS",
    "call_in_program",
    "has_derivative",
    "implements",
    "on_metas",
    "on_values",
    "plain",
    "question",
    "refuse",
]

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
    """The tree (nested tuples, lists, dicts) with the value in place of each Variable.

    In the recording of a program the values are guarded, and the arrays are watched.
    """
    if isinstance(tree, (Variable, np.ndarray)):
        return value(tree)
    if isinstance(tree, (tuple, list)):
        parts = [plain(part) for part in tree]
        # A named tuple takes its fields one by one.
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if isinstance(tree, dict):
        return {key: plain(part) for key, part in tree.items()}
    return tree


def on_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` on plain values: for results that have derivative zero or are no numbers.

    The extension looks at `asks`, and answers plain calls by itself.
    """

    @functools.wraps(function)
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        return function(*plain(args), **plain(kwargs))

    evaluate.asks = "values"  # type: ignore[attr-defined]
    return evaluate


def question(function: Callable[..., Any]) -> Callable[[Function], Function]:
    """Implement `function`, which asks about values: by NumPy on plain values, but in the recording
    of a program by the decorated function, which records the answer."""
    plainly = on_values(function)

    def register(recorded: Function) -> Function:
        @implements(function)
        @functools.wraps(recorded)
        def evaluate(*args: Any, **kwargs: Any) -> Any:
            return (recorded if in_program() else plainly)(*args, **kwargs)

        evaluate.asks = "values"  # type: ignore[attr-defined]
        return evaluate  # type: ignore[return-value]

    return register


def on_metas(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` on arrays of the same shapes and dtypes: what it asks about, or text for people.
    Nothing recorded depends on the values, so programs do not guard them."""

    @functools.wraps(function)
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        def at(tree: Any) -> Any:
            if isinstance(tree, (tuple, list)):
                return type(tree)(map(at, tree))
            return look(tree)

        return function(*at(args), **{key: at(part) for key, part in kwargs.items()})

    evaluate.asks = "metas"  # type: ignore[attr-defined]
    return evaluate


def refuse(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Raise UnsupportedError: no Python function stands for this one of NumPy. In programs what
    carries no derivative counts as its value."""
    if in_program() and not has_derivative((args, kwargs)):
        return function(*plain(args), **plain(kwargs))
    errors.unsupported(f"{public_name(function)} has no derivative rule")


def call_in_program(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The implementation of `function`; NumPy's own on values that carry no derivative, where the
    implementation has no rule for them."""
    try:
        return IMPLEMENTATIONS[function](*args, **kwargs)
    except (errors.UnsupportedError, errors.DetachedError):
        if has_derivative((args, kwargs)):
            raise
        return function(*plain(args), **plain(kwargs))


def has_derivative(tree: Any) -> bool:
    """Whether a Variable in the tree carries one."""
    if isinstance(tree, (tuple, list)):
        return any(map(has_derivative, tree))
    if isinstance(tree, dict):
        return any(map(has_derivative, tree.values()))
    return isinstance(tree, Variable) and tree.active


def public_name(function: Callable[..., Any]) -> str:
    """`numpy.linalg.eig` and the like, for messages."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', function)}"
