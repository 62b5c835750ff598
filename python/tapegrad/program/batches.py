"""Many instances of one call: which programs run them.

The program of a trace runs all instances at once and says which of them would have taken another
branch; these go on to the next trace, or are recorded, until every instance has its result.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad import _core
from tapegrad.errors import BranchError
from tapegrad.program.axes import argument_axes, common_length, in_front, leaf_names
from tapegrad.program.finite import check, is_finite
from tapegrad.program.signature import Arguments, arguments_of
from tapegrad.program.trace import BatchProgram, Failed, Request, Trace
from tapegrad.program.traces import Traces
from tapegrad.pytree import flatten

# At most so many numbers at once, 2 MiB, which stay in the cache: larger batches run in parts.
MOST_NUMBERS = 2**18
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


class Call(NamedTuple):
    """What a batch is called with, and which arguments it is differentiated by."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    in_axes: Any
    differentiated: tuple[int, ...] = ()


class Many(NamedTuple):
    """A function and the arguments of a batch: together, and of one instance."""

    traces: Traces
    batch: Batch
    arguments: Callable[[int], Arguments]


def many_of(f: Any, call: Call, traces: Traces | None = None) -> Many:
    """The batch of a call of `f`. A `tg.function` brings its programs, others have `traces`."""
    args, kwargs, in_axes, differentiated = call
    if traces is not None:
        batch = Batch(args, kwargs, in_axes)
        return Many(traces, batch, _last(lambda i: arguments_of(*batch.instance(i))))
    args, in_axes = f.completed(args, kwargs, in_axes)
    batch = Batch(args, kwargs, in_axes)
    return Many(f.traces, batch, _last(lambda i: f.arguments(*batch.instance(i), differentiated)))


_last = functools.lru_cache(maxsize=1)  # the first instance is asked for more than once


class CannotCompute(Exception):
    """An op has raised: of a singular matrix, say."""


class Runner:
    """The instances of one batch on their way through the traces of a function."""

    def __init__(
        self,
        many: Many,
        request: Request,
        threads: int = 0,
        fits: Callable[[Trace], bool] = lambda _: True,
    ) -> None:
        self.traces, self.batch, self.arguments = many
        self.fits = fits
        self.request = request
        self.threads = threads
        first = self.arguments(0)
        self.key = first.key
        self.mapped = tuple(self.batch.mapped[place] for place in first.places)
        self.inputs = [
            self.batch.leaves[place] if mapped else value
            for place, mapped, value in zip(first.places, self.mapped, first.dynamic, strict=True)
        ]

    def run(self) -> list[Group] | None:
        """Groups that hold every instance; None if there is no such program for one of them."""
        trace = self.traces.first(self.key)
        if trace is None:
            trace, _ = self.traces.record(self.arguments(0))
        groups: list[Group] = []
        work: list[tuple[np.ndarray | None, Trace, list[Trace], bool]] = [(None, trace, [], False)]
        while work:
            rows, trace, tried, fresh = work.pop()
            if not self.fits(trace):
                return None
            try:
                outputs, program, failed = self._run(trace, rows)
            except CannotCompute:  # perhaps for an instance that belongs elsewhere
                groups += self._one_by_one(rows)
                continue
            if failed is None:
                groups.append(Group(trace, rows, outputs, program.carries))
                self.traces.note_hit(self.key, trace)
                self._watch(trace, rows, outputs, program.carries)
                continue
            if fresh and failed[0] >= 0:
                raise self._inconsistent(trace, int(failed[0]))
            every = np.arange(self.batch.count) if rows is None else rows
            good = failed < 0
            if good.any():
                parts = _picked(outputs, program.carries, good)
                groups.append(Group(trace, every[good], parts, program.carries))
                self.traces.note_hit(self.key, trace)
                self._watch(trace, every[good], parts, program.carries)
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
        inputs = [
            value[rows] if mapped and rows is not None else value
            for value, mapped in zip(self.inputs, self.mapped, strict=True)
        ]
        carries = [*program.carries, True] if program.checks else program.carries
        found = _core.run_batch(
            program.program, inputs, self.mapped, carries, count, lanes, self.threads
        )
        if type(found) is int:
            if found < 0:
                raise CannotCompute
            return [], program, np.full(count, float(program.guards[found]))
        if not program.checks:
            return found, program, None
        failed = found.pop()
        return found, program, failed if np.any(failed >= 0) else None

    def _watch(
        self, trace: Trace, rows: np.ndarray | None, outputs: list[Any], carries: Sequence[bool]
    ) -> None:
        """Under `tg.debug()`: the first instance with a result that is not finite is computed by
        itself, which raises."""
        if not _core.full_checks() or is_finite(outputs):
            return
        for k, i in enumerate(range(self.batch.count) if rows is None else rows):
            one = [v[k] if c else v for v, c in zip(outputs, carries, strict=False)]
            if not is_finite(one):
                arguments = self.arguments(int(i))
                name = f"{self.traces.name}, instance {i}"
                check(name, trace, self.request, arguments, arguments.dynamic)

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
    parts = -(-count // most)
    even = -(-count // parts)
    sizes = trace.batch_sizes(request, mapped)
    if even in sizes or (whole and len(sizes) < EXACT_COUNTS):
        return even
    return min(most, 1 << (count - 1).bit_length())


def _picked(outputs: list[Any], carries: Sequence[bool], which: np.ndarray) -> list[Any]:
    return [
        value[which] if carried else value for value, carried in zip(outputs, carries, strict=False)
    ]
