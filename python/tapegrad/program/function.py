"""`tg.function`: a function that is recorded on first use and replayed from then on, and its
derivatives."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

from tapegrad import _core
from tapegrad.program import dense, derivatives, explain, profile, saving, views
from tapegrad.program.inline import inlined
from tapegrad.program.replay import Replay
from tapegrad.program.signature import Arguments, arguments_of, is_plain, owned_by
from tapegrad.program.trace import Trace
from tapegrad.program.traces import Traces
from tapegrad.transforms import forward, jacobians, reverse, second_order
from tapegrad.transforms.inputs import Argnums, Inputs
from tapegrad.transforms.outputs import name_of
from tapegrad.transforms.recording import check_function

if TYPE_CHECKING:
    from tapegrad.draw.drawing import Drawing


class Function(_core.FastCall):
    """What `tg.function` makes: call it like the function itself, or ask it for derivatives.

    One program is kept for each signature (containers, shapes and dtypes of the arguments, values
    of integers, strings and static arguments) and each way through the branches. A replay checks
    every branch that the recording took, and never returns the result of another one.
    """

    def __init__(self, f: Callable[..., Any], static: frozenset[int | str], traces: Traces) -> None:
        functools.update_wrapper(self, f)
        self.traces = traces
        self._static = static
        # Plain calls go straight to the programs that were used last.
        self.value_and_grad = _core.FastCall(self._value_and_grad)
        self.grad = _core.FastCall(self._grad)
        self.hvp = _core.FastCall(self._hvp)
        traces.on_change = self._forget
        FUNCTIONS.add(self)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the function at these arguments."""
        if _core.recording():  # within another recording it is part of it
            f = self.traces.f
            return f(*args, **kwargs) if f else inlined(self.traces, self.arguments, args, kwargs)
        arguments = self.arguments(args, kwargs)
        replay = self.traces.run(arguments, "value", ())
        if replay.trace.is_number() and is_plain(arguments) and not _core.full_checks():
            self.enter(replay.trace.program("value"), replay.trace.captured, VALUE)
        return replay.trace.result.filled(replay.outputs)

    def __repr__(self) -> str:
        return f"<tapegrad.function of {self.traces.name}>"

    def _value_and_grad(
        self, *args: Any, argnums: Argnums = 0, out: Any = None, **kwargs: Any
    ) -> tuple[Any, Any]:
        """`(value, gradient)`; `out`, arrays like the gradient, are filled and returned."""
        found = self._gradient("value_and_grad", args, kwargs, argnums, out)
        return found if found else reverse.value_and_grad(self, argnums)(*args, **kwargs)

    def _grad(self, *args: Any, argnums: Argnums = 0, out: Any = None, **kwargs: Any) -> Any:
        """The gradient of a scalar function; `out` as in `value_and_grad`."""
        found = self._gradient("grad", args, kwargs, argnums, out)
        return found[1] if found else reverse.grad(self, argnums)(*args, **kwargs)

    def jvp(self, primals: Any, tangents: Any) -> tuple[Any, Any]:
        """`(value, tangent)`, as `tg.jvp`."""
        value, tangent = forward.jvp(self, primals, tangents)
        return value, tangent

    def vjp(self, *primals: Any) -> tuple[Any, Any]:
        """`(value, pullback)`, as `tg.vjp`."""
        value, pullback = reverse.vjp(self, *primals)
        return value, pullback

    def _hvp(self, x: Any, v: Any, /, *args: Any, **kwargs: Any) -> Any:
        """The Hessian by the first argument, times `v`."""
        found = second_order.hvp(self)(x, v, *args, **kwargs)
        if not (args or kwargs or _core.recording() or _core.full_checks()):
            arguments = self.arguments((x,), {})
            trace = self.traces.first(arguments.key)
            if trace is not None and trace.has_gradient() and is_plain(arguments):
                self.hvp.enter(trace.program("hvp", (0,)), trace.captured, VALUE)
        return found

    def jacobian(self, *args: Any, argnums: Argnums = 0, **kwargs: Any) -> Any:
        """The dense Jacobian, as `tg.jacobian`."""
        found = dense.jacobian(self, args, kwargs, argnums)
        return found if found is not None else jacobians.jacobian(self, argnums)(*args, **kwargs)

    def hessian(self, *args: Any, argnums: Argnums = 0, **kwargs: Any) -> Any:
        """The dense Hessian, as `tg.hessian`."""
        found = dense.hessian(self, args, kwargs, argnums)
        return found if found is not None else second_order.hessian(self, argnums)(*args, **kwargs)

    def batch(
        self,
        *args: Any,
        kind: str = "value",
        in_axes: Any = 0,
        argnums: int = 0,
        threads: int = 0,
        **kwargs: Any,
    ) -> Any:
        """The results for many instances at once, with the instances on axis 0, as `tg.vmap`.

        `kind` is "value", "grad", "value_and_grad", "jacobian" or "hessian", of each instance, by
        the argument `argnums`. `in_axes` is as in `tg.vmap`: None for arguments that all instances
        share. `threads`: how many may share the work; 0 for what `tg.set_threads` says.

        >>> import numpy as np, tapegrad as tg
        >>> F = tg.function(lambda x: np.sum(x**2))
        >>> F.batch(np.eye(2)), F.batch(np.eye(2), kind="grad")
        (array([1., 1.]), array([[2., 0.],
               [0., 2.]]))
        """
        options = derivatives.Options(kind, in_axes, argnums, threads)
        return derivatives.batch(self, args, kwargs, options)

    def completed(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], in_axes: Any
    ) -> tuple[tuple[Any, ...], Any]:
        """All positional arguments of a batch, and their axes."""
        return args, in_axes

    def hessian_operator(self, x: Any, /, *args: Any, **kwargs: Any) -> Any:
        """The Hessian at `x`, an array, as a SciPy LinearOperator of shape (x.size, x.size)."""
        from scipy.sparse.linalg import LinearOperator

        def product(v: Any) -> Any:
            return self.hvp(x, v.reshape(x.shape), *args, **kwargs).reshape(-1)

        return LinearOperator((x.size, x.size), matvec=product, rmatvec=product, dtype=x.dtype)

    def stats(self) -> dict[str, Any]:
        """Counts of traces, hits and re-records; nodes, guards and bytes, and by kind of program.

        `nodes` and `guards` are those of the recordings, `bytes` those of recordings and programs;
        `programs` says for each kind (value, gradient, hvp, ...) how many there are, and their
        steps: loops (fused groups), pieces of scalar code and calls of whole ops.
        """
        calls = self.hits + sum(call.hits for call in self._calls())
        return views.stats(self.traces, calls)

    def listing(self, kind: str = "value", optimised: bool = True) -> str:
        """The trace used last as text: how a kind of program runs, or the nodes it is made from.

        `kind` is value, gradient, tangent, pullback, pushforward, hvp, jacobian or hessian, by the
        first argument. With `optimised=False`: the nodes before any simplification.
        """
        return views.listing(self.latest(), kind, optimised)

    def draw(self, kind: str = "value", optimised: bool = False) -> Drawing:
        """The nodes of the trace used last as a picture; the result is that of `tg.draw`."""
        return views.draw(self.latest(), kind, optimised)

    def profile(
        self, *args: Any, kind: str = "value", repeats: int = 0, **kwargs: Any
    ) -> profile.Profile:
        """Where the time of one call goes: by op, by line of the function, by step.

        The steps run one by one on one thread, `repeats` times (0: for about half a second), and
        the fastest run of each counts. `kind` is as in `listing`; seeds are ones. `str()` of the
        result is a table. Raises what a call of the function raises.
        """
        return profile.profile(self, args, kwargs, kind, repeats)

    def explain_nonfinite(self, *args: Any, **kwargs: Any) -> explain.Explanation:
        """Which op, at which line, first made a NaN or an infinity from finite numbers.

        Looks at the value, then at the adjoints of its derivative, then at the tangents; `str()`
        of the result says what was found, or that everything is finite.
        """
        return explain.explain(self, args, kwargs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the programs to a file: all branches and shapes that have been recorded.

        Derivatives are made again from it, the same to the last bit. The file holds the constants
        of the function and the names of its source files, but no code. ValueError for a function
        that has not been called, or arguments and results that have no form in a file.
        """
        saving.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], types: Iterable[Any] = ()) -> Self:
        """What `save` wrote; ValueError for a file that is corrupt, cut off or too new.

        Nothing in the file is run or imported: classes of containers (named tuples, dataclasses,
        registered ones) are found by name in `types` or in modules that are imported already.
        Arguments of shapes that were not saved raise ValueError, other branches `tg.BranchError`.
        """
        return saving.load(cls, path, types)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return saving.reduced(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def latest(self) -> Trace:
        """The trace used last; ValueError before the first call."""
        traces = self.traces.all()
        if not traces:
            raise ValueError(f"{self.traces.name} has not been called yet")
        return traces[-1]

    def arguments(
        self, args: Sequence[Any], kwargs: dict[str, Any], differentiated: Sequence[int] = ()
    ) -> Arguments:
        """The flattened arguments of a call."""
        return arguments_of(args, kwargs, self._static, differentiated)

    def _replay(self, transform: str) -> Replay:
        return Replay(transform, self)

    def _gradient(
        self,
        transform: str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Argnums,
        out: Any,
    ) -> tuple[Any, Any] | None:
        """Value and gradient by one program; None where the transform has to look closer."""
        if _core.recording():
            return None
        inputs = Inputs(_nothing, args, argnums, transform)
        arguments = self.arguments(args, kwargs, inputs.positions())
        wrt = tuple(i for n in inputs.positions() for i in owned_by(arguments, n))
        into = None if out is None else [None, *inputs.match_out(out, transform)]
        replay = self.traces.run_if_scalar(arguments, "gradient", wrt, (), into)
        if replay is None:
            return None
        if is_plain(arguments) and len(wrt) == 1 and not _core.full_checks():
            program, captured = replay.trace.program("gradient", wrt), replay.trace.captured
            if transform == "grad" and argnums == 0:
                self.grad.enter(program, captured, GRADIENT)
            elif argnums == 0:
                self.value_and_grad.enter(program, captured, VALUE_AND_GRADIENT)
        value, *gradient = replay.outputs
        return value, inputs.gather(gradient) if out is None else out

    def _forget(self) -> None:
        self.forget()
        for call in self._calls():
            call.forget()

    def _calls(self) -> tuple[_core.FastCall, ...]:
        return self.value_and_grad, self.grad, self.hvp


# All there are, for `forget_fast_calls`.
FUNCTIONS: weakref.WeakSet[Function] = weakref.WeakSet()


def forget_fast_calls() -> None:
    """Lead the next call of every function through Python."""
    for f in list(FUNCTIONS):
        f._forget()


# Forms of the result of a FastCall.
VALUE, GRADIENT, VALUE_AND_GRADIENT = range(3)


def _nothing(_: Any) -> None:
    return None


def function(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Iterable[int] = (),
    static_argnames: str | Iterable[str] = (),
    on_branch: str = "rerecord",
    max_traces: int = 256,
    without: Iterable[str] = (),
) -> Any:
    """Record `f` on first use and replay it from then on, at the speed of compiled code.

    Args:
        f: any function of numbers, arrays and pytrees of them; without it, a decorator is returned.
        static_argnums, static_argnames: arguments that belong to the signature by value; each new
            value is recorded anew. Python integers, bools and strings always do.
        on_branch: what happens when a branch (`if`, `while`, `int()`) goes a way that has not been
            recorded: "rerecord", "warn" (and record) or "raise" `tg.BranchError`.
        max_traces: how many recordings are kept; the ones used least recently are dropped.
        without: passes of the optimiser to leave out: fold, share, identities, fuse,
            order, recompute, reuse.

    Returns:
        A `Function`: callable like `f`, with `value_and_grad`, `grad`, `jvp`, `vjp`, `hvp`,
        `jacobian`, `hessian`, `stats`, `listing`. The transforms (`tg.grad(F)`, ...) use its
        programs.

    >>> import numpy as np, tapegrad as tg
    >>> F = tg.function(lambda x: np.sum(np.sin(x) ** 2))
    >>> F(np.zeros(3)), F.grad(np.zeros(3))
    (0.0, array([0., 0., 0.]))
    """

    def made(f: Callable[..., Any]) -> Function:
        check_function(f, "function")
        numbers = (static_argnums,) if isinstance(static_argnums, int) else static_argnums
        names = (static_argnames,) if isinstance(static_argnames, str) else static_argnames
        traces = Traces(f, name_of(f), on_branch, max_traces, tuple(without))
        return Function(f, frozenset((*numbers, *names)), traces)

    return made if f is None else made(f)
