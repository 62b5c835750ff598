"""numpy.random, so that code with its import line changed runs: numbers drawn are constants."""

from __future__ import annotations

from typing import Any

import numpy as _np
from numpy.random import *  # noqa: F403


def __getattr__(name: str) -> Any:
    return getattr(_np.random, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np.random), *globals()})
