"""numpy.fft: its functions dispatch recorded values by themselves."""

from __future__ import annotations

from typing import Any

import numpy as _np
from numpy.fft import *  # noqa: F403


def __getattr__(name: str) -> Any:
    return getattr(_np.fft, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np.fft), *globals()})
