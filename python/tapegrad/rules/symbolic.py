"""Functions from expressions of SymPy, and functions that SymPy differentiates. SymPy is imported
on use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad.rules.custom import CustomRule
from tapegrad.rules.sympy_names import compiled, sympy_module


def from_sympy(expression: Any, symbols: Sequence[Any] | None = None) -> Callable[..., Any]:
    """The function of NumPy code that an expression of SymPy stands for.

    `symbols` are its arguments in order; by default the free symbols of the expression, sorted by
    name. A list or matrix of expressions gives an array. The function is recorded as any other, so
    it has all derivatives, works elementwise on arrays, and goes into programs.

    Raises TypeError for what is no expression; ValueError where symbols are missing;
    UnsupportedError for what neither NumPy nor SciPy has a function for.

    >>> import sympy, tapegrad as tg
    >>> x, y = sympy.symbols("x y")
    >>> f = tg.from_sympy(x**2 * sympy.sin(y))
    >>> tg.grad(f, argnums=(0, 1))(3.0, 0.0)
    (0.0, 9.0)
    """
    parts, shape = _parts_of(expression)
    free = set().union(*(part.free_symbols for part in parts)) if parts else set()
    if symbols is None:
        symbols = sorted(free, key=str)
    missing = free - set(symbols)
    if missing:
        names = ", ".join(sorted(map(str, missing)))
        raise ValueError(f"from_sympy: the expression has symbols besides its arguments: {names}")
    evaluate = compiled(list(symbols), parts)

    def function(*args: Any) -> Any:
        found = evaluate(*args)
        return found[0] if shape is None else _stacked(found).reshape(shape)

    function.__name__ = function.__qualname__ = f"from_sympy({expression})"
    return function


def _parts_of(expression: Any) -> tuple[list[Any], tuple[int, ...] | None]:
    """Expressions, and the shape of the array that they make; None for a single one."""
    sympy = sympy_module()
    if isinstance(expression, (sympy.Expr, int, float, complex)):
        return [sympy.sympify(expression)], None
    if isinstance(expression, sympy.MatrixBase):
        return list(expression), tuple(expression.shape)
    array = np.array(expression, dtype=object)
    parts = [sympy.sympify(part) for part in array.reshape(-1)]
    if not all(isinstance(part, sympy.Expr) for part in parts):
        kind = type(expression).__name__
        raise TypeError(f"from_sympy: expected an expression or an array of them, got a {kind}")
    return parts, array.shape


def _stacked(parts: Sequence[Any]) -> Any:
    from tapegrad.functions.operands import assemble

    return assemble(list(parts))


# ---- functions that SymPy differentiates


def by_symbols(function: Callable[..., Any]) -> CustomRule:
    """See `differentiate_with(method="sympy")`."""

    @functools.lru_cache(maxsize=64)
    def of_shapes(shapes: tuple[tuple[int, ...], ...]) -> _Symbolic:
        return _Symbolic.of(function, shapes)

    def at(args: Any) -> _Symbolic:
        return of_shapes(tuple(np.shape(x) for x in args))

    @functools.wraps(function)
    def value(*args: Any) -> Any:
        return at(args).value(*args)

    rule = CustomRule(value)
    rule.jacobian(lambda value, *args: at(args).jacobian(*args))
    return rule


class _Symbolic:
    """Expressions of the numbers in some arrays, and what they are differentiated to."""

    def __init__(self, symbols: list[Any], parts: list[Any], shapes: Any, result: Any) -> None:
        self.symbols = symbols
        self.parts = parts
        self.shapes = shapes  # of the arguments
        self.result = result  # shape of the value; None for a number
        self._value = from_sympy(parts, symbols)

    @staticmethod
    def of(function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]) -> _Symbolic:
        sympy = sympy_module()
        args = []
        symbols: list[Any] = []
        for k, shape in enumerate(shapes):
            count = int(np.prod(shape, dtype=int))
            mine = [sympy.Symbol(f"x{k}_{i}", real=True) for i in range(count)]
            symbols += mine
            args.append(np.array(mine, dtype=object).reshape(shape) if shape else mine[0])
        parts, result = _parts_of(function(*args))
        return _Symbolic(symbols, parts, shapes, result)

    def value(self, *args: Any) -> Any:
        found = self._value(*self._numbers(args))
        return found.reshape(self.result if self.result is not None else ())

    def jacobian(self, *args: Any) -> Any:
        """A matrix for each argument; of a function like this one, so there is no last order."""
        blocks = []
        first = 0
        for x in args:
            count = int(np.prod(np.shape(x), dtype=int))
            block = self._derivative(first, count)(*args)
            blocks.append(block.reshape(len(self.parts), count))
            first += count
        return tuple(blocks)

    @functools.cache  # noqa: B019
    def _derivative(self, first: int, count: int) -> CustomRule:
        wanted = self.symbols[first : first + count]
        parts = [part.diff(symbol) for part in self.parts for symbol in wanted]
        derived = _Symbolic(self.symbols, parts, self.shapes, (len(parts),))
        rule = CustomRule(derived.value)
        rule.jacobian(lambda value, *args: derived.jacobian(*args))
        return rule

    @staticmethod
    def _numbers(args: Any) -> list[Any]:
        return [part for x in args for part in (np.reshape(x, -1) if np.ndim(x) else [x])]
