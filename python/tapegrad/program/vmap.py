"""`tg.vmap`: a function of one instance made into one of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad.program import within
from tapegrad.program.batches import Batch, Group, Leaf, Runner, finished, same_structure, stacked
from tapegrad.program.signature import Arguments, arguments_of
from tapegrad.program.trace import Request
from tapegrad.program.traces import Traces
from tapegrad.pytree import Structure, flatten
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
    traces = Traces(f, name_of(f))

    def mapped(*args: Any, **kwargs: Any) -> Any:
        batch = Batch(args, kwargs, in_axes)
        if batch.count == 0:
            leaves, structure = _nothing(f, batch)
        elif _core.recording():
            leaves, structure = within.run(f, batch)
        else:
            leaves, structure = value(traces, batch, lambda i: _arguments(batch, i))
        return finished(leaves, structure, batch.count, out_axes)

    return derived(mapped, f, "vmap")


def _arguments(batch: Batch, i: int) -> Arguments:
    return arguments_of(*batch.instance(i))


def value(
    traces: Traces, batch: Batch, arguments: Callable[[int], Arguments], threads: int = 1
) -> tuple[list[Leaf], Structure]:
    """The leaves of the results of all instances, by programs."""
    groups = Runner(traces, batch, arguments, Request("value"), threads).run()
    structure = same_structure([group.trace.result.structure for group in groups])
    parts = [(group.rows, _leaves(group)) for group in groups]
    return stacked(parts, batch.count), structure


def _leaves(group: Group) -> list[Leaf]:
    result = group.trace.result
    leaves = [Leaf(constant, False) for constant in result.leaves]
    for place, found, carried in zip(result.computed, group.outputs, group.carries, strict=True):
        leaves[place] = Leaf(found, carried)
    return leaves


def _nothing(f: Callable[..., Any], batch: Batch) -> tuple[list[Leaf], Structure]:
    """Empty results: their shapes are those that `f` gives for an instance of ones."""
    args, kwargs = batch.like_one()
    with np.errstate(all="ignore"):
        leaves, structure = flatten(f(*args, **kwargs))
    empty = [np.asarray(_core.peek(leaf)) for leaf in leaves]
    return [Leaf(np.zeros((0, *leaf.shape), leaf.dtype), True) for leaf in empty], structure
