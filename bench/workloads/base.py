"""What a workload is; the rows run it on a system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Instance:
    """The inputs of a workload at one size: `params` are differentiated, `data` is constant."""

    params: tuple[Any, ...]
    data: tuple[Any, ...] = ()

    def tangents(self) -> tuple[Any, ...]:
        """A fixed random direction, one of each parameter's shape."""
        rng = np.random.default_rng(7)
        return tuple(
            rng.standard_normal(p.shape)
            if isinstance(p, np.ndarray)
            else float(rng.standard_normal())
            for p in self.params
        )


@dataclass(frozen=True)
class Workload:
    """One function, for every system.

    `function(np, *params, *data)` returns a scalar; `np` is the system's own namespace, which for
    tapegrad is NumPy itself. `gradient(*params, *data)` is the closed form in NumPy, a tuple with
    one entry a parameter, through which complex parameters pass: its complex step checks the
    Hessian-vector products. `variants` holds a system's idiomatic formulation, by system name,
    where the common one does not suit it. A `scalar` workload loops in Python over scalars, and
    its size is its number of operations.
    """

    name: str
    title: str
    function: Callable[..., Any]
    make: Callable[[int], Instance]
    gradient: Callable[..., tuple[Any, ...]]
    small: int
    scalar: bool = False
    rtol: float = 1e-9
    variants: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
