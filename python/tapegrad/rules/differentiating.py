"""`tg.differentiate_with`: one interface for exact, symbolic and numerical derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapegrad.rules.custom import CustomRule
from tapegrad.rules.numeric import METHODS
from tapegrad.transforms.recording import check_function


def differentiate_with(function: Callable[..., Any], method: str = "central") -> CustomRule:
    """`function`, for which all transforms use another way than recording it.

    For functions that cannot be recorded: compiled code, simulators, tables. What comes back takes
    the same arguments and works in `tg.grad`, `tg.jacobian`, `tg.hessian`, `tg.function`, `tg.vmap`
    and all others, mixed with recorded code as one likes.

    Args:
        function: of numbers and arrays, returning numbers, arrays or pytrees of them.
        method: "central" or "forward" differences, by `scipy.differentiate` with its control of
            the error: about 9 digits, with some 10 calls a direction. "complex-step": exact to
            rounding, for analytic code that computes with complex numbers, with one call and two
            more that check it; further orders by central differences of it. "sympy": `function` is
            called with SymPy's symbols (arrays of them for arrays), and SymPy differentiates what
            it returns, to any order.

    Gradients take one direction for each number in the arguments. Differences are taken in double
    precision, also by single precision arguments.

    Raises UnsupportedError from a derivative by the complex step where central differences show
    that the function is not analytic.

    >>> import numpy as np, tapegrad as tg
    >>> f = tg.differentiate_with(lambda x: np.exp(x) / (1 + x), "complex-step")
    >>> bool(abs(tg.grad(f)(1.0) - np.exp(1.0) / 4) < 1e-15)
    True
    """
    check_function(function, "differentiate_with")
    if method == "sympy":
        from tapegrad.rules.symbolic import by_symbols

        return by_symbols(function)
    if method not in METHODS:
        known = ", ".join((*METHODS, "sympy"))
        raise ValueError(f"differentiate_with: method={method!r} is none of {known}")
    return CustomRule(function, derivatives=method)
