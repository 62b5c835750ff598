"""What the bridges to other libraries share: a function of pytrees as one of flat arrays, and its
pullback as another such function, so that derivatives of any order are wrapped alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad.pytree import Structure, flatten
from tapegrad.transforms import jvp, vjp

Numeric = Callable[..., Sequence[Any]]  # of arrays, giving arrays


def flat_function(
    f: Callable[..., Any], args: Any, kwargs: Any, is_foreign: Callable[[Any], bool]
) -> tuple[Numeric, list[Any], Callable[[Sequence[Any]], Any]]:
    """(a function of the foreign arrays alone, those arrays, what puts the results into the
    containers of the last result)."""
    leaves, structure = flatten((args, kwargs))
    places = [k for k, leaf in enumerate(leaves) if is_foreign(leaf)]
    results: list[Structure] = []

    def flat(*arrays: Any) -> Sequence[Any]:
        full = list(leaves)
        for place, array in zip(places, arrays, strict=True):
            full[place] = array
        positional, keywords = structure.unflatten(full)
        parts, found = flatten(f(*positional, **keywords))
        results[:] = [found]
        return parts

    def rebuild(parts: Sequence[Any]) -> Any:
        return results[0].unflatten(parts)

    return flat, [leaves[k] for k in places], rebuild


def pulled(f: Numeric, count: int, wanted: Sequence[int]) -> Numeric:
    """The function (cotangents of the `count` results, arguments) -> adjoints of those wanted."""

    def back(*args: Any) -> Sequence[Any]:
        cotangents, inputs = args[:count], args[count:]
        along, moving = _along(f, inputs, wanted)
        _, pullback = vjp(along, *moving)
        return list(pullback(tuple(cotangents)))

    return back


def pushed(f: Numeric, count: int, moving: Sequence[int]) -> Numeric:
    """The function (the `count` arguments, tangents of those that move) -> tangents."""

    def forward(*args: Any) -> Sequence[Any]:
        along, primals = _along(f, args[:count], moving)
        return list(jvp(along, tuple(primals), tuple(args[count:]))[1])

    return forward


def _along(
    f: Numeric, inputs: Sequence[Any], moving: Sequence[int]
) -> tuple[Callable[..., Any], list[Any]]:
    def along(*moved: Any) -> Any:
        full = list(inputs)
        for k, x in zip(moving, moved, strict=True):
            full[k] = x
        return tuple(f(*full))

    return along, [inputs[k] for k in moving]


def as_arrays(parts: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """Plain arrays that may be written to."""
    return [np.array(part) for part in parts]
