"""Tests written as NumPy expressions of named arrays: `np.sum(x, axis=0)` is evaluated on plain
arrays and on recorded ones. The tests of this folder hold the expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

import tapegrad as tg
import tapegrad.numpy
import tapegrad.scipy.fft
import tapegrad.scipy.integrate
import tapegrad.scipy.linalg
import tapegrad.scipy.signal
import tapegrad.scipy.special
import tapegrad.stats

RNG = np.random.default_rng(7)


def spread(*shape: int) -> np.ndarray:
    """Distinct numbers between -2 and 2, away from zero and from each other: no kinks nearby."""
    n = int(np.prod(shape))
    values = np.linspace(-2.0, 2.0, n) if n % 2 == 0 else np.linspace(-2.0, 1.9, n)
    return RNG.permutation(values + 0.01).reshape(shape)


def matrix(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape) + 3.0 * np.eye(shape[-1])


SPD = matrix(3, 3)
ARRAYS: dict[str, Any] = {
    "s": 0.7,
    "t": np.array(1.3),
    "u": spread(3),
    "v": spread(4),
    "w": spread(4)[::-1] + 0.3,
    "p": np.abs(spread(4)) + 0.2,
    "q": np.abs(spread(3, 4)) + 0.2,
    "x": spread(3, 4),
    "y": spread(3, 4) * 0.7 + 0.05,
    "r": spread(4, 2),
    "a": spread(2, 3, 4),
    "b": spread(2, 4, 3),
    "m": matrix(3, 3),
    "n": matrix(3, 3) + 0.5,
    "k": matrix(2, 3, 3),
    "h": SPD @ SPD.T,
    "z": spread(3, 4) + 1j * spread(3, 4),
    "c": spread(4) - 1j * spread(4),
    "d": spread(3, 3) + 1j * spread(3, 3) + 2.0 * np.eye(3),
    "e": np.zeros((0, 3)),
}
CONSTANTS: dict[str, Any] = {
    "np": np,
    "special": special,
    "tg": tg,
    "tnp": tapegrad.numpy,
    "tfft": tapegrad.scipy.fft,
    "tintegrate": tapegrad.scipy.integrate,
    "tlinalg": tapegrad.scipy.linalg,
    "tsignal": tapegrad.scipy.signal,
    "tspecial": tapegrad.scipy.special,
    "stats": tapegrad.stats,
    "MASK": np.array([[True, False, True, True], [False, True, True, False], [True] * 4]),
    "N": np.where(np.eye(3, 4, 1), np.nan, 0.0),
    "ROW": np.array([True, False, True, True]),
    "I": np.array([2, 0, 2]),
    "J": np.array([[0, 2], [1, 1]]),
}


def function_of(expression: str) -> tuple[Callable[..., Any], list[str]]:
    """The expression as a function of the arrays it names, and their names."""
    names = sorted(set(re.findall(r"(?<![\w.])([a-z])(?!\w|\s*=[^=])", expression)) & set(ARRAYS))
    names = [n for n in names if not re.search(rf"\bfor {n} in|lambda {n}\b", expression)]
    code = compile(expression, expression, "eval")

    def function(*values: Any) -> Any:
        return eval(code, {**CONSTANTS, **dict(zip(names, values, strict=True))})

    function.__name__ = expression
    return function, names


def arguments(names: list[str], dtype: Any = None) -> tuple[Any, ...]:
    def converted(value: Any) -> Any:
        if dtype is None or not isinstance(value, np.ndarray) or np.iscomplexobj(value):
            return value
        return value + 0.5j * np.cos(3.0 * value) if dtype is complex else value.astype(dtype)

    return tuple(converted(ARRAYS[name]) for name in names)


def check_value(expression: str, dtype: Any = None, rtol: float | None = None) -> None:
    """The recorded value is NumPy's: shape, dtype and numbers."""
    function, names = function_of(expression)
    assert names, f"no array in {expression}"
    args = arguments(names, dtype)
    expected = function(*args)
    value, _ = tg.vjp(function, *args)
    single = dtype == np.float32
    compare(value, expected, (3e-6 if single else 2e-13) if rtol is None else rtol)


def compare(value: Any, expected: Any, rtol: float) -> None:
    if isinstance(expected, (tuple, list)):
        assert len(value) == len(expected)
        for v, e in zip(value, expected, strict=True):
            compare(v, e, rtol)
        return
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape
    if expected.dtype.kind in "fcb":
        wanted = np.complex128 if expected.dtype == np.complex64 else expected.dtype
        assert value.dtype == wanted
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=rtol)


def check_derivatives(expression: str, order: int = 2, dtype: Any = None) -> None:
    function, names = function_of(expression)
    tg.testing.check_grads(function, arguments(names, dtype), order=order)


def check_complex(expression: str) -> None:
    """Value and first derivatives with complex arrays in place of all real ones."""
    check_value(expression, complex, rtol=1e-11)
    check_derivatives(expression, 1, complex)


def check_program(expression: str) -> None:
    """A program of the expression has its values and derivatives, where it was recorded and
    elsewhere."""
    function, names = function_of(expression)

    def weighted(*values: Any) -> Any:
        result = function(*values)
        parts = result if isinstance(result, (tuple, list)) else [result]
        weights = (np.cos(np.arange(float(np.size(p)))).reshape(np.shape(p)) for p in parts)
        return sum(np.sum(np.real(p) * w) for p, w in zip(parts, weights, strict=True))

    program = tg.function(weighted)
    args = arguments(names)
    every = tuple(range(len(args)))
    elsewhere = tuple(a + 0.013 * np.cos(7.0 * a) for a in args)
    for point in (args, elsewhere, args):
        compare(program(*point), weighted(*point), 1e-11)
        if len(point) == 1:
            compare(program.grad(*point), tg.grad(weighted, every)(*point)[0], 1e-9)
