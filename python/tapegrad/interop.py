"""What the bridges to other libraries share: a function of pytrees as one of flat arrays, and its
pullback as another such function, so that derivatives of any order are wrapped alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from tapegrad.functions.operands import dtype_of
from tapegrad.program import Function, function
from tapegrad.program.signature import shape_of, static_part
from tapegrad.pytree import Structure, flatten
from tapegrad.transforms import jvp, vjp

Numeric = Callable[..., Sequence[Any]]  # of arrays, giving arrays


class Flat:
    """A function of pytrees, as functions of the foreign arrays in its arguments. Those of a
    `tg.function` are made once for each kind of arguments, and are programs too."""

    def __init__(self, f: Callable[..., Any], is_foreign: Callable[[Any], bool]) -> None:
        self.f = f
        self.is_foreign = is_foreign
        self._kept: dict[Hashable, tuple[Numeric, list[Structure]]] = {}

    def at(
        self, args: Any, kwargs: Any
    ) -> tuple[Numeric, list[Any], Callable[[Sequence[Any]], Any]]:
        """(a function of the foreign arrays alone, those arrays, what puts results into the
        containers that the function has returned)."""
        leaves, structure = flatten((args, kwargs))
        places = [k for k, leaf in enumerate(leaves) if self.is_foreign(leaf)]
        arrays = [leaves[k] for k in places]
        if not isinstance(self.f, Function):
            flat, results = self._made(leaves, structure, places)
        else:
            constants = (static_part(x) for k, x in enumerate(leaves) if k not in places)
            key = (shape_of(structure), tuple(places), *constants)
            found = self._kept.get(key)
            if found is None:
                flat, results = self._made(leaves, structure, places)
                found = self._kept[key] = function(flat), results
            flat, results = found
        return flat, arrays, lambda parts: results[0].unflatten(parts)

    def _made(
        self, leaves: list[Any], structure: Structure, places: list[int]
    ) -> tuple[Numeric, list[Structure]]:
        results: list[Structure] = []
        constants: list[Any] = [None if k in places else x for k, x in enumerate(leaves)]

        def flat(*arrays: Any) -> Sequence[Any]:
            full = list(constants)
            for place, array in zip(places, arrays, strict=True):
                full[place] = array
            positional, keywords = structure.unflatten(full)
            parts, found = flatten(self.f(*positional, **keywords))
            results[:] = [found]
            return tuple(parts)

        return flat, results


def pulled(f: Numeric, count: int, wanted: Sequence[int]) -> Numeric:
    """The function (cotangents of the `count` results, arguments) -> adjoints of those wanted."""

    def back(*args: Any) -> Sequence[Any]:
        cotangents, inputs = args[:count], args[count:]
        if isinstance(f, Function) and all(dtype_of(x).kind in "fc" for x in inputs):
            found = vjp(f, *inputs)[1](tuple(cotangents))
            return [found[k] for k in wanted]
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
