"""np.einsum as pairwise contractions: diagonals by slices, the rest by transposes, sums, products
and matmul, in the order that np.einsum_path finds. The steps depend on subscripts and shapes alone:
they are worked out once and kept. Called through the registry."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad._core import Variable, apply
from tapegrad.functions.operands import (
    Array,
    as_dtype,
    deliver,
    guess_order,
    operand,
    result_dtype,
    view,
)
from tapegrad.functions.registry import implements, plain

__all__ = ["einsum", "steps"]

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# An ellipsis stands for axes labelled by these, the last axis by the last of them.
HIDDEN = "".join(map(chr, range(0x3B1, 0x3B1 + 64)))

Shape = tuple[int, ...]


class Step(NamedTuple):
    """An op on values by their places: first come the operands, then the result of each step."""

    op: str
    operands: tuple[int, ...]
    attrs: tuple[int, ...]


class Term(NamedTuple):
    """A value by its place, with one label for each axis."""

    labels: str
    place: int


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Array:
    if isinstance(operands[0], str):
        subscripts, values = operands[0], [operand(a) for a in operands[1:]]
    else:
        subscripts, values = _from_lists(operands)
    dtype = _dtype_asked(kwargs) if kwargs else None
    first = values[0].dtype if values else None
    if dtype is not None or any(a.dtype != first for a in values):
        common = np.dtype(dtype) if dtype is not None else result_dtype(*values)
        values = [as_dtype(a, common) for a in values]
    shapes = tuple([a.shape for a in values])
    todo = steps(subscripts, shapes, _frozen(optimize))
    if len(values) == 1 and out is None and dtype is None and _only_views(todo):
        return _viewed(values[0], todo)
    for op, places, attrs in todo:
        values.append(apply(op, [values[k] for k in places], attrs))
    return guess_order(values[-1]) if out is None else deliver(values[-1], out, "einsum")


def _only_views(todo: list[Step]) -> bool:
    return all(step.op in ("reshape", "transpose", "slice") for step in todo)


def _viewed(x: Array, todo: list[Step]) -> Array:
    """One operand whose axes are exchanged or walked along a diagonal: a view, as in NumPy."""
    result = view(x, "transpose", range(x.ndim))
    for op, _, attrs in todo:
        result = view(result, op, attrs, "through")
    if isinstance(result, Variable) and any(step.op == "reshape" for step in todo):
        result._guess()  # the diagonal may have been cut from a copy
    return result


def _dtype_asked(keywords: dict[str, Any]) -> Any:
    # Values have no memory order, and casts are recorded.
    unknown = sorted(set(keywords) - {"dtype", "order", "casting"})
    if unknown:
        raise TypeError(f"einsum got unexpected keyword arguments {unknown}")
    return keywords.get("dtype")


def _frozen(optimize: Any) -> Any:
    if isinstance(optimize, (list, tuple)):
        return tuple(map(_frozen, optimize))
    return optimize


# Subscripts -------------------------------------------------------------------------------------


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


# Steps ------------------------------------------------------------------------------------------


class Plan:
    """Steps as they are found, and the shape of every value."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.shapes = list(shapes)
        self.steps: list[Step] = []

    def add(self, op: str, operands: tuple[int, ...], attrs: Sequence[int], shape: Shape) -> int:
        self.steps.append(Step(op, operands, tuple(attrs)))
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def reshaped(self, place: int, shape: Shape) -> int:
        if shape == self.shapes[place]:
            return place
        return self.add("reshape", (place,), shape, shape)

    def transposed(self, place: int, order: Sequence[int]) -> int:
        if list(order) == list(range(len(order))):
            return place
        shape = tuple(self.shapes[place][k] for k in order)
        return self.add("transpose", (place,), order, shape)


@functools.lru_cache(maxsize=512)
def steps(subscripts: str, shapes: tuple[Shape, ...], optimize: Any) -> list[Step]:
    """What to do, in order; the extension keeps it for plain calls."""
    inputs, output = _labels(subscripts, tuple(map(len, shapes)))
    plan = Plan(shapes)
    terms = [_diagonal(plan, labels, place) for place, labels in enumerate(inputs)]
    terms = _without_broadcast(plan, terms)
    for positions in _order(plan, terms, output, optimize):
        chosen = [terms.pop(k) for k in sorted(positions, reverse=True)][::-1]
        needed = frozenset(output).union(*(term.labels for term in terms))
        merged = chosen[0]
        for i, other in enumerate(chosen[1:], 1):
            later = needed.union(*(term.labels for term in chosen[i + 1 :]))
            merged = _pair(plan, merged, other, later)
        terms.append(merged)
    (last,) = terms
    last = _summed(plan, last, set(output))
    plan.transposed(last.place, [last.labels.index(label) for label in output])
    return plan.steps


def _diagonal(plan: Plan, labels: str, place: int) -> Term:
    """Takes the diagonal over labels that an operand repeats: of axes of length n in a row, every
    element whose position is a multiple of 1 + n + n^2 + ..."""
    number = place
    for label, times in Counter(labels).items():
        if times == 1:
            continue
        lengths = [n for n, found in zip(plan.shapes[place], labels, strict=True) if found == label]
        for n in lengths[1:]:
            if n != lengths[0]:
                raise ValueError(
                    f"dimensions in operand {number} for collapsing index '{label}' don't match "
                    f"({lengths[0]} != {n})"
                )
        n, along = lengths[0], [k for k, found in enumerate(labels) if found == label]
        rest = [k for k in range(len(labels)) if k not in along]
        kept = tuple(plan.shapes[place][k] for k in rest)
        row = plan.reshaped(plan.transposed(place, rest + along), (*kept, n**times))
        attrs = [v for length in kept for v in (0, 1, length)]
        step = sum(n**power for power in range(times))
        place = plan.add("slice", (row,), (*attrs, 0, step, n), (*kept, n))
        labels = "".join(labels[k] for k in rest) + label
    return Term(labels, place)


def _without_broadcast(plan: Plan, terms: list[Term]) -> list[Term]:
    """Drops axes of length 1 whose label is longer in another operand; checks lengths."""
    lengths: dict[str, int] = {}
    for labels, place in terms:
        for label, n in zip(labels, plan.shapes[place], strict=True):
            known = lengths.setdefault(label, n)
            if n != known and 1 not in (n, known):
                raise ValueError(f"einsum: axes labelled '{label}' have lengths {known} and {n}")
            lengths[label] = n if known == 1 else known
    kept_terms = []
    for labels, place in terms:
        shape = plan.shapes[place]
        kept = [k for k, label in enumerate(labels) if shape[k] == lengths[label]]
        narrow = plan.reshaped(place, tuple(shape[k] for k in kept))
        kept_terms.append(Term("".join(labels[k] for k in kept), narrow))
    return kept_terms


def _order(plan: Plan, terms: list[Term], output: str, optimize: Any) -> list[Sequence[int]]:
    """Which positions to contract, step by step; merged operands go to the end."""
    if len(terms) <= 2:
        return [tuple(range(len(terms)))]
    if isinstance(optimize, tuple) and optimize and optimize[0] == "einsum_path":
        return list(optimize[1:])
    # Only shapes matter: operands that take no memory.
    number = {label: k for k, label in enumerate(dict.fromkeys("".join(t.labels for t in terms)))}
    arguments: list[Any] = []
    for labels, place in terms:
        arguments += [
            np.broadcast_to(0.0, plan.shapes[place]),
            [number[label] for label in labels],
        ]
    chosen = "greedy" if optimize is False or optimize is True else plain(optimize)
    path = np.einsum_path(*arguments, [number[label] for label in output], optimize=chosen)[0]
    return list(path[1:])


def _summed(plan: Plan, term: Term, needed: Iterable[str]) -> Term:
    """Sums over the labels that nothing else needs."""
    shape = plan.shapes[term.place]
    axes = [k for k, label in enumerate(term.labels) if label not in needed]
    if not axes:
        return term
    rest = [k for k in range(len(shape)) if k not in axes]
    place = plan.add("sum", (term.place,), (0, *axes), tuple(shape[k] for k in rest))
    return Term("".join(term.labels[k] for k in rest), place)


def _pair(plan: Plan, a: Term, b: Term, needed: frozenset[str]) -> Term:
    """The product of two operands, summed over the labels that are not needed later."""
    a, b = _summed(plan, a, needed.union(b.labels)), _summed(plan, b, needed.union(a.labels))
    shared = [label for label in a.labels if label in b.labels]
    batch = [label for label in shared if label in needed]
    over = [label for label in shared if label not in needed]
    rows = [label for label in a.labels if label not in shared]
    columns = [label for label in b.labels if label not in shared]
    length = dict(
        zip(a.labels + b.labels, plan.shapes[a.place] + plan.shapes[b.place], strict=True)
    )

    def sizes(labels: list[str]) -> Shape:
        return tuple(length[label] for label in labels)

    left = plan.transposed(a.place, [a.labels.index(label) for label in batch + rows + over])
    right = plan.transposed(b.place, [b.labels.index(label) for label in batch + over + columns])
    result = batch + rows + columns
    if over:
        # No axis for rows or columns that are not there: matmul takes vectors, if none is batched.
        k = math.prod(sizes(over))
        m = (math.prod(sizes(rows)),) if rows or batch else ()
        n = (math.prod(sizes(columns)),) if columns or batch else ()
        left = plan.reshaped(left, (*sizes(batch), *m, k))
        right = plan.reshaped(right, (*sizes(batch), k, *n))
        product = plan.add("matmul", (left, right), (), (*sizes(batch), *m, *n))
    else:
        left = plan.reshaped(left, sizes(batch + rows) + (1,) * len(columns))
        right = plan.reshaped(right, sizes(batch) + (1,) * len(rows) + sizes(columns))
        product = plan.add("multiply", (left, right), (), sizes(result))
    return Term("".join(result), plan.reshaped(product, sizes(result)))
