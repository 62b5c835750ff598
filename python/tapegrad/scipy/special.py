"""scipy.special with logsumexp, softmax and log_softmax for recorded values; its ufuncs dispatch by
themselves.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy import special
>>> tg.grad(lambda x: special.logsumexp(x))(np.zeros(2))
array([0.5, 0.5])
"""

from __future__ import annotations

from typing import Any

import scipy.special as _special
from scipy.special import *  # noqa: F403

from tapegrad.functions.special import log_softmax as log_softmax
from tapegrad.functions.special import logsumexp as logsumexp
from tapegrad.functions.special import softmax as softmax


def __getattr__(name: str) -> Any:
    return getattr(_special, name)


def __dir__() -> list[str]:
    return sorted({*dir(_special), *globals()})
