"""scipy.sparse.linalg with direct solvers that take recorded values; everything else is SciPy's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import scipy.sparse.linalg as _linalg
from scipy.sparse.linalg import *  # noqa: F403

from tapegrad.functions import sparse as _sparse
from tapegrad.functions.operands import has_variable
from tapegrad.functions.sparse import Factorised

__all__ = ["factorized", "splu", "spsolve"]


@functools.wraps(_sparse.spsolve)
def spsolve(A: Any, b: Any, permc_spec: Any = None, use_umfpack: bool = True) -> Any:
    if has_variable(b) or isinstance(A, _sparse.RecordedSparse):
        return _sparse.spsolve(A, b)
    return _linalg.spsolve(A, b, permc_spec, use_umfpack)


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
