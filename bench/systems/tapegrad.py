"""tapegrad on plain NumPy code: recorded anew at every call, or once as a Program."""

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

    def prepared(self) -> System:
        self.tg.set_threads(self.threads)  # alone it does not follow the environment
        return TapegradProgram()

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


class TapegradProgram(Tapegrad):
    """The same code under `tg.function`."""

    one_shot = False

    def value(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        program = self.tg.function(function)
        return lambda: program(*params)

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        call = self.tg.function(function).value_and_grad
        if len(params) == 1:
            (x,) = params
            return lambda: call(x)
        argnums = positions(params)
        return lambda: call(*params, argnums=argnums)

    def gradient_into(
        self, function: Callable[..., Any], params: Sequence[Any], out: Sequence[Any]
    ) -> Thunk | None:
        if not all(isinstance(p, numpy.ndarray) for p in params):
            return None
        call = self.tg.function(function).value_and_grad
        if len(params) == 1:
            (x,), (into,) = params, out
            return lambda: call(x, out=into)
        argnums, every = positions(params), tuple(out)
        return lambda: call(*params, argnums=argnums, out=every)

    def hvp(
        self, function: Callable[..., Any], params: Sequence[Any], tangents: Sequence[Any]
    ) -> Thunk:
        if len(params) == 1:
            call, x, v = self.tg.function(function).hvp, params[0], tangents[0]
            return lambda: call(x, v)
        packed = self.tg.function(lambda every: function(*every))
        return lambda: packed.hvp(tuple(params), tuple(tangents))
