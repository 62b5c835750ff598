"""Plain Python and NumPy without any derivative: the floor under every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from bench.measure import Thunk
from bench.systems.base import System


class Python(System):
    name = "python"
    title = "Python, value only"
    module = "numpy"
    distribution = "numpy"
    differentiates = False
    records_arrays = False
    second_order = False
    prepares = False
    scalar_limit = 10**7

    def __init__(self) -> None:
        self.np = numpy

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        return lambda: (function(*params), ())
