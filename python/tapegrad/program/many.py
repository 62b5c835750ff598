"""Values of many instances, from programs or within a recording: what `vmap` does."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad.program import within
from tapegrad.program.batches import Batch, Group, Many, Runner
from tapegrad.program.results import Leaf, finished, same_structure, stacked
from tapegrad.program.trace import Request
from tapegrad.pytree import Structure, flatten


def results(f: Any, many: Many, out_axes: Any = 0, threads: int = 0) -> Any:
    """The results of `f` for all instances."""
    batch = many.batch
    if batch.count == 0:
        leaves, structure = _nothing(f, batch)
    elif _core.recording():
        leaves, structure = within.run(f, batch)
    else:
        groups = Runner(many, Request("value"), threads).run() or []
        structure = same_structure([group.trace.result.structure for group in groups])
        leaves = stacked([(group.rows, _leaves(group)) for group in groups], batch.count)
    return finished(leaves, structure, batch.count, out_axes)


def _leaves(group: Group) -> list[Leaf]:
    result = group.trace.result
    leaves = [Leaf(constant, False) for constant in result.leaves]
    for place, found, carried in zip(result.computed, group.outputs, group.carries, strict=False):
        leaves[place] = Leaf(found, carried)
    return leaves


def _nothing(f: Any, batch: Batch) -> tuple[list[Leaf], Structure]:
    """Empty results: their shapes are those that `f` gives for an instance of ones."""
    args, kwargs = batch.like_one()
    with np.errstate(all="ignore"):
        leaves, structure = flatten(f(*args, **kwargs))
    empty = [np.asarray(_core.peek(leaf)) for leaf in leaves]
    return [Leaf(np.zeros((0, *leaf.shape), leaf.dtype), True) for leaf in empty], structure
