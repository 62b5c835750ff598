"""scipy.linalg on recorded values: solvers, factorisations and functions of a matrix. SciPy does
not dispatch; `tapegrad.scipy.linalg` has these in place of SciPy's. Options that only save time or
memory in SciPy (overwrite_*, check_finite, drivers) are taken and have no effect."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import apply
from tapegrad.functions import decompositions, sparse
from tapegrad.functions.decompositions import (
    eig_parts,
    eigh_parts,
    eigh_values,
    general_eigenvalues,
    pseudo_inverse,
    qr_parts,
)
from tapegrad.functions.linalg import (
    cholesky as lower_cholesky,
)
from tapegrad.functions.linalg import (
    hermitian_transpose,
    matrix_of,
    singular_values,
    square,
)
from tapegrad.functions.linalg import (
    norm as numpy_norm,
)
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    is_complex,
    joined,
    operand,
    reshaped,
    result_dtype,
    seen,
    value_of,
    where,
)

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "logm",
    "lstsq",
    "lu_factor",
    "lu_solve",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_banded",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
    "svd",
    "svdvals",
    "toeplitz",
]

TRANSPOSITIONS = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def _refuse(function: str, **arguments: bool) -> None:
    """Raise UnsupportedError for the first argument that is used and has no rule."""
    for name, used in arguments.items():
        if used:
            errors.unsupported(f"scipy.linalg.{function} with {name} has no derivative rule")


def _as_columns(b: Any) -> tuple[Array, bool]:
    """The right-hand side as a matrix, and whether it was a vector."""
    b = as_inexact(operand(b))
    return (reshaped(b, (b.size, 1)), True) if b.ndim == 1 else (b, False)


def _solved(x: Array, vector: bool) -> Array:
    return reshaped(x, x.shape[:-1]) if vector else x


def _transposed(a: Array, trans: Any) -> Array:
    code = TRANSPOSITIONS.get(trans)
    if code is None:
        raise ValueError(f"trans must be 0, 1, 2, 'N', 'T' or 'C', not {trans!r}")
    return a if code == 0 else np.swapaxes(a, -1, -2) if code == 1 else hermitian_transpose(a)


# Linear systems -----------------------------------------------------------------------------------


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
    a, (b, vector) = square(a, "solve"), _as_columns(b)
    if assume_a in ("lower triangular", "upper triangular"):
        lower = (assume_a == "lower triangular") != transposed
        return _triangular(_transposed(a, int(transposed)), b, vector, lower)
    if assume_a in ("sym", "her", "pos", "symmetric", "hermitian", "positive definite"):
        # One triangle is read, and only that one has a derivative.
        part = a if lower else np.swapaxes(a, -1, -2)
        other = np.swapaxes(np.tril(part, -1), -1, -2)
        symmetric = assume_a in ("sym", "symmetric")
        whole = np.tril(part) + (other if symmetric or not is_complex(a) else np.conjugate(other))
        a = whole if lower else np.swapaxes(whole, -1, -2)
    return _solved(apply("solve", (_transposed(a, int(transposed)), b), (0,)), vector)


def _triangular(a: Array, b: Array, vector: bool, lower: bool) -> Array:
    return _solved(apply("solve", (a, b), (1 if lower else 2,)), vector)


def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:
    a, (b, vector) = square(a, "solve_triangular"), _as_columns(b)
    if unit_diagonal:
        a = where(np.eye(a.shape[-1], dtype=bool), 1.0, a)
    return _triangular(
        _transposed(a, trans), b, vector, bool(lower) != bool(TRANSPOSITIONS.get(trans))
    )


def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:
    ab, (b, vector) = matrix_of(ab, "solve_banded"), _as_columns(b)
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
    return _solved(sparse.solve(entries, pattern, b), vector)


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, bool]:
    return cholesky(a, lower), lower


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    factor, lower = c_and_lower
    factor, (b, vector) = square(factor, "cho_solve"), _as_columns(b)
    adjoint = hermitian_transpose(factor)
    first, second = (factor, adjoint) if lower else (adjoint, factor)
    return _solved(apply("solve", (second, apply("solve", (first, b), (1,))), (2,)), vector)


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
    lu, (b, vector) = square(lu, "lu_solve"), _as_columns(b)
    order = _permutation(value_of(pivots))
    unit = where(np.eye(lu.shape[-1], dtype=bool), 1.0, lu)
    if TRANSPOSITIONS.get(trans) == 0:
        rows = np.take_along_axis(_spread(b, order), order[..., :, None], axis=-2)
        half = apply("solve", (unit, rows), (1,))
        return _solved(apply("solve", (lu, half), (2,)), vector)
    half = apply("solve", (_transposed(lu, trans), b), (1,))
    x = apply("solve", (_transposed(unit, trans), half), (2,))
    back = np.argsort(order, axis=-1)
    return _solved(np.take_along_axis(_spread(x, back), back[..., :, None], axis=-2), vector)


def _spread(b: Array, order: np.ndarray[Any, Any]) -> Array:
    """`b` with the leading axes of a stack of permutations."""
    lead = np.broadcast_shapes(b.shape[:-2], order.shape[:-1])
    return b if b.shape[:-2] == lead else np.broadcast_to(b, lead + b.shape[-2:])


# Matrix equations ---------------------------------------------------------------------------------


def solve_sylvester(a: Any, b: Any, q: Any) -> Array:
    a, b = square(a, "solve_sylvester"), square(b, "solve_sylvester")
    return apply("sylvester", (a, b, matrix_of(q, "solve_sylvester")))


def solve_continuous_lyapunov(a: Any, q: Any) -> Array:
    a = square(a, "solve_continuous_lyapunov")
    return solve_sylvester(a, hermitian_transpose(a), q)


solve_lyapunov = solve_continuous_lyapunov


def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Array:
    a = square(a, "solve_discrete_lyapunov")
    q = matrix_of(q, "solve_discrete_lyapunov")
    n = a.shape[-1]
    method = (method or ("bilinear" if n >= 10 else "direct")).lower()
    if method not in ("direct", "bilinear"):
        raise ValueError(f"Unknown solver {method}")
    if method == "direct":
        # (1 - A x conj(A)) vec(X) = vec(Q), by rows
        product = np.einsum("...ij,...kl->...ikjl", a, np.conjugate(a))
        system = np.eye(n * n) - reshaped(product, (*a.shape[:-2], n * n, n * n))
        columns = reshaped(q, (*q.shape[:-2], n * n, 1))
        x = apply("solve", (system, columns), (0,))
        return reshaped(x, (*x.shape[:-2], n, n))
    eye, adjoint = np.eye(n), hermitian_transpose(a)
    inverse = apply("inv", (adjoint + eye,))
    b = (adjoint - eye) @ inverse
    c = 2.0 * (apply("inv", (a + eye,)) @ q @ inverse)
    return solve_continuous_lyapunov(hermitian_transpose(b), -c)


# Functions of a matrix ----------------------------------------------------------------------------


def expm(A: Any) -> Array:
    return apply("expm", (square(A, "expm"),))


def _principal(op: str, a: Array) -> Array:
    """A function that is complex for real matrices with eigenvalues on the negative axis."""
    if is_complex(a):
        return apply(op, (a,))
    w = apply("eigvals", (seen(a),))
    if bool(np.any((w.imag == 0.0) & (w.real < 0.0))):
        return apply(op, (as_dtype(a, complex),))
    return apply(op, (a,))


def sqrtm(A: Any, disp: Any = None, blocksize: Any = None) -> Array:
    _refuse("sqrtm", **{"disp=False": disp is False})
    return _principal("sqrtm", square(A, "sqrtm"))


def logm(A: Any, disp: Any = None) -> Array:
    _refuse("logm", **{"disp=False": disp is False})
    return _principal("logm", square(A, "logm"))


# Factorisations with SciPy's signatures -----------------------------------------------------------


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True, **options: Any) -> Array:
    _refuse("inv", assume_a=options.get("assume_a") not in (None, "gen", "general"))
    return apply("inv", (square(a, "inv"),))


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    return apply("det", (square(a, "det"),))


def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Array:
    return numpy_norm(a, ord, axis, keepdims)


def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Array:
    return lower_cholesky(a, upper=not lower)


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    if mode not in ("full", "r", "economic", "raw"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic', 'raw']")
    _refuse("qr", pivoting=pivoting, **{"mode='raw'": mode == "raw"})
    q, r = qr_parts(matrix_of(a, "qr"), mode in ("full", "r"))
    return (r,) if mode == "r" else (q, r)


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    found = decompositions.svd(a, full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    return singular_values(matrix_of(a, "svdvals"))


def _standard(a: Any, b: Any, lower: bool, name: str) -> tuple[Array, Array | None]:
    """The Hermitian problem C y = w y that A v = w B v becomes with B = L L^H and v = L^-H y."""
    a = square(a, name)
    if b is None:
        return a, None
    b = square(b, name)
    if lower:
        a = np.tril(a) + hermitian_transpose(np.tril(a, -1))
    else:
        a = np.triu(a) + hermitian_transpose(np.triu(a, 1))
    factor = apply("cholesky", (b if lower else hermitian_transpose(b),))
    half = apply("solve", (factor, a), (1,))
    return apply("solve", (factor, hermitian_transpose(half)), (1,)), factor


def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    _refuse("eigh", type=type != 1, subset_by_value=subset_by_value is not None)
    matrix, factor = _standard(a, b, lower, "eigh")
    first, last = (0, matrix.shape[-1] - 1) if subset_by_index is None else subset_by_index
    if eigvals_only:
        return eigh_values(matrix, not lower)[..., first : last + 1]
    w, v = eigh_parts(matrix, not lower)
    if factor is not None:
        v = apply("solve", (hermitian_transpose(factor), v), (2,))
    return w[..., first : last + 1], v[..., first : last + 1]


def eigvalsh(a: Any, b: Any = None, **options: Any) -> Array:
    return eigh(a, b, eigvals_only=True, **options)


def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    _refuse("eig", b=b is not None, left=left, homogeneous_eigvals=homogeneous_eigvals)
    a = square(a, "eig")
    if not right:
        return apply("eigvals", (a,))
    w, v = eig_parts(a)
    return as_dtype(w, complex), v  # SciPy's eigenvalues are complex


def eigvals(
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Array:
    _refuse("eigvals", b=b is not None, homogeneous_eigvals=homogeneous_eigvals)
    return as_dtype(general_eigenvalues(square(a, "eigvals")), complex)


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


# Structured matrices ------------------------------------------------------------------------------


def block_diag(*arrs: Any) -> Array:
    blocks = [np.atleast_2d(operand(a)) for a in arrs or ([],)]
    if any(block.ndim > 2 for block in blocks):
        _refuse("block_diag", **{"stacks of matrices": True})
    dtype = result_dtype(*blocks)
    width = sum(block.shape[1] for block in blocks)
    rows, start = [], 0
    for block in blocks:
        height, length = block.shape
        parts = [np.zeros((height, start), dtype), as_dtype(block, dtype)]
        rows.append(joined([*parts, np.zeros((height, width - start - length), dtype)], 1))
        start += length
    return joined(rows, 0)


def toeplitz(c: Any, r: Any = None) -> Array:
    c = np.atleast_1d(operand(c))
    r = np.conjugate(c) if r is None else np.atleast_1d(operand(r))
    m, n = c.shape[-1], r.shape[-1]
    dtype = result_dtype(c, r)
    lead = np.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    c = np.broadcast_to(as_dtype(c, dtype), (*lead, m))
    r = np.broadcast_to(as_dtype(r, dtype), (*lead, n))
    # Diagonals from the lowest to the highest; entry (i, j) is on diagonal j - i.
    diagonals = joined([c[..., ::-1], r[..., 1:]], len(lead))
    places = np.arange(n)[None, :] - np.arange(m)[:, None] + m - 1
    return np.take(diagonals, places, axis=-1)
