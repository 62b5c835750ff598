"""Dense Jacobians and Hessians by one array, in one call of one program: all unit directions are
constants of it. `Function.jacobian` and `Function.hessian` try this first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import _core
from tapegrad.program.signature import owned_by
from tapegrad.program.trace import Trace, goes_forward
from tapegrad.transforms.directions import moved_axes

if TYPE_CHECKING:
    from tapegrad.program.function import Function

MOST_SEEDS = 2**20  # numbers in the unit seeds; more of them would only cost memory


def jacobian(f: Function, args: Sequence[Any], kwargs: dict[str, Any], argnum: Any) -> Any:
    """The Jacobian of `f` by argument `argnum`; None where the transform has to look closer."""
    found = _rows("jacobian", f, args, kwargs, argnum)
    if found is None:
        return None
    trace, wrt, rows = found
    ((shape, _),) = trace.recording.outputs
    x = args[argnum]
    if goes_forward(trace.recording, wrt):
        return moved_axes(rows.reshape(x.shape + shape), x.ndim)
    return rows.reshape(shape + x.shape)


def hessian(f: Function, args: Sequence[Any], kwargs: dict[str, Any], argnum: Any) -> Any:
    """The Hessian likewise, symmetric to the last bit."""
    found = _rows("hessian", f, args, kwargs, argnum)
    if found is None:
        return None
    _, _, rows = found
    x = args[argnum]
    square = rows.reshape(x.size, x.size)
    return (0.5 * (square + square.T)).reshape(x.shape + x.shape)


def _rows(
    kind: str, f: Function, args: Sequence[Any], kwargs: dict[str, Any], argnum: Any
) -> tuple[Trace, list[int], Any] | None:
    """Derivatives in each unit direction, one behind the other, and the trace they are of."""
    if _core.recording() or type(argnum) is not int or not 0 <= argnum < len(args):
        return None
    x = args[argnum]
    if type(x) is not np.ndarray or x.dtype != np.float64 or not 0 < x.size**2 <= MOST_SEEDS:
        return None
    arguments = f.arguments(args, kwargs, (argnum,))
    trace = f.traces.first(arguments.key)
    if trace is None or not _fits(trace, kind):
        return None
    wrt = owned_by(arguments, argnum)
    replay = f.traces.run(arguments, kind, tuple(wrt))
    if not _fits(replay.trace, kind):
        return None
    return replay.trace, wrt, replay.outputs[0]


def _fits(trace: Trace, kind: str) -> bool:
    if not trace.is_number():
        return False
    ((shape, _),) = trace.recording.outputs
    return bool(shape == () if kind == "hessian" else 0 < math.prod(shape) ** 2 <= MOST_SEEDS)
