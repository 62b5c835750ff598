"""The discrete distributions of one variable."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from tapegrad._core import apply
from tapegrad.functions.operands import Array
from tapegrad.scipy.stats.distribution import Discrete

__all__ = ["binom", "nbinom", "poisson"]


class Poisson(Discrete):
    shapes = ("mu",)

    def _valid(self, *shapes: Any) -> Any:
        return shapes[0] >= 0

    def _logpmf(self, k: Array, *shapes: Array) -> Array:
        (mu,) = shapes
        return special.xlogy(k, mu) - apply("gammaln", (k + 1.0,)) - mu

    def _pmf(self, k: Array, *shapes: Array) -> Array:
        return apply("gamma_density", (k + 1.0, shapes[0]))

    def _cdf(self, k: Array, *shapes: Array) -> Array:
        return apply("gammaincc", (k + 1.0, shapes[0]))

    def _sf(self, k: Array, *shapes: Array) -> Array:
        return apply("gammainc", (k + 1.0, shapes[0]))


class Binom(Discrete):
    shapes = ("n", "p")
    whole = ("n",)

    def _valid(self, *shapes: Any) -> Any:
        n, p = shapes
        return (n >= 0) & (n == np.floor(n)) & (p >= 0) & (p <= 1)

    def _last(self, *shapes: Array) -> Any:
        return shapes[0]

    def _logpmf(self, k: Array, *shapes: Array) -> Array:
        n, p = shapes
        ways = -apply("betaln", (n - k + 1.0, k + 1.0)) - np.log(n + 1.0)
        return ways + special.xlogy(k, p) + special.xlog1py(n - k, -p)

    def _pmf(self, k: Array, *shapes: Array) -> Array:
        n, p = shapes
        return apply("beta_density", (k + 1.0, n - k + 1.0, p)) / (n + 1.0)

    def _cdf(self, k: Array, *shapes: Array) -> Array:
        n, p = shapes
        return apply("betaincc", (k + 1.0, n - k, p))

    def _sf(self, k: Array, *shapes: Array) -> Array:
        n, p = shapes
        return apply("betainc", (k + 1.0, n - k, p))


class NBinom(Discrete):
    shapes = ("n", "p")

    def _valid(self, *shapes: Any) -> Any:
        n, p = shapes
        return (n > 0) & (p > 0) & (p <= 1)

    def _logpmf(self, k: Array, *shapes: Array) -> Array:
        n, p = shapes
        ways = -apply("betaln", (n, k + 1.0)) - np.log(n + k)
        return ways + n * np.log(p) + special.xlog1py(k, -p)

    def _cdf(self, k: Array, *shapes: Array) -> Array:
        n, p = shapes
        return apply("betainc", (n, k + 1.0, p))

    def _sf(self, k: Array, *shapes: Array) -> Array:
        n, p = shapes
        return apply("betaincc", (n, k + 1.0, p))


poisson = Poisson("poisson")
binom = Binom("binom")
nbinom = NBinom("nbinom")
