"""`tg.record`: one explicit program, for the shapes of an example, with parameters that each call
may change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from tapegrad import _core
from tapegrad.program.function import Function
from tapegrad.program.signature import Arguments, arguments_of
from tapegrad.program.traces import Traces
from tapegrad.transforms.outputs import name_of
from tapegrad.transforms.recording import check_function


class Example(NamedTuple):
    """What a program was recorded for: so many arguments, and parameters behind them."""

    positional: int
    has_params: bool
    params: Callable[[], Any]
    key: Hashable  # the signature of all of them


class Program(Function):
    """A function for arguments like an example, recorded. Calls take `params=` where it has some.

    Arguments of other shapes or dtypes raise ValueError; a branch that goes another way is recorded
    too, unless the program came from a file: then it raises `tg.BranchError`.
    """

    def __init__(self, f: Callable[..., Any], traces: Traces, example: Example) -> None:
        super().__init__(f, frozenset(), traces)
        self.example = example

    def _full(self, args: Any, kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments that f is called with: the parameters come last."""
        if not self.example.has_params:
            if "params" in kwargs:
                raise TypeError(f"{self.traces.name} was recorded without params")
            return tuple(args)
        if "params" in kwargs:
            return (*args, kwargs.pop("params"))
        return (*args, self.example.params())

    def to_sympy(self, names: Sequence[str] | None = None) -> Any:
        """The result as expressions of SymPy, arrays of them for arrays.

        `names` are those of the arguments; by default `x`, or `x0`, `x1`, ... if there are several.
        The numbers of an array `x` are the symbols `x_0`, `x_1`, ..., `x_0_1` and so on. Only for a
        program with one way through its branches; the expression holds where the guards do.

        Raises `tg.UnsupportedError` for an op without a counterpart, ImportError without SymPy.

        >>> import numpy as np, tapegrad as tg
        >>> tg.record(lambda x: x[0] ** 2 * np.sin(x[1]), np.ones(2)).to_sympy()
        x_0**2*sin(x_1)
        """
        from tapegrad.rules.sympy_programs import program_expressions

        return program_expressions(self, names)

    def completed(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], in_axes: Any
    ) -> tuple[tuple[Any, ...], Any]:
        """All positional arguments of a batch; all instances have the same parameters."""
        if not self.example.has_params or len(args) != self.example.positional:
            return args, in_axes
        axes = in_axes if isinstance(in_axes, (tuple, list)) else [in_axes] * len(args)
        return self._full(args, kwargs), (*axes, None)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        return super()._call(*self._full(args, kwargs), **kwargs)

    def arguments(self, args: Any, kwargs: dict[str, Any], differentiated: Any = ()) -> Arguments:
        """The flattened arguments of a call; ValueError if they are not like the example."""
        args = tuple(args)
        if len(args) == self.example.positional:
            args = self._full(args, kwargs)
        found = super().arguments(args, kwargs, differentiated)
        if found.key != self.example.key:
            raise ValueError(
                f"{self.traces.name} was recorded for arguments of other containers, shapes, "
                f"dtypes or constants: {_described(self.example.key)}, and was called with "
                f"{_described(found.key)}; record it for these, or use tg.function"
            )
        return found


def _described(key: Any) -> str:
    return ", ".join(str(part) for part in key[1]) or "nothing"


_NO_PARAMS = object()


def record(
    f: Callable[..., Any],
    *example: Any,
    params: Any = _NO_PARAMS,
    on_branch: str = "rerecord",
    without: Iterable[str] = (),
) -> Program:
    """Record `f` at an example of its arguments, as one program.

    With `params` given, `f` is called as `f(*example, params)`; a call may pass other values of the
    same shapes, `P(x, params=p)`, and derivatives are taken by the other arguments.

    Raises what `f` raises; ValueError from calls whose arguments are not like the example.

    >>> import numpy as np, tapegrad as tg
    >>> P = tg.record(lambda x, p: np.sum(p * x**2), np.ones(3), params=np.arange(3.0))
    >>> P(np.ones(3)), P(np.ones(3), params=np.ones(3))
    (3.0, 3.0)
    """
    check_function(f, "record")
    given = params is not _NO_PARAMS
    traces = Traces(f, name_of(f), on_branch, without=tuple(without))
    full = (*example, params) if given else example
    key = arguments_of(full, {}).key
    made = Program(f, traces, Example(len(example), given, lambda: params, key))
    made(*example)
    return made


def backends() -> list[str]:
    """What programs can run on here: always "serial", and "openmp" where it was built in.

    >>> import tapegrad as tg
    >>> "serial" in tg.backends()
    True
    """
    return ["serial", "openmp"] if _core.has_openmp() else ["serial"]


def set_threads(count: int) -> None:
    """How many threads one call of a program may use: 1 at first, for the whole process.

    Large loops are cut into parts that do not depend on the number of threads, so results are the
    same to the last bit. Products use the threads of the BLAS library besides.

    >>> import tapegrad as tg
    >>> tg.set_threads(1)
    """
    if count < 1:
        raise ValueError(f"set_threads: at least one thread is needed, not {count}")
    _core.set_threads(count)
