"""scipy.linalg: exponential, logarithm, square root, determinant and norms of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.linalg import norm as numpy_norm
from tapegrad.functions.linalg import square
from tapegrad.functions.operands import Array, as_dtype, is_complex, seen
from tapegrad.functions.scipy_linalg.arguments import refuse

__all__ = ["det", "expm", "logm", "norm", "sqrtm"]


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
    refuse("sqrtm", **{"disp=False": disp is False})
    return _principal("sqrtm", square(A, "sqrtm"))


def logm(A: Any, disp: Any = None) -> Array:
    refuse("logm", **{"disp=False": disp is False})
    return _principal("logm", square(A, "logm"))


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    return apply("det", (square(a, "det"),))


def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Array:
    return numpy_norm(a, ord, axis, keepdims)
