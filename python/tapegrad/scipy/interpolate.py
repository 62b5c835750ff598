"""scipy.interpolate with CubicSpline, PchipInterpolator, CubicHermiteSpline, PPoly and interp1d for
recorded values, in the argument and in the data.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy.interpolate import CubicSpline
>>> x = np.arange(4.0)
>>> np.round(tg.grad(lambda y: CubicSpline(x, y)(2.0))(x**3), 12)
array([0., 0., 1., 0.])
"""

from __future__ import annotations

from typing import Any

import scipy.interpolate as _interpolate
from scipy.interpolate import *  # noqa: F403

from tapegrad.functions.interp1d import interp1d as interp1d
from tapegrad.functions.piecewise import PPoly as PPoly
from tapegrad.functions.splines import CubicHermiteSpline as CubicHermiteSpline
from tapegrad.functions.splines import CubicSpline as CubicSpline
from tapegrad.functions.splines import PchipInterpolator as PchipInterpolator


def __getattr__(name: str) -> Any:
    return getattr(_interpolate, name)


def __dir__() -> list[str]:
    return sorted({*dir(_interpolate), *globals()})
