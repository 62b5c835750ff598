"""Under `tg.debug()` a result that is not finite is an error: what programs give is looked at here,
and the op and the line that it comes from are named. Called after each replay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad.errors import NonFiniteError
from tapegrad.program.explain import Culprit, culprit_of
from tapegrad.program.signature import Arguments
from tapegrad.program.trace import Request, Trace, goes_forward
from tapegrad.program.views import EVERY_PASS

# What is computed first on the way to each kind of derivative: a NaN of the value is also one of
# the gradient, and is found where it is made.
BEFORE = {
    "gradient": ("value",),
    "tangent": ("value",),
    "pullback": ("value",),
    "pushforward": ("value",),
    "jacobian": ("value",),
    "hvp": ("value", "gradient"),
    "hessian": ("value", "gradient"),
}
PASS = {
    "value": "value",
    "gradient": "adjoint",
    "pullback": "adjoint",
    "tangent": "tangent",
    "pushforward": "tangent",
    "hvp": "second",
    "hessian": "second",
}


def is_finite(values: Iterable[Any]) -> bool:
    """Whether no NaN or infinity is among numbers and arrays."""
    return all(bool(np.all(np.isfinite(value))) for value in values if _is_inexact(value))


def check(
    name: str, trace: Trace, request: Request, arguments: Arguments, inputs: Sequence[Any]
) -> None:
    """Raise NonFiniteError for the op that the outputs of a program have a NaN or infinity from."""
    for kind in (*BEFORE.get(request.kind, ()), request.kind):
        found = _found(kind, trace, request, arguments, inputs)
        if found is not None and found.reaches:
            raise NonFiniteError(f"{name}: {found}", found)
    raise NonFiniteError(f"{name}: the result is not finite, by rounding in a fused loop", None)


def _found(
    kind: str, trace: Trace, request: Request, arguments: Arguments, inputs: Sequence[Any]
) -> Culprit | None:
    seeded = kind == request.kind
    made = trace.derived(request if seeded else Request(kind, request.wrt, request.of), EVERY_PASS)
    given = list(inputs if seeded else inputs[: len(arguments.dynamic)])
    if kind == "jacobian":
        direction = "tangent" if goes_forward(trace.recording, request.wrt) else "adjoint"
    else:
        direction = PASS[kind]
    return culprit_of(direction, arguments, made, given)


def watch(
    name: str,
    trace: Trace,
    request: Request,
    arguments: Arguments,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
) -> None:
    """Nothing unless `tg.debug()` is on and an output of a program is not finite."""
    if _core.full_checks() and not is_finite(outputs):
        check(name, trace, request, arguments, inputs)


def _is_inexact(value: Any) -> bool:
    return isinstance(value, (float, complex)) or getattr(value, "dtype", None) in _INEXACT


_INEXACT = frozenset(map(np.dtype, (np.float32, np.float64, np.complex64, np.complex128)))
