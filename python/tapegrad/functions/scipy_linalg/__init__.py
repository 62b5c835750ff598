"""scipy.linalg on recorded values: solvers, factorisations and functions of a matrix. SciPy does
not dispatch; `tapegrad.scipy.linalg` has these in place of SciPy's. Options that only save time or
memory in SciPy (overwrite_*, check_finite, drivers) are taken and have no effect."""

from __future__ import annotations

from tapegrad.functions.scipy_linalg.equations import (
    solve_continuous_lyapunov,
    solve_discrete_lyapunov,
    solve_lyapunov,
    solve_sylvester,
)
from tapegrad.functions.scipy_linalg.factorisations import (
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from tapegrad.functions.scipy_linalg.matrix_functions import det, expm, logm, norm, sqrtm
from tapegrad.functions.scipy_linalg.structured import block_diag, circulant, hankel, toeplitz
from tapegrad.functions.scipy_linalg.systems import (
    cho_factor,
    cho_solve,
    inv,
    lstsq,
    lu_factor,
    lu_solve,
    pinv,
    solve,
    solve_banded,
    solve_triangular,
)

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "circulant",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "hankel",
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
