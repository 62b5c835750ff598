"""The check that a program gives what the function gives: value and gradient, also at a point where
it was not recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tapegrad as tg


def check_replay(function: Callable[..., Any], *points: Sequence[Any], rtol: float = 1e-10) -> None:
    """`function` of the arguments in each of the points, against its own program."""

    def loss(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *xs: np.sum(np.abs(f(*xs)) ** 2)

    program = tg.function(function)
    every = tuple(range(len(points[0])))
    gradient, expected = tg.grad(loss(program), every), tg.grad(loss(function), every)
    for point in points:
        np.testing.assert_allclose(program(*point), function(*point), rtol=rtol, atol=rtol)
        for found, wanted in zip(gradient(*point), expected(*point), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)
