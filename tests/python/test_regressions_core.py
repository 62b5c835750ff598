"""One test for each fixed defect of the bindings, the tape and the sweeps; each failed before.
Those of views are in test_regressions_views.py."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg

X = np.array([1.0, 2.0, 3.0, 4.0])


# Sweeps -----------------------------------------------------------------------------------------


def test_one_value_returned_twice_has_both_tangents() -> None:
    def f(x: Any) -> Any:
        y = np.sin(x)
        return {"a": y, "b": y}

    tangents = tg.jvp(f, (X,), (np.ones(4),))[1]
    np.testing.assert_allclose(tangents["a"], np.cos(X))
    np.testing.assert_allclose(tangents["b"], np.cos(X))
    np.testing.assert_allclose(tg.jacfwd(f)(X)["b"], np.diag(np.cos(X)))


def test_the_caller_may_reuse_a_direction_in_a_nested_derivative() -> None:
    def f(x: Any) -> Any:
        direction = np.zeros(4)
        total = 0.0
        for i in range(4):
            direction[:] = 0.0
            direction[i] = 1.0
            total = total + tg.jvp(lambda z: (z**3).sum(), (x,), (direction,))[1]
        return total

    np.testing.assert_allclose(tg.grad(f)(X), 6 * X)


def test_the_caller_may_reuse_a_cotangent_in_a_nested_derivative() -> None:
    def f(x: Any) -> Any:
        pullback = tg.vjp(lambda z: z**3, x)[1]
        cotangent = np.zeros(4)
        total = 0.0
        for i in range(4):
            cotangent[:] = 0.0
            cotangent[i] = 1.0
            total = total + pullback(cotangent)[0].sum()
        return total

    np.testing.assert_allclose(tg.grad(f)(X), 6 * X)


@pytest.mark.parametrize("n", [5000, 30_000])
def test_one_changed_element_of_a_captured_array_is_noticed(n: int) -> None:
    buffer = np.ones(n)

    def f(x: Any) -> Any:
        total = 0.0
        for i in range(3):
            buffer[2 * i + 7] = 100.0
            total = total + (x * buffer).sum()
        return total

    with pytest.raises(ValueError, match="changed in place"):
        tg.grad(f)(np.ones(n))


def test_a_refilled_large_array_is_noticed() -> None:
    buffer = np.ones(200_000)

    def f(x: Any) -> Any:
        first = (x * buffer).sum()
        buffer[:] = 2.0
        return first + (x * buffer).sum()

    with pytest.raises(ValueError, match="changed in place"):
        tg.grad(f)(np.ones(buffer.size))


def test_a_pullback_of_a_cleared_recording_is_refused_in_another_thread() -> None:
    kept: list[Any] = []
    caught: list[BaseException] = []

    def f(x: Any) -> Any:
        value, pullback = tg.vjp(lambda z: (z * np.sin(z)).sum(), x)
        kept.append(pullback)
        return value

    def elsewhere() -> None:
        try:
            tg.grad(lambda z: kept[0](z)[0].sum())(1.0)
        except BaseException as error:
            caught.append(error)

    tg.grad(f)(X)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert [type(e) for e in caught] == [tg.RecordingError]


# Numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["power", "floor_divide", "remainder"])
def test_recorded_numbers_are_numpys_to_the_last_bit(name: str) -> None:
    operation = {"power": pow, "floor_divide": lambda x, y: x // y, "remainder": lambda x, y: x % y}
    rng = np.random.default_rng(3)
    xs, ys = rng.uniform(0.1, 9.0, 200), rng.uniform(-4.0, 4.0, 200)
    special = [(1.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (0.0, -1.0), (-0.0, 1.0), (np.inf, 2.0)]
    special += [(-7.0, 2.0), (7.0, -np.inf), (np.nan, 0.0), (1.0, np.nan), (-8.0, 1.0 / 3.0)]
    pairs = [*zip(xs.tolist(), ys.tolist(), strict=True), *special]
    with np.errstate(all="ignore"):
        expected = [getattr(np, name)(np.array([x]), np.array([y]))[0] for x, y in pairs]
        found = [tg.vjp(operation[name], x, y)[0] for x, y in pairs]
    np.testing.assert_array_equal(found, expected)


def test_second_order_of_a_sum_leaves_its_operands_alone():
    """In dual numbers a tangent of slope one was added to in place while others still read it:
    the rule of svd reads a + b and a."""
    rng = np.random.default_rng(5)
    x, v, weights = rng.standard_normal((3, 3, 3))

    def f(x):
        return np.sum(weights * np.linalg.svd(x)[2])

    h = 1e-6
    expected = (tg.grad(f)(x + h * v) - tg.grad(f)(x - h * v)) / (2 * h)
    np.testing.assert_allclose(tg.hvp(f, (x,), (v,)), expected, rtol=1e-6, atol=1e-6)


def test_tangents_of_what_nobody_reads_are_not_worked_out():
    """A rule that raises, here of equal singular values, does not spoil results without it."""

    def f(x):
        np.linalg.svd(x)
        return np.sum(x**2)

    x, v = np.eye(3), np.arange(9.0).reshape(3, 3)
    assert tg.jvp(f, (x,), (v,))[1] == 2.0 * np.trace(v)
    assert tg.jvp(lambda x: tg.jvp(f, (x,), (v,))[1], (x,), (v,))[1] == 2.0 * np.sum(v**2)
    assert np.array_equal(tg.hvp(f, (x,), (v,)), 2.0 * v)


# Memory and time --------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's statm")
def test_threads_that_end_leave_nothing_behind() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def work() -> None:
        tg.grad(lambda x: sum(x[i] * x[i] for i in range(300)))(np.ones(300))

    def threads(count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    threads(50)
    before = resident()
    threads(300)
    assert resident() - before < 300 * 8192  # was 16 KiB a thread


def test_errors_leak_no_references() -> None:
    operand = np.ones(17)

    def f(x: Any) -> Any:
        for _ in range(100):
            with pytest.raises(ValueError):
                x @ operand
            with pytest.raises(ValueError):
                x[0:2] = operand
        return x.sum()

    tg.grad(f)(X)
    gc.collect()
    assert sys.getrefcount(operand) <= 3


ASSIGNMENTS: dict[str, Callable[[Any, Any, int], None]] = {}


def assignment(f: Callable[[Any, Any, int], None]) -> Callable[[Any, Any, int], None]:
    ASSIGNMENTS[f.__name__] = f
    return f


@assignment
def item(y: Any, x: Any, i: int) -> None:
    y[i] = x[i] * 2.0


@assignment
def recurrence(y: Any, x: Any, i: int) -> None:
    y[i] = y[i - 1] * 0.5 + x[i]


@assignment
def part(y: Any, x: Any, i: int) -> None:
    y[i : i + 1] += x[i : i + 1]


TRANSFORMS: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda f, x: tg.grad(f)(x),
    "jvp": lambda f, x: tg.jvp(f, (x,), (x,)),
    "hvp": lambda f, x: tg.hvp(f)(x, x),
}


@pytest.mark.parametrize("name", ASSIGNMENTS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_an_assignment_costs_the_part_and_not_the_array(name: str, transform: str) -> None:
    step, derivative = ASSIGNMENTS[name], TRANSFORMS[transform]
    x = np.ones(400_000)

    def seconds(count: int) -> float:
        def f(x: Any) -> Any:
            y = np.zeros_like(x)
            for i in range(count):
                step(y, x, i)
            return (y * y).sum()

        best = np.inf
        for _ in range(2):
            begin = time.process_time()
            derivative(f, x)
            best = min(best, time.process_time() - begin)
        return best

    # 400 assignments cost hardly more than 4; a copy of the array for each took half a second.
    assert seconds(400) < 4 * seconds(4) + 0.15


def test_a_recording_left_open_at_exit_does_no_harm() -> None:
    code = (
        "import numpy as np; from tapegrad import _core;"
        "tape = _core.Tape.enter();"
        "y = (tape.input(np.ones(10_000)) * np.ones(10_000)).sum()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
