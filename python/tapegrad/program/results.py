"""The results of a batch: those of its groups put together, in the structure of the function's own,
with the instances on the axes that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad.program.axes import moved_back, spread
from tapegrad.program.signature import shape_of
from tapegrad.pytree import Structure
from tapegrad.transforms.inputs import Variable


class Leaf(NamedTuple):
    """One leaf of the result of a group: a value, and whether it has the instances in front."""

    value: Any
    carried: bool


def stacked(groups: Sequence[tuple[Any, Sequence[Leaf]]], count: int) -> list[Leaf]:
    """The leaves of the groups, given as (instances or None for all, leaves), put together."""
    if len(groups) == 1:
        return list(groups[0][1])
    return [
        _together([(rows, leaves[k]) for rows, leaves in groups], count)
        for k in range(len(groups[0][1]))
    ]


def _together(parts: list[tuple[Any, Leaf]], count: int) -> Leaf:
    values = [leaf.value for _, leaf in parts]
    if not any(leaf.carried for _, leaf in parts) and all(_same(values[0], v) for v in values[1:]):
        return Leaf(values[0], False)
    arrays = [numeric(value) for value in values]
    shapes = {array.shape[leaf.carried :] for array, (_, leaf) in zip(arrays, parts, strict=True)}
    if len(shapes) > 1:
        raise ValueError(
            f"vmap: the instances give results of different shapes: {sorted(shapes)}; a batch "
            "needs one shape"
        )
    whole = np.empty((count, *shapes.pop()), np.result_type(*arrays))
    for array, (rows, _) in zip(arrays, parts, strict=True):
        whole[rows] = array
    return Leaf(whole, True)


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a is b or a == b)


def numeric(value: Any) -> Any:
    """A result as an array; TypeError if it is no number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fciub":
        raise TypeError(
            f"vmap: the function returned a {type(value).__name__}, which cannot be stacked; only "
            "numbers and arrays can, other results need out_axes=None"
        )
    return array


def finished(leaves: Sequence[Leaf], structure: Structure, count: int, out_axes: Any) -> Any:
    """The result of the batch in the structure of the function's own."""
    axes = spread(out_axes, structure, "out_axes")
    names = structure.paths()
    filled = []
    for (value, carried), axis, name in zip(leaves, axes, names, strict=True):
        if axis is None:
            if carried:
                raise ValueError(
                    f"vmap: out_axes is None for the result{name}, which differs between instances"
                )
            filled.append(value)
            continue
        if not carried:
            array = value if isinstance(value, Variable) else numeric(value)
            value = np.broadcast_to(array, (count, *array.shape)).copy()
        filled.append(moved_back(value, axis, name))
    return structure.hold(filled)


def same_structure(structures: Sequence[Structure]) -> Structure:
    """The one structure of all results; ValueError if they differ."""
    first = structures[0]
    for other in structures[1:]:
        if shape_of(other) != shape_of(first):
            raise ValueError(
                "vmap: the instances return different containers, on different branches; a batch "
                "needs results of one structure"
            )
    return first
