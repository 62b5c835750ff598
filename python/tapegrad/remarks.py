"""What a failed `check_grads` can say about the function along a line: a kink, a jump, the edge of
the domain. Called by testing.py, with plain calls of the function only."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

Line = Callable[[float], float]

STEPS = tuple(2.0**-k for k in range(4, 24, 2))
KINK = 1e-4  # the relative difference between the slopes of two sides that is a kink
JUMP = 1e-3  # the relative change over the smallest step that is a jump


def remark(phi: Line) -> str:
    """A sentence about the function h -> phi(h) around 0; empty if nothing is to be said."""
    at = phi(0.0)
    if not np.isfinite(at):
        return f"the function is {at} at the point itself"
    ahead, behind = (phi(sign * STEPS[-1]) for sign in (1.0, -1.0))
    if np.isfinite(ahead) != np.isfinite(behind):
        return "the point is at the edge of the domain: on one side the function is not finite"
    if not np.isfinite(ahead):
        return "the function is not finite around the point"
    wide, narrow = abs(phi(STEPS[0]) - phi(-STEPS[0])), abs(ahead - behind)
    if narrow > JUMP * (abs(at) + wide) and narrow > 0.1 * wide:
        return f"the function jumps at the point, from {behind:.6g} to {ahead:.6g}"
    return _kink(phi, at)


def _kink(phi: Line, at: float) -> str:
    after, before = _slope(phi, at, 1.0), _slope(phi, at, -1.0)
    if after is None or before is None:
        return ""
    (right, a), (left, b) = after, before
    if abs(right - left) <= KINK * max(abs(right), abs(left)) + 10 * (a + b):
        return ""
    return (
        f"the function has a kink at the point: its slope is {left:.6g} before and {right:.6g} "
        "after; a derivative there is a convention (docs/conventions.md): check beside it"
    )


def _slope(phi: Line, at: float, sign: float) -> tuple[float, float] | None:
    """The one-sided slope and an error bound: the extrapolated quotients that agree best."""
    quotients = [(phi(sign * h) - at) / (sign * h) for h in STEPS]
    # Each step is a quarter of the one before.
    finer = [(4 * b - a) / 3 for a, b in pairwise(quotients)]
    pairs = [(b, abs(b - a)) for a, b in pairwise(finer) if np.isfinite(b - a)]
    return min(pairs, key=lambda pair: pair[1]) if pairs else None
