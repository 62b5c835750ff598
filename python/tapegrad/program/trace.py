"""One recording of a user's function, for one way through its branches, and its programs:
the function itself and its derivatives, each on first use."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad import _core
from tapegrad.program.signature import Arguments
from tapegrad.program.surroundings import readings
from tapegrad.pytree import LEAF, Structure, flatten
from tapegrad.transforms.inputs import Variable


class Result(NamedTuple):
    """How the result of the function is put together again."""

    structure: Structure
    leaves: list[Any]  # constants; None where a program computes the leaf
    computed: list[int]  # positions of the leaves that are outputs of the program

    def filled(self, values: Sequence[Any]) -> Any:
        leaves = [leaf.copy() if type(leaf) is np.ndarray else leaf for leaf in self.leaves]
        for place, value in zip(self.computed, values, strict=True):
            leaves[place] = value
        return self.structure.unflatten(leaves)


class Request(NamedTuple):
    """Which program of a trace is wanted; see `Trace.program`."""

    kind: str
    wrt: tuple[int, ...] = ()
    of: tuple[int, ...] = ()
    directions: int | None = 0


class BatchProgram(NamedTuple):
    """A program for many instances; see `Recording.batch`."""

    program: _core.Executable
    carries: list[bool]  # which outputs have the instances in front
    guards: list[int]  # which guard of the trace each guard of the program is
    checks: bool  # the last output says which guard each instance fails


class Failed(NamedTuple):
    """A replay whose guard number `guard` does not hold."""

    guard: int


class Trace:
    """A recording with its guards, and its programs by kind of derivative."""

    def __init__(
        self,
        recording: _core.Recording,
        result: Result,
        captured: _core.Captured | None,
        without: tuple[str, ...],
    ) -> None:
        self.recording = recording
        self.result = result
        self.captured = captured
        self.without = without
        self.guards: list[tuple[bytes, str, int]] = [
            (np.asarray(value).tobytes(), file, line) for value, file, line in recording.guards
        ]
        self._programs: dict[Request, _core.Executable] = {}
        self._batch_sources: dict[Request, _core.Recording] = {}
        self._batches: dict[tuple[Request, tuple[bool, ...]], dict[int, BatchProgram]] = {}

    def is_stale(self) -> bool:
        """Something that the recording had read besides its arguments has changed since."""
        return self.captured is not None and self.captured.changed()

    def program(
        self,
        kind: str,
        wrt: tuple[int, ...] = (),
        of: tuple[int, ...] = (),
        directions: int | None = 0,
    ) -> _core.Executable:
        """The executable of a kind of derivative of the outputs `of` (none: all), by the inputs.

        It computes, for `value` the outputs; for `gradient` the outputs and the derivatives of the
        only one; for `tangent` the outputs and their tangents; for `pullback`, `pushforward` and
        `hvp` the derivatives alone, in so many directions at once: seeds and results then carry
        them in front. None: in all unit directions, which are constants of the program; that is
        what `jacobian` and `hessian` are.
        """
        key = Request(kind, wrt, of, directions)
        found = self._programs.get(key)
        if found is None:
            made = self.derived(key)
            found = self._programs[key] = made.compile(list(self.without))
        return found

    def programs(self) -> list[tuple[Request, _core.Executable]]:
        """The programs made so far."""
        return list(self._programs.items())

    def derived(self, request: Request, without: Sequence[str] | None = None) -> _core.Recording:
        """The recording of a derivative; `without` passes other than those of the trace."""
        off = list(self.without if without is None else without)
        kind, wrt, of, directions = request
        recording = self.recording.select(list(of), off) if of else self.recording
        return _MAKERS[kind](recording, list(wrt), off, directions)

    def batch_source(self, request: Request) -> _core.Recording:
        """The recording of one instance that batches are made of."""
        found = self._batch_sources.get(request)
        if found is None:
            found = self._batch_sources[request] = self.derived(request)
        return found

    def batch_program(self, request: Request, mapped: tuple[bool, ...], count: int) -> BatchProgram:
        """The same for `count` instances at once, which the mapped inputs carry in front."""
        programs = self._batches.setdefault((request, mapped), {})
        found = programs.get(count)
        if found is None:
            without = list(self.without)
            made, *rest = self.batch_source(request).batch(list(mapped), count, without)
            found = programs[count] = BatchProgram(made.compile(without), *rest)
        return found

    def batch_sizes(self, request: Request, mapped: tuple[bool, ...]) -> Collection[int]:
        """For how many instances there is a program."""
        return self._batches.get((request, mapped), {}).keys()

    def is_number(self) -> bool:
        """The function returns one float64 number or array that depends on its arguments."""
        if self.result.structure is not LEAF or not self.result.computed:
            return False
        ((_, dtype),) = self.recording.outputs
        return bool(dtype == np.float64)

    def has_gradient(self) -> bool:
        """The function returns one real number that depends on its arguments."""
        if self.result.structure is not LEAF or not self.result.computed:
            return False
        ((shape, dtype),) = self.recording.outputs
        return bool(shape == () and dtype.kind == "f")

    def nbytes(self) -> int:
        """Bytes of the recording and of the programs made so far."""
        batches = [batch.program for sizes in self._batches.values() for batch in sizes.values()]
        programs = [*self._programs.values(), *batches]
        sources = sum(source.nbytes for source in self._batch_sources.values())
        made = sum(program.stats()["bytes"] for program in programs)
        return int(self.recording.nbytes + sources + made)

    def run(
        self,
        kind: str,
        wrt: tuple[int, ...],
        inputs: Sequence[Any],
        out: Sequence[Any] | None = None,
        threads: int = 0,
        of: tuple[int, ...] = (),
        directions: int | None = 0,
        raises: bool = False,
    ) -> list[Any] | Failed:
        """What a program computes from these inputs, or which guard does not hold there."""
        found = self.program(kind, wrt, of, directions).run(inputs, out, threads, raises)
        return Failed(found) if type(found) is int else found


def _tail(recording: _core.Recording, count: int, off: list[str]) -> _core.Recording:
    total = len(recording.outputs)
    return recording.select(list(range(total - count, total)), off)


Directions = int | None


def _value(r: _core.Recording, wrt: list[int], off: list[str], _: Directions) -> _core.Recording:
    return r.derive("value", [], off)


def _gradient(r: _core.Recording, wrt: list[int], off: list[str], _: Directions) -> _core.Recording:
    return r.derive("gradient", wrt, off)


def _tangent(r: _core.Recording, wrt: list[int], off: list[str], k: Directions) -> _core.Recording:
    count = _numbers(r.inputs[i] for i in wrt)
    return r.derive("tangent", wrt, off, count if k is None else k, k is None)


def _pullback(r: _core.Recording, wrt: list[int], off: list[str], k: Directions) -> _core.Recording:
    count = _numbers(r.outputs)
    return _tail(r.derive("adjoint", wrt, off, count if k is None else k, k is None), len(wrt), off)


def _pushforward(
    r: _core.Recording, wrt: list[int], off: list[str], k: Directions
) -> _core.Recording:
    return _tail(_tangent(r, wrt, off, k), len(r.outputs), off)


def _hvp(r: _core.Recording, wrt: list[int], off: list[str], k: Directions) -> _core.Recording:
    gradient = _tail(r.derive("gradient", wrt, off), len(wrt), off)
    return _pushforward(gradient, wrt, off, k)


def _jacobian(r: _core.Recording, wrt: list[int], off: list[str], _: Directions) -> _core.Recording:
    return (_pushforward if goes_forward(r, wrt) else _pullback)(r, wrt, off, None)


def _hessian(r: _core.Recording, wrt: list[int], off: list[str], _: Directions) -> _core.Recording:
    return _hvp(r, wrt, off, None)


def goes_forward(recording: _core.Recording, wrt: Sequence[int]) -> bool:
    """A Jacobian takes one direction for each input, not one for each output."""
    return _numbers(recording.inputs[i] for i in wrt) <= _numbers(recording.outputs)


def _numbers(metas: Iterable[tuple[tuple[int, ...], Any]]) -> int:
    return sum(math.prod(shape) for shape, _ in metas)


_MAKERS: dict[
    str, Callable[[_core.Recording, list[int], list[str], Directions], _core.Recording]
] = {
    "value": _value,
    "gradient": _gradient,
    "tangent": _tangent,
    "pullback": _pullback,
    "pushforward": _pushforward,
    "hvp": _hvp,
    "jacobian": _jacobian,
    "hessian": _hessian,
}


KINDS = tuple(_MAKERS)


def record_trace(
    f: Callable[..., Any], arguments: Arguments, without: tuple[str, ...]
) -> tuple[Trace, Any]:
    """Run `f` once, recorded: its trace, and what it returned as plain values."""
    tape = _core.Tape.enter(program=True)
    try:
        inputs = [tape.input(leaf, keep_dtype=True) for leaf in arguments.dynamic]
        leaves = list(arguments.leaves)
        for place, variable in zip(arguments.places, inputs, strict=True):
            leaves[place] = _core.copy(variable, True)
        args, kwargs = arguments.structure.unflatten(leaves)
        found, structure = flatten(f(*args, **kwargs))
        values = [_core.peek(leaf) for leaf in found]
        computed = [k for k, leaf in enumerate(found) if type(leaf) is Variable and leaf.recorded]
        outputs = [found[k] for k in computed]
        constants = [None if k in set(computed) else value for k, value in enumerate(values)]
        recording, captured = _core.finish_recording(inputs, outputs)
    finally:
        tape.leave()
    for container, key, value in readings(f):
        captured.watch(container, key, value)
    result = Result(structure, constants, computed)
    own = [value.copy() if type(value) is np.ndarray else value for value in values]
    return Trace(recording, result, captured, without), structure.unflatten(own)
