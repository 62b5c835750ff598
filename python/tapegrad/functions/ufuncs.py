"""ufunc calls that the C++ table does not serve: ufuncs made of several ops, complex arguments of
real ops, the keywords out=, where=, dtype=. Variable's `__array_ufunc__` calls `ufunc_fallback`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import apply, ops
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    deliver,
    dtype_of,
    in_program,
    is_complex,
    operand,
    result_dtype,
    seen,
    value_of,
    where,
)
from tapegrad.functions.registry import has_derivative, plain

__all__ = ["CALLS", "call", "complex_absolute", "ufunc_call", "ufunc_fallback"]

TABLE = frozenset(op["name"] for op in ops() if op["kind"] in ("unary", "binary", "comparison"))

# Called by name, so that SciPy's ufuncs need no import of SciPy.
CALLS: dict[str, Callable[..., Any]] = {}
# The same for ufuncs of the table whose formulas are real, when an operand is complex.
COMPLEX_CALLS: dict[str, Callable[..., Any]] = {}
# What `tg.implement` has given to ufuncs that have none of these.
REGISTERED: dict[np.ufunc, Callable[..., Any]] = {}
# Evaluated on plain values: logical results, integers, derivatives that are zero everywhere.
ON_VALUES = frozenset(
    "isnan isinf isfinite isnat signbit logical_and logical_or logical_xor logical_not "
    "equal not_equal less less_equal greater greater_equal "
    "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift bitwise_count gcd lcm "
    "spacing".split()
)
ORDERS = frozenset("less less_equal greater greater_equal signbit".split())


def ufunc_fallback(ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Everything but the plain call of an elementwise op of the table. In programs what carries no
    derivative counts as its value where there is no rule."""
    try:
        return _ufunc_method(ufunc, method, inputs, kwargs)
    except (errors.UnsupportedError, errors.DetachedError):
        if not in_program(*inputs) or has_derivative((inputs, kwargs)):
            raise
        return getattr(ufunc, method)(*plain(inputs), **plain(kwargs))


def _ufunc_method(ufunc: np.ufunc, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    if ufunc in REGISTERED and method == "__call__":
        return REGISTERED[ufunc](*inputs, **kwargs)
    if method == "__call__":
        return ufunc_call(ufunc, inputs, **kwargs) if kwargs else plain_call(ufunc, inputs)
    from tapegrad.functions.ufunc_methods import METHODS

    return METHODS[method](ufunc, *inputs, **kwargs)


def has_rule(ufunc: np.ufunc) -> bool:
    """Whether recordings know the ufunc."""
    name = ufunc.__name__
    return ufunc in REGISTERED or name in TABLE or name in CALLS or name in ON_VALUES


def plain_call(ufunc: np.ufunc, inputs: Sequence[Any]) -> Any:
    """`ufunc(*inputs)`."""
    name = ufunc.__name__
    inputs = [operand(x) if isinstance(x, (list, tuple)) else x for x in inputs]
    return _answer(ufunc, inputs) if name in ON_VALUES else call(name, inputs)


# What the table calls NumPy's bitwise ufuncs of booleans.
BOOLEAN = {
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "bitwise_xor": "logical_xor",
    "invert": "logical_not",
}


def _answer(ufunc: np.ufunc, inputs: Sequence[Any], **options: Any) -> Any:
    """A ufunc without derivative: on plain values, in programs an op if there is one."""
    name = ufunc.__name__
    if not options and in_program(*inputs):
        if all(dtype_of(x).kind == "b" for x in inputs):
            name = BOOLEAN.get(name, name)
        if name in TABLE and not (name in ORDERS and any(map(is_complex, inputs))):
            return apply(name, inputs)
    return ufunc(*plain(inputs), **options)


def ufunc_call(
    ufunc: np.ufunc,
    inputs: Sequence[Any],
    *,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: str = "same_kind",
    order: str = "K",
    subok: bool = True,
    signature: Any = None,
    **axes: Any,
) -> Any:
    """`ufunc(*inputs, ...)`; `axes` are the axis, axes and keepdims of generalised ufuncs."""
    del order, subok  # Values have no memory order and no subclass.
    if signature is not None:
        errors.unsupported(f"{ufunc.__name__} with signature= has no derivative rule", "use dtype=")
    inputs = [operand(x) if isinstance(x, (list, tuple)) else x for x in inputs]
    if dtype is not None:
        inputs = [_computed_in(x, np.dtype(dtype), casting, ufunc.__name__) for x in inputs]
    name = ufunc.__name__
    if name in ON_VALUES:
        if where is not True:
            axes["where"] = value_of(where)
        return _deliver_all(_answer(ufunc, inputs, **axes), out, name)
    result = call(name, inputs, axes)
    if where is not True:
        result = _where_true(where, result, out)
    return _deliver_all(result, out, name)


def call(name: str, inputs: Sequence[Any], axes: dict[str, Any] | None = None) -> Any:
    """The ufunc called `name`, without keywords of ordinary ufuncs."""
    complex_call = COMPLEX_CALLS.get(name)
    if complex_call is not None and any(map(is_complex, inputs)):
        return complex_call(*inputs)
    composed = CALLS.get(name)
    if composed is not None:
        return composed(*inputs, **(axes or {}))
    if name not in TABLE:
        errors.unsupported(f"the ufunc {name} has no derivative rule")
    return apply(name, inputs)


def _computed_in(x: Any, dtype: np.dtype[Any], casting: str, name: str) -> Any:
    if not np.can_cast(dtype_of(x), dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast ufunc '{name}' input from {dtype_of(x)} to {dtype} "
            f"with casting rule '{casting}'"
        )
    return as_dtype(operand(x), dtype)


def _where_true(mask: Any, result: Any, out: Any) -> Any:
    """The elements outside the mask keep what `out` holds; without `out` they are zero."""
    if isinstance(result, tuple):
        outs = out if isinstance(out, tuple) else (None,) * len(result)
        return tuple(_where_true(mask, r, o) for r, o in zip(result, outs, strict=True))
    target = out[0] if isinstance(out, tuple) else out
    otherwise = target if target is not None else np.zeros((), dtype_of(result))
    return where(mask, result, otherwise)


def _deliver_all(result: Any, out: Any, name: str) -> Any:
    if isinstance(result, tuple):
        outs = out if out is not None else (None,) * len(result)
        return tuple(deliver(r, o, name) for r, o in zip(result, outs, strict=True))
    return deliver(result, out, name)


# Ufuncs made of several ops ---------------------------------------------------------------------


def composed(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        CALLS.update(dict.fromkeys(names, function))
        return function

    return register


def for_complex(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        COMPLEX_CALLS[name] = function
        return function

    return register


@composed("divmod")
def _divmod(x: Array, y: Array) -> tuple[Array, Array]:
    return apply("floor_divide", (x, y)), apply("remainder", (x, y))


@composed("modf")
def _modf(x: Array) -> tuple[Array, Array]:
    whole = apply("trunc", (x,))
    infinite = np.isinf(seen(x))
    return where(infinite, np.copysign(0.0, seen(x)), x - whole), whole


@composed("frexp")
def _frexp(x: Array) -> tuple[Array, Array]:
    exponent = np.frexp(value_of(x))[1]
    # Two steps: 2^-exponent alone may overflow.
    half = exponent // 2
    one = np.ones_like(exponent, x.dtype)
    return x * np.ldexp(one, -half) * np.ldexp(one, half - exponent), exponent


@composed("float_power")
def _float_power(x: Array, y: Array) -> Array:
    dtype = np.result_type(result_dtype(x, y), np.float64)
    return apply("power", (as_dtype(operand(x), dtype), as_dtype(operand(y), dtype)))


@composed("conjugate")
def _conjugate(x: Array) -> Array:
    return apply("conjugate", (x,))


@for_complex("absolute")
def complex_absolute(z: Array) -> Array:
    return apply("hypot", (z.real, z.imag))


@for_complex("sign")
def _sign(z: Array) -> Array:
    size = apply("hypot", (z.real, z.imag))
    return where(size == 0, 0.0, z / where(size == 0, 1.0, size))


@for_complex("rint")
def _rint(z: Array) -> Array:
    return as_dtype(apply("rint", (z.real,)), complex) + 1j * apply("rint", (z.imag,))


def _no_complex_order(name: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        errors.unsupported(f"{name} of complex values has no derivative")

    return refuse


for name in ("maximum", "minimum", "fmax", "fmin"):
    COMPLEX_CALLS[name] = _no_complex_order(name)
