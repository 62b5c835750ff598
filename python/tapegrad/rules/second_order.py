"""The derivatives of a custom function whose second derivative the user gives.

`hvp` is the derivative of the adjoints by the arguments in all: what comes by way of the value is
in it, so nothing goes by the operand that is the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad.rules import derived
from tapegrad.rules.node import (
    Adjoint,
    Arrays,
    Mask,
    Tangent,
    fitted,
    joined_any,
    split,
    zeros_like,
)

if TYPE_CHECKING:
    from tapegrad.rules.call import Call


class TangentWithProduct(Tangent):
    """The tangent of a function whose second derivative the user gives."""

    parent: Call

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        """The number <c, H(t, s)> is <hvp(t, c), s>, linear in c."""
        rest, result, along = self._parted(operands)
        moved, _, turned = self._parted(tangents)
        call = self.parent
        likes = call.likes()
        moving = tuple(t is not None for t in moved)
        found: Arrays = [zeros_like(x) for x in likes]
        if any(moving):

            def product(*cotangents: Any) -> Arrays:
                given = list(cotangents)
                curved = call.user_hvp(along, given, split(result, likes), rest, moving)
                steps = [t for t in moved if t is not None]
                return [sum(np.sum(h * s) for h, s in zip(curved, steps, strict=True))]

            found = derived.transposed(product, [np.ones(())], likes)
        if any(t is not None for t in turned):
            more = call.push(rest, result, turned)
            found = [a + b for a, b in zip(found, more, strict=True)]
        return found

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        rest, result, along = self._parted(operands)
        wanted, by_value, by_tangents = self._parted(list(active))
        call = self.parent
        likes = call.likes()
        adjoints: Arrays = []
        if any(wanted):
            given = split(cotangent, likes)
            adjoints += call.user_hvp(along, given, split(result, likes), rest, tuple(wanted))
        if by_value:
            adjoints.append(zeros_like(result))
        if any(by_tangents):
            turned = tuple(bool(w) for w in by_tangents)
            adjoints += call.pull(cotangent, result, rest, turned)
        return adjoints

    def _parted(self, operands: Arrays) -> tuple[Arrays, Any, Arrays]:
        """What belongs to the operands of the function, to its result, and to their tangents."""
        count = len(self.mask)
        along = iter(operands[count + 1 :])
        tangents = [next(along) if moves else None for moves in self.mask]
        return operands[:count], operands[count], tangents


class AdjointWithProduct(Adjoint):
    """The adjoint of a function whose second derivative the user gives."""

    parent: Call

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        cotangent, result, *rest = operands
        turned, _, *moved = tangents
        call = self.parent
        likes = call.likes()
        if any(t is not None for t in moved):
            found = call.user_hvp(
                moved, split(cotangent, likes), split(result, likes), rest, self.mask
            )
        else:
            found = [zeros_like(x) for x, wanted in self._wanted(rest) if wanted]
        if turned is not None:
            more = call.pull(turned, result, rest, self.mask)
            found = [a + b for a, b in zip(found, more, strict=True)]
        return found

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        """The Hessian is symmetric, so its transpose is itself."""
        turned, result, *rest = operands
        call = self.parent
        likes = call.likes()
        moving = [x for x, wanted in self._wanted(rest) if wanted]
        given = iter(split(cotangent, moving))
        along = [next(given) if wanted else None for wanted in self.mask]
        adjoints: Arrays = []
        if active[0]:
            pushed = call.push(rest, result, along)
            adjoints.append(fitted(joined_any(pushed), turned))
        if active[1]:
            adjoints.append(zeros_like(result))
        if any(active[2:]):
            adjoints += call.user_hvp(
                along, split(turned, likes), split(result, likes), rest, active[2:]
            )
        return adjoints

    def _wanted(self, rest: Arrays) -> Iterator[tuple[Any, bool]]:
        return zip(rest, self.mask, strict=True)
