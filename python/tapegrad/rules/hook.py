"""`tg.hook`: a function that sees the adjoint of a value, and may replace it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad.errors import user_frame
from tapegrad.functions.operands import shape_of
from tapegrad.pytree import tree_map
from tapegrad.rules.blame import blamed, place_of
from tapegrad.rules.node import Arrays, Mask, Opaque
from tapegrad.rules.trees import for_user, has_imaginary_part, is_differentiable, is_recorded
from tapegrad.transforms.outputs import name_of

Hook = Callable[[Any], Any]


def hook(x: Any, fn: Hook) -> Any:
    """`x` itself; reverse sweeps call `fn` with its adjoint.

    `fn` gets the adjoint of `x`, the sum over all uses of what `hook` returned, as an array or
    number of the shape of `x`, which cannot be written to: other parts of the sweep may share its
    memory. What it returns goes on in its place: None leaves it as it is. It is
    called once in each sweep and for each direction of one, also in the replays of `tg.function`
    and for each instance of a batch; not in forward mode, which has no adjoints.

    In the derivative of a derivative `fn` is part of what is differentiated: it is called with
    recorded values then, and its replacement, `np.clip(g, -1, 1)` say, is differentiated like any
    code. What it prints or stores there are Variables; `tg.stop_gradient` gives their values.

    Args:
        x: a number, an array or a pytree of them; `fn` is called for each leaf. Outside of
            recordings, and for what carries no derivative, it is returned unchanged.
        fn: takes an adjoint and returns None or a replacement of the same shape.

    Raises:
        TypeError: `fn` is no function.
        ValueError: in the sweep, if the replacement has another shape or is complex where `x` is
            real, or if `fn` writes to its argument.

    >>> import numpy as np, tapegrad as tg
    >>> tg.grad(lambda x: tg.hook(x, lambda g: 0.5 * g) ** 2)(3.0)
    3.0
    """
    if not callable(fn):
        raise TypeError(f"hook: expected a function of the adjoint, got a {type(fn).__name__}")
    return tree_map(lambda leaf: _hooked(leaf, fn), x)


def _hooked(x: Any, fn: Hook) -> Any:
    if not is_recorded(x) or not is_differentiable(x):
        return x
    (found,) = _Identity(x, fn, user_frame()).apply([x])
    return found


class _Identity(Opaque):
    """The identity on values of one shape, whose adjoint `fn` sees."""

    def __init__(self, x: Any, fn: Hook, place: tuple[str, int]) -> None:
        super().__init__(f"the hook {name_of(fn)}")
        self.fn = fn
        self.place = place
        self.like = np.zeros(shape_of(x), x.dtype)

    def value(self, operands: Arrays) -> Arrays:
        return list(operands)

    def likes(self) -> Arrays:
        return [self.like]

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        return list(tangents)

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        with blamed(f"{self.name} ({place_of(self.fn)})"):
            found = self.fn(for_user(_unwritable(cotangent)))
            if found is None:
                return [cotangent]
            found = found if is_recorded(found) else np.asarray(found)
            if shape_of(found) != self.like.shape:
                raise self._fault(f"of shape {shape_of(found)}, expected {self.like.shape}")
            if has_imaginary_part(found) and self.like.dtype.kind != "c":
                raise self._fault("that is complex, of a real value")
            return [found]

    def _fault(self, what: str) -> ValueError:
        file, line = self.place
        return ValueError(f"{file}:{line}: {self.name} returned an adjoint {what}")


def _unwritable(cotangent: Any) -> Any:
    """What a hook may keep and look at. Variables, for which there is no such thing, are copied."""
    if is_recorded(cotangent):
        return cotangent.copy()
    view = np.asarray(cotangent).view()
    view.flags.writeable = False
    return view
