"""The traces of a function, one for each signature and way through its branches: finding the one
that is valid for an input, recording a new one where there is none."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, NoReturn

from tapegrad.errors import BranchError
from tapegrad.program.finite import watch
from tapegrad.program.signature import Arguments
from tapegrad.program.trace import Failed, Request, Trace, record_trace

POLICIES = ("rerecord", "raise", "warn")


class Replay(NamedTuple):
    """What a program computed, by which trace."""

    trace: Trace
    outputs: list[Any]


class Traces:
    """All traces of one function; may be used by several threads.

    `on_branch` says what happens when no trace of the signature is valid: record again, raise
    BranchError, or record again with a warning. At most `limit` traces are kept; the ones used
    least recently go first.
    """

    def __init__(
        self,
        f: Callable[..., Any] | None,
        name: str,
        on_branch: str = "rerecord",
        limit: int = 256,
        without: tuple[str, ...] = (),
    ) -> None:
        if on_branch not in POLICIES:
            raise ValueError(f"on_branch must be one of {POLICIES}, not {on_branch!r}")
        self.f = f
        self.name = name
        self.on_branch = on_branch
        self.limit = limit
        self.without = without
        self.by_key: OrderedDict[Hashable, list[Trace]] = OrderedDict()
        self.on_change: Callable[[], None] = _ignore
        self.hits = 0
        self.recorded = 0
        self.evicted = 0
        self._misses_in_a_row = 0
        self._lock = threading.RLock()

    def run(
        self,
        arguments: Arguments,
        kind: str,
        wrt: tuple[int, ...],
        extra: Sequence[Any] = (),
        out: Sequence[Any] | None = None,
        threads: int = 0,
    ) -> Replay:
        """The outputs of a program of the trace that is valid for the arguments."""
        inputs = [*arguments.dynamic, *extra]
        failed: tuple[Trace, Failed] | None = None
        tried: list[Trace] = []
        trace = self.first(arguments.key)
        while trace is not None:
            tried.append(trace)
            found = trace.run(kind, wrt, inputs, out, threads)
            if not isinstance(found, Failed):
                self.note_hit(arguments.key, trace)
                watch(self.name, trace, Request(kind, wrt), arguments, inputs, found)
                return Replay(trace, found)
            failed = (trace, found)
            trace = self.next(arguments.key, tried, trace, found.guard)
        trace, _ = self.record(arguments, failed)
        found = trace.run(kind, wrt, inputs, out, threads)
        if isinstance(found, Failed) and found.guard < 0:
            found = trace.run(kind, wrt, inputs, out, threads, raises=True)
        if isinstance(found, Failed):
            _, file, line = trace.guards[found.guard]
            raise BranchError(
                f"{self.name}: replayed at the very input it was recorded for, the branch at "
                f"{file}:{line} goes another way; its condition depends on rounding, or on "
                "something other than the arguments"
            )
        watch(self.name, trace, Request(kind, wrt), arguments, inputs, found)
        return Replay(trace, found)

    def run_if_scalar(
        self,
        arguments: Arguments,
        kind: str,
        wrt: tuple[int, ...],
        extra: Sequence[Any] = (),
        out: Sequence[Any] | None = None,
    ) -> Replay | None:
        """As `run` for a function that returns one real number; None if it is something else."""
        trace = self.first(arguments.key)
        if trace is None:
            trace, _ = self.record(arguments)
        if not trace.has_gradient():
            return None
        replay = self.run(arguments, kind, wrt, extra, out)
        return replay if replay.trace.has_gradient() else None

    def record(
        self, arguments: Arguments, failed: tuple[Trace, Failed] | None = None
    ) -> tuple[Trace, Any]:
        """A new trace, at the way that the function takes for these arguments."""
        if self.f is None:
            self.miss(failed)
        if failed is not None and self.on_branch != "rerecord":
            self._object(*failed)
        trace, value = record_trace(self.f, arguments, self.without)
        with self._lock:
            self.recorded += 1
            self._misses_in_a_row += 1
            self.by_key.setdefault(arguments.key, []).insert(0, trace)
            self.by_key.move_to_end(arguments.key)
            self._evict()
        if self._misses_in_a_row == 32:
            warnings.warn(
                f"{self.name} was recorded at each of its last 32 calls: a branch, an integer or a "
                "shape differs every time, and a program is no gain; call the function without "
                "tg.function, or see stats()",
                RuntimeWarning,
                stacklevel=4,
            )
        return trace, value

    def miss(self, failed: tuple[Trace, Failed] | None) -> NoReturn:
        """Say that the function itself, which could be recorded, is not there."""
        came = f"{self.name} came from a file or from pickle, without the function"
        if failed is None:
            raise ValueError(
                f"{came}: it has no program for arguments of these containers, shapes, dtypes or "
                "constants; call it with such arguments before saving"
            )
        trace, guard = failed
        _, file, line = trace.guards[guard.guard]
        raise BranchError(
            f"{came}, and takes another branch at {file}:{line} than in any of its programs; call "
            "it that way before saving"
        )

    def _object(self, trace: Trace, failed: Failed) -> None:
        if failed.guard < 0:
            message = f"{self.name} cannot be computed as it was recorded (a singular matrix, say)"
        else:
            _, file, line = trace.guards[failed.guard]
            message = f"{self.name} took another branch at {file}:{line} than when it was recorded"
        if self.on_branch == "raise":
            raise BranchError(message)
        warnings.warn(f"{message}; it is recorded again", RuntimeWarning, stacklevel=5)

    def first(self, key: Hashable) -> Trace | None:
        """The trace used last, of those whose captured arrays are unchanged."""
        with self._lock:
            traces = self.by_key.get(key)
            while traces and traces[0].is_stale():
                traces.pop(0)
                self.on_change()
            return traces[0] if traces else None

    def next(self, key: Hashable, tried: Sequence[Trace], trace: Trace, guard: int) -> Trace | None:
        """Another trace that takes the same way as `trace` up to a guard, and there differs.

        A negative guard stands for an op that could not be computed: any other trace may do.
        """
        with self._lock:
            for other in self.by_key.get(key, ()):
                if other not in tried and parts_at(trace, other, guard) and not other.is_stale():
                    return other
        return None

    def note_hit(self, key: Hashable, trace: Trace) -> None:
        """This trace was valid: it is tried first the next time."""
        with self._lock:
            self.hits += 1
            self._misses_in_a_row = 0
            traces = self.by_key.get(key, [])
            if trace in traces and traces[0] is not trace:
                traces.remove(trace)
                traces.insert(0, trace)

    def _evict(self) -> None:
        count = sum(map(len, self.by_key.values()))
        while count > self.limit:
            key, traces = next(iter(self.by_key.items()))
            traces.pop()
            if not traces:
                del self.by_key[key]
            self.evicted += 1
            self.on_change()
            count -= 1

    def all(self) -> list[Trace]:
        with self._lock:
            return [trace for traces in self.by_key.values() for trace in traces]


def parts_at(trace: Trace, other: Trace, guard: int) -> bool:
    """`other` takes the same way as `trace` up to this guard, and there another one."""
    if guard < 0:
        return True
    same_way = other.guards[:guard] == trace.guards[:guard]
    return same_way and len(other.guards) > guard and other.guards[guard] != trace.guards[guard]


def _ignore() -> None:
    pass
