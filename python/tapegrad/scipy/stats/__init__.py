"""scipy.stats with distributions whose densities and distribution functions take recorded values.

Everything else is SciPy's for plain values, and raises UnsupportedError for recorded ones.

>>> import tapegrad as tg
>>> from tapegrad.stats import norm
>>> tg.grad(norm.logpdf)(1.0, 0.0, 2.0)
-0.25
"""

from __future__ import annotations

import sys
from typing import Any, cast

import scipy.stats as _stats

from tapegrad.scipy.stats.continuous import (
    beta,
    cauchy,
    chi2,
    expon,
    gamma,
    laplace,
    logistic,
    lognorm,
    norm,
    t,
    uniform,
    weibull_min,
)
from tapegrad.scipy.stats.discrete import binom, nbinom, poisson
from tapegrad.scipy.stats.distribution import guarded
from tapegrad.scipy.stats.multivariate import dirichlet, multivariate_normal
from tapegrad.scipy.stats.others import OtherDistribution

__all__ = [
    "beta",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "laplace",
    "logistic",
    "lognorm",
    "multivariate_normal",
    "nbinom",
    "norm",
    "poisson",
    "t",
    "uniform",
    "weibull_min",
]

# autograd and JAX have a module for each distribution: `import ....stats.norm as norm`.
sys.modules.update({f"{__name__}.{name}": cast(Any, globals()[name]) for name in __all__})


def __getattr__(name: str) -> Any:
    found = getattr(_stats, name)
    if isinstance(found, type) or name.startswith("__"):
        return found
    if isinstance(found, (_stats.rv_continuous, _stats.rv_discrete)):
        return OtherDistribution(name)
    return guarded(found, f"scipy.stats.{name}") if callable(found) else found


def __dir__() -> list[str]:
    return sorted({*dir(_stats), *globals()})
