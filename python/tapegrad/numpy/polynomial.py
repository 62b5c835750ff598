"""numpy.polynomial for tapegrad.numpy: its modules with coefficients that may be recorded. NumPy's
own turn coefficients into plain arrays.

>>> import tapegrad as tg
>>> import tapegrad.numpy as np
>>> def f(c):
...     return np.polynomial.chebyshev.chebval(0.5, c)
>>> tg.grad(f)(np.array([1.0, 2.0, 3.0]))
array([ 1. ,  0.5, -0.5])
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as _np

from tapegrad.functions.operands import Array, as_inexact, guess_order, has_variable, operand

__all__ = ["chebyshev", "hermite", "hermite_e", "laguerre", "legendre", "polynomial"]

# p_k from x, p_{k-1}, p_{k-2} and k: Abramowitz and Stegun, table 22.7.
Recurrence = Callable[[Array, Array, Array, int], Array]


def _mirror(module: ModuleType, prefix: str, recurrence: Recurrence) -> ModuleType:
    """A module of the names of `module`; those that follow take recorded coefficients."""
    plain = {name: getattr(module, name) for name in module.__all__}
    own = _Series(module, prefix, recurrence)
    found = ModuleType(f"tapegrad.numpy.polynomial.{module.__name__.rsplit('.', 1)[-1]}")
    found.__dict__.update(plain)
    for name in ("val", "vander", "der", "int", "add", "sub", "mul"):
        found.__dict__[prefix + name] = own.unless_plain(prefix + name, getattr(own, name))
    return found


class _Series:
    """Functions of series in one basis. What is linear in the coefficients is a matrix, which
    NumPy makes of the unit vectors."""

    def __init__(self, module: ModuleType, prefix: str, recurrence: Recurrence) -> None:
        self.module, self.prefix, self.recurrence = module, prefix, recurrence

    def unless_plain(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(self.module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            recorded = any(map(has_variable, (*args, *kwargs.values())))
            return (function if recorded else original)(*args, **kwargs)

        call.__name__, call.__doc__ = name, original.__doc__
        return call

    def basis(self, x: Array, degree: int) -> list[Array]:
        functions: list[Array] = [x * 0.0 + 1.0]
        if degree > 0:
            functions.append(self.recurrence(x, functions[0], x * 0.0, 1))
        for k in range(2, degree + 1):
            functions.append(self.recurrence(x, functions[-1], functions[-2], k))
        return functions

    def vander(self, x: Any, deg: int) -> Array:
        if deg < 0:
            raise ValueError("deg must be non-negative")
        x = as_inexact(operand(x))
        return guess_order(_np.stack(self.basis(_np.atleast_1d(x), deg), axis=-1))

    def val(self, x: Any, c: Any, tensor: bool = True) -> Array:
        x, c = as_inexact(operand(x)), _np.atleast_1d(as_inexact(operand(c)))
        functions = self.basis(x, c.shape[0] - 1)
        if tensor and x.ndim:
            c = c.reshape(c.shape + (1,) * x.ndim)
        result: Array = c[0] * functions[0]
        for k in range(1, c.shape[0]):
            result = result + c[k] * functions[k]
        return result

    def _linear(self, name: str, c: Any, axis: int, *args: Any, **kwargs: Any) -> Array:
        c = as_inexact(operand(c))
        c = _np.atleast_1d(c)
        matrix = getattr(self.module, self.prefix + name)(
            _np.eye(c.shape[axis]), *args, **kwargs, axis=0
        )
        return _np.moveaxis(_np.tensordot(matrix, c, axes=([1], [axis])), 0, axis)

    def der(self, c: Any, m: int = 1, scl: Any = 1, axis: int = 0) -> Array:
        return self._linear("der", c, axis, m, scl)

    def int(
        self, c: Any, m: int = 1, k: Any = (), lbnd: Any = 0, scl: Any = 1, axis: int = 0
    ) -> Array:
        result = self._linear("int", c, axis, m, (), lbnd, scl)
        constants = getattr(self.module, self.prefix + "int")([0.0], m, k, lbnd, scl)
        if not _np.any(constants):
            return result
        shape = [-1 if i == axis % result.ndim else 1 for i in range(result.ndim)]
        padded = _np.zeros(result.shape[axis])
        padded[: len(constants)] = constants
        return result + padded.reshape(shape)

    def _aligned(self, c1: Any, c2: Any) -> tuple[Array, Array]:
        a, b = (_np.atleast_1d(as_inexact(operand(c))) for c in (c1, c2))
        n = max(a.shape[0], b.shape[0])
        return _np.pad(a, (0, n - a.shape[0])), _np.pad(b, (0, n - b.shape[0]))

    def add(self, c1: Any, c2: Any) -> Array:
        a, b = self._aligned(c1, c2)
        return a + b

    def sub(self, c1: Any, c2: Any) -> Array:
        a, b = self._aligned(c1, c2)
        return a - b

    def mul(self, c1: Any, c2: Any) -> Array:
        a, b = (_np.atleast_1d(as_inexact(operand(c))) for c in (c1, c2))
        n, m = a.shape[0], b.shape[0]
        table = _np.zeros((n + m - 1, n, m))
        for i in range(n):
            for j in range(m):
                product = getattr(self.module, self.prefix + "mul")(_unit(i), _unit(j))
                table[: len(product), i, j] = product
        return _np.einsum("kij,i,j->k", table, a, b)


def _unit(k: int) -> Any:
    return [0.0] * k + [1.0]


polynomial = _mirror(_np.polynomial.polynomial, "poly", lambda x, p, q, k: x * p)
chebyshev = _mirror(
    _np.polynomial.chebyshev, "cheb", lambda x, p, q, k: x * p if k == 1 else 2.0 * x * p - q
)
legendre = _mirror(
    _np.polynomial.legendre, "leg", lambda x, p, q, k: ((2 * k - 1) * x * p - (k - 1) * q) / k
)
hermite = _mirror(
    _np.polynomial.hermite, "herm", lambda x, p, q, k: 2.0 * x * p - 2.0 * (k - 1) * q
)
hermite_e = _mirror(_np.polynomial.hermite_e, "herme", lambda x, p, q, k: x * p - (k - 1) * q)
laguerre = _mirror(
    _np.polynomial.laguerre, "lag", lambda x, p, q, k: ((2 * k - 1 - x) * p - (k - 1) * q) / k
)


def __getattr__(name: str) -> Any:
    return getattr(_np.polynomial, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np.polynomial), *globals()})
