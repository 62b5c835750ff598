"""CasADi's scalar expressions (SX), evaluated by its virtual machine; vectors only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy

from bench.measure import Thunk
from bench.systems.base import System
from bench.workloads import Workload

LARGEST = 10**5  # variables; its expressions are scalar, one node each


class Casadi(System):
    name = "casadi"
    title = "CasADi SX"
    module = "casadi"
    distribution = "casadi"
    records = False
    one_shot = False
    prepared_only = True

    def __init__(self) -> None:
        import casadi

        self.casadi = casadi
        self.np = _Namespace(casadi)

    @classmethod
    def takes(cls, workload: Workload, size: int) -> bool:
        return workload.symbolic and size <= LARGEST

    def value(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        x = self._symbols(params)
        call = self.casadi.Function("value", x, [function(*x)])
        return lambda: call(*params)

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        x = self._symbols(params)
        value = function(*x)
        gradients = [self.casadi.gradient(value, one) for one in x]
        call = self.casadi.Function("gradient", x, [value, *gradients])

        def thunk() -> Any:
            value, *gradients = call(*params)
            return value, tuple(gradients)

        return thunk

    def hvp(
        self, function: Callable[..., Any], params: Sequence[Any], tangents: Sequence[Any]
    ) -> Thunk:
        x, v = self._symbols(params), self._symbols(tangents)
        gradient = self.casadi.gradient(function(*x), self.casadi.vertcat(*x))
        product = self.casadi.jtimes(gradient, self.casadi.vertcat(*x), self.casadi.vertcat(*v))
        ends = numpy.cumsum([0, *(numpy.size(p) for p in params)])
        parts = [product[int(a) : int(b)] for a, b in pairwise(ends)]
        call = self.casadi.Function("hvp", [*x, *v], parts)
        return lambda: call(*params, *tangents)

    def numpy(self, value: Any) -> Any:
        dense = numpy.asarray(value.full() if hasattr(value, "full") else value)
        return dense.reshape(()) if dense.size == 1 else dense.reshape(-1)

    def _symbols(self, params: Sequence[Any]) -> list[Any]:
        return [self.casadi.SX.sym(f"x{i}", numpy.size(p)) for i, p in enumerate(params)]


class _Namespace:
    """CasADi under NumPy's names, where they differ."""

    def __init__(self, casadi: Any) -> None:
        self._casadi = casadi
        self.sum = casadi.sum1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._casadi, name)
