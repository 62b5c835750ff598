"""tapegrad on plain NumPy code: every call records anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from bench.measure import Thunk
from bench.systems.base import System, positions


class Tapegrad(System):
    name = "tapegrad"
    title = "tapegrad"
    module = "tapegrad"
    distribution = "tapegrad"
    scalar_limit = 10**7

    def __init__(self) -> None:
        import tapegrad

        self.tg = tapegrad
        self.np = numpy

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        value_and_grad = self.tg.value_and_grad(function, argnums=positions(params))
        return lambda: value_and_grad(*params)

    def hvp(
        self, function: Callable[..., Any], params: Sequence[Any], tangents: Sequence[Any]
    ) -> Thunk:
        if len(params) == 1:
            single = self.tg.hvp(function)
            return lambda: single(params[0], tangents[0])
        product = self.tg.hvp(lambda packed: function(*packed))
        return lambda: product(tuple(params), tuple(tangents))
