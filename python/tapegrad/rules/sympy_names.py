"""NumPy code for expressions of SymPy: what stands for the names that it writes."""

from __future__ import annotations

import builtins
import dis
import functools
import types
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tapegrad import errors


def sympy_module() -> Any:
    """SymPy; ImportError with advice where it is not installed."""
    try:
        import sympy
    except ImportError:
        raise ImportError("this needs SymPy, which is not installed: pip install sympy") from None
    return sympy


def compiled(symbols: list[Any], parts: list[Any]) -> Any:
    """NumPy code for expressions; UnsupportedError that names what has none."""
    sympy = sympy_module()
    modules = [_own_functions(), "scipy", "numpy"]
    try:
        function = sympy.lambdify(symbols, parts, modules=modules, cse=True)
    except NotImplementedError:
        _refuse(_unprinted(parts))
    unknown = _names(function.__code__) - {*function.__globals__, *vars(builtins)}
    if unknown:
        _refuse(", ".join(sorted(unknown)))
    return function


def _refuse(what: str) -> NoReturn:
    errors.unsupported(
        f"from_sympy: NumPy and SciPy have no function for {what} of SymPy",
        "Evaluate it first (.doit(), .rewrite, sympy.expand_func), or write it in NumPy.",
    )


def _unprinted(parts: list[Any]) -> str:
    """The innermost class that SymPy cannot write as NumPy code."""
    from sympy.printing.numpy import SciPyPrinter

    sympy = sympy_module()
    for part in parts:
        for node in sympy.postorder_traversal(part):
            try:
                SciPyPrinter().doprint(node)
            except NotImplementedError:
                return type(node).__name__
    return "this expression"


def _names(code: types.CodeType) -> set[str]:
    """The global names of compiled code and of the functions in it."""
    inner = [_names(part) for part in code.co_consts if isinstance(part, types.CodeType)]
    return {n.argval for n in dis.get_instructions(code) if n.opname == "LOAD_GLOBAL"}.union(*inner)


def _special() -> Any:
    from tapegrad.scipy import special

    return special


@functools.cache
def _own_functions() -> dict[str, Callable[..., Any]]:
    """For names that SymPy writes and NumPy and SciPy lack or do not dispatch."""
    from tapegrad.scipy.integrate import quad

    special = _special()
    return {
        # SymPy writes the maximum of two as the amax of a tuple.
        "amax": lambda parts, axis=None: functools.reduce(np.maximum, parts),
        "amin": lambda parts, axis=None: functools.reduce(np.minimum, parts),
        "elliptic_e": special.ellipe,
        "elliptic_k": special.ellipk,
        "expint": _expint,
        "factorial": lambda x: special.gamma(x + 1.0),
        "hyper": _hyper,
        "jn": special.spherical_jn,
        "li": lambda x: special.expi(np.log(x)),
        "polygamma": special.polygamma,
        "psi": special.psi,
        "quad": quad,
    }


def _expint(order: Any, x: Any) -> Any:
    if isinstance(order, int) and order >= 0:
        return _special().expn(order, x)
    errors.unsupported("from_sympy: expint of an order that is no natural number has no function")


def _hyper(upper: tuple[Any, ...], lower: tuple[Any, ...], x: Any) -> Any:
    """The hypergeometric functions that SciPy has under a name for each number of parameters."""
    special = _special()
    named = {
        (0, 0): np.exp,
        (0, 1): special.hyp0f1,
        (1, 0): lambda a, x: (1.0 - x) ** -a,
        (1, 1): special.hyp1f1,
        (2, 1): special.hyp2f1,
    }
    function = named.get((len(upper), len(lower)))
    if function is None:
        errors.unsupported(
            f"from_sympy: hyper with {len(upper)} and {len(lower)} parameters has no function"
        )
    return function(*upper, *lower, x)
