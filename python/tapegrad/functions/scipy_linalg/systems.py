"""scipy.linalg: linear systems, general, triangular and banded, from factors found before, and by
least squares; inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions import decompositions, sparse
from tapegrad.functions.decompositions import pseudo_inverse
from tapegrad.functions.linalg import hermitian_transpose, matrix_of, singular_values, square
from tapegrad.functions.operands import (
    Array,
    as_inexact,
    is_complex,
    operand,
    reshaped,
    result_dtype,
    seen,
    value_of,
    where,
)
from tapegrad.functions.scipy_linalg.arguments import (
    TRANSPOSITIONS,
    as_columns,
    refuse,
    solved,
    transposed_by,
)
from tapegrad.functions.scipy_linalg.factorisations import cholesky

__all__ = [
    "cho_factor",
    "cho_solve",
    "inv",
    "lstsq",
    "lu_factor",
    "lu_solve",
    "pinv",
    "solve",
    "solve_banded",
    "solve_triangular",
]


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Array:
    a, (b, vector) = square(a, "solve"), as_columns(b)
    if assume_a in ("lower triangular", "upper triangular"):
        lower = (assume_a == "lower triangular") != transposed
        return _triangular(transposed_by(a, int(transposed)), b, vector, lower)
    if assume_a in ("sym", "her", "pos", "symmetric", "hermitian", "positive definite"):
        # One triangle is read, and only that one has a derivative.
        part = a if lower else np.swapaxes(a, -1, -2)
        other = np.swapaxes(np.tril(part, -1), -1, -2)
        symmetric = assume_a in ("sym", "symmetric")
        whole = np.tril(part) + (other if symmetric or not is_complex(a) else np.conjugate(other))
        a = whole if lower else np.swapaxes(whole, -1, -2)
    return solved(apply("solve", (transposed_by(a, int(transposed)), b), (0,)), vector)


def _triangular(a: Array, b: Array, vector: bool, lower: bool) -> Array:
    return solved(apply("solve", (a, b), (1 if lower else 2,)), vector)


def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:
    a, (b, vector) = square(a, "solve_triangular"), as_columns(b)
    if unit_diagonal:
        a = where(np.eye(a.shape[-1], dtype=bool), 1.0, a)
    return _triangular(
        transposed_by(a, trans), b, vector, bool(lower) != bool(TRANSPOSITIONS.get(trans))
    )


def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:
    ab, (b, vector) = matrix_of(ab, "solve_banded"), as_columns(b)
    below, above = (int(k) for k in l_and_u)
    n = ab.shape[-1]
    if ab.shape[-2] != below + above + 1:
        raise ValueError(
            "invalid values for the number of lower and upper diagonals:"
            f" l+u+1 ({below + above + 1}) does not equal ab.shape[0] ({ab.shape[-2]})"
        )
    if b.shape[-2] != n:
        raise ValueError("shapes of ab and b are not compatible.")
    # Entry (i, j) of the matrix is ab[above + i - j, j].
    rows = np.repeat(np.arange(n), below + above + 1)
    columns = rows + np.tile(np.arange(-below, above + 1), n)
    inside = (columns >= 0) & (columns < n)
    rows, columns = rows[inside], columns[inside]
    entries = np.take(
        reshaped(ab, (*ab.shape[:-2], ab.shape[-2] * n)),
        (above + rows - columns) * n + columns,
        axis=-1,
    )
    pattern = sparse.pattern_of((n, n), rows, columns, np.arange(n))
    return solved(sparse.solve(entries, pattern, b), vector)


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, bool]:
    return cholesky(a, lower), lower


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    factor, lower = c_and_lower
    factor, (b, vector) = square(factor, "cho_solve"), as_columns(b)
    adjoint = hermitian_transpose(factor)
    first, second = (factor, adjoint) if lower else (adjoint, factor)
    return solved(apply("solve", (second, apply("solve", (first, b), (1,))), (2,)), vector)


def lu_factor(
    a: Any, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, np.ndarray[Any, Any]]:
    a = square(a, "lu_factor")
    pivots = np.asarray(value_of(apply("lu_pivots", (seen(a),))))
    order = _permutation(pivots)
    return apply("lu", (np.take_along_axis(a, order[..., :, None], axis=-2),)), pivots.astype(
        np.int32
    )


def _permutation(pivots: Any) -> np.ndarray[Any, Any]:
    """The order of rows that exchanges of row i with row pivots[i], one after the other, give."""
    pivots = np.asarray(pivots)
    n = pivots.shape[-1]
    order = np.broadcast_to(np.arange(n), pivots.shape).copy()
    for i in range(n):
        here, there = order[..., i : i + 1].copy(), pivots[..., i : i + 1]
        order[..., i : i + 1] = np.take_along_axis(order, there, -1)
        np.put_along_axis(order, there, here, -1)
    return order


def lu_solve(
    lu_and_piv: tuple[Any, Any],
    b: Any,
    trans: Any = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:
    lu, pivots = lu_and_piv
    lu, (b, vector) = square(lu, "lu_solve"), as_columns(b)
    order = _permutation(value_of(pivots))
    unit = where(np.eye(lu.shape[-1], dtype=bool), 1.0, lu)
    if TRANSPOSITIONS.get(trans) == 0:
        rows = np.take_along_axis(_spread(b, order), order[..., :, None], axis=-2)
        half = apply("solve", (unit, rows), (1,))
        return solved(apply("solve", (lu, half), (2,)), vector)
    half = apply("solve", (transposed_by(lu, trans), b), (1,))
    x = apply("solve", (transposed_by(unit, trans), half), (2,))
    back = np.argsort(order, axis=-1)
    return solved(np.take_along_axis(_spread(x, back), back[..., :, None], axis=-2), vector)


def _spread(b: Array, order: np.ndarray[Any, Any]) -> Array:
    """`b` with the leading axes of a stack of permutations."""
    lead = np.broadcast_shapes(b.shape[:-2], order.shape[:-1])
    return b if b.shape[:-2] == lead else np.broadcast_to(b, lead + b.shape[-2:])


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True, **options: Any) -> Array:
    refuse("inv", assume_a=options.get("assume_a") not in (None, "gen", "general"))
    return apply("inv", (square(a, "inv"),))


def pinv(
    a: Any,
    *,
    atol: Any = None,
    rtol: Any = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    a = matrix_of(a, "pinv")
    size = seen(singular_values(seen(a)))
    largest = np.max(size, axis=-1, initial=0.0)
    absolute = 0.0 if atol is None else atol
    if rtol is None:
        rtol = max(a.shape[-2:]) * float(np.finfo(a.dtype).eps) if atol is None else 0.0
    cutoff = absolute + rtol * largest
    relative = cutoff / where(largest > 0.0, largest, 1.0)
    inverse = pseudo_inverse(a, relative)
    return (inverse, int(np.sum(size > cutoff))) if return_rank else inverse


def lstsq(
    a: Any,
    b: Any,
    cond: float | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: Any = None,
) -> Any:
    eps = float(np.finfo(result_dtype(as_inexact(operand(a)), as_inexact(operand(b)))).eps)
    return decompositions.lstsq(a, b, eps if cond is None else cond)
