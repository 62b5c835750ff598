"""NumPy's namespace made explicit: `import tapegrad.numpy as np`.

Every name of NumPy is here. Functions of recorded values are NumPy's own, which dispatch to
tapegrad.functions; functions that make arrays, which NumPy does not dispatch, give arrays inside a
recording that recorded values can be assigned to.

>>> import tapegrad as tg
>>> import tapegrad.numpy as np
>>> def f(x):
...     y = np.zeros(2)
...     y[0] = x**2
...     return np.sum(y)
>>> tg.grad(f)(3.0)
6.0
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as _np
from numpy import *  # noqa: F403

# Not `from tapegrad.numpy import`, which would find the one of NumPy that is already here.
import tapegrad.numpy.fft as fft  # noqa: F401
import tapegrad.numpy.linalg as linalg  # noqa: F401
import tapegrad.numpy.polynomial as polynomial  # noqa: F401
import tapegrad.numpy.random as random  # noqa: F401
from tapegrad.numpy.arrays import arange as arange
from tapegrad.numpy.arrays import array as array
from tapegrad.numpy.arrays import asanyarray as asanyarray
from tapegrad.numpy.arrays import asarray as asarray
from tapegrad.numpy.arrays import ascontiguousarray as ascontiguousarray
from tapegrad.numpy.arrays import asfortranarray as asfortranarray
from tapegrad.numpy.arrays import block as block
from tapegrad.numpy.arrays import column_stack as column_stack
from tapegrad.numpy.arrays import concatenate as concatenate
from tapegrad.numpy.arrays import dstack as dstack
from tapegrad.numpy.arrays import empty as empty
from tapegrad.numpy.arrays import eye as eye
from tapegrad.numpy.arrays import fromfunction as fromfunction
from tapegrad.numpy.arrays import fromiter as fromiter
from tapegrad.numpy.arrays import full as full
from tapegrad.numpy.arrays import hstack as hstack
from tapegrad.numpy.arrays import identity as identity
from tapegrad.numpy.arrays import ones as ones
from tapegrad.numpy.arrays import stack as stack
from tapegrad.numpy.arrays import tri as tri
from tapegrad.numpy.arrays import vstack as vstack
from tapegrad.numpy.arrays import zeros as zeros
from tapegrad.numpy.joiners import c_ as c_
from tapegrad.numpy.joiners import r_ as r_
from tapegrad.numpy.sequences import taking_sequences
from tapegrad.numpy.sorting import argsort as argsort
from tapegrad.numpy.sorting import sort as sort

concat = concatenate

for _name, _function in taking_sequences(_np).items():
    # What is imported above by name has its own way with sequences.
    if globals().get(_name) is getattr(_np, _name):
        globals()[_name] = _function


def __getattr__(name: str) -> Any:
    if name == "special":
        return importlib.import_module("tapegrad.numpy.special")  # which imports SciPy
    # What `import *` leaves out: submodules, deprecated names, dunder names.
    return getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np), *globals()})
