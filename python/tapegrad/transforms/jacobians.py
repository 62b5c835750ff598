"""Dense Jacobians: many directions at once through one recording, forward or in reverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.transforms.directions import (
    blocks_of,
    check_chunk,
    chunk_size,
    count_of,
    moved_axes,
    rows_of,
)
from tapegrad.transforms.inputs import COMPLEX128, Argnums, Function, like
from tapegrad.transforms.outputs import Outputs, check_field
from tapegrad.transforms.recording import Run, derived, run_of


def jacobian(
    f: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk: int | None = None,
) -> Function:
    """The function that computes the Jacobian of `f`, forward or in reverse, whichever is cheaper.

    Args:
        f: takes and returns numbers, arrays or pytrees of them.
        argnums: which positional argument to differentiate; a tuple gives a tuple of Jacobians.
        has_aux: `f` returns `(value, auxiliary)`; the result is then `(jacobian, auxiliary)`.
        holomorphic: `f` is complex differentiable. Without it a Jacobian between complex numbers
            raises TypeError; that of a real result by z = x + iy is df/dx - i df/dy, as for `grad`.
        chunk: how many directions go through the recording at once. By default as many as keep
            their numbers within 128 MiB.

    Returns:
        A function of the same arguments. Each array of the result has the axes of the output, then
        the axes of the input. Pytrees: the containers of the output hold those of the input.

    >>> import numpy as np, tapegrad as tg
    >>> tg.jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """
    return _made("jacobian", f, None, (argnums, has_aux, holomorphic), chunk)


def jacfwd(
    f: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk: int | None = None,
) -> Function:
    """As `jacobian`, by forward mode: one direction for each number of the input."""
    return _made("jacfwd", f, True, (argnums, has_aux, holomorphic), chunk)


def jacrev(
    f: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk: int | None = None,
) -> Function:
    """As `jacobian`, by reverse mode: one direction for each number of the output."""
    return _made("jacrev", f, False, (argnums, has_aux, holomorphic), chunk)


def _made(
    transform: str,
    f: Function,
    forward: bool | None,
    options: tuple[Argnums, bool, bool],
    chunk: int | None,
) -> Function:
    argnums, has_aux, holomorphic = options
    check_chunk(chunk, transform)

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        with run_of(transform, f) as run:
            run.call(args, kwargs, argnums, has_aux, holomorphic)
            outputs = run.outputs()
            _check_fields(run, outputs, holomorphic)
            ahead = forward
            if ahead is None:
                ahead = count_of(run.inputs.variables) <= count_of(outputs.variables)
            blocks = (_forward if ahead else _reverse)(run, outputs, holomorphic, chunk)
            found = _assembled(run, outputs, blocks)
            run.finish()
        return (found, run.aux) if has_aux else found

    return derived(jacobian, f, transform)


def _check_fields(run: Run, outputs: Outputs, holomorphic: bool) -> None:
    from_complex = any(v.dtype == COMPLEX128 for v in run.inputs.variables)
    for output in outputs.variables:
        if holomorphic or (from_complex and output.dtype == COMPLEX128):
            check_field(output, run.f, run.transform, holomorphic)


def _forward(run: Run, outputs: Outputs, holomorphic: bool, chunk: int | None) -> list[list[Any]]:
    """Blocks [output][input]."""
    inputs, targets = run.inputs.variables, outputs.variables
    step = chunk_size(run, chunk)

    def rows(unit: complex) -> list[Any]:
        def sweep(seeds: list[Any], directions: int) -> list[Any]:
            return run.tangent(seeds, targets, directions)

        return rows_of(sweep, inputs, targets, step, unit)

    found = rows(1.0)
    if not holomorphic and any(v.dtype == COMPLEX128 for v in inputs):
        # A real f of z = x + iy: df/dx - i df/dy takes both directions.
        found = [dx - 1j * dy for dx, dy in zip(found, rows(1j), strict=True)]
    return [
        [moved_axes(block, source.ndim) for block, source in zip(row, inputs, strict=True)]
        for row in blocks_of(found, inputs, targets)
    ]


def _reverse(run: Run, outputs: Outputs, holomorphic: bool, chunk: int | None) -> list[list[Any]]:
    """Blocks [output][input]."""
    inputs, sources = run.inputs.variables, outputs.variables
    step = chunk_size(run, chunk)

    def rows(unit: complex) -> list[Any]:
        def sweep(seeds: list[Any], directions: int) -> list[Any]:
            return run.adjoint(sources, seeds, directions)

        return rows_of(sweep, sources, inputs, step, unit)

    found = rows(1.0)
    if not holomorphic and any(v.dtype == COMPLEX128 for v in sources):
        # Complex f of a real x: a seed c gives Re(c df), and Re(-i df) is the imaginary part.
        found = [re + 1j * im for re, im in zip(found, rows(-1j), strict=True)]
    blocks = blocks_of(found, sources, inputs)
    return [list(row) for row in zip(*blocks, strict=True)]


def _assembled(run: Run, outputs: Outputs, blocks: list[list[Any]]) -> Any:
    """The blocks in the containers of the output, each holding the containers of the input."""
    inputs = run.inputs
    filled: list[Any] = []
    rest = iter(blocks)
    for k, output in enumerate(outputs.leaves):
        if k in outputs.active:
            row = [_real(b, output, v) for b, v in zip(next(rest), inputs.variables, strict=True)]
        else:
            shape, dtype = outputs.metas[k]
            row = [np.zeros(shape + v.shape, dtype) for v in inputs.variables]
        numbers = [
            block if block.shape else like(leaf, block)
            for block, leaf in zip(row, inputs.leaves, strict=True)
        ]
        filled.append(inputs.hold(numbers))
    return outputs.hold(filled)


def _real(block: Any, output: Any, variable: Any) -> Any:
    """Beside complex leaves a block between real ones came out complex, without imaginary part."""
    wanted = COMPLEX128 in (output.dtype, variable.dtype)
    return block.real if block.dtype == COMPLEX128 and not wanted else block
