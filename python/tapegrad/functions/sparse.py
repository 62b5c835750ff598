"""Sparse matrices: products of scipy.sparse matrices with recorded arrays, matrices whose stored
values are recorded, and solves. The extension calls `product` where an operand of @ is no array;
tapegrad.scipy.sparse exports the rest."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tapegrad import _core, errors
from tapegrad._core import Variable, apply, value
from tapegrad.functions.operands import (
    Array,
    as_inexact,
    has_variable,
    operand,
    reshaped,
    seen,
)

__all__ = ["RecordedSparse", "matrix", "pattern_of", "product", "solve"]

Indices = np.ndarray[Any, np.dtype[np.int64]]


def pattern_of(shape: tuple[int, int], rows: Any, columns: Any, order: Any = None) -> Indices:
    """The pattern as the ops take it; entries are sorted by rows."""
    starts = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=shape[0]), out=starts[1:])
    parts = [[*shape, len(columns)], starts, columns, [] if order is None else order]
    return np.concatenate([np.asarray(part, np.int64) for part in parts])


class RecordedSparse:
    """A sparse matrix of fixed pattern whose stored values may be recorded.

    `data` are the values, at `row` and `column`, sorted by rows; entries given twice add up.
    Products with dense arrays from both sides, sums by `toarray`, and solves by
    `tapegrad.scipy.sparse.linalg` are differentiated by the values and by the other operand.
    """

    # NumPy's arrays leave @ and * to this class.
    __array_ufunc__ = None
    ndim = 2

    def __init__(self, data: Array, row: Any, column: Any, shape: tuple[int, int]):
        self.data, self.row, self.column = as_inexact(operand(data)), row, column
        self.shape = (int(shape[0]), int(shape[1]))
        if self.data.shape != (len(row),) or len(row) != len(column):
            raise ValueError("one value, one row and one column for each entry")
        self._pattern: Indices | None = None

    @property
    def nnz(self) -> int:
        return len(self.row)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(str(self.data.dtype))

    @property
    def pattern(self) -> Indices:
        if self._pattern is None:
            self._pattern = pattern_of(self.shape, self.row, self.column)
        return self._pattern

    @property
    def values(self) -> Array:
        """The data as the ops take it: one row."""
        return reshaped(self.data, (1, self.nnz))

    @property
    def T(self) -> RecordedSparse:
        return sorted_by_rows(self.data, self.column, self.row, self.shape[::-1])

    def transpose(self) -> RecordedSparse:
        return self.T

    def toarray(self) -> Array:
        flat = np.asarray(self.row, np.int64) * self.shape[1] + self.column
        return apply("scatter_add", (self.data, flat), self.shape)

    todense = toarray

    def with_data(self, data: Array) -> RecordedSparse:
        return RecordedSparse(data, self.row, self.column, self.shape)

    def __neg__(self) -> RecordedSparse:
        return self.with_data(-self.data)

    def __mul__(self, factor: Any) -> RecordedSparse:
        if np.ndim(factor) != 0:
            return NotImplemented
        return self.with_data(self.data * factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> RecordedSparse:
        return NotImplemented if np.ndim(divisor) != 0 else self.with_data(self.data / divisor)

    def __matmul__(self, x: Any) -> Array:
        x = as_inexact(operand(x))
        if x.ndim == 0 or x.shape[-min(x.ndim, 2)] != self.shape[1]:
            raise ValueError(f"matmul: shapes {self.shape} and {x.shape} do not fit")
        return _multiplied(self, x, False)

    dot = __matmul__

    def __rmatmul__(self, x: Any) -> Array:
        x = as_inexact(operand(x))
        if x.ndim == 0 or x.shape[-1] != self.shape[0]:
            raise ValueError(f"matmul: shapes {x.shape} and {self.shape} do not fit")
        if x.ndim == 1:
            return _multiplied(self, x, True)
        return np.swapaxes(_multiplied(self, np.swapaxes(x, -1, -2), True), -1, -2)

    def __repr__(self) -> str:
        return f"RecordedSparse of shape {self.shape} with {self.nnz} stored values"


def _multiplied(a: RecordedSparse, x: Array, transposed: bool) -> Array:
    columns = reshaped(x, (x.size, 1)) if x.ndim == 1 else x
    rows = a.shape[1] if transposed else a.shape[0]
    y = apply("sparse_matmul", (a.values, columns, a.pattern), (int(transposed), rows))
    return reshaped(y, (rows,)) if x.ndim == 1 else y


def sorted_by_rows(data: Array, row: Any, column: Any, shape: tuple[int, ...]) -> RecordedSparse:
    row, column = np.asarray(row), np.asarray(column)
    order = np.lexsort((column, row))
    if not np.array_equal(order, np.arange(len(order))):
        data, row, column = np.take(operand(data), order), row[order], column[order]
    return RecordedSparse(data, row, column, (shape[0], shape[1]))


def is_sparse(a: Any) -> bool:
    """Whether `a` is a scipy.sparse matrix or array; does not import SciPy."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(a))


def matrix(a: Any) -> RecordedSparse:
    """A scipy.sparse matrix, or one that is recorded, as the ops take it."""
    if isinstance(a, RecordedSparse):
        return a
    if not is_sparse(a):
        raise TypeError(f"a sparse matrix is needed, not {type(a).__name__}")
    if a.ndim != 2:
        errors.unsupported("scipy.sparse arrays of one axis have no derivative rule")
    # A program compares the arrays that it has read.
    for name in ("data", "indices", "indptr", "row", "col", "offsets"):
        if isinstance(getattr(a, name, None), np.ndarray):
            value(getattr(a, name))
    rows = a.tocsr()
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return RecordedSparse(rows.data, row, rows.indices, rows.shape)


def product(a: Any, b: Any) -> Any:
    """`a @ b` where one operand is sparse and the other recorded; else NotImplemented."""
    if is_sparse(a):
        return matrix(a) @ b
    if is_sparse(b):
        return matrix(b).__rmatmul__(a)
    if isinstance(b, RecordedSparse):
        return b.__rmatmul__(a)
    return NotImplemented


def solve(values: Array, pattern: Indices, b: Array, transposed: bool = False) -> Array:
    """The solution for right-hand sides as columns; `values` end in an axis over the entries."""
    row = reshaped(values, (*values.shape[:-1], 1, values.shape[-1]))
    return apply("sparse_solve", (row, b, pattern), (int(transposed), b.shape[-2]))


def elimination_order(a: RecordedSparse) -> Indices:
    """An order of the columns that keeps factors sparse, by SuperLU; any order is right."""
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    data = np.asarray(_core.peek(a.data)) if isinstance(a.data, Variable) else a.data
    entries = csc_array((data, (a.row, a.column)), shape=a.shape)
    try:
        return np.argsort(splu(entries).perm_c)
    except (RuntimeError, ValueError):  # singular
        return np.arange(a.shape[1])


class Factorised:
    """A sparse matrix to solve with, as scipy.sparse.linalg.splu gives it.

    `solve(b, trans)` for `b` a vector or columns; `trans` is 'N', 'T' or 'H'.
    """

    def __init__(self, a: Any):
        self._matrix = matrix(a)
        self.shape = self._matrix.shape
        if self.shape[0] != self.shape[1]:
            raise ValueError("can only factor square matrices")
        order = elimination_order(self._matrix)
        self._pattern = np.concatenate([self._matrix.pattern, order])

    @property
    def nnz(self) -> int:
        return self._matrix.nnz

    def solve(self, rhs: Any, trans: str = "N") -> Array:
        b = as_inexact(operand(rhs))
        if b.ndim not in (1, 2) or b.shape[0] != self.shape[0]:
            raise ValueError(f"rhs must have {self.shape[0]} rows, not shape {b.shape}")
        if trans not in ("N", "T", "H"):
            raise ValueError("trans must be N, T, or H")
        data = np.conjugate(self._matrix.data) if trans == "H" else self._matrix.data
        columns = b if b.ndim == 2 else reshaped(b, (b.size, 1))
        x = solve(data, self._pattern, columns, trans != "N")
        return x if b.ndim == 2 else reshaped(x, b.shape)


def spsolve(
    A: Any,
    b: Any,
    permc_spec: str | None = None,
    use_umfpack: bool = True,
) -> Array:
    """Solve the sparse system A x = b, as scipy.sparse.linalg.spsolve.

    `b` is dense, a vector or columns; options choose nothing that the result depends on.

    >>> import numpy as np, scipy.sparse as sp, tapegrad as tg
    >>> from tapegrad.scipy.sparse.linalg import spsolve
    >>> a = sp.csc_array([[2.0, 0.0], [1.0, 4.0]])
    >>> tg.grad(lambda b: np.sum(spsolve(a, b)))(np.ones(2))
    array([0.375, 0.25 ])
    """
    if is_sparse(b) or isinstance(b, RecordedSparse):
        errors.unsupported("scipy.sparse.linalg.spsolve with a sparse right-hand side has no rule")
    right = operand(b)
    column = right.ndim == 2 and right.shape[1] == 1
    x = Factorised(A).solve(right)
    return reshaped(x, (x.shape[0],)) if column else x


def compressed(arguments: Any, shape: Any, by_rows: bool) -> RecordedSparse:
    """`(data, indices, indptr)` or `(data, (row, column))` with recorded data."""
    if len(arguments) == 2:
        data, (row, column) = arguments
    else:
        data, indices, starts = arguments
        major = np.repeat(np.arange(len(starts) - 1), np.diff(np.asarray(seen(starts))))
        row, column = (major, indices) if by_rows else (indices, major)
    row, column = np.asarray(row, np.int64), np.asarray(column, np.int64)
    if shape is None:
        shape = (int(row.max(initial=-1)) + 1, int(column.max(initial=-1)) + 1)
    return sorted_by_rows(operand(data), row, column, shape)


def is_recorded(arguments: Any) -> bool:
    """Whether the arguments of a constructor hold recorded values."""
    return isinstance(arguments, tuple) and len(arguments) > 0 and has_variable(arguments[0])
