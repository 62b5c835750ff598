"""numpy.linalg: its functions dispatch recorded values by themselves."""

from __future__ import annotations

from typing import Any

import numpy as _np
from numpy.linalg import *  # noqa: F403

from tapegrad.numpy.sequences import taking_sequences

globals().update(taking_sequences(_np.linalg))


def __getattr__(name: str) -> Any:
    return getattr(_np.linalg, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np.linalg), *globals()})
