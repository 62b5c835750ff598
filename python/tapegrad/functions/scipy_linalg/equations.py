"""scipy.linalg: matrix equations, those of Sylvester and Lyapunov."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.linalg import hermitian_transpose, matrix_of, square
from tapegrad.functions.operands import Array, reshaped

__all__ = [
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
]


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
