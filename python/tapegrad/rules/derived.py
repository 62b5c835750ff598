"""Derivatives that follow from others: transposed linear maps, and products with a Jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tapegrad.functions.operands import shape_of
from tapegrad.rules.node import Arrays, fitted, zeros_like
from tapegrad.transforms import vjp


def transposed(
    linear: Callable[..., Arrays], cotangents: Sequence[Any], likes: Sequence[Any]
) -> Arrays:
    """The adjoints of a linear map, which takes one array like each of `likes`.

    By a reverse sweep where the map can be recorded; else column by column, which is as exact and
    takes a call for each number it takes.
    """
    try:
        _, pullback = vjp(lambda *x: tuple(linear(*x)), *map(zeros_like, likes))
        return list(pullback(tuple(cotangents)))
    except Exception as error:  # whatever opaque code makes of a Variable
        try:
            return by_columns(linear, cotangents, likes)
        except Exception as failure:
            raise failure from error


def by_columns(
    linear: Callable[..., Arrays], cotangents: Sequence[Any], likes: Sequence[Any]
) -> Arrays:
    """As `transposed`, from the products with unit vectors.

    With the adjoint df/dx - i df/dy of z = x + iy, that of element k is Re<c, L e_k> - i Re<c, L i
    e_k>; <c, y> is the sum of products without conjugation.
    """
    zeros: Arrays = [zeros_like(x) for x in likes]

    def along(which: int, flat: int, unit: complex) -> Any:
        moved = list(zeros)
        moved[which] = zeros[which].copy()
        moved[which].reshape(-1)[flat] = unit
        found = linear(*moved)
        return sum(np.real(np.sum(c * y)) for c, y in zip(cotangents, found, strict=True))

    adjoints: Arrays = []
    for which, x in enumerate(zeros):
        numbers = [along(which, k, 1.0) for k in range(x.size)]
        column = _stacked(numbers)
        if x.dtype.kind == "c":
            column = column - 1j * _stacked([along(which, k, 1j) for k in range(x.size)])
        adjoints.append(fitted(column, x))
    return adjoints


def _stacked(numbers: Arrays) -> Any:
    return np.stack([np.reshape(x, ()) for x in numbers]) if numbers else np.zeros(0)


def times(blocks: Sequence[Any], tangents: Sequence[Any], value: Any) -> Any:
    """The sum of the products of matrices (numbers of the value by numbers of an operand) with
    tangents; None on either side is zero."""
    total: Any = zeros_like(value).reshape(-1)
    for block, tangent in _present(blocks, tangents):
        total = total + product(block, np.reshape(tangent, -1))
    return fitted(total, value)


def transposed_times(block: Any, cotangent: Any, operand: Any) -> Any:
    """The adjoint of an operand from its matrix, or zeros for None."""
    if block is None:
        return zeros_like(operand)
    return fitted(product(block.T, np.reshape(cotangent, -1)), operand)


def product(matrix: Any, vector: Any) -> Any:
    """Also of a sparse matrix."""
    if hasattr(matrix, "tocsr") and not isinstance(vector, np.ndarray):
        matrix = matrix.toarray()
    return matrix @ vector


def _present(blocks: Sequence[Any], tangents: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    for block, tangent in zip(blocks, tangents, strict=True):
        if block is not None and tangent is not None:
            yield block, tangent


def size_of(x: Any) -> int:
    return math.prod(shape_of(x))
