"""HIPS autograd: reverse mode on boxed NumPy, reverse over reverse for the second order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.measure import Thunk
from bench.systems.base import System, positions


class Autograd(System):
    name = "autograd"
    title = "autograd"
    module = "autograd"
    distribution = "autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        self.autograd = autograd
        self.np = autograd.numpy

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        value_and_grad = self.autograd.value_and_grad(function, positions(params))
        return lambda: value_and_grad(*params)

    def hvp(
        self, function: Callable[..., Any], params: Sequence[Any], tangents: Sequence[Any]
    ) -> Thunk:
        argnums = positions(params)
        gradient = self.autograd.grad(function, argnums)

        def slope(*at: Any) -> Any:
            result = gradient(*at)
            parts = (result,) if len(at) == 1 else result
            return sum(self.np.sum(g * t) for g, t in zip(parts, tangents, strict=True))

        product = self.autograd.grad(slope, argnums)
        return lambda: product(*params)
