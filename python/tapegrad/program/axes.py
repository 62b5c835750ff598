"""Which axis of which array counts the instances of a batch: `in_axes` and `out_axes`, matched to
pytrees, and the checks that they fit."""

from __future__ import annotations

import operator
from collections import OrderedDict
from typing import Any

import numpy as np

from tapegrad.pytree import Structure, container_of
from tapegrad.transforms.inputs import Variable

Axis = int | None
_DICTS = (dict, OrderedDict)


def spread(spec: Any, structure: Structure, what: str) -> list[Axis]:
    """One axis for each leaf. `spec` is an integer, None, or containers of them like the structure,
    which may stop above the leaves."""
    if spec is None or isinstance(spec, (int, np.integer)):
        return [None if spec is None else operator.index(spec)] * structure.size
    container = container_of(type(spec))
    if container is None:
        raise TypeError(f"{what} must be an integer, None or containers of them, not {spec!r}")
    parts, meta = container.parts(spec)
    children = structure.children
    names = list(meta if type(spec) in _DICTS else range(len(parts)))
    expected = list(structure.meta if structure.cls in _DICTS else range(len(children)))
    if structure.container is None or set(names) != set(expected):
        raise ValueError(f"{what} is {spec!r}, which does not fit {_described(structure)}")
    chosen = dict(zip(names, parts, strict=True))
    return [
        axis
        for name, child in zip(expected, children, strict=True)
        for axis in spread(chosen[name], child, f"{what}[{name!r}]")
    ]


def _described(structure: Structure) -> str:
    if structure.container is None:
        return "a single value"
    return f"a {structure.cls.__name__} of {len(structure.children)}"


def argument_axes(in_axes: Any, structure: Structure, leaves: list[Any]) -> list[Axis]:
    """One axis for each leaf of `(args, kwargs)`; arrays passed by keyword have axis 0."""
    positional, keywords = structure.children
    if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(positional.children):
        raise ValueError(
            f"vmap: in_axes has {len(in_axes)} entries, the function was called with "
            f"{len(positional.children)} positional arguments"
        )
    axes = spread(tuple(in_axes) if isinstance(in_axes, list) else in_axes, positional, "in_axes")
    named = leaves[positional.size : positional.size + keywords.size]
    return axes + [0 if getattr(leaf, "ndim", 0) > 0 else None for leaf in named]


def leaf_names(structure: Structure) -> list[str]:
    """What messages call the leaves of `(args, kwargs)`."""
    positional, keywords = structure.children
    names = [
        f"argument {i}{path}"
        for i, child in enumerate(positional.children)
        for path in child.paths()
    ]
    for name, child in zip(keywords.meta, keywords.children, strict=True):
        names += [f"argument {name}{path}" for path in child.paths()]
    return names


def in_front(leaf: Any, axis: int, name: str) -> Any:
    """The array with the axis of the instances first."""
    if not isinstance(leaf, np.ndarray) and type(leaf) is not Variable:
        raise ValueError(
            f"vmap: {name} is a {type(leaf).__name__}, which has no axis to map over: pass an "
            "array, or say in_axes=None for it"
        )
    if leaf.dtype.kind not in "fciub":
        raise TypeError(f"vmap: {name} has dtype {leaf.dtype}, expected numbers")
    if not -leaf.ndim <= axis < leaf.ndim:
        raise ValueError(f"vmap: {name} has shape {leaf.shape}, which has no axis {axis}")
    array: Any = leaf
    return np.moveaxis(array, axis, 0) if axis % array.ndim else array


def common_length(lengths: dict[str, int]) -> int:
    """The number of instances; ValueError unless all agree."""
    if not lengths:
        raise ValueError("vmap: no argument is mapped, in_axes is None for all of them")
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"vmap: the mapped axes must have one length: {listed}")
    return next(iter(lengths.values()))


def moved_back(value: Any, axis: int, name: str) -> Any:
    """A result with the instances in front, with them where they belong."""
    if not -value.ndim <= axis < value.ndim:
        raise ValueError(
            f"vmap: out_axes={axis} for the result{name}, which has shape {value.shape[1:]} for "
            "one instance"
        )
    return np.moveaxis(value, 0, axis) if axis % value.ndim else value
