"""tapegrad.scipy.stats under a shorter name: `from tapegrad.stats import norm`."""

from __future__ import annotations

from typing import Any

from tapegrad.scipy import stats as _stats
from tapegrad.scipy.stats import *  # noqa: F403


def __getattr__(name: str) -> Any:
    return getattr(_stats, name)


def __dir__() -> list[str]:
    return dir(_stats)
