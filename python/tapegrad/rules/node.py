"""What the op `custom` calls back: maps of arrays, and the maps that are their derivatives. The
extension (bindings/custom.cpp) calls `value`, `tangent`, `adjoint` and `batched`.

A map takes a list of arrays, its operands, and gives a list of arrays, its parts. On a tape the
parts are one array: the only part as it is, or the numbers of all of them one after the other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad.functions.operands import DIFFERENTIABLE, as_dtype, dtype_of, shape_of
from tapegrad.rules.blame import blamed
from tapegrad.rules.trees import copied, for_user, is_recorded
from tapegrad.transforms import jvp, vjp

Arrays = list[Any]  # arrays, or Variables where a derivative is recorded
Mask = tuple[bool, ...]


class Node(ABC):
    """A map that recordings take as one op. Its derivatives are nodes again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._derived: dict[tuple[Any, ...], Node] = {}

    @abstractmethod
    def value(self, operands: Arrays) -> Arrays:
        """The parts for plain arrays, which belong to the callee."""

    @abstractmethod
    def apply(self, operands: Arrays) -> Arrays:
        """The parts for any operands; recorded if an operand is."""

    @abstractmethod
    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        """The tangents of the parts; `tangents` has None for operands that do not move. `value` is
        the result as it is on the tape. Recorded if an operand is, as is `pull`."""

    @abstractmethod
    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        """The adjoints of the active operands."""

    def tangent(self, active: Mask) -> Node:
        """The map (operands, result, tangents of the active ones) -> tangents of the parts."""
        return self.made(Tangent, active)

    def adjoint(self, active: Mask) -> Node:
        """The map (cotangent, result, operands) -> adjoints of the active operands."""
        return self.made(Adjoint, active)

    def batched(self, carried: Mask, lanes: int) -> Node:
        """The same map for many lanes, which the carried operands and the result have in front."""
        return self.made(Batched, carried, lanes)

    def made(self, kind: Callable[..., Node], *how: Any) -> Node:
        """The derived node of a kind, kept while this one lives."""
        key = (kind, *how)
        found = self._derived.get(key)
        if found is None:
            if len(self._derived) >= 64:  # counts of lanes may be any
                self._derived.pop(next(iter(self._derived)))
            found = self._derived[key] = kind(self, *how)
        return found


class Opaque(Node):
    """A map that is taken as it is: its recording is one op."""

    @abstractmethod
    def likes(self) -> Arrays:
        """Arrays of the shapes and dtypes of the parts."""

    def apply(self, operands: Arrays) -> Arrays:
        if not any(map(is_recorded, operands)):
            return self.value([copied(x) for x in operands])
        with _core.Outside():
            parts = self.value([copied(x) for x in operands])
        return self.recorded(operands, parts)

    def recorded(self, operands: Arrays, parts: Arrays) -> Arrays:
        """The parts as Variables; `parts` are their values."""
        packed = _core.record_custom(self, operands, joined(parts))
        found = split(packed, self.likes())
        return [_as_integers(x, part) for x, part in zip(found, parts, strict=True)]


class Derived(Node):
    """A map that can be recorded, so its derivatives are those of its recording."""

    kind: str  # the method of the parent that gives it

    def how(self) -> tuple[Any, ...]:
        """What that method takes."""
        return (self.mask,)

    def __init__(self, parent: Node, mask: Mask, name: str) -> None:
        super().__init__(name)
        self.parent = parent
        self.mask = mask

    def value(self, operands: Arrays) -> Arrays:
        return self.apply(operands)

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
        with blamed(f"the derivative of {self.name}, taken by recording it"):
            _, found = jvp(
                self._along(operands, moving),
                tuple(operands[i] for i in moving),
                tuple(tangents[i] for i in moving),
            )
        return list(found)

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        moving = [i for i, wanted in enumerate(active) if wanted]
        with blamed(f"the derivative of {self.name}, taken by recording it"):
            parts, pullback = vjp(self._along(operands, moving), *(operands[i] for i in moving))
            return list(pullback(tuple(split(cotangent, parts))))

    def _along(self, operands: Arrays, moving: Sequence[int]) -> Callable[..., tuple[Any, ...]]:
        def parts(*moved: Any) -> tuple[Any, ...]:
            full = list(operands)
            for i, x in zip(moving, moved, strict=True):
                full[i] = x
            return tuple(self.apply(full))

        return parts


class Tangent(Derived):
    """See `Node.tangent`."""

    kind = "tangent"

    def __init__(self, parent: Node, active: Mask) -> None:
        super().__init__(parent, active, f"the tangent of {parent.name}")

    def apply(self, operands: Arrays) -> Arrays:
        count = len(self.mask)
        along = iter(operands[count + 1 :])
        tangents = [next(along) if moves else None for moves in self.mask]
        return self.parent.push(operands[:count], operands[count], tangents)


class Adjoint(Derived):
    """See `Node.adjoint`."""

    kind = "adjoint"

    def __init__(self, parent: Node, active: Mask) -> None:
        super().__init__(parent, active, f"the adjoint of {parent.name}")

    def apply(self, operands: Arrays) -> Arrays:
        cotangent, value, *rest = operands
        found = self.parent.pull(cotangent, value, rest, self.mask)
        wanted = [x for x, active in zip(rest, self.mask, strict=True) if active]
        return [fitted(g, x) for g, x in zip(found, wanted, strict=True)]


class Batched(Derived):
    """See `Node.batched`."""

    kind = "batched"

    def how(self) -> tuple[Any, ...]:
        return (self.mask, self.lanes)

    def __init__(self, parent: Node, carried: Mask, lanes: int) -> None:
        super().__init__(parent, carried, parent.name)
        self.lanes = lanes

    def apply(self, operands: Arrays) -> Arrays:
        parts: Arrays = []
        for k in range(self.lanes):
            one = [x[k] if carried else x for x, carried in zip(operands, self.mask, strict=True)]
            parts += self.parent.apply(one)
        return parts


def split(packed: Any, likes: Sequence[Any]) -> Arrays:
    """The parts of an array as it is on the tape, each of the shape and dtype of its like."""
    if len(likes) == 1:
        return [fitted(packed, likes[0])]
    flat = packed.reshape(-1)
    parts: Arrays = []
    start = 0
    for like in likes:
        size = math.prod(shape_of(like))
        parts.append(fitted(flat[start : start + size], like))
        start += size
    return parts


def joined(parts: Sequence[Any]) -> np.ndarray[Any, Any]:
    """The array that stands for plain parts on the tape."""
    arrays = [np.asarray(part) for part in parts]
    if len(arrays) == 1:
        return arrays[0]
    dtype = np.result_type(*(a.dtype for a in arrays)) if arrays else np.dtype(float)
    if dtype not in DIFFERENTIABLE:
        dtype = np.dtype(float)
    return np.concatenate([np.zeros(0, dtype), *(a.astype(dtype).reshape(-1) for a in arrays)])


def fitted(x: Any, like: Any) -> Any:
    """`x` in the shape and dtype of `like`; the real part where a complex one meets a real one."""
    shape, dtype = shape_of(like), dtype_of(like)
    if dtype not in DIFFERENTIABLE:
        dtype = np.dtype(float)
    if not hasattr(x, "reshape"):
        x = np.asarray(x)
    if x.dtype != dtype:
        real = x.dtype.kind == "c" and dtype.kind != "c"
        x = as_dtype(x.real if real else x, dtype)
    return x if x.shape == shape else x.reshape(shape)


def zeros_like(x: Any) -> np.ndarray[Any, Any]:
    """A tangent or adjoint of `x` that is zero."""
    dtype = dtype_of(x)
    return np.zeros(shape_of(x), dtype if dtype in DIFFERENTIABLE else float)


def _as_integers(x: Any, part: np.ndarray[Any, Any]) -> Any:
    """Integers and booleans travel as numbers: programs turn them back, else they are plain."""
    if part.dtype in DIFFERENTIABLE:
        return x
    if not _core.in_program():
        return for_user(part)
    return _core.apply("cast", (x,), (3 if part.dtype == bool else 4,))
