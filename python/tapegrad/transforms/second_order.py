"""Second order: Hessian-vector products, dense Hessians and Gauss-Newton products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tapegrad.transforms.directions import (
    blocks_of,
    check_chunk,
    chunk_size,
    moved_axes,
    rows_of,
)
from tapegrad.transforms.inputs import COMPLEX128, Argnums, Function, Variable, like
from tapegrad.transforms.recording import Run, as_tuple, check_function, derived, named, run_of


@dataclass(frozen=True, slots=True)
class Call:
    """What is differentiated, in which direction, and what f gets besides."""

    primals: tuple[Any, ...]
    tangents: tuple[Any, ...]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def record(self, run: Run) -> None:
        run.call(self.primals + self.args, self.kwargs, tuple(range(len(self.primals))))


def hvp(f: Function, primals: Any = None, tangents: Any = None) -> Any:
    """The product of the Hessian of the scalar function `f` and a vector, forward over reverse.

    `hvp(f, primals, tangents)` takes tuples with one entry for each argument of `f` and returns the
    product, a tuple if there are several arguments. `hvp(f)` returns a function of `(x, v, *args)`,
    the form that SciPy's `hessp` takes: the Hessian by `x`, times `v`; further arguments go to `f`.

    Costs a small multiple of `f`, whatever the size; the Hessian is never formed.

    Raises ValueError where shapes differ or the result of `f` is no scalar.

    >>> import numpy as np, tapegrad as tg
    >>> f = lambda x: np.sum(x**3)
    >>> tg.hvp(f)(np.array([1.0, 2.0]), np.array([1.0, 0.5]))
    array([6., 6.])
    >>> tg.hvp(f, (np.array([1.0, 2.0]),), (np.array([1.0, 0.5]),))
    array([6., 6.])
    """
    return _in_both_forms("hvp", f, primals, tangents, _hvp)


def _hvp(f: Function, call: Call) -> Any:
    run = run_of("hvp", f)
    found = run.hvp_at_once(call.primals, call.tangents, call.args, call.kwargs)
    if found is not None:
        return found
    with run:
        call.record(run)
        seeds = run.inputs.match(call.tangents, "hvp: tangents")
        return run.inputs.gather(run.second_order(run.scalar(), seeds))


def gauss_newton_product(
    f: Function, primals: Any = None, tangents: Any = None, *, loss: Function | None = None
) -> Any:
    """The Gauss-Newton product J^T H J v of the loss of a function.

    J is the Jacobian of `f`, and H the Hessian of the scalar function `loss` at the value of `f`.
    Without `loss` it is half the sum of squares, so that H is the identity and the product J^T J v,
    as in least squares. Called in the two forms of `hvp`.

    >>> import numpy as np, tapegrad as tg
    >>> residual = lambda x: np.array([1.0, 2.0, 3.0]) * x[0] - x[1]
    >>> tg.gauss_newton_product(residual)(np.zeros(2), np.array([1.0, 0.0]))
    array([14., -6.])
    """

    if loss is not None:
        check_function(loss, "gauss_newton_product")
    product = partial(_gauss_newton, loss=loss)
    return _in_both_forms("gauss_newton_product", f, primals, tangents, product)


def _gauss_newton(f: Function, call: Call, loss: Function | None) -> Any:
    with run_of("gauss_newton_product", f) as run:
        call.record(run)
        outputs = run.outputs()
        run.finish()
        run.hold_open()  # the loss is not recorded behind f, it has a recording of its own
    seeds = run.inputs.match(call.tangents, "gauss_newton_product: tangents")
    moved = run.tangent(seeds, outputs.variables)
    if loss is None:
        cotangents = [np.conj(t) for t in moved]
    else:
        curved = hvp(loss, (run.value,), (outputs.gather(moved),))
        cotangents = outputs.match(curved, "gauss_newton_product: loss")
    return run.inputs.gather(run.adjoint(outputs.variables, cotangents))


def _in_both_forms(
    transform: str, f: Function, primals: Any, tangents: Any, product: Callable[..., Any]
) -> Any:
    check_function(f, transform)
    if primals is None and tangents is None:

        def by_x(x: Any, v: Any, /, *args: Any, **kwargs: Any) -> Any:
            return product(f, Call((x,), (v,), args, kwargs))[0]

        return named(by_x, f, transform)
    primals = as_tuple(primals, transform, "primals")
    found = product(f, Call(primals, as_tuple(tangents, transform, "tangents")))
    return found[0] if len(primals) == 1 else found


def hessian(
    f: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk: int | None = None,
) -> Function:
    """The function that computes the dense Hessian of the scalar function `f`.

    Args:
        f: takes numbers, arrays or pytrees of them, and returns one real number.
        argnums: which positional argument to differentiate; a tuple gives a tuple of tuples, with
            the mixed derivatives off the diagonal.
        has_aux: `f` returns `(value, auxiliary)`; the result is then `(hessian, auxiliary)`.
        holomorphic: `f` is complex differentiable; without it complex arguments raise TypeError.
        chunk: how many columns go through the recording at once. By default as many as keep their
            numbers within 128 MiB.

    Returns:
        A function of the same arguments. Each array has the axes of one input twice (of two inputs
        one after the other), and is symmetric to the last bit.

    >>> import numpy as np, tapegrad as tg
    >>> tg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    check_chunk(chunk, "hessian")

    def second_derivatives(*args: Any, **kwargs: Any) -> Any:
        with run_of("hessian", f) as run:
            run.call(args, kwargs, argnums, has_aux, holomorphic)
            found = _hessian(run, run.scalar(holomorphic), holomorphic, chunk)
            run.finish()
        return (found, run.aux) if has_aux else found

    return derived(second_derivatives, f, "hessian")


def _hessian(run: Run, output: list[Variable], holomorphic: bool, chunk: int | None) -> Any:
    inputs = run.inputs.variables
    if not holomorphic and any(v.dtype == COMPLEX128 for v in inputs):
        raise TypeError(
            "hessian: a real function of complex numbers has no complex Hessian; take real and "
            "imaginary parts as arguments, or say holomorphic=True"
        )

    def sweep(seeds: list[Any], directions: int) -> list[Any]:
        return run.second_order(output, seeds, directions)

    rows = rows_of(sweep, inputs, inputs, chunk_size(run, chunk), 1.0)
    blocks = blocks_of(rows, inputs, inputs)
    places = range(len(inputs))
    return run.inputs.hold(
        [run.inputs.hold([_symmetric(run, blocks, i, j) for j in places]) for i in places]
    )


def _symmetric(run: Run, blocks: list[list[Any]], i: int, j: int) -> Any:
    """The derivative by inputs i and j: the mean of both orders, which differ by rounding."""
    ahead, behind = blocks[j][i], blocks[i][j]
    if not ahead.ndim:
        return like(run.inputs.leaves[i], 0.5 * (ahead + behind))
    return 0.5 * (ahead + moved_axes(behind, run.inputs.variables[j].ndim))
