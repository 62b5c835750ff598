"""scipy.sparse.linalg with direct solvers that take recorded values; everything else is SciPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import scipy.sparse.linalg as _linalg
from scipy.sparse.linalg import *  # noqa: F403

from tapegrad.functions.sparse import Factorised
from tapegrad.functions.sparse import spsolve as spsolve

__all__ = ["factorized", "splu", "spsolve"]


def splu(A: Any, *args: Any, **options: Any) -> Factorised:
    """Factor a sparse matrix to solve with it, as scipy.sparse.linalg.splu: the result has
    `solve(b, trans)`, differentiated by `b` and by the stored values of `A` if they are recorded.
    """
    return Factorised(A)


def factorized(A: Any) -> Callable[[Any], Any]:
    """The function that solves A x = b, as scipy.sparse.linalg.factorized."""
    return Factorised(A).solve


def __getattr__(name: str) -> Any:
    return getattr(_linalg, name)


def __dir__() -> list[str]:
    return sorted({*dir(_linalg), *globals()})
