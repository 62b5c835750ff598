"""scipy.sparse with matrices whose stored values are recorded; everything else is SciPy's.

Products of SciPy's own sparse matrices with recorded arrays need nothing from here.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy import sparse
>>> def f(values):
...     a = sparse.csr_array((values, [1, 0], [0, 1, 2]))
...     return np.sum(a @ np.array([3.0, 5.0]))
>>> tg.grad(f)(np.ones(2))
array([5., 3.])
"""

from __future__ import annotations

from typing import Any

import scipy.sparse as _sparse
from scipy.sparse import *  # noqa: F403

from tapegrad.functions import sparse as _recorded
from tapegrad.functions.sparse import RecordedSparse
from tapegrad.scipy.sparse import linalg as linalg

__all__ = [
    "RecordedSparse",
    "coo_array",
    "coo_matrix",
    "csc_array",
    "csc_matrix",
    "csr_array",
    "csr_matrix",
    "linalg",
]


def _constructor(name: str, by_rows: bool) -> Any:
    plain = getattr(_sparse, name)

    def construct(arg1: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        if _recorded.is_recorded(arg1):
            return _recorded.compressed(arg1, shape, by_rows)
        return plain(arg1, shape, *args, **kwargs)

    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = (
        f"`scipy.sparse.{name}`; a RecordedSparse where the values in `arg1`, (data, (row, column))"
        " or (data, indices, indptr), are recorded."
    )
    return construct


csr_array = _constructor("csr_array", True)
csr_matrix = _constructor("csr_matrix", True)
csc_array = _constructor("csc_array", False)
csc_matrix = _constructor("csc_matrix", False)
coo_array = _constructor("coo_array", True)
coo_matrix = _constructor("coo_matrix", True)


def __getattr__(name: str) -> Any:
    return getattr(_sparse, name)


def __dir__() -> list[str]:
    return sorted({*dir(_sparse), *globals()})
