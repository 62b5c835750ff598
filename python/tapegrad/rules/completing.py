"""What completes the rules of a custom function: the first derivative of a function that has only
the second one, by recording it, and differences of rules that cannot be recorded themselves."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad.rules.node import (
    Adjoint,
    Arrays,
    Derived,
    Mask,
    Opaque,
    Tangent,
    chosen,
    zeros_like,
)
from tapegrad.rules.numeric import differenced, pulled
from tapegrad.rules.trees import parted

if TYPE_CHECKING:
    from tapegrad.rules.call import Call


class Recorded(Derived):
    """A custom function of which only `hvp` is given, as the code that it is."""

    parent: Call

    def __init__(self, parent: Call) -> None:
        advice = 'give vjp, jvp or jacobian, or say derivatives="central"'
        super().__init__(parent, (), f"{parent.name}, which has no rule for the first ({advice})")

    def apply(self, operands: Arrays) -> Arrays:
        own = [x.copy() if isinstance(x, np.ndarray) else x for x in operands]
        args, kwargs = self.parent.arguments.filled(own)
        return parted(self.parent.rule.function(*args, **kwargs))[1]


class _OrDifferences(Derived):
    """A derivative by the user's rules, which is differenced where it cannot be recorded."""

    parent: Call

    @abstractmethod
    def likes(self, operands: Arrays) -> Arrays:
        """Arrays of the shapes and dtypes of the parts."""

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        try:
            return super().push(operands, value, tangents)
        except Exception:  # whatever opaque code makes of a Variable
            return _Rule(self, self.likes(operands)).push(operands, value, tangents)

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        try:
            return super().pull(cotangent, value, operands, active)
        except Exception:
            return _Rule(self, self.likes(operands)).pull(cotangent, value, operands, active)


class OpaqueTangent(_OrDifferences, Tangent):
    """A tangent for which `derivatives=` allows differences."""

    def likes(self, operands: Arrays) -> Arrays:
        return self.parent.likes()


class OpaqueAdjoint(_OrDifferences, Adjoint):
    """An adjoint for which `derivatives=` allows differences."""

    def likes(self, operands: Arrays) -> Arrays:
        return [zeros_like(x) for x in chosen(operands[2:], self.mask)]


class _Rule(Opaque):
    """A derivative by the user's rules as an opaque map of one shape."""

    def __init__(self, derived: _OrDifferences, likes: Arrays) -> None:
        super().__init__(derived.name)
        self.derived = derived
        self._likes = likes
        # Rules are written for the dtypes of the function, not for complex steps.
        given = derived.parent.method
        self.method = "central" if given == "complex-step" else given

    def value(self, operands: Arrays) -> Arrays:
        return self.derived.apply(operands)

    def raw(self, operands: Arrays) -> Arrays:
        return self.value(operands)

    def likes(self) -> Arrays:
        return self._likes

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        return differenced(self, operands, tangents)

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        return pulled(self, cotangent, value, operands, active)
