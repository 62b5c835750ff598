"""Products: dot, inner, outer, vdot, tensordot, kron, cross, multi_dot, matrix_power. All rest on
the ops `matmul` and `multiply`. Called through the registry and by methods.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.operands import (
    Array,
    axis_of,
    deliver,
    joined,
    operand,
    reshaped,
    transposed,
)
from tapegrad.functions.registry import implements, on_values
from tapegrad.functions.ufuncs import call

__all__ = ["cross", "dot", "inner", "kron", "matrix_power", "outer", "tensordot", "vdot"]


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Array:
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        result = apply("multiply", (a, b))
    elif a.ndim <= 2 and b.ndim <= 2:
        result = apply("matmul", (a, b))
    else:
        result = tensordot(a, b, (a.ndim - 1, max(b.ndim - 2, 0)))
    return result if out is None else deliver(result, out, "dot")


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Array:
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return apply("multiply", (a, b))
    if a.ndim == 1 and b.ndim == 1:
        return apply("matmul", (a, b))
    return tensordot(a, b, (a.ndim - 1, b.ndim - 1))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Array:
    a, b = operand(a), operand(b)
    product = apply("multiply", (reshaped(a, (a.size, 1)), reshaped(b, (1, b.size))))
    return product if out is None else deliver(product, out, "outer")


@implements(getattr(np.linalg, "outer", None))
def vector_outer(x1: Any, x2: Any, /) -> Array:
    x1, x2 = operand(x1), operand(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError("Input arrays must be one-dimensional")
    return outer(x1, x2)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Array:
    a, b = operand(a), operand(b)
    left = reshaped(a, (a.size,))
    if a.dtype.kind == "c":
        left = apply("conjugate", (left,))
    return apply("matmul", (left, reshaped(b, (b.size,))))


@implements(np.tensordot, getattr(np.linalg, "tensordot", None))
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    a, b = operand(a), operand(b)
    if np.ndim(axes) == 0:
        n = int(axes)
        pairs: Sequence[Any] = (range(a.ndim - n, a.ndim), range(n))
    else:
        pairs = axes
    over_a, over_b = (
        [axis_of(k, x.ndim) for k in ([p] if np.ndim(p) == 0 else p)]
        for x, p in zip((a, b), pairs, strict=True)
    )
    if [a.shape[k] for k in over_a] != [b.shape[k] for k in over_b]:
        raise ValueError("shape-mismatch for sum")
    free_a = [k for k in range(a.ndim) if k not in over_a]
    free_b = [k for k in range(b.ndim) if k not in over_b]
    shape = [a.shape[k] for k in free_a] + [b.shape[k] for k in free_b]
    inner_size = math.prod(a.shape[k] for k in over_a)
    rows = _matrix(a, [*free_a, *over_a], math.prod(a.shape[k] for k in free_a), inner_size)
    columns = _matrix(b, [*over_b, *free_b], inner_size, math.prod(b.shape[k] for k in free_b))
    return reshaped(apply("matmul", (rows, columns)), shape)


def _matrix(x: Array, order: list[int], rows: int, columns: int) -> Array:
    if order != list(range(x.ndim)):
        x = transposed(x, order)
    return reshaped(x, (rows, columns))


@implements(np.kron)
def kron(a: Any, b: Any) -> Array:
    a, b = operand(a), operand(b)
    ndim = max(a.ndim, b.ndim)
    left = (1,) * (ndim - a.ndim) + a.shape
    right = (1,) * (ndim - b.ndim) + b.shape
    spread = apply(
        "multiply",
        (
            reshaped(a, [n for length in left for n in (length, 1)]),
            reshaped(b, [n for length in right for n in (1, length)]),
        ),
    )
    return reshaped(spread, [n * m for n, m in zip(left, right, strict=True)])


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = operand(a), operand(b)
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError("incompatible dimensions for cross product (dimension must be 2 or 3)")
    x, y = a[..., 0] * b[..., 1], a[..., 1] * b[..., 0]
    if a.shape[-1] == 2 and b.shape[-1] == 2:
        return x - y
    z = x - y
    # A vector of the plane has third component 0.
    if a.shape[-1] == 2:
        parts = [a[..., 1] * b[..., 2], -(a[..., 0] * b[..., 2]), z]
    elif b.shape[-1] == 2:
        parts = [-(a[..., 2] * b[..., 1]), a[..., 2] * b[..., 0], z]
    else:
        parts = [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            z,
        ]
    columns = [reshaped(p, (*p.shape, 1)) for p in parts]
    return np.moveaxis(joined(columns, columns[0].ndim - 1), -1, axisc)


@implements(getattr(np.linalg, "cross", None))
def vector_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    x1, x2 = operand(x1), operand(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    return cross(x1, x2, axis=axis)


@implements(getattr(np.linalg, "matmul", None))
def matrix_product(x1: Any, x2: Any, /) -> Array:
    return call("matmul", (operand(x1), operand(x2)))


@implements(getattr(np.linalg, "vecdot", None))
def vector_dot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    return call("vecdot", (operand(x1), operand(x2)), {"axis": axis})


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Array:
    factors = [operand(a) for a in arrays]
    if len(factors) < 2:
        raise ValueError("Expecting at least two arrays.")
    first_is_vector, last_is_vector = factors[0].ndim == 1, factors[-1].ndim == 1
    if first_is_vector:
        factors[0] = reshaped(factors[0], (1, factors[0].size))
    if last_is_vector:
        factors[-1] = reshaped(factors[-1], (factors[-1].size, 1))
    if any(f.ndim != 2 for f in factors):
        raise np.linalg.LinAlgError("multi_dot takes matrices, and vectors at both ends")
    result = _chain(
        factors, _cheapest_splits([f.shape[0] for f in factors] + [factors[-1].shape[1]])
    )
    shape = result.shape[int(first_is_vector) : 2 - int(last_is_vector)]
    return deliver(reshaped(result, shape), out, "multi_dot")


def _cheapest_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the product of factors i to j: dynamic programming over their costs."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            }
            splits[i, j] = min(options, key=options.__getitem__)
            cost[i, j] = options[splits[i, j]]
    return splits


def _chain(factors: list[Array], splits: dict[tuple[int, int], int]) -> Array:
    def product(i: int, j: int) -> Array:
        if i == j:
            return factors[i]
        k = splits[i, j]
        return apply("matmul", (product(i, k), product(k + 1, j)))

    return product(0, len(factors) - 1)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Array:
    a = operand(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape).copy()
    if n < 0:
        a, n = apply("inv", (a,)), -n
    result = None
    while True:
        if n % 2:
            result = a if result is None else apply("matmul", (result, a))
        n //= 2
        if n == 0:
            return result
        a = apply("matmul", (a, a))


implements(np.einsum_path)(on_values(np.einsum_path))
