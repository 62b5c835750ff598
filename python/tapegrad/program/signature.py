"""What a program is recorded for: containers, shapes and dtypes of the arguments, and the values
of those that are no numbers. Calls with equal signatures share programs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad.pytree import Structure, flatten
from tapegrad.transforms.inputs import Variable

ndarray = np.ndarray
_NUMBERS = (float, complex, np.floating, np.complexfloating)


class Arguments(NamedTuple):
    """The arguments of one call, flattened: `dynamic` are the inputs of a program."""

    key: Hashable
    dynamic: list[Any]
    leaves: list[Any]
    places: list[int]  # of the dynamic leaves among the leaves
    structure: Structure


def arguments_of(
    args: Sequence[Any],
    kwargs: dict[str, Any],
    static: frozenset[int | str] = frozenset(),
    differentiated: Sequence[int] = (),
) -> Arguments:
    """Flattened arguments and their signature.

    Numbers with a fraction and arrays are inputs; Python integers, bools, strings and other objects
    belong to the signature by value, as does every argument in `static`. Integers among the
    `differentiated` positions are inputs too.
    """
    leaves, structure = flatten((tuple(args), kwargs))
    dynamic: list[Any] = []
    places: list[int] = []
    parts: list[Hashable] = []
    owners = _owners(structure)
    for k, leaf in enumerate(leaves):
        owner = owners[k]
        if owner not in static:
            if hasattr(leaf, "__dlpack__") and not isinstance(leaf, (ndarray, Variable)):
                leaf = np.from_dlpack(leaf)  # an array of another library
            if owner in differentiated:
                leaf = _as_float(leaf)
            part = _dynamic_part(leaf)
            if part is not None:
                parts.append(part)
                dynamic.append(leaf)
                places.append(k)
                continue
        parts.append(static_part(leaf))
    return Arguments((shape_of(structure), tuple(parts)), dynamic, leaves, places, structure)


def _as_float(leaf: Any) -> Any:
    """Integers as the numbers that they are differentiated as."""
    if isinstance(leaf, (int, np.integer)):
        return float(leaf)
    is_integer = isinstance(leaf, ndarray) and leaf.dtype.kind in "iu"
    return leaf.astype(np.float64) if is_integer else leaf


def _dynamic_part(leaf: Any) -> Hashable:
    if isinstance(leaf, ndarray):
        if leaf.dtype.kind not in "fciub":
            return None
        return (leaf.shape, leaf.dtype.char, *_memory_order(leaf))
    if isinstance(leaf, _NUMBERS) or type(leaf) is Variable:
        return ((), "G" if isinstance(leaf, (complex, np.complexfloating)) else type(leaf))
    return None


def _memory_order(a: np.ndarray[Any, Any]) -> tuple[int | bool, ...]:
    """What decides whether a reshape is a view: gaps, and the order of the axes. Not the strides,
    which differ between columns of tables of different widths."""
    if a.flags.c_contiguous:
        return ()
    axes = sorted(range(a.ndim), key=lambda k: -abs(a.strides[k]))
    return (a.transpose(axes).flags.c_contiguous, *axes)


class ByIdentity:
    """An object without a hash, equal to itself only; kept alive, so that its id stays its own."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def static_part(leaf: Any) -> Hashable:
    try:
        hash(leaf)
    except TypeError:
        return ByIdentity(leaf)
    return (type(leaf), leaf)


def _owners(structure: Structure) -> list[int | str]:
    """For each leaf the argument it belongs to: a position or a keyword."""
    positional, keywords = structure.children
    owners: list[int | str] = []
    for i, child in enumerate(positional.children):
        owners += [i] * child.size
    for name, child in zip(keywords.meta, keywords.children, strict=True):
        owners += [name] * child.size
    return owners


def shape_of(structure: Structure) -> Hashable:
    """The structure as something that can be compared and hashed."""
    if structure.container is None:
        return None
    meta = structure.meta
    try:
        hash(meta)
    except TypeError:
        meta = ByIdentity(meta)
    return (structure.cls, meta, *map(shape_of, structure.children))


def owned_by(arguments: Arguments, argnum: int) -> list[int]:
    """Positions among the dynamic leaves of those that belong to a positional argument."""
    owners = _owners(arguments.structure)
    return [i for i, place in enumerate(arguments.places) if owners[place] == argnum]


def is_plain(arguments: Arguments) -> bool:
    """Positional float64 arrays in C order and floats only: what a FastCall takes."""
    positional, keywords = arguments.structure.children
    return (
        not keywords.children
        and len(positional.children) == len(arguments.dynamic) == len(arguments.leaves)
        and all(
            type(leaf) is float or (type(leaf) is ndarray and leaf.flags.c_contiguous)
            for leaf in arguments.leaves
        )
    )
