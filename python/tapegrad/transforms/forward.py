"""Forward mode: tangents and pushforwards, one tangent sweep for any number of outputs."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tapegrad.transforms.inputs import Function
from tapegrad.transforms.outputs import name_of
from tapegrad.transforms.recording import as_tuple, check_function, derived, run_of


def jvp(f: Function, primals: Any, tangents: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `f(*primals)` and its derivative in the direction `tangents`.

    `primals` and `tangents` are tuples of the same length, each tangent a pytree like its primal.

    Returns `(value, tangent)`, the tangent a pytree like the value; with `has_aux`
    `(value, tangent, auxiliary)`.

    Raises ValueError where shapes or containers differ, TypeError where a tangent is no number or
    complex for a real primal.

    >>> import numpy as np, tapegrad as tg
    >>> tg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.5))
    (6.0, 4.0)
    """
    primals, tangents = as_tuple(primals, "jvp", "primals"), as_tuple(tangents, "jvp", "tangents")
    run = run_of("jvp", f)
    if not has_aux and (found := run.jvp_at_once(primals, tangents)):
        both: tuple[Any, Any] = found
        return both
    with run:
        run.call(primals, {}, tuple(range(len(primals))), has_aux)
        seeds = run.inputs.match(tangents, "jvp: tangents")
        outputs = run.outputs()
        tangent = outputs.gather(run.tangent(seeds, outputs.variables))
        run.finish()
    return (run.value, tangent, run.aux) if has_aux else (run.value, tangent)


def linearize(f: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `f` and its pushforward, the product of the Jacobian and a tangent.

    `pushforward(*tangents)` takes one tangent for each primal and returns a pytree like the result
    of `f`. `f` runs once; the pushforward serves any number of tangents.

    Returns `(value, pushforward)`, with `has_aux` `(value, pushforward, auxiliary)`.

    >>> import tapegrad as tg
    >>> y, pushforward = tg.linearize(lambda x: x**2, 3.0)
    >>> y, pushforward(1.0), pushforward(0.5)
    (9.0, 6.0, 3.0)
    """
    with run_of("linearize", f) as run:
        run.call(primals, {}, tuple(range(len(primals))), has_aux)
        outputs = run.outputs()
        run.finish()
        run.hold_open()

    def pushforward(*tangents: Any) -> Any:
        """The derivative of the result in this direction."""
        seeds = run.inputs.match(tangents, "linearize: tangents")
        return outputs.gather(run.tangent(seeds, outputs.variables))

    return (run.value, pushforward, run.aux) if has_aux else (run.value, pushforward)


def derivative(f: Function, order: int = 1) -> Function:
    """The derivative of given order of a function of one number, or of an elementwise function.

    For a number x, `f(x)` may have any shape; for an array each element of the result belongs to
    the same element of the argument. Further arguments are passed on to `f`. Forward mode within
    forward mode: the cost grows about as 3**order.

    Raises ValueError for a negative order, or if an array gives a result of another shape.

    >>> import numpy as np, tapegrad as tg
    >>> tg.derivative(lambda x: x**4, order=2)(np.array([1.0, 2.0]))
    array([12., 48.])
    """
    check_function(f, "derivative")
    order = operator.index(order)
    if order < 0:
        raise ValueError(f"derivative: the order must not be negative, got {order}")
    for _ in range(order):
        f = _slope(f)
    return f


def _slope(f: Function) -> Function:
    def slope(x: Any, *args: Any, **kwargs: Any) -> Any:
        with run_of("derivative", f) as run:
            run.call((x, *args), kwargs, 0)
            outputs = run.outputs()
            for output in outputs.variables:
                _check_elementwise(f, run.inputs.variables[0].shape, output.shape)
            ones = [np.ones(v.shape, v.dtype) for v in run.inputs.variables]
            return outputs.gather(run.tangent(ones, outputs.variables))

    return derived(slope, f, "derivative")


def _check_elementwise(f: Function, came: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if came not in ((), shape):
        raise ValueError(
            f"derivative: {name_of(f)} is not elementwise: it took shape {came} and returned "
            f"{shape}; use tg.jacobian"
        )
