"""scipy.fft with its Fourier transforms for recorded values.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy import fft
>>> tg.grad(lambda x: np.sum(np.abs(fft.rfft(x)) ** 2))(np.array([1.0, 0.0]))
array([4., 0.])

The module is a backend of scipy.fft too: with `scipy.fft.set_backend(tapegrad.scipy.fft)` code that
calls scipy.fft itself is differentiated. Transforms of single precision are computed in double.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.fft as _fft
from scipy.fft import *  # noqa: F403

from tapegrad.functions import fft as _transforms
from tapegrad.functions.operands import Array, has_variable, operand

_Axes = int | Sequence[int] | None


def _one(name: str, transform: Callable[..., Array]) -> Callable[..., Any]:
    """scipy.fft's transform `name` along one axis."""
    original = getattr(_fft, name)

    @functools.wraps(original)
    def call(
        x: Any,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        plan: Any = None,
    ) -> Any:
        if not has_variable(x):
            return original(x, n, axis, norm, overwrite_x, workers, plan=plan)
        return transform(x, n, axis, norm)

    return call


def _several(
    name: str, transform: Callable[..., Array], default: _Axes = None
) -> Callable[..., Any]:
    """scipy.fft's transform `name` over several axes."""
    original = getattr(_fft, name)

    @functools.wraps(original)
    def call(
        x: Any,
        s: _Axes = None,
        axes: _Axes = default,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        plan: Any = None,
    ) -> Any:
        if not has_variable(x):
            return original(x, s, axes, norm, overwrite_x, workers, plan=plan)
        return transform(x, _listed(s), _listed(axes), norm)

    return call


def _listed(numbers: _Axes) -> Sequence[int] | None:
    return (numbers,) if isinstance(numbers, (int, np.integer)) else numbers


def _hfftn(x: Any, s: Any, axes: Any, norm: str | None) -> Array:
    return _transforms.irfftn(np.conjugate(operand(x)), s, axes, _transforms.swapped(norm))


def _ihfftn(x: Any, s: Any, axes: Any, norm: str | None) -> Array:
    return np.conjugate(_transforms.rfftn(x, s, axes, _transforms.swapped(norm)))


fft = _one("fft", _transforms.fft)
ifft = _one("ifft", _transforms.ifft)
rfft = _one("rfft", _transforms.rfft)
irfft = _one("irfft", _transforms.irfft)
hfft = _one("hfft", _transforms.hfft)
ihfft = _one("ihfft", _transforms.ihfft)
fftn = _several("fftn", _transforms.fftn)
ifftn = _several("ifftn", _transforms.ifftn)
rfftn = _several("rfftn", _transforms.rfftn)
irfftn = _several("irfftn", _transforms.irfftn)
hfftn = _several("hfftn", _hfftn)
ihfftn = _several("ihfftn", _ihfftn)
fft2 = _several("fft2", _transforms.fftn, (-2, -1))
ifft2 = _several("ifft2", _transforms.ifftn, (-2, -1))
rfft2 = _several("rfft2", _transforms.rfftn, (-2, -1))
irfft2 = _several("irfft2", _transforms.irfftn, (-2, -1))
hfft2 = _several("hfft2", _hfftn, (-2, -1))
ihfft2 = _several("ihfft2", _ihfftn, (-2, -1))


# The protocol of scipy.fft's backends.
__ua_domain__ = "numpy.scipy.fft"


def __ua_function__(method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    x = args[0] if args else kwargs.get("x")
    ours = globals().get(method.__name__)
    return ours(*args, **kwargs) if callable(ours) and has_variable(x) else NotImplemented


def __getattr__(name: str) -> Any:
    return getattr(_fft, name)


def __dir__() -> list[str]:
    return sorted({*dir(_fft), *globals()})
