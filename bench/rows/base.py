"""What a row is; the worker runs one row on one system, the report prints them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy

from bench.checks import CheckFailed, complex_step, projected, require_close, slope
from bench.measure import Effort, Thunk
from bench.results import Measurement
from bench.systems.base import System
from bench.workloads import Workload

PROJECTION_RTOL = 1e-7


@dataclass(frozen=True)
class Target:
    """The limit of tapegrad's figure: a number, peers' figures, a multiple of a system's."""

    at_most: float | None = None
    peers: tuple[str, ...] = ()
    times: Mapping[str, float] = field(default_factory=dict)  # how many times a system's figure

    def met(self, figures: Mapping[str, float]) -> bool:
        """Whether tapegrad's figure, among `figures` by system name, reaches the target."""
        limits = [figures[p] for p in self.peers if p in figures]
        limits += [factor * figures[s] for s, factor in self.times.items() if s in figures]
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

    @property
    def threads(self) -> tuple[int, ...]:
        """The thread counts to run at; empty for the one the user chose."""
        return ()

    def summary(self, found: Sequence[Measurement]) -> list[Measurement]:
        """Measurements of one system over all thread counts, put together."""
        return []

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

    @cached_property
    def gradient(self) -> Thunk:
        return self.system.gradient(self._function, self._params)

    @cached_property
    def value(self) -> Thunk:
        return self.system.value(self._function, self._params)

    def gradient_into(self) -> Thunk | None:
        """The gradient in arrays that the caller keeps, where the system can."""
        out = [numpy.zeros_like(p) for p in self.instance.params]
        return self.system.gradient_into(self._function, self._params, out)

    def hvp(self) -> Thunk:
        tangents = [self.system.array(t) for t in self.instance.tangents()]
        return self.system.hvp(self._function, self._params, tangents)

    def check_gradient(self, result: Any) -> None:
        """`result` is what the gradient call returned."""
        value, gradients = result
        self.check_value(value)
        if self.system.differentiates:
            self._compare("gradient", self._arrays(gradients), self._gradient)

    def check_value(self, result: Any) -> None:
        expected = self.workload.function(numpy, *self.instance.params, *self.instance.data)
        self._require("value", self._arrays((result,)), (expected,))

    def check_hvp(self, result: Any) -> None:
        self._compare("Hessian-vector product", self._arrays(result), self._hvp)

    @cached_property
    def _gradient(self) -> Any:
        """The independent gradient, or a function of a direction where there is no closed form."""
        workload, params = self.workload, self.instance.params
        if workload.gradient is not None:
            return workload.gradient(*params, *self.instance.data)
        return lambda direction: slope(self._reference, params, direction)

    @cached_property
    def _hvp(self) -> Any:
        gradient, params = self.workload.gradient, self.instance.params
        tangents = self.instance.tangents()
        if gradient is not None:
            full = lambda *moved: gradient(*moved, *self.instance.data)
            return complex_step(full, params, tangents)

        def projection(direction: Any) -> float:
            """Central difference of slopes: an error of some 1e-9."""
            step = 1e-5
            ahead, behind = (
                slope(self._reference, _moved(params, sign * step, tangents), direction)
                for sign in (1.0, -1.0)
            )
            return (ahead - behind) / (2.0 * step)

        return projection

    def _reference(self, *params: Any) -> Any:
        return self.workload.function(numpy, *params, *self.instance.data)

    def _arrays(self, result: Any) -> list[Any]:
        return [self.system.numpy(part) for part in as_tuple(result)]

    def _compare(self, what: str, computed: Sequence[Any], reference: Any) -> None:
        if not callable(reference):
            self._require(what, computed, reference)
            return
        shapes = [numpy.shape(p) for p in self.instance.params]
        if [numpy.shape(c) for c in computed] != shapes:
            raise CheckFailed(f"{self.workload.name}: {what}: shapes are not the parameters'")
        for seed in range(3):
            direction = self.instance.random_direction(seed)
            found = projected(computed, direction)
            # Cancellation in the sum over the components is not the system's error.
            scale = projected([numpy.abs(c) for c in computed], [numpy.abs(d) for d in direction])
            if not abs(found - reference(direction)) <= PROJECTION_RTOL * scale:
                raise CheckFailed(
                    f"{self.workload.name}: {what}: projection {seed} is {found}, expected "
                    f"{reference(direction)}"
                )

    def _require(self, what: str, computed: Sequence[Any], reference: Sequence[Any]) -> None:
        require_close(f"{self.workload.name}: {what}", computed, reference, self.workload.rtol)


def _moved(params: Sequence[Any], step: float, direction: Sequence[Any]) -> list[Any]:
    return [p + step * d for p, d in zip(params, direction, strict=True)]


def as_tuple(result: Any) -> tuple[Any, ...]:
    """One entry a parameter, also where a system returns a single one bare."""
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def power_text(size: int) -> str:
    """A size for names and titles: 256, 1e6, 2e4."""
    mantissa, exponent = f"{size:.0e}".split("e")
    short = f"{mantissa}e{int(exponent)}"
    return short if size >= 10_000 and float(short) == size else str(size)
