"""XAD's Python package: scalars only, so arrays are NumPy object arrays of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from bench.measure import Thunk
from bench.systems.base import System


class Xad(System):
    name = "xad"
    title = "XAD"
    module = "xad"
    distribution = "xad"
    records_arrays = False
    second_order = False
    prepares = False
    scalar_limit = 10**7

    def __init__(self) -> None:
        import xad.adj_1st
        import xad.math

        self.tape = xad.adj_1st.Tape
        self.real = xad.adj_1st.Real
        self.np = _ObjectNamespace(xad.math)

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        def call() -> Any:
            with self.tape() as tape:
                inputs = [self._register(tape, p) for p in params]
                tape.newRecording()
                output = function(*inputs)
                tape.registerOutput(output)
                output.derivative = 1.0
                tape.computeAdjoints()
                return output.value, tuple(self._derivative(i) for i in inputs)

        return call

    def _register(self, tape: Any, param: Any) -> Any:
        flat = [self.real(float(v)) for v in numpy.ravel(param)]
        tape.registerInputs(flat)
        if not isinstance(param, numpy.ndarray):
            return flat[0]
        result = numpy.empty(len(flat), dtype=object)
        result[:] = flat
        return result.reshape(param.shape)

    def _derivative(self, variable: Any) -> Any:
        if not isinstance(variable, numpy.ndarray):
            return variable.derivative
        return numpy.array([v.derivative for v in variable.ravel()]).reshape(variable.shape)


class _ObjectNamespace:
    """NumPy, with the functions that object arrays lack mapped over XAD's scalar ones."""

    def __init__(self, math: Any) -> None:
        for name in ("exp", "log", "tanh", "sin"):
            setattr(self, name, numpy.frompyfunc(getattr(math, name), 1, 1))

        def logaddexp(a: Any, b: Any) -> Any:
            high, low = (a, b) if a > b else (b, a)
            return high + math.log1p(math.exp(low - high))

        self.logaddexp = numpy.frompyfunc(logaddexp, 2, 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(numpy, name)
