"""Events of initial value problems: where functions of time and solution pass through zero. Their
times are differentiated as roots are. Used by problems.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad.functions.operands import Array, operand, seen
from tapegrad.ode.methods import Slope

__all__ = ["Events"]

HALVINGS, PLAIN_ITERATIONS, RECORDED_ITERATIONS = 25, 2, 3

Segment = Any  # problems.py's: start, length, and the solution at any time


class Events:
    """The events asked for, and those found. `asked` are the user's functions with their
    attributes, `functions` the same of time and solution alone."""

    def __init__(self, asked: Sequence[Any], functions: Sequence[Slope]):
        self._functions = functions
        self._directions = [getattr(f, "direction", 0) for f in asked]
        self._left = [_allowed(getattr(f, "terminal", None)) for f in asked]
        self._times: list[list[Any]] = [[] for _ in asked]
        self._values: list[list[Array]] = [[] for _ in asked]
        self._before: list[Any] = []

    def begin(self, t: Any, y: Array) -> None:
        self._before = [seen(f(t, y)) for f in self._functions]

    def end_within(self, segment: Segment, y: Array) -> tuple[Any, Array] | None:
        """Notes the events of the segment; time and solution where one of them ends it."""
        after = [seen(f(segment.end, y)) for f in self._functions]
        passed = [
            i
            for i, (a, b) in enumerate(zip(self._before, after, strict=True))
            if _passes(a, b, self._directions[i])
        ]
        self._before, found = after, []
        for i in passed:
            self._left[i] -= 1
            found.append((_root(self._functions[i], segment), i))
        if any(self._left[i] <= 0 for i in passed):
            found.sort(key=lambda root: root[0])
        for x, i in found:
            t = segment.start + x * segment.length
            self._times[i].append(t)
            self._values[i].append(segment.at(x))
            if self._left[i] <= 0:
                return t, self._values[i][-1]
        return None

    def lists(self) -> tuple[list[Array], list[Array]]:
        """t_events and y_events."""
        none = np.zeros(0)
        return (
            [np.stack(times) if times else none for times in self._times],
            [np.stack(values) if values else none for values in self._values],
        )


def _allowed(terminal: Any) -> float:
    """How many of an event there may be."""
    if terminal is None or terminal == 0:
        return np.inf
    if int(terminal) != terminal or terminal < 0:
        raise ValueError(
            "The `terminal` attribute of each event must be a boolean or positive integer."
        )
    return int(terminal)


def _passes(before: Any, after: Any, direction: float) -> bool:
    up = direction >= 0 and before <= 0 and after >= 0
    return bool(up or (direction <= 0 and before >= 0 and after <= 0))


def _root(event: Slope, segment: Segment) -> Any:
    """The part x of the segment after which the event is zero: bisection and Newton's method
    without derivatives, then Newton steps that are recorded, k of them exact to order k."""
    from tapegrad.transforms import jvp

    def value(x: Any) -> Any:
        return operand(event(segment.start + x * segment.length, segment.at(x))).reshape(())

    low, high = np.zeros(()), np.ones(())
    sign = np.sign(seen(value(low)))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        same = np.sign(seen(value(middle))) == sign
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    x, slope = 0.5 * (low + high), np.ones(())
    for _ in range(PLAIN_ITERATIONS):
        found, slope = (seen(part) for part in jvp(value, (x,), (np.ones(()),)))
        x = np.minimum(np.maximum(x - found / slope, low), high)
    for _ in range(RECORDED_ITERATIONS):
        x = x - value(x) / slope
    return x
