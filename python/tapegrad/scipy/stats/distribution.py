"""What the distributions of this package share: location and scale, supports, arguments by position
and by name, frozen distributions, and SciPy for everything else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats as _stats

from tapegrad import errors
from tapegrad.functions.operands import (
    Array,
    as_inexact,
    has_variable,
    is_differentiable,
    operand,
    seen,
    where,
)

__all__ = ["METHODS", "Discrete", "Distribution", "Frozen", "guarded", "is_recorded"]

METHODS = ("pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf")


def is_recorded(args: Any, kwargs: dict[str, Any]) -> bool:
    return any(map(has_variable, args)) or any(map(has_variable, kwargs.values()))


def guarded(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function` of SciPy for plain arguments; UnsupportedError for recorded ones."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_recorded(args, kwargs):
            errors.unsupported(f"{name} has no derivative rule")
        return function(*args, **kwargs)

    return call


class Distribution:
    """A continuous distribution of scipy.stats whose densities and distribution functions have
    derivatives in the argument, every shape parameter, `loc` and `scale`.

    Subclasses state the standard one (loc 0, scale 1): `_logpdf(y, *shapes)` and others, for `y` in
    the support. Outside it densities are 0 and distribution functions constant, with slope 0.
    """

    shapes: tuple[str, ...] = ()
    # The ends of the support, which belong to it, and a point inside.
    low, high, inside = -np.inf, np.inf, 0.0
    positions: tuple[str, ...] = ("loc", "scale")
    discrete = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.scipy = getattr(_stats, name)
        for method in METHODS:
            if hasattr(self.scipy, method):
                setattr(self, method, self._method(method))

    def __repr__(self) -> str:
        return f"<tapegrad.stats.{self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with these parameters."""
        return Frozen(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.scipy, name)
        return guarded(found, f"scipy.stats.{self.name}.{name}") if callable(found) else found

    def _method(self, method: str) -> Callable[..., Any]:
        plain = getattr(self.scipy, method)

        @functools.wraps(plain)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not is_recorded(args, kwargs):
                return plain(*args, **kwargs)
            x, *parameters = self._bound(method, args, kwargs)
            return self._evaluate(method, x, *parameters)

        return call

    def _bound(self, method: str, args: Any, kwargs: dict[str, Any]) -> list[Array]:
        """The argument, the shapes, loc and scale, as a call names them."""
        names = ("k" if self.discrete else "x", *self.shapes, *self.positions)
        if len(args) > len(names):
            raise TypeError(f"{self.name}.{method} takes at most {len(names)} arguments")
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names or name in given:
                raise TypeError(f"{self.name}.{method} got an unexpected argument {name!r}")
            given[name] = value
        found = {"loc": 0.0, "scale": 1.0, **given}
        missing = [name for name in names if name not in found]
        if missing:
            raise TypeError(f"{self.name}.{method} is missing the arguments {', '.join(missing)}")
        operands = {name: operand(found[name]) for name in names}
        self._refuse(method, operands)
        return [as_inexact(operands[name]) for name in names]

    def _refuse(self, method: str, operands: dict[str, Array]) -> None:
        """Raise UnsupportedError for an argument that has no derivative and carries one."""

    def _evaluate(self, method: str, x: Array, *parameters: Array) -> Array:
        *shapes, loc, scale = parameters
        y = (x - loc) / scale
        inside = (seen(y) >= self.low) & (seen(y) <= self.high)
        result = getattr(self, "_" + method)(where(inside, y, self.inside), *shapes)
        if method == "logpdf":
            result = result - np.log(scale)
        elif method == "pdf":
            result = result / scale
        low, high = OUTSIDE[method]
        result = where(inside, result, where(seen(y) < self.low, low, high))
        valid = self._valid(*map(seen, shapes)) & (seen(scale) > 0) & ~np.isnan(seen(y))
        return where(valid, result, np.nan)

    def _valid(self, *shapes: Any) -> Any:
        """Whether the shape parameters are in their domain: positive, unless a subclass differs."""
        valid: Any = np.True_
        for shape in shapes:
            valid = valid & (shape > 0)
        return valid

    def _logpdf(self, y: Array, *shapes: Array) -> Array:
        raise NotImplementedError

    def _cdf(self, y: Array, *shapes: Array) -> Array:
        raise NotImplementedError

    def _pdf(self, y: Array, *shapes: Array) -> Array:
        return np.exp(self._logpdf(y, *shapes))

    def _sf(self, y: Array, *shapes: Array) -> Array:
        return 1.0 - self._cdf(y, *shapes)

    def _logcdf(self, y: Array, *shapes: Array) -> Array:
        return np.log(self._cdf(y, *shapes))

    def _logsf(self, y: Array, *shapes: Array) -> Array:
        return np.log(self._sf(y, *shapes))


# What each method is below and above the support.
OUTSIDE = {
    "pdf": (0.0, 0.0),
    "pmf": (0.0, 0.0),
    "logpdf": (-np.inf, -np.inf),
    "logpmf": (-np.inf, -np.inf),
    "cdf": (0.0, 1.0),
    "logcdf": (-np.inf, 0.0),
    "sf": (1.0, 0.0),
    "logsf": (0.0, -np.inf),
}


class Discrete(Distribution):
    """The same for a distribution on whole numbers from 0 to `_last`, with derivatives in the shape
    parameters. The argument and `loc` only take steps: recorded ones raise UnsupportedError."""

    positions = ("loc",)
    discrete = True
    whole: tuple[str, ...] = ()  # shape parameters that must be whole, and have no derivative

    def _last(self, *shapes: Array) -> Any:
        return np.inf

    def _refuse(self, method: str, operands: dict[str, Array]) -> None:
        for name in ("k", "loc", *self.whole):
            value = operands[name]
            if is_differentiable(value) and value.active:
                errors.unsupported(
                    f"scipy.stats.{self.name}.{method} has no derivative in its argument {name}",
                    "pass integers, or tg.stop_gradient of it",
                )

    def _evaluate(self, method: str, x: Array, *parameters: Array) -> Array:
        *shapes, loc = parameters
        y, last = seen(x - loc), self._last(*map(seen, shapes))
        k = np.floor(y)
        mass = method in ("pmf", "logpmf")
        inside = (k >= 0) & (k <= last if mass else k < last)
        if mass:
            inside = inside & (k == y)
        result = getattr(self, "_" + method)(where(inside, k, 0.0), *shapes)
        low, high = OUTSIDE[method]
        result = where(inside, result, where(y < 0, low, high))
        return where(self._valid(*map(seen, shapes)) & ~np.isnan(y), result, np.nan)

    def _logpmf(self, k: Array, *shapes: Array) -> Array:
        raise NotImplementedError

    def _pmf(self, k: Array, *shapes: Array) -> Array:
        return np.exp(self._logpmf(k, *shapes))


class Frozen:
    """A distribution with its parameters, as `norm(loc, scale)`."""

    def __init__(self, distribution: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.distribution, self.args, self.kwargs = distribution, args, kwargs

    def __repr__(self) -> str:
        return f"<frozen {self.distribution!r}>"

    def __getattr__(self, name: str) -> Any:
        if name in METHODS or name == "entropy":
            found = getattr(self.distribution, name)
            before = name != "entropy"  # the argument comes before the parameters
            return lambda *x, **kwargs: found(
                *(x if before else ()), *self.args, **self.kwargs, **kwargs
            )
        if is_recorded(self.args, self.kwargs):
            errors.unsupported(f"scipy.stats.{self.distribution.name}(...).{name} has no rule")
        return getattr(self.distribution.scipy(*self.args, **self.kwargs), name)
