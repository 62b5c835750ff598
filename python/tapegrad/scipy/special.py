"""scipy.special with functions for recorded values in place of those that do not dispatch
(logsumexp, softmax, polygamma, spherical_jn, ...); its ufuncs dispatch by themselves.

>>> import numpy as np, tapegrad as tg
>>> from tapegrad.scipy import special
>>> tg.grad(lambda x: special.logsumexp(x))(np.zeros(2))
array([0.5, 0.5])
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as _special
from scipy.special import *  # noqa: F403

from tapegrad.functions.special import log_softmax as log_softmax
from tapegrad.functions.special import logsumexp as logsumexp
from tapegrad.functions.special import multigammaln as multigammaln
from tapegrad.functions.special import polygamma as polygamma
from tapegrad.functions.special import softmax as softmax
from tapegrad.functions.special import spherical_jn as spherical_jn
from tapegrad.functions.special import zeta as zeta

# Under SCIPY_ARRAY_API=1 SciPy wraps its ufuncs in functions that ask the arrays for a namespace,
# which must be one for all. The ufuncs themselves take plain arrays besides recorded ones.
for _name in dir(_special):
    _wrapped = getattr(getattr(_special, _name), "__wrapped__", None)
    if isinstance(_wrapped, np.ufunc) or (_wrapped and _wrapped is getattr(np, _name, None)):
        globals()[_name] = _wrapped


def __getattr__(name: str) -> Any:
    return getattr(_special, name)


def __dir__() -> list[str]:
    return sorted({*dir(_special), *globals()})
