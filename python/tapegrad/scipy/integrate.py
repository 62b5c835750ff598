"""scipy.integrate for recorded values: solve_ivp and odeint (of tg.ode), quad and fixed_quad,
trapezoid, cumulative_trapezoid and simpson.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy import integrate
>>> round(tg.grad(lambda b: integrate.quad(np.exp, 0.0, b)[0])(1.0), 9)
2.718281828
"""

from __future__ import annotations

from typing import Any

import scipy.integrate as _integrate
from scipy.integrate import *  # noqa: F403

from tapegrad.functions import quadrature as _functions
from tapegrad.functions.quadrature import fixed_quad as fixed_quad
from tapegrad.functions.quadrature import quad as quad
from tapegrad.ode.problems import odeint as odeint
from tapegrad.ode.problems import solve_ivp as solve_ivp
from tapegrad.scipy._dispatch import for_recorded

trapezoid = for_recorded(_integrate.trapezoid, _functions.trapezoid)
cumulative_trapezoid = for_recorded(
    _integrate.cumulative_trapezoid, _functions.cumulative_trapezoid
)
simpson = for_recorded(_integrate.simpson, _functions.simpson)


def __getattr__(name: str) -> Any:
    return getattr(_integrate, name)


def __dir__() -> list[str]:
    return sorted({*dir(_integrate), *globals()})
