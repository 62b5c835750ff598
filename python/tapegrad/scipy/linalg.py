"""scipy.linalg with functions that take recorded values; everything else is SciPy's.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy import linalg
>>> tg.grad(lambda a: np.trace(linalg.expm(a)))(np.zeros((2, 2)))
array([[1., 0.],
       [0., 1.]])
"""

from __future__ import annotations

from typing import Any

import scipy.linalg as _linalg
from scipy.linalg import *  # noqa: F403

from tapegrad.functions import scipy_linalg as _recorded
from tapegrad.scipy._dispatch import for_recorded

for _name in _recorded.__all__:
    globals()[_name] = for_recorded(getattr(_linalg, _name), getattr(_recorded, _name))


def __getattr__(name: str) -> Any:
    return getattr(_linalg, name)


def __dir__() -> list[str]:
    return sorted({*dir(_linalg), *globals()})
