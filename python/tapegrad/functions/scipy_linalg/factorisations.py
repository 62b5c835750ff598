"""scipy.linalg: Cholesky and QR factors, singular values and eigenvalues, with SciPy's signatures.
The derivatives are those of `decompositions`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions import decompositions
from tapegrad.functions.decompositions import (
    eig_parts,
    eigh_parts,
    eigh_values,
    general_eigenvalues,
    qr_parts,
)
from tapegrad.functions.linalg import cholesky as lower_cholesky
from tapegrad.functions.linalg import hermitian_transpose, matrix_of, singular_values, square
from tapegrad.functions.operands import Array, as_dtype
from tapegrad.functions.scipy_linalg.arguments import refuse

__all__ = ["cholesky", "eig", "eigh", "eigvals", "eigvalsh", "qr", "svd", "svdvals"]


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
    refuse("qr", pivoting=pivoting, **{"mode='raw'": mode == "raw"})
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
    refuse("eigh", type=type != 1, subset_by_value=subset_by_value is not None)
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
    refuse("eig", b=b is not None, left=left, homogeneous_eigvals=homogeneous_eigvals)
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
    refuse("eigvals", b=b is not None, homogeneous_eigvals=homogeneous_eigvals)
    return as_dtype(general_eigenvalues(square(a, "eigvals")), complex)
