"""What a system must be able to do; the rows know systems only through this class.

A class answers about itself without importing its library; an instance has imported it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy

from bench.measure import Thunk
from bench.workloads import Instance, Workload


class System(ABC):
    """One automatic differentiation system, held to `threads` threads by the worker."""

    name: ClassVar[str]
    title: ClassVar[str]
    module: ClassVar[str]  # imported under this name
    distribution: ClassVar[str]  # installed under this name
    differentiates: ClassVar[bool] = True
    records: ClassVar[bool] = True  # operations are recorded one by one, as they run
    records_arrays: ClassVar[bool] = True
    one_shot: ClassVar[bool] = True  # every call records anew
    prepares: ClassVar[bool] = True  # stands in the table of prepared functions
    prepared_only: ClassVar[bool] = False  # and in no other
    has_value: ClassVar[bool] = True
    second_order: ClassVar[bool] = True
    scalar_limit: ClassVar[int] = 10**5  # operations of a scalar loop that end in reasonable time

    np: Any  # the namespace given to a workload's function
    threads: int = 1

    @classmethod
    def installed(cls) -> bool:
        return importlib.util.find_spec(cls.module) is not None

    @classmethod
    def version(cls) -> str:
        try:
            return importlib.metadata.version(cls.distribution)
        except importlib.metadata.PackageNotFoundError:
            return "unknown"

    @classmethod
    def takes(cls, workload: Workload, size: int) -> bool:
        """Whether the system can state the workload at this size, prepared."""
        return workload.systems is None or cls.name in workload.systems

    def prepared(self) -> System:
        """The system as it is used for many calls at the same shapes."""
        return self

    def array(self, value: Any) -> Any:
        """`value` (array, float or int) as this system's constant or argument."""
        return value

    def numpy(self, value: Any) -> Any:
        """A result of this system as a NumPy array."""
        return numpy.asarray(value)

    def function(self, workload: Workload, instance: Instance) -> Callable[..., Any]:
        """The workload's function of its parameters alone, on this system's arrays."""
        body = workload.variants.get(self.name, workload.function)
        data = tuple(self.array(d) for d in instance.data)
        return lambda *params: body(self.np, *params, *data)

    def value(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        """A call that computes the function alone."""
        return lambda: function(*params)

    @abstractmethod
    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        """A call that computes (value, gradients), gradients bare for a single parameter."""

    def gradient_into(
        self, function: Callable[..., Any], params: Sequence[Any], out: Sequence[Any]
    ) -> Thunk | None:
        """The same, written into the caller's arrays `out`; None where a system cannot."""
        return None

    def hvp(
        self, function: Callable[..., Any], params: Sequence[Any], tangents: Sequence[Any]
    ) -> Thunk:
        """A call that computes the Hessian times `tangents`, shaped as the gradients."""
        raise NotImplementedError(f"{self.name} has no second order")

    def record(self, function: Callable[..., Any], params: Sequence[Any]) -> None:
        """Call `function` once with arguments that this system records."""
        self.gradient(function, params)()


def positions(params: Sequence[Any]) -> int | tuple[int, ...]:
    """The argnums that differentiate all parameters: a plain 0 where there is one."""
    return 0 if len(params) == 1 else tuple(range(len(params)))
