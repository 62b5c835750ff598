"""NumPy's functions for tapegrad.numpy and its linalg, taking sequences that hold recorded numbers:
`np.sum([x[0], x[1]])`, where NumPy would make a plain array of the list."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from tapegrad.errors import DetachedError
from tapegrad.functions import IMPLEMENTATIONS
from tapegrad.functions.operands import has_variable

__all__ = ["taking_sequences"]


def taking_sequences(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions of the module that have an implementation, by name."""
    functions = {name: getattr(module, name) for name in module.__all__}
    return {
        name: _taking_sequences(f)
        for name, f in functions.items()
        if not isinstance(f, np.ufunc) and _is_implemented(f)
    }


def _is_implemented(function: Any) -> bool:
    return callable(function) and function in IMPLEMENTATIONS


def _taking_sequences(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except DetachedError:
            if not any(map(has_variable, (*args, *kwargs.values()))):
                raise
        return IMPLEMENTATIONS[function](*args, **kwargs)

    return call
