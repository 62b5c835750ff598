"""PyTorch eager on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self.np = torch

    def array(self, value: Any) -> Any:
        if isinstance(value, (numpy.ndarray, float)):
            return self.torch.tensor(value, dtype=self.torch.float64)
        return value

    def numpy(self, value: Any) -> Any:
        return value.detach().numpy()

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
