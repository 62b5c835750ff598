"""`tg.debug`: checks that cost too much for every day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tapegrad import _core
from tapegrad.program.checked import CheckedRun
from tapegrad.program.function import forget_fast_calls
from tapegrad.transforms import recording


@contextmanager
def debug() -> Iterator[None]:
    """Full checks in a `with` block, for the whole process: numbers that are not finite, and
    writes to arrays that a program has captured.

    A value, gradient, tangent or other result that is NaN or infinite raises `tg.NonFiniteError`.
    It names the op that made the first one on the way to the result, the user's file and line, and
    the operands; or the argument or constant, if it came from there. The op of a derivative is that
    of the rule: the division in 0.5 / sqrt(x), at the line of the root. What is masked does not
    count: `np.where(x > 0, np.log(x), 0)` at x = 0 is an error only if the value or the derivative
    has a NaN or an infinity from the branch that was not taken. One-shot transforms run the
    function once more to find the op. Only outermost results are looked at: those of transforms,
    of `tg.function` and of `tg.vmap`.

    Replays compare every element of captured arrays. By default arrays above 2 KiB are compared by
    a sample, which can miss a write to one element; arrays above 256 KiB are compared by a larger
    sample here too.

    >>> import numpy as np, tapegrad as tg
    >>> with tg.debug():
    ...     try:
    ...         tg.grad(np.sqrt)(0.0)
    ...     except tg.NonFiniteError as error:
    ...         print(error.culprit.op, error.culprit.kind)
    divide adjoint
    """
    before = _core.full_checks(), recording.run_class
    _core.set_full_checks(True)
    recording.run_class = CheckedRun
    forget_fast_calls()
    try:
        yield
    finally:
        _core.set_full_checks(before[0])
        recording.run_class = before[1]
