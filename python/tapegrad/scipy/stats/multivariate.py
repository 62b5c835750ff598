"""dirichlet and multivariate_normal."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats as _stats
from scipy import special

from tapegrad import errors
from tapegrad._core import apply
from tapegrad.functions.operands import Array, as_inexact, operand, seen, where
from tapegrad.scipy.stats.distribution import Frozen, guarded, is_recorded

__all__ = ["dirichlet", "multivariate_normal"]


class Multivariate:
    """SciPy's distribution of this name; pdf, logpdf and entropy take recorded values."""

    def __init__(self, name: str) -> None:
        self.name, self.scipy = name, getattr(_stats, name)

    def __repr__(self) -> str:
        return f"<tapegrad.stats.{self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        return Frozen(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.scipy, name)
        return guarded(found, f"scipy.stats.{self.name}.{name}") if callable(found) else found

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Log of the density at `x`, with derivatives in all of the arguments."""
        if not is_recorded((x, *args), kwargs):
            return self.scipy.logpdf(x, *args, **kwargs)
        return self._logpdf(as_inexact(operand(x)), *args, **kwargs)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The density at `x`, with derivatives in all of the arguments."""
        if not is_recorded((x, *args), kwargs):
            return self.scipy.pdf(x, *args, **kwargs)
        return np.exp(self._logpdf(as_inexact(operand(x)), *args, **kwargs))

    def entropy(self, *args: Any, **kwargs: Any) -> Any:
        """The differential entropy, with derivatives in the parameters."""
        if not is_recorded(args, kwargs):
            return self.scipy.entropy(*args, **kwargs)
        return self._entropy(*args, **kwargs)

    def _logpdf(self, x: Array, *args: Any, **kwargs: Any) -> Array:
        raise NotImplementedError

    def _entropy(self, *args: Any, **kwargs: Any) -> Array:
        raise NotImplementedError


class Dirichlet(Multivariate):
    def _logpdf(self, x: Array, *args: Any, **kwargs: Any) -> Array:
        return self._density(x, *args, **kwargs)

    def _density(self, x: Array, alpha: Any) -> Array:
        """`x` of shape (k,) or (k, n); of k - 1 numbers, the last is what is missing from 1."""
        alpha = _positive(alpha)
        if x.shape[0] == alpha.shape[0] - 1:
            x = np.concatenate([x, 1.0 - np.sum(x, axis=0, keepdims=True)])
        if x.shape[0] != alpha.shape[0]:
            raise ValueError(
                f"x of shape {x.shape} must have as many rows as alpha has entries, or one fewer, "
                f"but alpha has shape {alpha.shape}"
            )
        powers = alpha - 1.0
        return np.sum(special.xlogy(powers, x.T), axis=-1) - _log_normaliser(alpha)

    def _entropy(self, *args: Any, **kwargs: Any) -> Array:
        return self._mean_log_density(*args, **kwargs)

    def _mean_log_density(self, alpha: Any) -> Array:
        alpha = _positive(alpha)
        total = np.sum(alpha)
        spread = (total - alpha.shape[0]) * apply("psi", (total,))
        return _log_normaliser(alpha) + spread - np.sum((alpha - 1.0) * apply("psi", (alpha,)))


def _positive(alpha: Any) -> Array:
    alpha = as_inexact(operand(alpha))
    if alpha.ndim != 1 or np.any(seen(alpha) <= 0):
        raise ValueError("Parameter vector 'a' must be one dimensional and greater than 0")
    return alpha


def _log_normaliser(alpha: Array) -> Array:
    return np.sum(apply("gammaln", (alpha,))) - apply("gammaln", (np.sum(alpha),))


class MultivariateNormal(Multivariate):
    def _logpdf(self, x: Array, *args: Any, **kwargs: Any) -> Array:
        return self._density(x, *args, **kwargs)

    def _density(
        self, x: Array, mean: Any = None, cov: Any = 1, allow_singular: bool = False
    ) -> Array:
        """`x` of shape (..., k); a number is one point, and for k = 1 a vector is many."""
        _refuse_singular(allow_singular)
        mean, cov = _parameters(mean, cov, x.shape[-1] if x.ndim else 1)
        k = mean.shape[0]
        if x.ndim == 0:
            x = x.reshape(1)
        elif x.ndim == 1 and k == 1:
            x = x.reshape(-1, 1)
        away = x - mean
        columns = away.reshape(-1, k).T
        scaled = np.linalg.solve(cov, columns).T.reshape(away.shape)
        distance = np.sum(away * scaled, axis=-1)
        return -0.5 * (k * np.log(2 * np.pi) + _log_determinant(cov) + distance)

    def _entropy(self, *args: Any, **kwargs: Any) -> Array:
        return self._of_covariance(*args, **kwargs)

    def _of_covariance(self, mean: Any = None, cov: Any = 1) -> Array:
        mean, cov = _parameters(mean, cov, 1)
        return 0.5 * (mean.shape[0] * (np.log(2 * np.pi) + 1.0) + _log_determinant(cov))


def _refuse_singular(allow_singular: bool) -> None:
    if allow_singular:
        errors.unsupported("scipy.stats.multivariate_normal has no rule for allow_singular=True")


def _parameters(mean: Any, cov: Any, otherwise: int) -> tuple[Array, Array]:
    """The mean as (k,) and the covariance as (k, k); a number or a vector of variances for a
    diagonal one."""
    cov = as_inexact(operand(cov))
    if mean is not None:
        mean = as_inexact(operand(mean)).reshape(-1)
    k = mean.shape[0] if mean is not None else cov.shape[-1] if cov.ndim else otherwise
    if mean is None:
        mean = np.zeros(k)
    if cov.ndim < 2:
        cov = cov * np.eye(k)
    if cov.shape != (k, k):
        raise ValueError(f"cov must be of shape {(k, k)}, not {cov.shape}")
    return mean, cov


def _log_determinant(cov: Array) -> Array:
    sign, log = np.linalg.slogdet(cov)
    return where(seen(sign) > 0, log, np.nan)


dirichlet = Dirichlet("dirichlet")
multivariate_normal = MultivariateNormal("multivariate_normal")
