"""Elementwise functions that are no ufuncs in NumPy: clip, round, real, angle, nan_to_num.
Called through the registry and by methods.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import Variable, apply
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    as_inexact,
    deliver,
    in_program,
    is_complex,
    is_differentiable,
    operand,
    seen,
    value_of,
    where,
)
from tapegrad.functions.reductions import absent
from tapegrad.functions.registry import implements, on_metas, on_values, question
from tapegrad.functions.ufuncs import ufunc_call

__all__ = ["angle", "astype", "clip", "imag", "nan_to_num", "real", "round", "sinc"]


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    **keywords: Any,
) -> Array:
    low, high = (a_min if absent(min) else min), (a_max if absent(max) else max)
    result = operand(a)
    if not absent(low):
        result = np.maximum(result, low)
    if not absent(high):
        result = np.minimum(result, high)
    if keywords:
        return ufunc_call(np.positive, (result,), out=out, **keywords)
    return deliver(result, out, "clip")


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Array:
    x = operand(a)
    if x.dtype.kind not in "fc":
        if in_program(x) and decimals >= 0 and x.dtype != bool:
            return deliver(+x, out, "round")
        return deliver(np.round(value_of(x), decimals), out, "round")
    if decimals == 0:
        return deliver(np.rint(x), out, "round")
    scale = 10.0 ** abs(decimals)
    result = np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale
    return deliver(result, out, "round")


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Array:
    return deliver(apply("trunc", (operand(x),)), out, "fix")


@implements(np.real)
def real(val: Any) -> Array:
    return operand(val).real


@implements(np.imag)
def imag(val: Any) -> Array:
    return operand(val).imag


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Array:
    z = as_inexact(operand(z))
    result = np.arctan2(z.imag, z.real)
    return np.rad2deg(result) if deg else result


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Array:
    a = operand(a)
    if not is_complex(a):
        return a
    limit = tol * float(np.finfo(a.dtype).eps) if tol > 1 else tol
    return a.real if bool(np.all(np.abs(seen(a).imag) < limit)) else a


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    x = operand(x)
    if is_complex(x):
        re, im = (_finite(part, nan, posinf, neginf) for part in (x.real, x.imag))
        result = re + 1j * im
    else:
        result = _finite(x, nan, posinf, neginf)
    if copy:
        return result
    if not isinstance(x, Variable):
        errors.detached("nan_to_num(copy=False) cannot write into a plain array", "use copy=True")
    x[...] = result
    return x


def _finite(x: Array, nan: Any, posinf: Any, neginf: Any) -> Array:
    v = seen(x)
    largest = np.finfo(x.dtype)
    x = where(np.isnan(v), nan, x)
    x = where(v == np.inf, largest.max if posinf is None else posinf, x)
    return where(v == -np.inf, largest.min if neginf is None else neginf, x)


@implements(np.sinc)
def sinc(x: Any) -> Array:
    x = as_inexact(operand(x))
    if not is_complex(x):
        return apply("sinc", (x,))
    angle = np.pi * x
    return where(angle == 0, 1.0, np.sin(angle) / where(angle == 0, 1.0, angle))


@implements(np.i0)
def i0(x: Any) -> Array:
    x = as_inexact(operand(x))
    if is_complex(x):
        raise TypeError("i0 not supported for complex values")
    return apply("i0", (x,))


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Array:
    # The correction is a multiple of the period, by a step function of p.
    v, length = value_of(p), value_of(period)
    correction = np.unwrap(v, discont, axis, period=length) - v
    if is_differentiable(period):
        correction = np.rint(correction / length) * period
    return p + correction


@implements(getattr(np, "astype", None))
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    del device
    result = as_dtype(x, dtype)
    return +result if copy and result is x else result


# Questions, which programs record ----------------------------------------------------------------


@question(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    x, y = seen(operand(a)), seen(operand(b))
    near = np.abs(x - y) <= atol + rtol * np.abs(y)
    result = (near & np.isfinite(y)) | (x == y)
    return result | (np.isnan(x) & np.isnan(y)) if equal_nan else result


@question(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    return bool(np.all(isclose(a, b, rtol, atol, equal_nan)))


@question(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    x, y = seen(operand(a1)), seen(operand(a2))
    if x.shape != y.shape:
        return False
    same = x == y
    return bool(np.all(same | (np.isnan(x) & np.isnan(y)) if equal_nan else same))


@question(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Array:
    return deliver(seen(operand(x)) == np.inf, out, "isposinf")


@question(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Array:
    return deliver(seen(operand(x)) == -np.inf, out, "isneginf")


@question(np.iscomplex)
def iscomplex(x: Any) -> Array:
    return seen(operand(x)).imag != 0


@question(np.isreal)
def isreal(x: Any) -> Array:
    return seen(operand(x)).imag == 0


for about_values in (np.array_equiv, np.min_scalar_type):
    implements(about_values)(on_values(about_values))

for function in (
    np.isrealobj,
    np.iscomplexobj,
    np.shape,
    np.size,
    np.ndim,
    np.result_type,
    np.can_cast,
    np.common_type,
    np.array2string,
    np.array_repr,
    np.array_str,
):
    implements(function)(on_metas(function))
