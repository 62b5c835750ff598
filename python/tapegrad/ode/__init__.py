"""Initial value problems with exact derivatives of the steps that were taken: `solve_ivp` and
`odeint`, called and answering as SciPy's.

The steps are those of SciPy's own methods. Their lengths count as constants, as does which of them
were accepted, so derivatives are the exact ones of the discrete solution: by the initial values,
the parameters, wherever the right-hand side takes them from, and the times. In programs the lengths
are computed anew, and the decisions are guarded.

>>> import numpy as np, tapegrad as tg
>>> def decayed(rate):
...     slope = lambda t, y: -rate * y
...     return tg.ode.solve_ivp(slope, (0.0, 1.0), [1.0], rtol=1e-8, atol=1e-10).y[0, -1]
>>> round(tg.grad(decayed)(2.0), 6)
-0.135335
"""

from tapegrad.ode.problems import odeint, solve_ivp

__all__ = ["odeint", "solve_ivp"]
