"""Reverse mode: gradients and pullbacks, one adjoint sweep for any number of inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.transforms.inputs import Argnums, Function
from tapegrad.transforms.outputs import Outputs, check_field, name_of
from tapegrad.transforms.recording import Run, derived, run_of


def grad(
    f: Function, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Function:
    """The function that computes the gradient of the scalar function `f`.

    Args:
        f: takes numbers, arrays or pytrees of them, and returns one real number.
        argnums: which positional argument to differentiate: an integer (may be negative), or a
            tuple of them, which gives a tuple of gradients.
        has_aux: `f` returns `(value, auxiliary)`; the result is then `(gradient, auxiliary)`.
        holomorphic: `f` is complex differentiable; the result is its complex derivative.

    Returns:
        A function of the same arguments. The gradient has the containers, shapes and dtypes of the
        argument: floats for Python numbers, float64 for integers, complex128 for complex64. For a
        complex argument z = x + iy of a real function it is df/dx - i df/dy. What `f` does not use
        has gradient zero.

    Raises:
        ValueError: the result of `f` is not a scalar.
        TypeError: an argument or the result is no number, or a complex one where it must be real.

    >>> import numpy as np, tapegrad as tg
    >>> tg.grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    >>> tg.grad(lambda x, y: x * np.sin(y), argnums=(0, 1))(2.0, 0.0)
    (0.0, 2.0)
    """
    options = argnums, has_aux, holomorphic
    is_plain = not (has_aux or holomorphic)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        run = run_of("grad", f)
        if is_plain and (both := run.gradient_at_once(args, kwargs, argnums)):
            return both[1]
        found = _gradient(run, options, args, kwargs)
        return (found, run.aux) if has_aux else found

    return derived(gradient, f, "grad")


def value_and_grad(
    f: Function, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Function:
    """As `grad`, but the function returns `(value, gradient)`, or `((value, aux), gradient)`.

    >>> import tapegrad as tg
    >>> tg.value_and_grad(lambda x: x**3)(2.0)
    (8.0, 12.0)
    """
    options = argnums, has_aux, holomorphic
    is_plain = not (has_aux or holomorphic)

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        run = run_of("value_and_grad", f)
        if is_plain and (both := run.gradient_at_once(args, kwargs, argnums)):
            return both
        found = _gradient(run, options, args, kwargs)
        return ((run.value, run.aux), found) if has_aux else (run.value, found)

    return derived(value_and_gradient, f, "value_and_grad")


def _gradient(
    run: Run, options: tuple[Argnums, bool, bool], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    argnums, has_aux, holomorphic = options
    with run:
        run.call(args, kwargs, argnums, has_aux, holomorphic)
        output = run.scalar(holomorphic)
        adjoints = run.adjoint(output, [1.0] * len(output))
        run.finish()
        return run.inputs.gather(adjoints)


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `f` and its pullback, the product of a cotangent and the Jacobian.

    `pullback(cotangent)` takes a pytree like the result of `f` and returns a tuple with one
    derivative for each primal. It serves any number of cotangents, and may be differentiated.

    Returns `(value, pullback)`, with `has_aux` `(value, pullback, auxiliary)`.

    >>> import numpy as np, tapegrad as tg
    >>> y, pullback = tg.vjp(lambda x: np.array([3.0, 4.0]) * x, np.ones(2))
    >>> pullback(np.array([1.0, 0.0]))
    (array([3., 0.]),)
    """
    with run_of("vjp", f) as run:
        run.call(primals, {}, tuple(range(len(primals))), has_aux)
        outputs = run.outputs()
        run.finish()
        run.hold_open()

    def pullback(cotangent: Any) -> Any:
        """One derivative for each primal."""
        seeds = outputs.match(cotangent, "vjp: the cotangent")
        return run.inputs.gather(run.adjoint(outputs.variables, seeds))

    return (run.value, pullback, run.aux) if has_aux else (run.value, pullback)


def elementwise_grad(f: Function, argnums: Argnums = 0, holomorphic: bool = False) -> Function:
    """The derivative of an elementwise function at each element of its argument, by one sweep.

    `f` maps an array to an array of the same shape, each element depending on the same element of
    the input only. In general the result is the gradient of the sum of all that `f` returns.

    Raises ValueError if the result has another shape than the one array argument it is for.

    >>> import numpy as np, tapegrad as tg
    >>> tg.elementwise_grad(lambda x: x**2)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """

    def derivative(*args: Any, **kwargs: Any) -> Any:
        with run_of("elementwise_grad", f) as run:
            run.call(args, kwargs, argnums, False, holomorphic)
            outputs = run.outputs()
            _check_elementwise(run, outputs, holomorphic)
            seeds = [np.ones(output.shape, output.dtype) for output in outputs.variables]
            return run.inputs.gather(run.adjoint(outputs.variables, seeds))

    return derived(derivative, f, "elementwise_grad")


def _check_elementwise(run: Run, outputs: Outputs, holomorphic: bool) -> None:
    for output in outputs.variables:
        check_field(output, run.f, run.transform, holomorphic)
        shape = run.inputs.variables[0].shape
        if len(run.inputs.variables) == 1 and output.shape != shape:
            raise ValueError(
                f"elementwise_grad: {name_of(run.f)} is not elementwise: it took shape {shape} "
                f"and returned {output.shape}; use tg.jacobian"
            )
