"""What a workload is; the rows run it on a system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Instance:
    """The inputs of a workload at one size: `params` are differentiated, `data` is constant.

    `direction`, where given, is that of the Hessian-vector product.
    """

    params: tuple[Any, ...]
    data: tuple[Any, ...] = ()
    direction: tuple[Any, ...] | None = None

    def tangents(self) -> tuple[Any, ...]:
        """The direction, else a fixed random one, one of each parameter's shape."""
        return self.random_direction(7) if self.direction is None else self.direction

    def random_direction(self, seed: int) -> tuple[Any, ...]:
        rng = np.random.default_rng(seed)
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
    Hessian-vector products. Without it, complex parameters pass through `function` itself, and
    random projections of the derivatives are compared with its complex step.

    `variants` holds a system's idiomatic formulation, by system name, where the common one does
    not suit it. A `scalar` workload loops in Python over scalars, and its size is its number of
    operations. A `symbolic` one can be stated in scalar expressions of vectors. `systems`, where
    given, are the only ones that can state it at all. `small` is the size of a first call, large
    enough for the system to load what it loads once, such as BLAS.
    """

    name: str
    title: str
    function: Callable[..., Any]
    make: Callable[[int], Instance]
    gradient: Callable[..., tuple[Any, ...]] | None = None
    small: int = 4
    scalar: bool = False
    symbolic: bool = False
    unit: str = ""  # of the size, for titles
    systems: frozenset[str] | None = None
    rtol: float = 1e-9
    variants: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
