"""Functions that write into an array: copyto, put, place and their relatives. Called through the
registry and by methods.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad._core import Variable, apply
from tapegrad.functions.indexing import integer_argument, positions
from tapegrad.functions.operands import (
    as_dtype,
    broadcast,
    in_program,
    operand,
    reshaped,
)
from tapegrad.functions.operands import where as choice
from tapegrad.functions.registry import implements, plain

__all__ = ["copyto", "fill_diagonal", "put"]


def _require_recorded(target: Any, name: str) -> Variable:
    if not isinstance(target, Variable):
        errors.detached(
            f"{name} cannot write a recorded value into a plain array",
            "make the array with np.zeros_like(x) from a recorded x",
        )
    return target


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    target = _require_recorded(dst, "copyto")
    if where is True:
        target[...] = src
    elif in_program(where):
        target[...] = choice(where, as_dtype(operand(src), target.dtype), target)
    else:
        mask = np.broadcast_to(np.asarray(plain(where), bool), target.shape)
        target[mask] = broadcast(operand(src), target.shape)[mask]


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    target = _require_recorded(a, "putmask")
    chosen = np.flatnonzero(np.broadcast_to(np.asarray(plain(mask), bool), target.shape))
    values = operand(values)
    line = reshaped(values, (values.size,))
    written = np.unravel_index(chosen, target.shape)
    target[written] = apply("gather", (line, chosen % max(values.size, 1)))


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    target = _require_recorded(arr, "place")
    chosen = np.asarray(plain(mask), bool)
    values = operand(vals)
    line = reshaped(values, (values.size,))
    turns = np.arange(int(chosen.sum())) % max(values.size, 1)
    target[chosen] = apply("gather", (line, turns))


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    target = _require_recorded(a, "put")
    flat = np.take(positions((target.size,)), integer_argument(ind), mode=mode).ravel()  # type: ignore[call-overload]
    values = operand(v)
    line = reshaped(values, (values.size,))
    written = np.unravel_index(flat, target.shape)
    target[written] = apply("gather", (line, np.arange(flat.size) % max(values.size, 1)))


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    target = _require_recorded(arr, "put_along_axis")
    taken = np.take_along_axis(positions(target.shape), integer_argument(indices), axis)
    target[np.unravel_index(taken, target.shape)] = values


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    target = _require_recorded(a, "fill_diagonal")
    marks = np.full(target.shape, -1, np.int64)
    values = operand(val)
    # NumPy itself marks the diagonal with the numbers of the values that go there.
    np.fill_diagonal(marks, np.arange(max(values.size, 1)), wrap)
    chosen = np.flatnonzero(marks.ravel() >= 0)
    line = reshaped(values, (values.size,))
    target[np.unravel_index(chosen, target.shape)] = apply("gather", (line, marks.ravel()[chosen]))
