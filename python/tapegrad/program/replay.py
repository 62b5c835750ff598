"""A call of a `tg.function` as the transforms see it: what they would get from sweeps over a
recording comes from programs instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad.program.finite import watch
from tapegrad.program.signature import Arguments, owned_by
from tapegrad.program.trace import Failed, Request, Trace
from tapegrad.transforms.inputs import Argnums, Inputs, Slot
from tapegrad.transforms.outputs import Outputs
from tapegrad.transforms.recording import Run

if TYPE_CHECKING:
    from tapegrad.program.function import Function
    from tapegrad.program.traces import Traces


class Replay(Run):
    """The part of `Run` for a function that has programs."""

    __slots__ = ("_arguments", "_result", "_trace", "_wrt")

    def __init__(self, transform: str, f: Function) -> None:
        super().__init__(transform, f)
        self.nested = False

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        pass

    def call(
        self,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Argnums,
        has_aux: bool = False,
        holomorphic: bool = False,
    ) -> None:
        """Find the trace for these arguments, recording it if there is none."""
        self._arguments, self._wrt = self._flat(args, kwargs, argnums)
        if holomorphic:
            self.check_complex()
        self._trace, values = self._traces().run(self._arguments, "value", ())
        slots, self._result = _slots(self._trace), self._trace.result.filled(values)
        self.value, self.aux = slots, None
        if has_aux:
            self.value, _ = self.split(slots)
            self._result, self.aux = self.split(self._result)

    def gradient_at_once(
        self, args: Sequence[Any], kwargs: dict[str, Any], argnums: Argnums
    ) -> tuple[Any, Any] | None:
        f: Any = self.f
        found: tuple[Any, Any] | None = f._gradient(self.transform, args, kwargs, argnums, None)
        return found

    def jvp_at_once(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        arguments, wrt, seeds = self._with_tangents(primals, tangents, (), {})
        replay = self._traces().run(arguments, "tangent", wrt, seeds)
        metas = replay.trace.recording.outputs
        if not all(dtype.kind in "fc" for _, dtype in metas):
            return None
        count = len(metas)
        outputs = Outputs(_slots(replay.trace), self.transform)
        moved = [replay.outputs[count + slot.index] for slot in outputs.variables]
        return replay.trace.result.filled(replay.outputs[:count]), outputs.gather(moved)

    def hvp_at_once(
        self,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        arguments, wrt, seeds = self._with_tangents(primals, tangents, args, kwargs)
        replay = self._traces().run_if_scalar(arguments, "hvp", wrt, seeds)
        return None if replay is None else self.inputs.gather(replay.outputs)

    def _traces(self) -> Traces:
        traces: Traces = self.f.traces  # type: ignore[attr-defined]
        return traces

    def _flat(
        self, args: Sequence[Any], kwargs: dict[str, Any], argnums: Argnums
    ) -> tuple[Arguments, tuple[int, ...]]:
        """The flat arguments, and which of them are differentiated."""
        self.inputs = Inputs(_slot, args, argnums, self.transform)
        positions = self.inputs.positions()
        arguments: Arguments = self.f.arguments(args, kwargs, positions)  # type: ignore[attr-defined]
        return arguments, tuple(i for n in positions for i in owned_by(arguments, n))

    def _with_tangents(
        self,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> tuple[Arguments, tuple[int, ...], list[Any]]:
        argnums = tuple(range(len(primals)))
        arguments, wrt = self._flat((*primals, *args), kwargs, argnums)
        return arguments, wrt, self.inputs.match(tangents, f"{self.transform}: tangents")

    def finish(self) -> None:
        """The plain result, for the caller."""
        self.value = self._result

    def hold_open(self) -> None:
        """Programs stay."""

    def numbers(self) -> int:
        """Numbers in the values of the recording: more than a direction holds in a program."""
        return int(self._trace.recording.elements)

    def adjoint(self, outputs: list[Any], seeds: list[Any], directions: int = 0) -> list[Any]:
        """The adjoints of the inputs, from cotangents for the outputs."""
        if not outputs:
            lanes = (directions,) if directions else ()
            return [np.zeros(lanes + v.shape, v.dtype) for v in self.inputs.variables]
        return self._run("pullback", outputs, seeds, directions)

    def tangent(self, seeds: list[Any], outputs: list[Any], directions: int = 0) -> list[Any]:
        """The tangents of the outputs, from tangents for the inputs."""
        return self._run("pushforward", outputs, seeds, directions) if outputs else []

    def second_order(
        self, outputs: list[Any], tangents: list[Any], directions: int = 0
    ) -> list[Any]:
        """The derivative of the gradient of the one output in the direction of the tangents."""
        if not outputs:
            return self.adjoint([], [], directions)
        return self._run("hvp", outputs, tangents, directions)

    def _run(self, kind: str, outputs: list[Any], seeds: list[Any], directions: int) -> list[Any]:
        inputs = [*self._arguments.dynamic, *seeds]
        of = tuple(slot.index for slot in outputs)
        found: list[Any] | Failed
        found = self._trace.run(kind, self._wrt, inputs, of=of, directions=directions)
        assert not isinstance(found, Failed), "the trace held for these arguments"
        request = Request(kind, self._wrt, of, directions)
        watch(self.f.traces.name, self._trace, request, self._arguments, inputs, found)  # type: ignore[attr-defined]
        return found


def _slots(trace: Trace) -> Any:
    """The result of a trace with a slot for each value."""
    return trace.result.filled([Slot(k, *m) for k, m in enumerate(trace.recording.outputs)])


def _slot(value: Any) -> Slot:
    array = np.asarray(value)
    return Slot(-1, array.shape, array.dtype)
