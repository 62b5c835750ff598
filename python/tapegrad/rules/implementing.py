"""`tg.implement`: rules for functions of NumPy and SciPy that have none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np

from tapegrad.functions.registry import IMPLEMENTATIONS, public_name
from tapegrad.functions.ufuncs import REGISTERED, has_rule

F = TypeVar("F", bound=Callable[..., Any])


@overload
def implement(function: Callable[..., Any], rule: F) -> F: ...
@overload
def implement(function: Callable[..., Any]) -> Callable[[F], F]: ...
def implement(function: Callable[..., Any], rule: Any = None) -> Any:
    """Let recordings call `rule` where plain NumPy code calls `function`.

    `function` is one of NumPy's, or any ufunc, such as those of scipy.special, that has no rule
    yet. `rule` takes the same arguments; it is a composition of functions that have rules, or a
    `tg.custom_rule` around `function` itself. Without `rule` a decorator is returned.

    Raises TypeError for functions that do not dispatch on their arguments, so that nothing can be
    put in their place: call the rule itself there. ValueError for one that has a rule.

    >>> import numpy as np, tapegrad as tg
    >>> from scipy import special
    >>> @tg.implement(special.exprel)
    ... def exprel(x):
    ...     return np.expm1(x) / x
    >>> round(tg.grad(special.exprel)(1.0), 12)
    1.0
    """
    if rule is None:
        return lambda rule: implement(function, rule)
    if not callable(rule):
        raise TypeError(f"implement: the rule is no function but a {type(rule).__name__}")
    wrapped = getattr(function, "__wrapped__", None)
    if isinstance(wrapped, np.ufunc):  # by SciPy, under SCIPY_ARRAY_API=1
        function = wrapped
    if isinstance(function, np.ufunc):
        if has_rule(function):
            raise ValueError(f"implement: the ufunc {function.__name__} has a rule already")
        REGISTERED[function] = rule
        return rule
    if not hasattr(function, "_implementation"):  # NumPy's dispatchers have one
        name = public_name(function) if callable(function) else repr(function)
        raise TypeError(
            f"implement: {name} does not dispatch on its arguments, so plain calls of it cannot "
            "be recorded. Call the rule itself; for a function of SciPy see whether tapegrad.scipy "
            "has it, and where there is none wrap the function in tg.custom_rule and call that"
        )
    if function in IMPLEMENTATIONS:
        raise ValueError(f"implement: {public_name(function)} has a rule already")
    IMPLEMENTATIONS[function] = rule
    return rule
