"""Arguments and results of custom rules as flat lists: which leaves are numbers that recordings
carry, and which are constants of the call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad import _core
from tapegrad.functions.operands import DIFFERENTIABLE, dtype_of
from tapegrad.program.signature import shape_of, static_part
from tapegrad.pytree import LEAF, Structure, flatten
from tapegrad.transforms.inputs import Variable

_NUMBERS = (float, complex, np.number)


class Leaf(NamedTuple):
    """A leaf that is no operand: a constant of the call."""

    value: Any


class Tree(NamedTuple):
    """A pytree whose numbers are elsewhere: its structure, and each leaf as a `Leaf` with its
    constant, or None for the next of the numbers."""

    structure: Structure
    leaves: tuple[Leaf | None, ...]

    def filled(self, numbers: Iterable[Any]) -> Any:
        """The tree with these numbers."""
        values = iter(numbers)
        found = [next(values) if leaf is None else leaf.value for leaf in self.leaves]
        return self.structure.unflatten(found)

    def held(self, numbers: Iterable[Any]) -> Any:
        """As `filled`, with None for the constants: a tree of tangents or cotangents."""
        values = iter(numbers)
        return self.structure.hold([None if leaf else next(values) for leaf in self.leaves])

    def numbers(self, tree: Any, what: str) -> list[Any]:
        """The leaves of `tree`, of the same structure, where this one has numbers. A None stands
        for None at every leaf below it."""
        found = _leaves(self.structure, tree, what)
        return [x for x, leaf in zip(found, self.leaves, strict=True) if leaf is None]

    def key(self) -> Hashable:
        """Equal for equal trees, in containers and constants."""
        constants = [leaf and static_part(leaf.value) for leaf in self.leaves]
        return (shape_of(self.structure), *constants)


def parted(value: Any, constant: bool = False) -> tuple[Tree, list[Any]]:
    """A pytree as what it is and its numbers: Variables, arrays, and numbers with a fraction.

    Python integers and booleans are constants, as is the whole where `constant` says so.
    """
    if constant:
        return Tree(LEAF, (Leaf(value),)), []
    leaves, structure = flatten(value)
    numbers = [leaf for leaf in leaves if is_number(leaf)]
    return Tree(structure, tuple(None if is_number(x) else Leaf(x) for x in leaves)), numbers


def is_number(x: Any) -> bool:
    """Whether recordings carry it."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "fciub"
    return isinstance(x, (Variable, *_NUMBERS))


def is_recorded(x: Any) -> bool:
    """Whether a recording depends on it: in a program also without a derivative."""
    return isinstance(x, Variable) and x.recorded


def is_differentiable(x: Any) -> bool:
    """Whether derivatives by `x` can be asked for."""
    return dtype_of(x) in DIFFERENTIABLE


def has_imaginary_part(x: Any) -> bool:
    """Whether a number would lose something where a real one is meant."""
    return dtype_of(x).kind == "c" and bool(np.any(np.imag(_core.peek(x)) != 0))


def for_user(x: Any) -> Any:
    """A number as the user's function sees it: arrays without axes are NumPy's scalars."""
    return x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x


def copied(x: Any) -> Any:
    """The plain value of an operand, in memory of its own."""
    return np.array(_core.peek(x))


def _leaves(structure: Structure, tree: Any, what: str) -> list[Any]:
    if tree is None:
        return [None] * structure.size
    if structure.container is None:
        return [tree]
    if type(tree) is not structure.cls:
        raise ValueError(
            f"{what} is a {type(tree).__name__}, expected a {structure.cls.__name__} or None"
        )
    parts, meta = structure.container.parts(tree)
    names: Sequence[Any] = range(len(parts))
    if structure.cls in (dict, OrderedDict):
        if set(meta) != set(structure.meta):
            raise ValueError(f"{what} has the keys {list(meta)}, expected {list(structure.meta)}")
        by_key = dict(zip(meta, parts, strict=True))
        parts, names = [by_key[key] for key in structure.meta], list(structure.meta)
    if len(parts) != len(structure.children):
        expected = len(structure.children)
        raise ValueError(f"{what} has {len(parts)} parts, expected {expected}")
    found: list[Any] = []
    for child, part, name in zip(structure.children, parts, names, strict=True):
        found += _leaves(child, part, f"{what}[{name!r}]")
    return found
