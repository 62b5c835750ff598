"""JAX twice: eager (traced anew at every call) and jit (compiled once, its steady state)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from bench.measure import Thunk
from bench.systems.base import System, positions


class Jax(System):
    name = "jax"
    title = "JAX eager"
    module = "jax"
    distribution = "jax"
    scalar_limit = 10**4
    prepares = False  # JAX jit stands there for it

    def __init__(self) -> None:
        import jax
        import jax.numpy

        jax.config.update("jax_enable_x64", True)
        # Without this an operation returns before its work is done, and recording would seem free.
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        self.jax = jax
        self.np = jax.numpy

    def array(self, value: Any) -> Any:
        return self.np.asarray(value) if isinstance(value, numpy.ndarray) else value

    def prepare(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return call

    def value(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        call = self.prepare(function)
        return lambda: self.jax.block_until_ready(call(*params))

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        call = self.prepare(self.jax.value_and_grad(function, positions(params)))
        return lambda: self.jax.block_until_ready(call(*params))

    def hvp(
        self, function: Callable[..., Any], params: Sequence[Any], tangents: Sequence[Any]
    ) -> Thunk:
        gradient = self.jax.grad(function, positions(params))
        call = self.prepare(lambda p, t: self.jax.jvp(gradient, p, t)[1])
        return lambda: self.jax.block_until_ready(call(tuple(params), tuple(tangents)))


class JaxJit(Jax):
    name = "jax-jit"
    title = "JAX jit, steady"
    records = False
    one_shot = False
    prepares = True
    scalar_limit = 400  # compile time grows faster than the loop

    def prepare(self, call: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any] = self.jax.jit(call)
        return compiled
