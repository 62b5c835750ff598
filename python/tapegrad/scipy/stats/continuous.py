"""The continuous distributions of one variable, in standard form: loc and scale are Distribution's.
Formulas are chosen so that neither tail cancels."""

from __future__ import annotations

import numpy as np
from scipy import special

from tapegrad._core import apply
from tapegrad.functions.operands import Array, seen, where
from tapegrad.functions.probabilities import student_t
from tapegrad.scipy.stats.distribution import Distribution

__all__ = [
    "beta",
    "cauchy",
    "chi2",
    "expon",
    "gamma",
    "laplace",
    "logistic",
    "lognorm",
    "norm",
    "t",
    "uniform",
    "weibull_min",
]

LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)


class Symmetric(Distribution):
    """About 0: the upper tail is the lower one of -y."""

    def _sf(self, y: Array, *shapes: Array) -> Array:
        return self._cdf(-y, *shapes)

    def _logsf(self, y: Array, *shapes: Array) -> Array:
        return self._logcdf(-y, *shapes)


class Norm(Symmetric):
    def _logpdf(self, y: Array, *_: Array) -> Array:
        return -0.5 * y * y - LOG_ROOT_TWO_PI

    def _cdf(self, y: Array, *_: Array) -> Array:
        return apply("ndtr", (y,))

    def _logcdf(self, y: Array, *_: Array) -> Array:
        return apply("log_ndtr", (y,))


class T(Symmetric):
    shapes = ("df",)

    def _logpdf(self, y: Array, *shapes: Array) -> Array:
        (df,) = shapes
        normaliser = apply("betaln", (0.5 * df, 0.5)) + 0.5 * np.log(df)
        return -normaliser - 0.5 * (df + 1.0) * np.log1p(y * y / df)

    def _cdf(self, y: Array, *shapes: Array) -> Array:
        return student_t(*shapes, y)


class Cauchy(Symmetric):
    def _logpdf(self, y: Array, *_: Array) -> Array:
        return -np.log1p(y * y) - np.log(np.pi)

    def _pdf(self, y: Array, *_: Array) -> Array:
        return (1.0 / np.pi) / (1.0 + y * y)

    def _cdf(self, y: Array, *_: Array) -> Array:
        return np.arctan2(1.0, -y) / np.pi


class Laplace(Symmetric):
    def _logpdf(self, y: Array, *_: Array) -> Array:
        return -np.abs(y) - np.log(2.0)

    def _cdf(self, y: Array, *_: Array) -> Array:
        half = 0.5 * np.exp(-np.abs(y))
        return where(seen(y) < 0, half, 1.0 - half)

    def _logcdf(self, y: Array, *_: Array) -> Array:
        size = np.abs(y)
        return where(seen(y) < 0, -size - np.log(2.0), np.log1p(-0.5 * np.exp(-size)))


class Logistic(Symmetric):
    def _logpdf(self, y: Array, *_: Array) -> Array:
        return self._logcdf(y) + self._logcdf(-y)

    def _pdf(self, y: Array, *_: Array) -> Array:
        return special.expit(y) * special.expit(-y)

    def _cdf(self, y: Array, *_: Array) -> Array:
        return special.expit(y)

    def _logcdf(self, y: Array, *_: Array) -> Array:
        return -np.logaddexp(0.0, -y)


class Gamma(Distribution):
    shapes = ("a",)
    low, inside = 0.0, 1.0

    def _logpdf(self, y: Array, *shapes: Array) -> Array:
        (a,) = shapes
        return special.xlogy(a - 1.0, y) - y - apply("gammaln", (a,))

    def _pdf(self, y: Array, *shapes: Array) -> Array:
        return apply("gamma_density", (shapes[0], y))

    def _cdf(self, y: Array, *shapes: Array) -> Array:
        return apply("gammainc", (shapes[0], y))

    def _sf(self, y: Array, *shapes: Array) -> Array:
        return apply("gammaincc", (shapes[0], y))


class Chi2(Gamma):
    shapes = ("df",)

    def _logpdf(self, y: Array, *shapes: Array) -> Array:
        return super()._logpdf(0.5 * y, 0.5 * shapes[0]) - np.log(2.0)

    def _pdf(self, y: Array, *shapes: Array) -> Array:
        return 0.5 * super()._pdf(0.5 * y, 0.5 * shapes[0])

    def _cdf(self, y: Array, *shapes: Array) -> Array:
        return super()._cdf(0.5 * y, 0.5 * shapes[0])

    def _sf(self, y: Array, *shapes: Array) -> Array:
        return super()._sf(0.5 * y, 0.5 * shapes[0])


class Beta(Distribution):
    shapes = ("a", "b")
    low, high, inside = 0.0, 1.0, 0.5

    def _logpdf(self, y: Array, *shapes: Array) -> Array:
        a, b = shapes
        density = special.xlogy(a - 1.0, y) + special.xlog1py(b - 1.0, -y)
        return density - apply("betaln", (a, b))

    def _pdf(self, y: Array, *shapes: Array) -> Array:
        return apply("beta_density", (*shapes, y))

    def _cdf(self, y: Array, *shapes: Array) -> Array:
        return apply("betainc", (*shapes, y))

    def _sf(self, y: Array, *shapes: Array) -> Array:
        return apply("betaincc", (*shapes, y))


class Decaying(Distribution):
    """On the positive axis, by the hazard up to y: sf = exp(-hazard)."""

    low, inside = 0.0, 1.0

    def _hazard(self, y: Array, *shapes: Array) -> Array:
        raise NotImplementedError

    def _cdf(self, y: Array, *shapes: Array) -> Array:
        hazard = self._hazard(y, *shapes)
        near = seen(hazard) < 1
        # Each form has the slope exp(-hazard) without cancellation where it is chosen.
        return where(near, -np.expm1(-where(near, hazard, 0.0)), 1.0 - np.exp(-hazard))

    def _sf(self, y: Array, *shapes: Array) -> Array:
        return np.exp(-self._hazard(y, *shapes))

    def _logsf(self, y: Array, *shapes: Array) -> Array:
        return -self._hazard(y, *shapes)


class Expon(Decaying):
    def _hazard(self, y: Array, *_: Array) -> Array:
        return y

    def _logpdf(self, y: Array, *_: Array) -> Array:
        return -y


class WeibullMin(Decaying):
    shapes = ("c",)

    def _hazard(self, y: Array, *shapes: Array) -> Array:
        return y ** shapes[0]

    def _logpdf(self, y: Array, *shapes: Array) -> Array:
        (c,) = shapes
        return np.log(c) + special.xlogy(c - 1.0, y) - y**c

    def _pdf(self, y: Array, *shapes: Array) -> Array:
        (c,) = shapes
        return c * y ** (c - 1.0) * np.exp(-(y**c))


class LogNorm(Distribution):
    shapes = ("s",)
    low, inside = float(np.nextafter(0.0, 1.0)), 1.0

    def _logpdf(self, y: Array, *shapes: Array) -> Array:
        (s,) = shapes
        level = np.log(y)
        return -0.5 * (level / s) ** 2 - np.log(s) - level - LOG_ROOT_TWO_PI

    def _cdf(self, y: Array, *shapes: Array) -> Array:
        return apply("ndtr", (np.log(y) / shapes[0],))

    def _sf(self, y: Array, *shapes: Array) -> Array:
        return apply("ndtr", (-np.log(y) / shapes[0],))

    def _logcdf(self, y: Array, *shapes: Array) -> Array:
        return apply("log_ndtr", (np.log(y) / shapes[0],))

    def _logsf(self, y: Array, *shapes: Array) -> Array:
        return apply("log_ndtr", (-np.log(y) / shapes[0],))


class Uniform(Distribution):
    low, high, inside = 0.0, 1.0, 0.5

    def _logpdf(self, y: Array, *_: Array) -> Array:
        return 0.0 * y

    def _cdf(self, y: Array, *_: Array) -> Array:
        return y


norm = Norm("norm")
t = T("t")
gamma = Gamma("gamma")
beta = Beta("beta")
chi2 = Chi2("chi2")
expon = Expon("expon")
lognorm = LogNorm("lognorm")
laplace = Laplace("laplace")
logistic = Logistic("logistic")
uniform = Uniform("uniform")
cauchy = Cauchy("cauchy")
weibull_min = WeibullMin("weibull_min")
