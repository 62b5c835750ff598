"""Values and derivatives of a `tg.function` for many instances: `Function.batch`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tapegrad import _core
from tapegrad.program.batches import Call, Many, Runner, many_of
from tapegrad.program.many import results
from tapegrad.program.results import Leaf, stacked
from tapegrad.program.signature import owned_by
from tapegrad.program.trace import Request, Trace, goes_forward
from tapegrad.program.vmap import vmap
from tapegrad.transforms import jacobians, reverse, second_order
from tapegrad.transforms.inputs import FLOAT32, FLOAT64

if TYPE_CHECKING:
    from tapegrad.program.function import Function

TRANSFORMS: dict[str, Callable[..., Any]] = {
    "grad": reverse.grad,
    "value_and_grad": reverse.value_and_grad,
    "jacobian": jacobians.jacobian,
    "hessian": second_order.hessian,
}


class Options(NamedTuple):
    """How a batch runs."""

    kind: str
    in_axes: Any
    argnum: int
    threads: int


def batch(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> Any:
    """What `Function.batch` returns."""
    kind, in_axes, argnum, threads = options
    if kind == "value":
        return results(f, many_of(f, Call(args, kwargs, in_axes)), 0, threads)
    if kind not in TRANSFORMS:
        raise ValueError(f"batch: kind must be value or one of {list(TRANSFORMS)}, not {kind!r}")
    argnum = operator.index(argnum)
    if not -len(args) <= argnum < len(args):
        raise TypeError(f"batch: argnums={argnum}, but there are {len(args)} positional arguments")
    argnum %= len(args)
    found = None
    if not _core.recording():
        many = many_of(f, Call(args, dict(kwargs), in_axes, (argnum,)))
        if many.batch.count:
            found = _direct(kind, Derivatives(many, argnum, threads))
    if found is not None:
        return found
    return vmap(TRANSFORMS[kind](f, argnum), in_axes)(*args, **kwargs)


def _direct(kind: str, derivatives: Derivatives) -> Any:
    if not derivatives.real:
        return None
    if kind == "jacobian":
        return derivatives.jacobian()
    if kind == "hessian":
        return derivatives.hessian()
    found = derivatives.value_and_grad()
    return found[1] if found and kind == "grad" else found


class Derivatives:
    """Derivatives of a function of many instances by one argument, straight from its programs.

    `None` comes out where that is not enough, and the transforms have to be batched themselves.
    """

    def __init__(self, many: Many, argnum: int, threads: int) -> None:
        self.many = many
        self.threads = threads
        arguments = many.arguments(0)
        self.wrt = tuple(owned_by(arguments, argnum))
        self.shapes = [np.shape(arguments.dynamic[i]) for i in self.wrt]
        positional, _ = many.batch.structure.children
        self.structure = positional.children[argnum]
        self.real = len(self.wrt) == self.structure.size and all(
            np.asarray(arguments.dynamic[i]).dtype in (FLOAT64, FLOAT32) for i in self.wrt
        )
        self.edges = list(accumulate((int(np.prod(s)) for s in self.shapes), initial=0))

    def value_and_grad(self) -> tuple[Any, Any] | None:
        found = self._run("gradient", Trace.has_gradient)
        return None if found is None else (found[1][0], self.structure.hold(found[1][1:]))

    def jacobian(self) -> Any:
        found = self._run("jacobian", _is_one_array)
        if found is None:
            return None
        recording, rows = found
        ((shape, _),) = recording.outputs
        count = self.many.batch.count
        if not goes_forward(recording, self.wrt):
            blocks = zip(rows, self.shapes, strict=True)
            return self.structure.hold([row.reshape(count, *shape, *s) for row, s in blocks])
        return self.structure.hold(
            [_behind(block, len(s)) for block, s in self._cut(rows[0], shape)]
        )

    def hessian(self) -> Any:
        found = self._run("hessian", Trace.has_gradient)
        if found is None:
            return None
        # blocks[j][i]: the axes of input i, then those of input j.
        blocks = [self._cut(row, s) for row, s in zip(found[1], self.shapes, strict=True)]
        places = range(len(self.shapes))
        return self.structure.hold(
            [
                self.structure.hold(
                    [
                        0.5 * (blocks[j][i][0] + _behind(blocks[i][j][0], len(self.shapes[j])))
                        for j in places
                    ]
                )
                for i in places
            ]
        )

    def _cut(self, rows: Any, shape: tuple[int, ...]) -> list[tuple[Any, tuple[int, ...]]]:
        """Rows for all numbers of the inputs, one block for each input."""
        count = self.many.batch.count
        edges = zip(self.edges, self.edges[1:], self.shapes, strict=False)
        return [(rows[:, a:b].reshape(count, *s, *shape), s) for a, b, s in edges]

    def _run(
        self, kind: str, fits: Callable[[Trace], bool]
    ) -> tuple[_core.Recording, list[Any]] | None:
        groups = Runner(self.many, Request(kind, self.wrt), self.threads, fits).run()
        if groups is None:
            return None
        parts = [
            (g.rows, [Leaf(v, c) for v, c in zip(g.outputs, g.carries, strict=False)])
            for g in groups
        ]
        count = self.many.batch.count
        leaves = [
            value if carried else np.broadcast_to(value, (count, *np.shape(value))).copy()
            for value, carried in stacked(parts, count)
        ]
        return groups[0].trace.recording, leaves


def _is_one_array(trace: Trace) -> bool:
    return trace.is_number() and 0 not in trace.recording.outputs[0][0]


def _behind(block: Any, count: int) -> Any:
    """The `count` axes after that of the instances, moved to the end."""
    if count == 0:
        return block
    order = [0, *range(count + 1, block.ndim), *range(1, count + 1)]
    return block.transpose(order)
