"""tapegrad: exact derivatives of ordinary NumPy code, from a flat C++ tape.

>>> import numpy as np, tapegrad as tg
>>> tg.grad(lambda x: np.sum(x**2))(np.ones(3))
array([2., 2., 2.])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# `functions` gives Variable the methods of ndarray.
from tapegrad import functions as _functions  # noqa: F401
from tapegrad import testing
from tapegrad._core import Variable
from tapegrad.draw import draw
from tapegrad.errors import (
    BranchError,
    DetachedError,
    NonFiniteError,
    RecordingError,
    UnsupportedError,
)
from tapegrad.program import (
    Function,
    Program,
    backends,
    debug,
    function,
    record,
    set_threads,
    trace_report,
    vmap,
)
from tapegrad.pytree import register_pytree
from tapegrad.rules import (
    CustomRule,
    custom_rule,
    differentiate_with,
    from_sympy,
    hook,
    implement,
)
from tapegrad.transforms import (
    derivative,
    elementwise_grad,
    gauss_newton_product,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    stop_gradient,
    value_and_grad,
    vjp,
)

if TYPE_CHECKING:
    from tapegrad import numpy as numpy
    from tapegrad import ode as ode
    from tapegrad import scipy as scipy

__version__ = "0.1.0"

__all__ = [
    "BranchError",
    "CustomRule",
    "DetachedError",
    "Function",
    "NonFiniteError",
    "Program",
    "RecordingError",
    "UnsupportedError",
    "Variable",
    "backends",
    "custom_rule",
    "debug",
    "derivative",
    "differentiate_with",
    "draw",
    "elementwise_grad",
    "from_sympy",
    "function",
    "gauss_newton_product",
    "grad",
    "hessian",
    "hook",
    "hvp",
    "implement",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linearize",
    "numpy",
    "ode",
    "record",
    "register_pytree",
    "set_threads",
    "stop_gradient",
    "testing",
    "trace_report",
    "value_and_grad",
    "vjp",
    "vmap",
]


# Loaded when somebody asks for them; the last two need the library of that name.
_ON_DEMAND = ("numpy", "ode", "scipy", "torch", "jax")


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        import importlib

        return importlib.import_module(f"tapegrad.{name}")
    raise AttributeError(f"module 'tapegrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
