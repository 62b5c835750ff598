"""solve_ivp and odeint: initial value problems as SciPy states and answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad.functions.operands import Array, as_inexact, has_variable, operand, seen
from tapegrad.functions.piecewise import as_double
from tapegrad.ode.events import Events
from tapegrad.ode.methods import Method, Slope, Step, Tolerance, explicit
from tapegrad.ode.radau import Radau
from tapegrad.ode.stepping import Failed, steps

__all__ = ["odeint", "solve_ivp"]


def solve_ivp(
    fun: Callable[..., Any],
    t_span: Sequence[Any],
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Sequence[Any] | None = None,
    **options: Any,
) -> Any:
    """Solves dy/dt = fun(t, y), y(t_span[0]) = y0, as scipy.integrate.solve_ivp.

    Differentiated in y0, in the times (t_span, t_eval) and in all recorded values that `fun` uses,
    by the methods "RK23", "RK45", "DOP853" and, for stiff problems, "Radau"; other methods raise
    tg.UnsupportedError. The step lengths count as constants; the times of events are differentiated
    as roots. If nothing is recorded this is SciPy's own function.

    Args:
        fun: fun(t, y, *args) with y of shape (n,) gives the slopes, (n,).
        t_span: start and end; t_eval: the times wanted, between them, in that order.
        events: a function of (t, y, *args), or several, each with attributes `terminal` and
            `direction` if need be.
        options: rtol (1e-3), atol (1e-6), first_step, max_step; for Radau jac, a matrix or a
            function of (t, y, *args), which else is derived.

    Returns:
        An object with t, y of shape (n, len(t)), sol (if dense_output), status and the other
        attributes of SciPy's.

    >>> import numpy as np, tapegrad as tg
    >>> def end(y0):
    ...     return tg.ode.solve_ivp(lambda t, y: -y, (0.0, 1.0), y0, rtol=1e-9, atol=1e-9).y[:, -1]
    >>> np.round(tg.jacobian(end)(np.ones(1)), 6)
    array([[0.367879]])
    """
    extra = () if args is None else tuple(args)

    def slope(t: Any, y: Any) -> Any:
        return fun(t, y, *extra)

    functions = [slope, *(_with_arguments(event, extra) for event in _listed(events))]
    if not _is_recorded(functions, t_span, y0, t_eval):
        from scipy.integrate import solve_ivp as original

        return original(
            fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options
        )
    if callable(jac := options.get("jac")):
        options["jac"] = _with_arguments(jac, extra)
    chosen = _method(method, options)
    problem = _Problem(slope, t_span, y0, chosen, _tolerance(**options))
    if events is not None:
        problem.events = Events(_listed(events), functions[1:])
    return problem.solve(None if t_eval is None else _times(t_eval, t_span), dense_output)


def _listed(events: Any) -> list[Slope]:
    return [] if events is None else [events] if callable(events) else list(events)


def _with_arguments(function: Callable[..., Any], extra: tuple[Any, ...]) -> Slope:
    return lambda t, y: function(t, y, *extra)


def _is_recorded(functions: Sequence[Slope], t_span: Sequence[Any], y0: Any, t_eval: Any) -> bool:
    if has_variable([*t_span, y0, t_eval]):
        return True
    return any(has_variable(f(t_span[0], np.asarray(y0))) for f in functions)


def _method(method: Any, options: dict[str, Any]) -> Method:
    """The method of this name; its own options are taken out."""
    if method == "Radau":
        return Radau(options.pop("jac", None))
    if method in ("RK23", "RK45", "DOP853"):
        return explicit(method)
    errors.unsupported(
        f"solve_ivp with method={method!r} has no derivative rule",
        "Use RK23, RK45 or DOP853, or Radau for a stiff problem.",
    )


def _tolerance(
    rtol: Any = 1e-3,
    atol: Any = 1e-6,
    first_step: Any = None,
    max_step: Any = np.inf,
    **others: Any,
) -> Tolerance:
    if others:
        errors.unsupported(f"solve_ivp has no derivative rule for {', '.join(others)}=")
    return Tolerance(rtol, atol, first_step, max_step)


def _times(t_eval: Any, t_span: Sequence[Any]) -> Array:
    times = operand(t_eval)
    if times.ndim != 1:
        raise ValueError("`t_eval` must be 1-dimensional.")
    values, first, last = seen(times), seen(t_span[0]), seen(t_span[1])
    if np.any(values < np.minimum(first, last)) or np.any(values > np.maximum(first, last)):
        raise ValueError("Values in `t_eval` are not within `t_span`.")
    steps = np.diff(values)
    if np.any(steps <= 0) if last > first else np.any(steps >= 0):
        raise ValueError("Values in `t_eval` are not properly sorted.")
    return times


class _Segment:
    """The solution over one accepted step."""

    def __init__(self, step: Step, slope: Slope, end: Any):
        self.start, self.end, self.length = step.t, end, step.h
        self._step, self._slope = step, slope
        self._dense: Callable[[Any], Array] | None = None

    def __call__(self, t: Any) -> Array:
        return self.at((t - self.start) / self.length)

    def at(self, x: Any) -> Array:
        """The solution after the part x of the step."""
        if self._dense is None:
            self._dense = self._step.dense(self._slope)
        return self._dense(x)


class _Problem:
    def __init__(self, fun: Slope, span: Sequence[Any], y0: Any, method: Method, tol: Tolerance):
        self.y0 = as_double(operand(y0))
        if self.y0.ndim != 1:
            raise ValueError("`y0` must be 1-dimensional.")
        self.start, self.end = span
        self.method, self.tolerance = method, tol
        self.events: Events | None = None
        self.calls = 0

        def slope(t: Any, y: Any) -> Array:
            self.calls += 1
            f = as_double(operand(fun(t, y)))
            if f.shape != self.y0.shape:
                raise ValueError(f"fun gave shape {f.shape} for y of shape {self.y0.shape}")
            return f

        self.slope = slope

    def solve(self, times: Array | None, dense: bool) -> Any:
        ts: list[Any] = [self.start] if times is None else []
        ys: list[Array] = [self.y0] if times is None else []
        segments: list[_Segment] = []
        status, message = 0, "The solver successfully reached the end of the integration interval."
        try:
            for segment, y in self._segments():
                segments.append(segment)
                ended = self.events.end_within(segment, y) if self.events else None
                if ended:
                    segment.end, y = ended
                    status, message = 1, "A termination event occurred."
                if times is None:
                    ts.append(segment.end)
                    ys.append(y)
                else:
                    self._take(times, segment, ys)
                if ended:
                    break
        except Failed as failure:
            status, message = -1, str(failure)
        if times is not None and not segments:  # an empty interval
            ys = [self.y0] * times.shape[0]
        return self._result(
            np.stack(ts) if times is None else times[: len(ys)],
            np.stack(ys, 1) if ys else np.zeros((self.y0.shape[0], 0)),
            _Continuous(segments, self) if dense else None,
            status,
            message,
        )

    def _segments(self) -> Iterator[tuple[_Segment, Array]]:
        """Each accepted step, and the solution at its end."""
        if self.events:
            self.events.begin(self.start, self.y0)
        span = (self.start, self.end)
        for step, t in steps(self.method, self.slope, span, self.y0, self.tolerance):
            yield _Segment(step, self.slope, t), step.y_new

    def _take(self, times: Array, segment: _Segment, ys: list[Array]) -> None:
        """The solution at those of the times that the segment reaches."""
        forward = seen(self.end) >= seen(self.start)
        while len(ys) < times.shape[0]:
            t = times[len(ys)]
            ahead = seen(segment.end) - seen(t)
            if ahead < 0 if forward else ahead > 0:
                return
            ys.append(segment(t))

    def _result(self, t: Array, y: Array, sol: Any, status: int, message: str) -> Any:
        from scipy.optimize import OptimizeResult

        t_events, y_events = self.events.lists() if self.events else (None, None)
        return OptimizeResult(
            t=t, y=y, sol=sol, t_events=t_events, y_events=y_events, nfev=self.calls, njev=0, nlu=0,
            status=status, message=message, success=status >= 0,
        )  # fmt: skip


class _Continuous:
    """The solution at any time; beyond the interval the outer segments go on."""

    def __init__(self, segments: list[_Segment], problem: _Problem):
        self._segments, self._problem = segments, problem

    def __call__(self, t: Any) -> Array:
        t = as_inexact(operand(t))
        if t.ndim == 0:
            return self._at(t)
        return np.stack([self._at(t[i]) for i in range(t.shape[0])], 1)

    def _at(self, t: Any) -> Array:
        if not self._segments:
            return self._problem.y0
        forward = seen(self._problem.end) >= seen(self._problem.start)
        for segment in self._segments[:-1]:
            ahead = seen(segment.end) - seen(t)
            if ahead >= 0 if forward else ahead <= 0:
                return segment(t)
        return self._segments[-1](t)


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    args: Sequence[Any] = (),
    Dfun: Any = None,
    col_deriv: bool = False,
    full_output: bool = False,
    *,
    rtol: Any = None,
    atol: Any = None,
    h0: float = 0.0,
    hmax: float = 0.0,
    tfirst: bool = False,
    **others: Any,
) -> Any:
    """Solves dy/dt = func(y, t, *args) with y(t[0]) = y0 at the times t, as scipy.integrate.odeint.

    Differentiated in y0, t, args and all recorded values that `func` uses. Recorded problems are
    solved by DOP853 in place of LSODA, to the same default tolerances of 1.49e-8; for stiff ones
    there is `solve_ivp` with Radau. `full_output` and options of LSODA raise tg.UnsupportedError.

    Returns:
        y of shape (len(t), n).

    >>> import numpy as np, tapegrad as tg
    >>> def end(rate):
    ...     return tg.ode.odeint(lambda y, t, k: -k * y, [1.0], [0.0, 1.0], (rate,))[-1, 0]
    >>> round(tg.grad(end)(1.0), 6)
    -0.367879
    """
    extra = tuple(args) if isinstance(args, (tuple, list)) else (args,)

    def slope(time: Any, y: Any) -> Any:
        return func(time, y, *extra) if tfirst else func(y, time, *extra)

    times = operand(t)
    if not _is_recorded([slope], (times[0], times), y0, None):
        from scipy.integrate import odeint as original

        return original(
            func, y0, t, args, Dfun, col_deriv, full_output, rtol=rtol, atol=atol, h0=h0,
            hmax=hmax, tfirst=tfirst, **others,
        )  # fmt: skip
    if full_output or others:
        refused = ", ".join(["full_output"] * bool(full_output) + sorted(others))
        errors.unsupported(f"odeint has no derivative rule for {refused}=")
    default = 1.49012e-8
    tolerance = Tolerance(
        default if rtol is None else rtol, default if atol is None else atol, h0 or None,
        hmax or np.inf,
    )  # fmt: skip
    y0 = operand(y0)
    problem = _Problem(slope, (times[0], times[-1]), y0.reshape(-1), explicit("DOP853"), tolerance)
    return problem.solve(times, False).y.T
