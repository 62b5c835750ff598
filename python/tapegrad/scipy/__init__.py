"""SciPy's namespaces made explicit, for the functions that SciPy does not dispatch. Each one is
loaded when somebody asks for it."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "optimize",
    "signal",
    "sparse",
    "special",
    "stats",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"tapegrad.scipy.{name}")
    raise AttributeError(f"module 'tapegrad.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
