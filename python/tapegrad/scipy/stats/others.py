"""The distributions of scipy.stats that have no rule here: SciPy's own, which refuse recorded
values."""

from __future__ import annotations

from typing import Any

import scipy.stats as _stats

from tapegrad import errors
from tapegrad.scipy.stats.distribution import guarded, is_recorded

__all__ = ["OtherDistribution"]


class OtherDistribution:
    def __init__(self, name: str) -> None:
        self.name, self.scipy = name, getattr(_stats, name)

    def __repr__(self) -> str:
        return repr(self.scipy)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_recorded(args, kwargs):
            errors.unsupported(f"scipy.stats.{self.name} has no derivative rule")
        return self.scipy(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.scipy, name)
        return guarded(found, f"scipy.stats.{self.name}.{name}") if callable(found) else found
