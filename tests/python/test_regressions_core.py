"""One test for each fixed defect of the bindings, the tape and the sweeps; each failed before."""

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
import tapegrad.numpy as tnp

X = np.array([1.0, 2.0, 3.0, 4.0])


def value_of(f: Callable[[Any], Any], x: Any = X) -> Any:
    return tg.vjp(f, x)[0]


# Views ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [
        lambda y: y[::-1][2:],
        lambda y: y[::-1][::-1],
        lambda y: np.flip(y)[1:],
        lambda y: y.reshape(2, 2)[::-1][1],
        lambda y: y.reshape(2, 2).T[::-1, ::-1][0, 1:],
    ],
)
def test_views_of_reversed_views_write_through(cut: Callable[[Any], Any]) -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        cut(y)[0] = 9.0
        return y

    np.testing.assert_array_equal(value_of(f), f(X))


def test_a_reshape_that_copies_is_no_view() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        z = y.T.reshape(-1)
        z[0] = 99.0
        return y

    for _ in range(20):  # it depended on where the copy lay in memory
        np.testing.assert_array_equal(value_of(f), f(X))


def test_a_reshape_is_a_view_after_a_write_through_the_transpose() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        y.T[0] = x[:2] * 10.0
        y.reshape(-1)[3] = x[0]
        return y

    np.testing.assert_array_equal(value_of(f), f(X))


def test_the_chain_of_views_stays_short() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        while x.shape[0] > 1:
            total = total + x[0] * x[1]
            x = x[1:]
        return total

    n = 30000  # took time in proportion to n**2: minutes
    begin = time.perf_counter()
    gradient = tg.grad(f)(np.ones(n))
    assert time.perf_counter() - begin < 10
    np.testing.assert_array_equal(gradient, [1.0, *[2.0] * (n - 2), 1.0])


@pytest.mark.parametrize("shaped", [np.atleast_1d, lambda s: s.reshape(1), np.expand_dims])
def test_a_shaped_scalar_does_not_write_to_the_scalar(shaped: Callable[..., Any]) -> None:
    def f(x: Any) -> Any:
        s = x[0]
        z = shaped(s, 0) if shaped is np.expand_dims else shaped(s)
        z += 10.0
        return s * x[1]

    value, gradient = tg.value_and_grad(f)(X)
    assert value == 2.0
    np.testing.assert_array_equal(gradient, [2.0, 1.0, 0.0, 0.0])


def test_a_refused_assignment_leaves_the_parent_as_it_was() -> None:
    def f(x: Any) -> Any:
        y = x * 2.0
        with pytest.raises(ValueError, match="read-only"):
            np.broadcast_to(y, (3, 4))[0, 0] = 5.0
        return y

    np.testing.assert_array_equal(value_of(f), 2 * X)
    np.testing.assert_array_equal(tg.jacobian(f)(X), 2 * np.eye(4))


# Views that become active through their parent ----------------------------------------------------


def late(x: Any) -> Any:
    """A view made before its parent held anything recorded."""
    y = tnp.zeros(4)
    v = y[:2]
    y[0] = 3.0 * x[0]
    return v


@pytest.mark.parametrize("transform", [tg.jacobian, tg.jacfwd, tg.jacrev])
def test_a_view_that_became_active_is_no_constant(transform: Callable[..., Any]) -> None:
    expected = np.zeros((2, 4))
    expected[0, 0] = 3.0
    np.testing.assert_array_equal(transform(late)(X), expected)


def test_a_view_that_became_active_does_not_detach() -> None:
    with pytest.raises(tg.DetachedError):
        tg.grad(lambda x: np.asarray(late(x)).sum() * x[0])(X)


def test_a_view_outside_of_a_recording_shows_its_parent() -> None:
    def f(x: Any) -> Any:
        y = tnp.zeros(3)
        made.append((y, y[1:]))
        return x[0]

    made: list[Any] = []
    tg.grad(f)(X)
    y, v = made[0]
    y[1] = 5.0
    np.testing.assert_array_equal(tg.stop_gradient(v), [5.0, 0.0])


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


def test_flat_of_a_transposed_array_writes_through() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        row = y.T.flat
        y[1, 0] = x[3] * 3.0  # seen by the view
        row[2] = 7.0 * row[1]
        y.T.flat[[0, 3]] = 5.0
        return np.sum(y * np.array([[1.0, 10.0], [100.0, 1000.0]]))

    value, gradient = tg.value_and_grad(f)(X)
    assert value == 5.0 + 10.0 * 21.0 * X[3] + 100.0 * 3.0 * X[3] + 5000.0
    assert gradient.tolist() == [0.0, 0.0, 0.0, 510.0]
    tg.testing.check_grads(f, (X,), order=2)
    assert tg.grad(lambda x: x.reshape(2, 2).T.flat[1] ** 2)(X).tolist() == [0.0, 0.0, 6.0, 0.0]


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


def test_real_and_imaginary_parts_write_through() -> None:
    def f(np_: Any, x: Any) -> Any:
        z = x * (1.0 + 2.0j)
        real, corner = z.real, z.reshape(2, 2)[1].imag
        z.real[1] = 3.0 * x[0]  # a view of a view
        z.imag[...] = x**2
        corner[0] = 5.0 * x[1]  # z[2]
        z.real = z.imag * 2.0
        real[0] += x[3]
        z.imag[2:] *= x[0]
        return np_.sum(real * np_.array([1.0, 10.0, 100.0, 1000.0])) + np_.sum(z.imag**2)

    value, gradient = tg.value_and_grad(lambda x: f(np, x))(X)
    assert value == f(np, X.copy())
    tg.testing.check_grads(lambda x: f(np, x), (X,), order=2)
    program = tg.function(lambda x: f(np, x))
    for x in (X, X + 1.0):
        assert tg.grad(program)(x) == pytest.approx(tg.grad(lambda x: f(np, x))(x), rel=1e-14)
    assert tg.hessian(program)(X) == pytest.approx(tg.hessian(lambda x: f(np, x))(X), rel=1e-13)
    assert gradient.shape == (4,)


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan, -0.0])
def test_parts_that_are_no_numbers_stay_apart(special: float) -> None:
    def f(x: Any) -> Any:
        z = x + 1j * np.array([special, 1.0])
        z.real[0] = special
        z.imag[1] = special
        return z.real, z.imag

    with np.errstate(all="ignore"):
        for found, expected in zip(tg.vjp(f, X[:2])[0], f(X[:2]), strict=True):
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_what_has_no_parts_to_assign() -> None:
    def imaginary(x: Any) -> Any:
        x = x.copy()
        x.imag = 1.0

    def number(x: Any) -> Any:
        (x[0] + 1j).real = 1.0

    def gone(x: Any) -> Any:
        z = x + 1j
        del z.real

    for f, message in (
        (imaginary, "no imaginary part"),
        (number, "no parts to assign"),
        (gone, "cannot delete"),
    ):
        with pytest.raises(TypeError, match=message):
            tg.grad(f)(X)

    def real(x: Any) -> Any:
        y = x * 2.0
        y.real = x**2
        return np.sum(y)

    assert tg.grad(real)(X).tolist() == (2.0 * X).tolist()
