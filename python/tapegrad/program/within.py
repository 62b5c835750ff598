"""Batches within an open recording: one instance of each branch is recorded, and its ops are then
appended to the recording for all instances at once, so that outer derivatives go through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad import _core
from tapegrad.errors import BranchError
from tapegrad.program.batches import Batch
from tapegrad.program.results import Leaf, numeric, same_structure
from tapegrad.pytree import Structure, flatten
from tapegrad.transforms.inputs import Variable
from tapegrad.transforms.outputs import name_of


class One(NamedTuple):
    """A recorded instance."""

    recording: _core.Recording
    places: list[int]  # of the inputs among the leaves of the batch
    captured: list[Any]  # Variables from outside, the last inputs
    leaves: list[Any]  # of the result: constants; None where the recording computes the leaf
    computed: list[int]
    structure: Structure


def run(f: Callable[..., Any], batch: Batch) -> tuple[list[Leaf], Structure]:
    """The leaves of the results of all instances, as Variables where they were recorded."""
    pending = np.arange(batch.count)
    groups: list[tuple[np.ndarray, list[Leaf]]] = []
    structures = []
    while len(pending):
        one = _record(f, batch, int(pending[0]))
        try:
            good = _valid(one, batch, pending)
            leaves = _leaves(one, batch, pending[good])
        except np.linalg.LinAlgError:  # perhaps of an instance that belongs elsewhere
            one, leaves = _alone(f, batch, int(pending[0]))
            good = np.arange(len(pending)) == 0
        if not good[0]:
            raise BranchError(
                f"{name_of(f)}: in a batch, a branch goes another way than at the very instance it "
                "was recorded for; its condition depends on rounding"
            )
        groups.append((pending[good], leaves))
        structures.append(one.structure)
        pending = pending[~good]
    structure = same_structure(structures)
    if len(groups) == 1:
        return groups[0][1], structure
    return [_together([(r, g[k]) for r, g in groups]) for k in range(structure.size)], structure


def _record(f: Callable[..., Any], batch: Batch, i: int) -> One:
    """Instance i. What its arguments are made of outside is not looked at: they are new inputs."""
    mapped = [k for k, is_mapped in enumerate(batch.mapped) if is_mapped]
    plain = {k: _core.peek(batch.leaves[k])[i] for k in mapped}
    tape = _core.Tape.enter()
    instance = _core.Instance()
    try:
        inputs = [tape.input(np.asarray(plain[k]), keep_dtype=True) for k in mapped]
        leaves = list(batch.leaves)
        for k, variable in zip(mapped, inputs, strict=True):
            leaves[k] = _core.copy(variable, True)
        args, kwargs = batch.structure.unflatten(leaves)
        found, structure = flatten(f(*args, **kwargs))
        computed = [k for k, leaf in enumerate(found) if type(leaf) is Variable and leaf.recorded]
        recording, captured = instance.finish(inputs, [found[k] for k in computed])
    finally:
        instance.close()
        tape.leave()
    constants = [None if k in set(computed) else _core.peek(leaf) for k, leaf in enumerate(found)]
    return One(recording, mapped, captured, constants, computed, structure)


def _inputs(one: One, batch: Batch, rows: np.ndarray) -> list[Any]:
    whole = len(rows) == batch.count
    leaves = [batch.leaves[k] for k in one.places]
    return [leaf if whole else leaf[rows] for leaf in leaves] + one.captured


def _batched(one: One, count: int) -> tuple[_core.Recording, list[bool], bool]:
    marks = [True] * len(one.places) + [False] * len(one.captured)
    recording, carries, _, checks = one.recording.batch(marks, count)
    return recording, carries, checks


def _valid(one: One, batch: Batch, rows: np.ndarray) -> np.ndarray:
    """Which of the instances take the way of the recorded one: found without recording."""
    recording, _, checks = _batched(one, len(rows))
    if not checks:
        return np.ones(len(rows), bool)
    test = recording.select([len(recording.outputs) - 1])
    inputs = [_core.peek(value) for value in _inputs(one, batch, rows)]
    (failed,) = _core.append(test, inputs)
    return np.asarray(failed) < 0


def _leaves(one: One, batch: Batch, rows: np.ndarray) -> list[Leaf]:
    recording, carries, checks = _batched(one, len(rows))
    found = _core.append(recording, _inputs(one, batch, rows), checks)
    leaves = [Leaf(constant, False) for constant in one.leaves]
    for place, value, carried in zip(one.computed, found, carries, strict=False):
        leaves[place] = Leaf(value, carried)
    return leaves


def _alone(f: Callable[..., Any], batch: Batch, i: int) -> tuple[Any, list[Leaf]]:
    """One instance as a plain call within the recording."""
    args, kwargs = batch.instance(i)
    found, structure = flatten(f(*args, **kwargs))
    leaves = [Leaf(value, False) for value in found]
    return One(None, [], [], [], [], structure), leaves  # type: ignore[arg-type]


def _together(parts: Sequence[tuple[np.ndarray, Leaf]]) -> Leaf:
    """The results of groups in the order of the instances."""
    columns = []
    for rows, (value, carried) in parts:
        array = value if type(value) is Variable else numeric(value)
        shape = array.shape[carried:]
        columns.append(array if carried else np.broadcast_to(array, (len(rows), *shape)))
    shapes = {column.shape[1:] for column in columns}
    if len(shapes) > 1:
        raise ValueError(
            f"vmap: the instances give results of different shapes: {sorted(shapes)}; a batch "
            "needs one shape"
        )
    order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
    return Leaf(np.concatenate(columns)[order], True)
