"""One call of the user's function on the tape, from its arguments to its sweeps. Every transform is
a `with Run(...)` block around `call` and one or more sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad import _core, errors
from tapegrad.transforms.inputs import COMPLEX128, HANDLES, Argnums, Function, Inputs, Variable
from tapegrad.transforms.outputs import Outputs, name_of, plain, scalar

enter = _core.Tape.enter


def run_of(transform: str, f: Function) -> Run:
    """How a transform runs `f`: recorded, or by its programs if it is a `tg.function`."""
    if hasattr(f, "_replay") and not _core.recording():
        replay: Run = f._replay(transform)
        return replay
    return run_class(transform, f)


class Run:
    """A recording of `f`, open while in its `with` block.

    In the outermost recording of a thread sweeps give numbers; `nested` in another one, they are
    recorded, so that the outer derivative goes through them.
    """

    __slots__ = ("aux", "begin", "f", "inputs", "keep", "nested", "tape", "transform", "value")

    def __init__(self, transform: str, f: Function) -> None:
        self.transform = transform
        self.f = f
        self.keep = False

    def __enter__(self) -> Run:
        self.tape = enter()
        self.nested = self.tape.depth > 1
        self.begin = self.tape.mark()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.tape.leave(self.keep and kind is None)

    def call(
        self,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Argnums,
        has_aux: bool = False,
        holomorphic: bool = False,
    ) -> None:
        """Run the function: sets `inputs`, `value` and `aux`."""
        self.inputs = Inputs(self.tape.input, args, argnums, self.transform)
        if holomorphic:
            self.check_complex()
        result = self.f(*self.inputs.moved(), **kwargs)
        self.value: Any
        self.aux: Any
        self.value, self.aux = self.split(result) if has_aux else (result, None)

    def gradient_at_once(
        self, args: Sequence[Any], kwargs: dict[str, Any], argnums: Argnums
    ) -> tuple[Any, Any] | None:
        """Value and gradient, where there is a way without `call`; else None. So the others."""
        return None

    def jvp_at_once(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Value and tangent."""
        return None

    def hvp_at_once(
        self,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        """The product of the Hessian by the primals and the tangents."""
        return None

    def scalar(self, holomorphic: bool = False) -> list[Variable]:
        """The value as the output of a reverse sweep: nothing if it is constant."""
        output = scalar(self.value, self.f, self.transform, holomorphic)
        return [output] if type(output) in HANDLES and output.active else []

    def outputs(self) -> Outputs:
        """The value, a pytree, as outputs of sweeps."""
        return Outputs(self.value, self.transform)

    def finish(self) -> None:
        """Make `value` and `aux` plain for the caller, unless this recording is nested."""
        if not self.nested:
            self.value = plain(self.value)
            if self.aux is not None:
                self.aux = plain(self.aux)

    def hold_open(self) -> None:
        """Let the nodes outlive the block, for later sweeps."""
        self.keep = True
        self.inputs.metas()

    def numbers(self) -> int:
        """Numbers in the values of the recording: what a direction of a sweep may hold."""
        return self.tape.elements(self.begin)

    def adjoint(self, outputs: list[Variable], seeds: list[Any], directions: int = 0) -> list[Any]:
        """The adjoints of the inputs, from seeds for the outputs."""
        inputs = self.inputs.variables
        record = self._records(seeds)
        return self.tape.adjoint(outputs, seeds, inputs, self.begin, record, directions)

    def tangent(self, seeds: list[Any], outputs: list[Variable], directions: int = 0) -> list[Any]:
        """The tangents of the outputs, from seeds for the inputs."""
        inputs = self.inputs.variables
        record = self._records(seeds)
        return self.tape.tangent(inputs, seeds, outputs, self.begin, record, directions)

    def second_order(
        self, outputs: list[Variable], tangents: list[Any], directions: int = 0
    ) -> list[Any]:
        """The derivative of the gradient of the one output in the direction of the tangents."""
        inputs = self.inputs.variables
        if not outputs:
            return self.adjoint([], [], directions)
        if not self.nested:
            sweep = self.tape.second_order
            products: list[Any]
            _, _, products = sweep(
                outputs[0], 1.0, inputs, tangents, self.begin, directions, gradients=False
            )
            return products
        gradients = self.tape.adjoint(outputs, [1.0], inputs, self.begin, True)
        found = self.tangent(tangents, gradients, directions)
        lanes = (directions,) if directions else ()
        return [
            np.zeros(lanes + v.shape, v.dtype) if product is None else product
            for v, product in zip(inputs, found, strict=True)
        ]

    def _records(self, seeds: list[Any]) -> bool:
        """Whether a sweep is recorded: of a nested recording, or of a kept one within another."""
        if self.nested and not _core.recording():
            errors.recording(False)
        return self.nested or any(map(_is_variable, seeds))

    def split(self, result: Any) -> tuple[Any, Any]:
        if type(result) is not tuple or len(result) != 2:
            raise TypeError(
                f"{self.transform}: with has_aux=True {name_of(self.f)} must return "
                f"(value, auxiliary), it returned a {type(result).__name__}"
            )
        return result

    def check_complex(self) -> None:
        for k, variable in enumerate(self.inputs.variables):
            if variable.dtype != COMPLEX128:
                raise TypeError(
                    f"{self.transform}: holomorphic=True, but {self.inputs.name(k)} is "
                    f"{variable.dtype}; pass a complex number or array"
                )


def _is_variable(value: Any) -> bool:
    return type(value) is Variable


run_class = Run  # what transforms run a function by; `tg.debug` puts one here that looks at results


def derived(made: Function, f: Any, transform: str) -> Function:
    """`made`, which takes the arguments of `f`, with a name and the signature that follow `f`."""
    named(made, f, transform).__wrapped__ = f  # type: ignore[attr-defined]
    return made


def named(made: Function, f: Any, transform: str) -> Function:
    """`made` with a name that follows `f`; TypeError if `f` is no function."""
    check_function(f, transform)
    made.__name__ = made.__qualname__ = f"{transform}({name_of(f)})"
    return made


def check_function(f: Any, transform: str) -> None:
    """TypeError if `f` cannot be called."""
    if not callable(f):
        raise TypeError(f"{transform}: expected a function, got a {type(f).__name__}")


def as_tuple(values: Any, transform: str, what: str) -> tuple[Any, ...]:
    """`values` if it is a tuple or list with an entry for each argument."""
    if not isinstance(values, (tuple, list)):
        raise TypeError(
            f"{transform}: {what} must be a tuple with one entry for each argument, "
            f"got a {type(values).__name__}; for one argument write (x,)"
        )
    return tuple(values)
