"""PyTorch eager on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy

from bench.measure import Thunk
from bench.systems.base import System


class Torch(System):
    name = "torch"
    title = "PyTorch eager"
    module = "torch"
    distribution = "torch"

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.np = _namespace(torch)

    def array(self, value: Any) -> Any:
        if isinstance(value, (numpy.ndarray, float)):
            return self.torch.tensor(numpy.asarray(value))  # float64 and int64 remain
        return value

    def numpy(self, value: Any) -> Any:
        return value.detach().numpy()

    def value(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        def call() -> Any:
            with self.torch.no_grad():
                return function(*params)

        return call

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        def call() -> Any:
            leaves = [p.detach().requires_grad_() for p in params]
            value = function(*leaves)
            # materialize_grads: zeros, not None, for a parameter that is not used
            return value, self.torch.autograd.grad(value, leaves, materialize_grads=True)

        return call

    def hvp(
        self, function: Callable[..., Any], params: Sequence[Any], tangents: Sequence[Any]
    ) -> Thunk:
        def call() -> Any:
            leaves = [p.detach().requires_grad_() for p in params]
            gradients = self.torch.autograd.grad(function(*leaves), leaves, create_graph=True)
            return self.torch.autograd.grad(
                gradients, leaves, grad_outputs=tangents, materialize_grads=True
            )

        return call


def _namespace(torch: Any) -> SimpleNamespace:
    """PyTorch under NumPy's names, where they differ."""

    def extreme(whole: Any, along: Any) -> Any:
        def call(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
            return whole(x) if axis is None else along(x, axis, keepdims)

        return call

    changed = {
        "max": extreme(torch.max, torch.amax),
        "min": extreme(torch.min, torch.amin),
        "cross": torch.linalg.cross,
    }
    return SimpleNamespace(**{**vars(torch), **changed})
