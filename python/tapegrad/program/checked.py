"""One-shot transforms under `tg.debug()`: a value or derivative that is not finite is computed once
more by a program, which knows the user's line of each op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tapegrad import _core
from tapegrad.errors import NonFiniteError
from tapegrad.program.finite import is_finite
from tapegrad.program.function import function
from tapegrad.program.replay import Replay
from tapegrad.pytree import flatten
from tapegrad.transforms.inputs import Argnums
from tapegrad.transforms.outputs import Outputs, name_of
from tapegrad.transforms.recording import Run

# On a replay, with its outputs that stand where the active ones of the recording did.
Again = Callable[[Replay, list[Any]], Any]


class CheckedRun(Run):
    """A recording whose outermost results are looked at. What is nested is part of them."""

    __slots__ = ("_active", "_called", "_open", "_pending")

    def __enter__(self) -> CheckedRun:
        super().__enter__()
        self._open = True
        self._pending: Again | None = None
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        self._open = False
        if self._pending is not None and kind is None:
            self._explain(self._pending)

    def call(
        self,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Argnums,
        has_aux: bool = False,
        holomorphic: bool = False,
    ) -> None:
        """Run the function, and look at its value."""
        self._called = args, kwargs, argnums, has_aux, holomorphic
        self._active: list[int] | None = None
        super().call(args, kwargs, argnums, has_aux, holomorphic)
        if not self.nested:
            leaves, _ = flatten(self.value)
            self._check(map(_core.peek, leaves), _nothing)

    def outputs(self) -> Outputs:
        """The value, a pytree, as outputs of sweeps."""
        found = super().outputs()
        self._active = found.active
        return found

    def adjoint(self, outputs: list[Any], seeds: list[Any], directions: int = 0) -> list[Any]:
        """The adjoints of the inputs, all finite."""
        found = super().adjoint(outputs, seeds, directions)
        self._check(found, lambda run, slots: run.adjoint(slots, seeds, directions))
        return found

    def tangent(self, seeds: list[Any], outputs: list[Any], directions: int = 0) -> list[Any]:
        """The tangents of the outputs, all finite."""
        found = super().tangent(seeds, outputs, directions)
        self._check(found, lambda run, slots: run.tangent(seeds, slots, directions))
        return found

    def second_order(
        self, outputs: list[Any], tangents: list[Any], directions: int = 0
    ) -> list[Any]:
        """The derivative of the gradient, all finite."""
        found = super().second_order(outputs, tangents, directions)
        self._check(found, lambda run, slots: run.second_order(slots, tangents, directions))
        return found

    def _check(self, found: Any, again: Again) -> None:
        """A second run needs a thread without a recording: it waits until this one is closed."""
        if self.nested or is_finite(found):
            return
        if not self._open:
            self._explain(again)
        if self._pending is None:
            self._pending = again

    def _explain(self, again: Again) -> NoReturn:
        """Raise NonFiniteError with what a second run of the function, recorded, shows."""
        try:
            replay = Replay(self.transform, function(self.f))
            replay.call(*self._called)
            leaves, _ = flatten(replay.value)
            places = range(len(leaves)) if self._active is None else self._active
            again(replay, [leaves[k] for k in places])
        except NonFiniteError:
            raise
        except Exception as error:  # the function does not do the same again
            why = f"a second run of it raised {type(error).__name__}: {error}"
        else:
            why = "a second run of it gave finite numbers"
        raise NonFiniteError(
            f"{self.transform} of {name_of(self.f)}: the result is not finite, and the op could "
            f"not be named: {why}",
            None,
        )


def _nothing(replay: Replay, slots: list[Any]) -> None:
    """The value has been looked at when the function is called."""
