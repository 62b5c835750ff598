"""Many directions through one recording: unit seeds in chunks, and the dense blocks they give. For
Jacobians and Hessians."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from tapegrad.transforms.inputs import COMPLEX128, Variable
from tapegrad.transforms.recording import Run

# By default so many directions at once as keep adjoints or tangents below 2**24 numbers (128 MiB).
MOST_NUMBERS = 2**24

# From seeds (directions, *shape) of the sources to derivatives (directions, *shape) of the targets.
Sweep = Callable[[list[Any], int], list[Any]]


def count_of(variables: Sequence[Variable]) -> int:
    """Numbers in all of them together."""
    return sum(variable.size for variable in variables)


def check_chunk(chunk: Any, transform: str) -> None:
    """ValueError unless `chunk` is None or a positive integer."""
    if chunk is not None and operator.index(chunk) < 1:
        raise ValueError(f"{transform}: chunk must be a positive number of directions, got {chunk}")


def chunk_size(run: Run, chunk: int | None) -> int:
    """How many directions go through the recording at once."""
    if chunk is not None:
        return chunk
    return max(1, MOST_NUMBERS // max(1, run.numbers()))


def unit_seeds(sources: Sequence[Variable], first: int, last: int, unit: complex) -> list[Any]:
    """Rows first to last of the identity, cut and shaped as the sources; `unit` stands for 1."""
    seeds = []
    begin = 0
    for source in sources:
        end = begin + source.size
        seed = np.zeros((last - first, source.size), source.dtype)
        rows = np.arange(max(first, begin), min(last, end))
        if unit == 1.0 or source.dtype == COMPLEX128:
            seed[rows - first, rows - begin] = unit
        seeds.append(seed.reshape(last - first, *source.shape))
        begin = end
    return seeds


def rows_of(
    sweep: Sweep,
    sources: Sequence[Variable],
    targets: Sequence[Variable],
    chunk: int,
    unit: complex,
) -> list[Any]:
    """The sweep of the whole identity: for each target an array (numbers in sources, *shape)."""
    count = count_of(sources)
    if count == 0:
        return [np.zeros((0, *target.shape), target.dtype) for target in targets]
    parts = []
    whole: list[Any] = []
    for first in range(0, count, chunk):
        last = min(first + chunk, count)
        found = sweep(unit_seeds(sources, first, last, unit), last - first)
        if last - first == count:
            return found
        if any(type(part) is Variable for part in found):
            parts.append(found)
            continue
        whole = whole or [np.empty((count, *part.shape[1:]), part.dtype) for part in found]
        for rows, part in zip(whole, found, strict=True):
            rows[first:last] = part
    return whole or [np.concatenate(column) for column in zip(*parts, strict=True)]


def blocks_of(
    rows: Sequence[Any], sources: Sequence[Variable], targets: Sequence[Variable]
) -> list[list[Any]]:
    """The rows cut by source: block [t][s] has the axes of source s, then those of target t."""
    edges = list(accumulate((source.size for source in sources), initial=0))
    return [
        [
            row[first:last].reshape(source.shape + target.shape)
            for source, first, last in zip(sources, edges, edges[1:], strict=False)
        ]
        for row, target in zip(rows, targets, strict=True)
    ]


def moved_axes(block: Any, count: int) -> Any:
    """The first `count` axes moved behind the others."""
    if count in (0, block.ndim):
        return block
    return block.transpose([*range(count, block.ndim), *range(count)])
