"""np.einsum as pairwise contractions: diagonals by gather, the rest by transposes, sums,
products and matmul, in the order that np.einsum_path finds. Called through the registry."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad._core import apply
from tapegrad.functions.indexing import moved
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    deliver,
    operand,
    reshaped,
    result_dtype,
    transposed,
)
from tapegrad.functions.registry import implements, plain

__all__ = ["einsum"]

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# An ellipsis stands for axes labelled by these, the last axis by the last of them.
HIDDEN = "".join(map(chr, range(0x3B1, 0x3B1 + 64)))


class Labelled(NamedTuple):
    """An operand with one label for each axis."""

    labels: str
    array: Array


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Array:
    dtype = kwargs.pop("dtype", None)
    for name in ("order", "casting"):
        kwargs.pop(name, None)  # Values have no memory order, and casts are recorded.
    if kwargs:
        raise TypeError(f"einsum got unexpected keyword arguments {sorted(kwargs)}")
    inputs, output, arrays = _parsed(operands)
    common = np.dtype(dtype) if dtype is not None else result_dtype(*arrays)
    terms = [
        _diagonal(labels, as_dtype(array, common))
        for labels, array in zip(inputs, arrays, strict=True)
    ]
    terms = _without_broadcast(terms, output)
    result = _contracted(terms, output, optimize)
    return deliver(result, out, "einsum")


# Subscripts -------------------------------------------------------------------------------------


def _parsed(operands: Sequence[Any]) -> tuple[tuple[str, ...], str, list[Array]]:
    """Labels of each operand and of the result, ellipses written out, and the operands."""
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0], [operand(a) for a in operands[1:]]
    else:
        subscripts, arrays = _from_lists(operands)
    inputs, output = _labels(subscripts, tuple(a.ndim for a in arrays))
    return inputs, output, arrays


@functools.lru_cache(maxsize=256)
def _labels(subscripts: str, ndims: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(
            f"einsum: {len(terms)} operands in the subscripts '{subscripts}', {len(ndims)} given"
        )
    inputs = tuple(_full_labels(term, n) for term, n in zip(terms, ndims, strict=True))
    hidden = "".join(sorted(set("".join(inputs)) & set(HIDDEN)))
    output = right.replace("...", hidden) if arrow else _implicit(inputs)
    if len(set(output)) != len(output) or not set(output) <= set("".join(inputs)):
        raise ValueError(f"einsum: the output '{right}' must use labels of the operands once each")
    return inputs, output


def _from_lists(operands: Sequence[Any]) -> tuple[str, list[Array]]:
    """einsum(array, labels, array, labels, ..., output labels) as subscripts."""
    count = len(operands) // 2
    arrays = [operand(operands[2 * k]) for k in range(count)]
    lists = [operands[2 * k + 1] for k in range(count)]
    if len(operands) % 2:
        lists.append(operands[-1])
    numbers = sorted({label for labels in lists for label in labels if label is not Ellipsis})
    letter = {number: LETTERS[k] for k, number in enumerate(numbers)}
    texts = ["".join("..." if n is Ellipsis else letter[n] for n in labels) for labels in lists]
    arrow = "->" + texts.pop() if len(operands) % 2 else ""
    return ",".join(texts) + arrow, arrays


def _full_labels(term: str, ndim: int) -> str:
    labels = term.replace("...", "")
    hidden = ndim - len(labels)
    if hidden < 0 or (hidden and "..." not in term):
        raise ValueError(f"einsum: the subscripts '{term}' do not fit an operand of {ndim} axes")
    return term.replace("...", HIDDEN[len(HIDDEN) - hidden :])


def _implicit(inputs: tuple[str, ...]) -> str:
    """Hidden axes first, then the labels that occur once, in alphabetical order."""
    counts = Counter("".join(inputs))
    hidden = sorted(label for label in counts if label in HIDDEN)
    return "".join(hidden) + "".join(
        sorted(label for label, n in counts.items() if n == 1 and label not in HIDDEN)
    )


# Operands ---------------------------------------------------------------------------------------


def _diagonal(labels: str, array: Array) -> Labelled:
    """Takes the diagonal over labels that an operand repeats."""
    distinct = "".join(dict.fromkeys(labels))
    if distinct == labels:
        return Labelled(labels, array)
    number = {label: k for k, label in enumerate(distinct)}
    axes, kept = [number[label] for label in labels], list(range(len(distinct)))
    return Labelled(distinct, moved(lambda p: np.einsum(p, axes, kept), array))


def _without_broadcast(terms: list[Labelled], output: str) -> list[Labelled]:
    """Drops axes of length 1 whose label is longer in another operand; checks lengths."""
    lengths: dict[str, int] = {}
    for labels, array in terms:
        for label, n in zip(labels, array.shape, strict=True):
            known = lengths.setdefault(label, n)
            if n != known and 1 not in (n, known):
                raise ValueError(f"einsum: axes labelled '{label}' have lengths {known} and {n}")
            lengths[label] = n if known == 1 else known
    kept_terms = []
    for labels, array in terms:
        kept = [k for k, label in enumerate(labels) if array.shape[k] == lengths[label]]
        shape = [array.shape[k] for k in kept]
        kept_terms.append(Labelled("".join(labels[k] for k in kept), reshaped(array, shape)))
    return kept_terms


# Contraction ------------------------------------------------------------------------------------


def _contracted(terms: list[Labelled], output: str, optimize: Any) -> Array:
    for positions in _order(terms, output, optimize):
        chosen = [terms.pop(k) for k in sorted(positions, reverse=True)][::-1]
        needed = frozenset(output).union(*(term.labels for term in terms))
        merged = chosen[0]
        for i, other in enumerate(chosen[1:], 1):
            later = needed.union(*(term.labels for term in chosen[i + 1 :]))
            merged = _pair(merged, other, later)
        terms.append(merged)
    (last,) = terms
    last = _summed(last, set(output))
    return _permuted(last.array, [last.labels.index(label) for label in output])


def _order(terms: list[Labelled], output: str, optimize: Any) -> list[Sequence[int]]:
    """Which positions to contract, step by step; merged operands go to the end."""
    if len(terms) <= 2:
        return [tuple(range(len(terms)))]
    if isinstance(optimize, (list, tuple)) and optimize and optimize[0] == "einsum_path":
        return list(optimize[1:])
    # Only shapes matter: operands that take no memory.
    number = {label: k for k, label in enumerate(dict.fromkeys("".join(t.labels for t in terms)))}
    arguments: list[Any] = []
    for labels, array in terms:
        arguments += [np.broadcast_to(0.0, array.shape), [number[label] for label in labels]]
    chosen = "greedy" if optimize is False or optimize is True else plain(optimize)
    path = np.einsum_path(*arguments, [number[label] for label in output], optimize=chosen)[0]
    return list(path[1:])


def _summed(term: Labelled, needed: Iterable[str]) -> Labelled:
    """Sums over the labels that nothing else needs."""
    axes = [k for k, label in enumerate(term.labels) if label not in needed]
    if not axes:
        return term
    labels = "".join(label for label in term.labels if label in needed)
    return Labelled(labels, apply("sum", (term.array,), (0, *axes)))


class Plan(NamedTuple):
    """How to multiply two operands: transposed, reshaped, by which op, and what comes out."""

    order_a: tuple[int, ...]
    order_b: tuple[int, ...]
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    product: str
    shape: tuple[int, ...]
    labels: str


@functools.lru_cache(maxsize=1024)
def _planned(
    a: str, b: str, shape_a: tuple[int, ...], shape_b: tuple[int, ...], needed: frozenset[str]
) -> Plan:
    shared = [label for label in a if label in b]
    batch = [label for label in shared if label in needed]
    over = [label for label in shared if label not in needed]
    rows = [label for label in a if label not in shared]
    columns = [label for label in b if label not in shared]
    length = dict(zip(a + b, shape_a + shape_b, strict=True))

    def sizes(labels: list[str]) -> tuple[int, ...]:
        return tuple(length[label] for label in labels)

    result = batch + rows + columns
    order_a = tuple(a.index(label) for label in batch + rows + over)
    if not over:
        order_b = tuple(b.index(label) for label in batch + columns)
        matrix_a = sizes(batch + rows) + (1,) * len(columns)
        matrix_b = sizes(batch) + (1,) * len(rows) + sizes(columns)
        return Plan(
            order_a, order_b, matrix_a, matrix_b, "multiply", sizes(result), "".join(result)
        )
    k = math.prod(sizes(over))
    order_b = tuple(b.index(label) for label in batch + over + columns)
    # No axis for rows or columns that are not there: matmul takes vectors when nothing is batched.
    m = (math.prod(sizes(rows)),) if rows or batch else ()
    n = (math.prod(sizes(columns)),) if columns or batch else ()
    matrix_a, matrix_b = (*sizes(batch), *m, k), (*sizes(batch), k, *n)
    return Plan(order_a, order_b, matrix_a, matrix_b, "matmul", sizes(result), "".join(result))


def _pair(a: Labelled, b: Labelled, needed: frozenset[str]) -> Labelled:
    """The product of two operands, summed over the labels that are not needed later."""
    a, b = _summed(a, needed.union(b.labels)), _summed(b, needed.union(a.labels))
    plan = _planned(a.labels, b.labels, a.array.shape, b.array.shape, needed)
    left = reshaped(_permuted(a.array, plan.order_a), plan.shape_a)
    right = reshaped(_permuted(b.array, plan.order_b), plan.shape_b)
    return Labelled(plan.labels, reshaped(apply(plan.product, (left, right)), plan.shape))


def _permuted(array: Array, order: Sequence[int]) -> Array:
    return array if list(order) == list(range(len(order))) else transposed(array, order)
