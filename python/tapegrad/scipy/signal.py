"""scipy.signal with convolve, fftconvolve, oaconvolve, correlate, lfilter and sosfilt for recorded
values.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy import signal
>>> tg.grad(lambda x: np.sum(signal.lfilter([0.5], [1.0, -0.5], x)))(np.ones(3))
array([0.875, 0.75 , 0.5  ])
"""

from __future__ import annotations

from typing import Any

import scipy.signal as _signal
from scipy.signal import *  # noqa: F403

from tapegrad.functions import signal as _functions
from tapegrad.scipy._dispatch import for_recorded

convolve = for_recorded(_signal.convolve, _functions.convolve)
correlate = for_recorded(_signal.correlate, _functions.correlate)
fftconvolve = for_recorded(_signal.fftconvolve, _functions.fftconvolve)
lfilter = for_recorded(_signal.lfilter, _functions.lfilter)
oaconvolve = for_recorded(_signal.oaconvolve, _functions.oaconvolve)
sosfilt = for_recorded(_signal.sosfilt, _functions.sosfilt)


def __getattr__(name: str) -> Any:
    return getattr(_signal, name)


def __dir__() -> list[str]:
    return sorted({*dir(_signal), *globals()})
