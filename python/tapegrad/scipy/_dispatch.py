"""How the namespaces of this package choose between SciPy's function and the one for recorded
values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tapegrad.functions.memory_order import in_unknown_order
from tapegrad.functions.operands import has_variable


def for_recorded(original: Callable[..., Any], recorded: Callable[..., Any]) -> Callable[..., Any]:
    """`recorded` where an argument is a recorded value or a sequence of them, else `original`."""

    noted = in_unknown_order(recorded)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        chosen = has_variable(list(args)) or has_variable(list(kwargs.values()))
        return (noted if chosen else original)(*args, **kwargs)

    call.__doc__ = recorded.__doc__ or original.__doc__
    return call
