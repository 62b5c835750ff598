"""np.linalg: eigenvalues, singular values, qr, and what rests on them (pinv, lstsq, cond,
tensorsolve). Called through the registry and by scipy_linalg."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import apply
from tapegrad.functions.linalg import hermitian_transpose as adjugate
from tapegrad.functions.linalg import inv, matrix_of, norm, singular_values, solve, square
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    is_complex,
    joined,
    magnitude_squared,
    operand,
    reshaped,
    seen,
    sliced,
    where,
)
from tapegrad.functions.reductions import sum as total
from tapegrad.functions.registry import implements

__all__ = [
    "cond",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "lstsq",
    "pinv",
    "qr",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
]


def _parts(packed: Array, *shapes: tuple[int, ...]) -> list[Array]:
    """The factors that an op has packed one after the other into the last axis."""
    axis, start, parts = packed.ndim - 1, 0, []
    for shape in shapes:
        stop = start + int(np.prod(shape))
        parts.append(reshaped(sliced(packed, axis, start, stop), packed.shape[:-1] + shape))
        start = stop
    return parts


# The marks of packed factors whose values may repeat; packed.hpp has the same.
VALUES, VECTORS = 0, 1


def _factors(packed: Array, *parts: tuple[tuple[int, ...], int]) -> list[Array]:
    """Shape and mark of each factor: as `_parts`, but the op learns which ones are used."""
    start, found = 0, []
    for shape, mark in parts:
        count = int(np.prod(shape))
        part = apply("factor", (packed,), (start, count, mark))
        found.append(reshaped(part, packed.shape[:-1] + shape))
        start += count
    return found


def _real(x: Array) -> Array:
    return apply("real", (x,)) if is_complex(x) else x


# Eigenvalues --------------------------------------------------------------------------------------


def _is_upper(uplo: str) -> bool:
    if uplo.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return uplo.upper() == "U"


def eigh_parts(a: Array, upper: bool = False) -> list[Array]:
    """Eigenvalues and eigenvectors of the Hermitian matrix with this triangle."""
    n = a.shape[-1]
    w, v = _factors(apply("eigh", (a,), (int(upper),)), ((n,), VALUES), ((n, n), VECTORS))
    return [_real(w), v]


def eigh_values(a: Array, upper: bool = False) -> Array:
    return apply("eigvalsh", (a,), (int(upper),))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    w, v = eigh_parts(square(a, "eigh"), _is_upper(UPLO))
    return type(np.linalg.eigh(np.eye(1)))(w, v)


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Array:
    return eigh_values(square(a, "eigvalsh"), _is_upper(UPLO))


# From NumPy 2.5 on `eig` and `eigvals` return complex numbers always; before, real ones where they
# could.
ALWAYS_COMPLEX = np.linalg.eigvals(np.eye(1)).dtype.kind == "c"


def _real_if_all_are(w: Array, a: Array, *parts: Array) -> list[Array]:
    """NumPy's dtype: real results where the matrix and all of its eigenvalues are real."""
    if ALWAYS_COMPLEX or is_complex(a) or not bool(np.all(seen(w).imag == 0.0)):
        return list(parts)
    return [as_dtype(_real(part), a.dtype) for part in parts]


def general_eigenvalues(a: Array) -> Array:
    w = apply("eigvals", (a,))
    return _real_if_all_are(w, a, w)[0]


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Array:
    return general_eigenvalues(square(a, "eigvals"))


def eig_parts(a: Array) -> list[Array]:
    n = a.shape[-1]
    w, v = _factors(apply("eig", (a,)), ((n,), VALUES), ((n, n), VECTORS))
    return _real_if_all_are(w, a, w, _normalised(v))


def _normalised(v: Array) -> Array:
    """Columns of length one whose largest component is real, as LAPACK has them: the op leaves
    their derivative along themselves open."""
    if v.size == 0:
        return v
    sizes = magnitude_squared(v)
    v = v / np.sqrt(total(sizes, v.ndim - 2, keepdims=True))
    largest = np.expand_dims(np.argmax(seen(sizes), axis=-2), -2)
    pivot = np.take_along_axis(v, largest, axis=-2)
    sign = where(seen(pivot).real < 0.0, -1.0, 1.0)
    return v * (np.conjugate(pivot) / np.abs(pivot) * sign)


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    return type(np.linalg.eig(np.eye(1)))(*eig_parts(square(a, "eig")))


# Singular values ----------------------------------------------------------------------------------


def _from_lower_triangle(a: Array) -> Array:
    """The Hermitian matrix that agrees with `a` in the lower triangle."""
    strict = np.tril(a, -1)
    return a - np.triu(a, 1) + adjugate(strict)


def _hermitian_svd(a: Any, compute_uv: bool) -> Any:
    a = square(a, "svd")
    if not compute_uv:
        return np.sort(np.abs(eigvalsh(a)), axis=-1)[..., ::-1]
    w, u = eigh_parts(a)
    sign = np.sign(seen(w))
    order = np.argsort(np.abs(seen(w)), axis=-1)[..., ::-1]
    s = np.take_along_axis(w * sign, order, axis=-1)
    sign = np.take_along_axis(sign, order, axis=-1)
    u = np.take_along_axis(u, order[..., None, :], axis=-1)
    return _svd_result(u, s, adjugate(u * sign[..., None, :]))


def _svd_result(u: Array, s: Array, vh: Array) -> Any:
    return type(np.linalg.svd(np.eye(1)))(u, s, vh)


@implements(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    if hermitian:
        return _hermitian_svd(a, compute_uv)
    a = matrix_of(a, "svd")
    if not compute_uv:
        return singular_values(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    left, right = (m, n) if full_matrices else (k, k)
    packed = apply("svd", (a,), (int(full_matrices),))
    u, s, vh = _factors(packed, ((m, left), VECTORS), ((k,), VALUES), ((right, n), VECTORS))
    return _svd_result(u, _real(s), vh)


@implements(getattr(np.linalg, "svdvals", None))
def svdvals(x: Any, /) -> Array:
    return singular_values(matrix_of(x, "svdvals"))


# qr -----------------------------------------------------------------------------------------------


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        if mode in ("raw", "full", "f", "economic", "e"):
            errors.unsupported(f"np.linalg.qr with mode={mode!r} has no derivative rule")
        raise ValueError(f"Unrecognized mode '{mode}'")
    q, r = qr_parts(matrix_of(a, "qr"), mode == "complete")
    return r if mode == "r" else type(np.linalg.qr(np.eye(1)))(q, r)


def qr_parts(a: Array, complete: bool) -> list[Array]:
    """A wide matrix has the Q of its first square block; what Q has beyond the rank of a tall one
    is a basis of the complement, and R has zeros there."""
    m, n = a.shape[-2:]
    if m < n:
        q, r = qr_parts(a[..., :m], False)
        return [q, joined([r, apply("matmul", (adjugate(q), a[..., m:]))], a.ndim - 1)]
    complete = complete and m > n
    shapes = (m, m if complete else n), (n, n)
    q, r = _parts(apply("qr", (a,), (int(complete),)), *shapes)
    if complete:
        r = joined([r, np.zeros((*a.shape[:-2], m - n, n), a.dtype)], a.ndim - 2)
    return [q, r]


# Least squares ------------------------------------------------------------------------------------


def pseudo_inverse(a: Array, cutoff: Any, hermitian: bool = False) -> Array:
    """Singular values up to `cutoff` (broadcasts over stacks) times the largest count as zero."""
    if hermitian:
        a = _from_lower_triangle(a)
    cutoff = np.asarray(cutoff) if not hasattr(cutoff, "dtype") else seen(cutoff)
    return apply("pinv", (a, as_dtype(cutoff[..., None, None], a.dtype)))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Array:
    a = matrix_of(a, "pinv")
    if rcond is not None and rtol is not np._NoValue:
        raise ValueError("`rtol` and `rcond` can't be both set.")
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
    if rcond is None:
        rcond = max(a.shape[-2:]) * np.finfo(a.dtype).eps
    return pseudo_inverse(a, rcond, hermitian)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    a, b = matrix_of(a, "lstsq"), as_inexact(operand(b))
    if a.ndim != 2 or b.ndim not in (1, 2):
        raise np.linalg.LinAlgError("lstsq: two-dimensional arrays needed")
    m, n = a.shape
    if b.shape[0] != m:
        raise np.linalg.LinAlgError("Incompatible dimensions")
    eps = float(np.finfo(np.result_type(a.dtype, b.dtype)).eps)
    cutoff = eps * max(n, m) if rcond is None else eps if rcond < 0 else rcond
    columns = b if b.ndim == 2 else reshaped(b, (m, 1))
    x = apply("matmul", (pseudo_inverse(a, cutoff), columns))
    s = singular_values(a)
    large = np.sum(seen(s) > cutoff * np.max(seen(s), initial=0.0))
    rank = int(large)
    residuals: Array = np.empty(0, s.dtype)
    if rank == n and m > n:
        residuals = total(magnitude_squared(columns - apply("matmul", (a, x))), 0)
    return x if b.ndim == 2 else reshaped(x, (n,)), residuals, rank, s


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Array:
    x = matrix_of(x, "cond")
    if x.size == 0:
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    if p is None or p in (2, -2):
        s = singular_values(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    x = square(x, "cond")
    return norm(x, p, axis=(-2, -1)) * norm(inv(x), p, axis=(-2, -1))


# Tensors as matrices ------------------------------------------------------------------------------


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Array:
    a, b = operand(a), operand(b)
    if axes is not None:
        order = list(range(a.ndim))
        for k in axes:
            order.remove(k)
            order.insert(a.ndim, k)
        a = np.transpose(a, order)
    shape = a.shape[b.ndim - a.ndim :]
    size = int(np.prod(shape))
    if a.size != size**2:
        raise np.linalg.LinAlgError(
            "Input arrays must satisfy prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        )
    return reshaped(solve(reshaped(a, (size, size)), reshaped(b, (b.size,))), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Array:
    a = operand(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    rows = int(np.prod(a.shape[ind:]))
    inverse = inv(reshaped(a, (rows, a.size // rows if rows else 0)))
    return reshaped(inverse, a.shape[ind:] + a.shape[:ind])
