"""Many instances of one call: which programs run them, and putting the results together.

The program of a trace runs all instances at once and says which of them would have taken another
branch; these go on to the next trace, or are recorded, until every instance has its result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad.errors import BranchError
from tapegrad.program.axes import (
    argument_axes,
    common_length,
    in_front,
    leaf_names,
    moved_back,
    spread,
)
from tapegrad.program.signature import Arguments, shape_of
from tapegrad.program.trace import BatchProgram, Failed, Request, Trace
from tapegrad.program.traces import Traces
from tapegrad.pytree import Structure, flatten
from tapegrad.transforms.inputs import Variable

# At most so many numbers at once: more instances run in several parts.
MOST_NUMBERS = 2**21
# So many different counts of instances have a program of just that size; others share programs of
# 1, 2, 4, 8, ... instances, filled up with copies of the last instance.
EXACT_COUNTS = 4


class Batch:
    """The arguments of a batch: leaves with the instances in front where they are mapped."""

    def __init__(self, args: Sequence[Any], kwargs: dict[str, Any], in_axes: Any) -> None:
        self.leaves, self.structure = flatten((tuple(args), kwargs))
        axes = argument_axes(in_axes, self.structure, self.leaves)
        names = leaf_names(self.structure)
        self.mapped = [axis is not None for axis in axes]
        lengths = {}
        for k, axis in enumerate(axes):
            if axis is not None:
                self.leaves[k] = in_front(self.leaves[k], axis, names[k])
                lengths[names[k]] = self.leaves[k].shape[0]
        self.count = common_length(lengths)

    def instance(self, i: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments of one instance."""
        leaves = [
            one_of(leaf, i) if mapped else leaf
            for leaf, mapped in zip(self.leaves, self.mapped, strict=True)
        ]
        args, kwargs = self.structure.unflatten(leaves)
        return args, kwargs

    def like_one(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of the shapes of an instance, for a batch that has none."""
        leaves = [
            one_of(np.ones((1, *leaf.shape[1:]), leaf.dtype), 0) if mapped else leaf
            for leaf, mapped in zip(self.leaves, self.mapped, strict=True)
        ]
        args, kwargs = self.structure.unflatten(leaves)
        return args, kwargs


def one_of(leaf: Any, i: int) -> Any:
    """Instance i of an array; a Python number where a call would have one."""
    value = leaf[i]
    if leaf.ndim > 1:
        return value
    if leaf.dtype == np.float64:
        return float(value)
    return value if leaf.dtype.kind in "fc" else np.asarray(value)


class Group(NamedTuple):
    """What one trace has computed: for which instances (None: all), and which of the outputs have
    them in front."""

    trace: Trace
    rows: np.ndarray | None
    outputs: list[Any]
    carries: Sequence[bool]


class Runner:
    """The instances of one batch on their way through the traces of a function."""

    def __init__(
        self,
        traces: Traces,
        batch: Batch,
        arguments: Callable[[int], Arguments],
        request: Request,
        threads: int = 1,
    ) -> None:
        self.traces = traces
        self.batch = batch
        self.arguments = arguments
        self.request = request
        self.threads = threads
        first = arguments(0)
        self.key = first.key
        self.mapped = tuple(batch.mapped[place] for place in first.places)
        self.inputs = [
            batch.leaves[place] if mapped else value
            for place, mapped, value in zip(first.places, self.mapped, first.dynamic, strict=True)
        ]

    def run(self) -> list[Group]:
        """Every instance is in one of the groups."""
        trace = self.traces.first(self.key)
        if trace is None:
            trace, _ = self.traces.record(self.arguments(0))
        groups: list[Group] = []
        work: list[tuple[np.ndarray | None, Trace, list[Trace], bool]] = [(None, trace, [], False)]
        while work:
            rows, trace, tried, fresh = work.pop()
            try:
                outputs, program, failed = self._run(trace, rows)
            except np.linalg.LinAlgError:  # perhaps of an instance that belongs elsewhere
                groups += self._one_by_one(rows)
                continue
            if failed is None:
                groups.append(Group(trace, rows, outputs, program.carries))
                self.traces.note_hit(self.key, trace)
                continue
            if fresh and failed[0] >= 0:
                raise self._inconsistent(trace, int(failed[0]))
            every = np.arange(self.batch.count) if rows is None else rows
            good = failed < 0
            if good.any():
                parts = _picked(outputs, program.carries, good)
                groups.append(Group(trace, every[good], parts, program.carries))
                self.traces.note_hit(self.key, trace)
            tried = [*tried, trace]
            for guard in np.unique(failed[~good]):
                rest = every[failed == guard]
                work.append(self._next(trace, tried, int(guard), rest))
        return groups

    def _next(
        self, trace: Trace, tried: list[Trace], guard: int, rows: np.ndarray
    ) -> tuple[np.ndarray, Trace, list[Trace], bool]:
        other = self.traces.next(self.key, tried, trace, guard)
        if other is not None:
            return rows, other, tried, False
        arguments = self.arguments(int(rows[0]))
        made, _ = self.traces.record(arguments, (trace, Failed(guard)))
        return rows, made, tried, True

    def _run(
        self, trace: Trace, rows: np.ndarray | None
    ) -> tuple[list[Any], BatchProgram, np.ndarray | None]:
        """Outputs for these instances, and for each the guard it fails, -1 for none; None if none
        fails any."""
        count = self.batch.count if rows is None else len(rows)
        lanes = lanes_for(trace, self.request, self.mapped, count, rows is None)
        program = trace.batch_program(self.request, self.mapped, lanes)
        parts = []
        failures = []
        for first in range(0, count, lanes):
            last = min(first + lanes, count)
            outputs, failed = self._part(program, rows, first, last, lanes)
            parts.append(outputs)
            failures.append(failed)
        failed = np.concatenate(failures) if len(failures) > 1 else failures[0]
        return (
            _joined(parts, program.carries),
            program,
            failed if np.any(failed >= 0) else None,
        )

    def _part(
        self, program: BatchProgram, rows: np.ndarray | None, first: int, last: int, lanes: int
    ) -> tuple[list[Any], np.ndarray]:
        """Instances `first` to `last`, filled up to the size of the program."""
        inputs = []
        for value, mapped in zip(self.inputs, self.mapped, strict=True):
            if mapped:
                value = value[first:last] if rows is None else value[rows[first:last]]
                if last - first < lanes:
                    filling = np.repeat(value[-1:], lanes - len(value), axis=0)
                    value = np.concatenate([value, filling])
            inputs.append(value)
        found = program.program.run(inputs, None, self.threads)
        if type(found) is int:
            return [], np.full(last - first, float(program.guards[found]))
        failed = found.pop()[: last - first] if program.checks else np.full(last - first, -1.0)
        if last - first < lanes:
            found = [
                value[: last - first] if carried else value
                for value, carried in zip(found, program.carries, strict=True)
            ]
        return found, failed

    def _one_by_one(self, rows: np.ndarray | None) -> list[Group]:
        kind, wrt, _, _ = self.request
        groups = []
        for i in range(self.batch.count) if rows is None else rows:
            replay = self.traces.run(self.arguments(int(i)), kind, wrt)
            outputs = [np.asarray(value)[None] for value in replay.outputs]
            groups.append(Group(replay.trace, np.array([i]), outputs, [True] * len(outputs)))
        return groups

    def _inconsistent(self, trace: Trace, guard: int) -> BranchError:
        _, file, line = trace.guards[guard]
        return BranchError(
            f"{self.traces.name}: in a batch, the branch at {file}:{line} goes another way than at "
            "the very instance it was recorded for; its condition depends on rounding, or on "
            "something other than the arguments"
        )


def lanes_for(
    trace: Trace, request: Request, mapped: tuple[bool, ...], count: int, whole: bool
) -> int:
    """How many instances the program takes that runs so many of them."""
    most = max(1, MOST_NUMBERS // max(1, trace.batch_source(request).elements))
    if count >= most:
        return most
    sizes = trace.batch_sizes(request, mapped)
    if count in sizes or (whole and len(sizes) < EXACT_COUNTS):
        return count
    return min(most, 1 << (count - 1).bit_length())


def _picked(outputs: list[Any], carries: Sequence[bool], which: np.ndarray) -> list[Any]:
    return [
        value[which] if carried else value
        for value, carried in zip(outputs, carries, strict=False)
    ]


def _joined(parts: list[list[Any]], carries: Sequence[bool]) -> list[Any]:
    """The outputs of all parts; of those that are the same for all instances, the first."""
    parts = [part for part in parts if part] or parts
    if len(parts) == 1:
        return parts[0]
    columns = zip(zip(*parts, strict=True), carries, strict=True)
    return [np.concatenate(column) if carried else column[0] for column, carried in columns]


# ---- results -------------------------------------------------------------------------------------


class Leaf(NamedTuple):
    """One leaf of the result of a group: a value, and whether it has the instances in front."""

    value: Any
    carried: bool


def stacked(groups: Sequence[tuple[Any, Sequence[Leaf]]], count: int) -> list[Leaf]:
    """The leaves of the groups, given as (instances or None for all, leaves), put together."""
    if len(groups) == 1:
        return list(groups[0][1])
    return [
        _together([(rows, leaves[k]) for rows, leaves in groups], count)
        for k in range(len(groups[0][1]))
    ]


def _together(parts: list[tuple[Any, Leaf]], count: int) -> Leaf:
    values = [leaf.value for _, leaf in parts]
    if not any(leaf.carried for _, leaf in parts) and all(_same(values[0], v) for v in values[1:]):
        return Leaf(values[0], False)
    arrays = [numeric(value) for value in values]
    shapes = {
        array.shape[leaf.carried :] for array, (_, leaf) in zip(arrays, parts, strict=True)
    }
    if len(shapes) > 1:
        raise ValueError(
            f"vmap: the instances give results of different shapes: {sorted(shapes)}; a batch "
            "needs one shape"
        )
    whole = np.empty((count, *shapes.pop()), np.result_type(*arrays))
    for array, (rows, _) in zip(arrays, parts, strict=True):
        whole[rows] = array
    return Leaf(whole, True)


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a is b or a == b)


def numeric(value: Any) -> Any:
    """A result as an array; TypeError if it is no number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fciub":
        raise TypeError(
            f"vmap: the function returned a {type(value).__name__}, which cannot be stacked; only "
            "numbers and arrays can, other results need out_axes=None"
        )
    return array


def finished(
    leaves: Sequence[Leaf], structure: Structure, count: int, out_axes: Any
) -> Any:
    """The result of the batch in the structure of the function's own."""
    axes = spread(out_axes, structure, "out_axes")
    names = structure.paths()
    filled = []
    for (value, carried), axis, name in zip(leaves, axes, names, strict=True):
        if axis is None:
            if carried:
                raise ValueError(
                    f"vmap: out_axes is None for the result{name}, which differs between instances"
                )
            filled.append(value)
            continue
        if not carried:
            array = value if isinstance(value, Variable) else numeric(value)
            value = np.broadcast_to(array, (count, *array.shape)).copy()
        filled.append(moved_back(value, axis, name))
    return structure.hold(filled)


def same_structure(structures: Sequence[Structure]) -> Structure:
    """The one structure of all results; ValueError if they differ."""
    first = structures[0]
    for other in structures[1:]:
        if shape_of(other) != shape_of(first):
            raise ValueError(
                "vmap: the instances return different containers, on different branches; a batch "
                "needs results of one structure"
            )
    return first
