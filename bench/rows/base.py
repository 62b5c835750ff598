"""What a row is; the worker runs one row on one system, the report prints them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from bench.checks import complex_step, require_close
from bench.measure import Effort, Thunk
from bench.results import Measurement
from bench.systems.base import System
from bench.workloads import Workload


@dataclass(frozen=True)
class Target:
    """The limit of tapegrad's figure: a number, each of some peers' figures, or both."""

    at_most: float | None = None
    peers: tuple[str, ...] = ()

    def met(self, figures: Mapping[str, float]) -> bool:
        """Whether tapegrad's figure, among `figures` by system name, reaches the target."""
        limits = [figures[p] for p in self.peers if p in figures]
        if self.at_most is not None:
            limits.append(self.at_most)
        return all(figures["tapegrad"] <= limit for limit in limits)


class Row(ABC):
    """One group of lines of the table."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short, without spaces; what --only and the JSON form use."""

    @property
    @abstractmethod
    def title(self) -> str:
        """For the table."""

    @property
    @abstractmethod
    def targets(self) -> Mapping[str, Target]:
        """By metric."""

    @abstractmethod
    def admits(self, system: type[System]) -> bool:
        """Whether the row makes sense for the system."""

    @abstractmethod
    def measure(self, system: System, effort: Effort) -> list[Measurement]:
        """Check the system's result, then time it; CheckFailed where it is wrong."""


class Case:
    """A workload at one size on one system, ready to be called and checked."""

    def __init__(self, system: System, workload: Workload, size: int) -> None:
        self.system = system
        self.workload = workload
        self.instance = workload.make(size)
        self._function = system.function(workload, self.instance)
        self._params = [system.array(p) for p in self.instance.params]
        self.gradient: Thunk = system.gradient(self._function, self._params)

    def hvp(self) -> Thunk:
        tangents = [self.system.array(t) for t in self.instance.tangents()]
        return self.system.hvp(self._function, self._params, tangents)

    def check_gradient(self, result: Any) -> None:
        """`result` is what the gradient call returned."""
        value, gradients = result
        inputs = (*self.instance.params, *self.instance.data)
        expected = self.workload.function(numpy, *inputs)
        self._compare("value", (value,), (expected,))
        if self.system.differentiates:
            self._compare("gradient", as_tuple(gradients), self.workload.gradient(*inputs))

    def check_hvp(self, result: Any) -> None:
        def gradient(*params: Any) -> tuple[Any, ...]:
            return self.workload.gradient(*params, *self.instance.data)

        expected = complex_step(gradient, self.instance.params, self.instance.tangents())
        self._compare("Hessian-vector product", as_tuple(result), expected)

    def _compare(self, what: str, computed: Sequence[Any], reference: Sequence[Any]) -> None:
        arrays = [self.system.numpy(c) for c in computed]
        require_close(f"{self.workload.name}: {what}", arrays, reference, self.workload.rtol)


def as_tuple(result: Any) -> tuple[Any, ...]:
    """One entry a parameter, also where a system returns a single one bare."""
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def power_text(size: int) -> str:
    """A size for names and titles: 256, 1e6, 2e4."""
    mantissa, exponent = f"{size:.0e}".split("e")
    short = f"{mantissa}e{int(exponent)}"
    return short if size >= 10_000 and float(short) == size else str(size)
