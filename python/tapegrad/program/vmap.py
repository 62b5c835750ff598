"""`tg.vmap`: a function of one instance made into one of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapegrad.program.batches import Call, many_of
from tapegrad.program.many import results
from tapegrad.program.traces import Traces
from tapegrad.transforms.outputs import name_of
from tapegrad.transforms.recording import check_function, derived


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """The function that computes `f` for many instances at once.

    Args:
        f: takes and returns numbers, arrays or pytrees of them, for one instance.
        in_axes: which axis of each argument counts the instances: an integer for all, or a tuple
            with an entry for each positional argument: an integer, None for an argument that all
            instances share, or containers of these like the argument. Arrays passed by keyword
            have the instances on axis 0.
        out_axes: where the instances are in the result, likewise; None for results that are the
            same for all instances.

    Returns:
        A function of batches. `f` is recorded for one instance, and one program then runs all of
        them. Where `f` branches on values, instances that take the same way run together; each
        gives what a call of its own would give, up to the order of sums. The function composes with
        all derivatives, both ways.

    The function keeps its programs, one for each count of instances, and for more than a few counts
    programs of 1, 2, 4, 8, ... instances, filled up with copies. Very large batches run in parts.

    Raises ValueError where axes and lengths do not fit, or results of instances have different
    shapes or containers; TypeError for results that are no numbers.

    >>> import numpy as np, tapegrad as tg
    >>> tg.vmap(lambda x: x**2 if x > 0 else 0.0)(np.array([-1.0, 2.0, 3.0]))
    array([0., 4., 9.])
    >>> tg.vmap(tg.grad(lambda w, x: np.sum(w * x) ** 2), (None, 0))(np.ones(2), np.eye(2))
    array([[2., 0.],
           [0., 2.]])
    """
    check_function(f, "vmap")
    own = None if hasattr(f, "traces") else Traces(f, name_of(f))

    def mapped(*args: Any, **kwargs: Any) -> Any:
        return results(f, many_of(f, Call(args, kwargs, in_axes), own), out_axes)

    return derived(mapped, f, "vmap")
