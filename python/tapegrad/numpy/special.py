"""The extension `special` of the array API standard, in which SciPy looks for special functions of
recorded values under SCIPY_ARRAY_API=1. Users call tapegrad.scipy.special."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions.ufuncs import has_rule
from tapegrad.scipy import special as _special


def __getattr__(name: str) -> Any:
    found = getattr(_special, name)
    # Of those without a rule SciPy then takes its own, for arrays that carry no derivative.
    if isinstance(found, np.ufunc) and not has_rule(found):
        raise AttributeError(f"the ufunc {name} has no derivative rule")
    return found
