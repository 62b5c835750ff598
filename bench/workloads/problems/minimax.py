"""Nested minimax: gradient descent on x of the maximum over y, itself found by gradient ascent. The
gradients of both loops are taken by the system, so that the gradient of the whole nests three deep.

f(x, y) = x.x / 2 + sin(x).y - y.y / 2 - sum(y^4) / 10, coordinate by coordinate, so that the same
loops can be written by hand for the check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

OUTER, INNER, RATE = 4, 6, 0.2
Grad = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]


def _saddle(np: Any, x: Any, y: Any) -> Any:
    return np.sum(0.5 * x**2 + np.sin(x) * y - 0.5 * y**2 - 0.1 * y**4)


def _nested(np: Any, x: Any, grad: Grad) -> Any:
    def highest(x: Any) -> Any:
        y, climb = 0.0 * x, grad(lambda y: _saddle(np, x, y))
        for _ in range(INNER):
            y = y + RATE * climb(y)
        return _saddle(np, x, y)

    slope = grad(highest)
    for _ in range(OUTER):
        x = x - RATE * slope(x)
    return highest(x)


def function_tapegrad(np: Any, x: Any) -> Any:
    import tapegrad

    return _nested(np, x, tapegrad.grad)


def function_autograd(np: Any, x: Any) -> Any:
    import autograd

    return _nested(np, x, autograd.grad)


def function_jax(np: Any, x: Any) -> Any:
    import jax

    return _nested(np, x, jax.grad)


def function_torch(torch: Any, x: Any) -> Any:
    def grad(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def gradient(at: Any) -> Any:
            with torch.enable_grad():
                leaf = at if at.requires_grad else at.detach().requires_grad_()
                return torch.autograd.grad(f(leaf), leaf, create_graph=True)[0]

        return gradient

    return _nested(torch, x, grad)


def function(np: Any, x: Any) -> Any:
    """By hand: y and its derivative p = dy / dx climb together."""

    def climbed(x: Any) -> tuple[Any, Any]:
        y = p = 0.0 * x
        for _ in range(INNER):
            y, p = (
                y + RATE * (np.sin(x) - y - 0.4 * y**3),
                p + RATE * (np.cos(x) - p - 1.2 * y**2 * p),
            )
        return y, p

    for _ in range(OUTER):
        y, p = climbed(x)
        x = x - RATE * (x + np.cos(x) * y + (np.sin(x) - y - 0.4 * y**3) * p)
    return _saddle(np, x, climbed(x)[0])


def make(size: int) -> Instance:
    return Instance((numpy.random.default_rng(18).standard_normal(size),))


MINIMAX = Workload(
    "minimax",
    "nested minimax",
    function,
    make,
    small=2,
    systems=frozenset({"tapegrad", "autograd", "jax-jit", "torch"}),
    variants={
        "tapegrad": function_tapegrad,
        "autograd": function_autograd,
        "jax-jit": function_jax,
        "torch": function_torch,
    },
)
