"""scipy.optimize, so that code with its import line changed runs: give its functions derivatives by
tg.grad and the others. It takes plain values only.

>>> import tapegrad as tg
>>> from tapegrad.scipy import optimize
>>> f = lambda x: (x[0] - 1.0) ** 2 + x[1] ** 2
>>> optimize.minimize(f, [3.0, 2.0], jac=tg.grad(f)).x.round(6).tolist()
[1.0, 0.0]
"""

from __future__ import annotations

from typing import Any

import scipy.optimize as _optimize
from scipy.optimize import *  # noqa: F403


def __getattr__(name: str) -> Any:
    return getattr(_optimize, name)


def __dir__() -> list[str]:
    return sorted({*dir(_optimize), *globals()})
