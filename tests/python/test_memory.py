"""No leaks: the process does not grow over 10^5 gradients, nor with errors or dropped handles."""

import gc
import sys
import weakref

import numpy as np
import pytest

import tapegrad as tg

resource = pytest.importorskip("resource")


def resident():
    """Bytes of the process in memory now; without /proc the most it ever had."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def growth(work, rounds, warm=200):
    """By how many bytes the process grew over `rounds` calls."""
    for _ in range(warm):
        work()
    gc.collect()
    before = resident()
    for _ in range(rounds):
        work()
    gc.collect()
    return resident() - before


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def test_gradients():
    """10^5 gradients; a leak of 16 bytes in each would show."""
    gradient = tg.grad(lambda x: (x + 1.0) * x)
    assert growth(lambda: gradient(2.0), 100_000) < 1_500_000


def assign(x):
    y = np.zeros_like(x)
    y[1:] = x[:-1] * 2.0
    y[0] += x[-1]
    v = y[::2]
    v *= 3.0
    y[x > 0.5] = 0.0
    return np.sum(y @ y)


X = np.linspace(-1, 1, 10)
WORK = {
    "arrays": lambda: tg.grad(rosenbrock)(X),
    "assignment and views": lambda: tg.grad(assign)(X),
    "hvp": lambda: tg.hvp(rosenbrock)(X, X),
    "hessian": lambda: tg.hessian(rosenbrock)(X),
    "jacobian": lambda: tg.jacobian(np.tanh)(X),
    "nested": lambda: tg.grad(lambda x: tg.grad(rosenbrock)(x) @ x)(X),
    "pullback": lambda: tg.vjp(rosenbrock, X)[1](1.0),
    "pushforward": lambda: tg.linearize(rosenbrock, X)[1](X),
    "pullback within": lambda: tg.grad(lambda c: tg.vjp(rosenbrock, X)[1](c)[0][0])(1.0),
    "trees": lambda: tg.grad(lambda p: p["a"] * p["b"][0])({"a": 1.0, "b": (2.0, None)}),
    "complex": lambda: tg.grad(lambda z: np.sum(np.abs(z)))(X + 1j),
    "linear algebra": lambda: tg.grad(lambda x: np.sum(np.linalg.inv(np.diag(x + 3.0))))(X),
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_everything_else(work):
    assert growth(work, 3000) < 600_000


def faulty(x):
    y = np.sin(x) * 2.0
    raise KeyError(y)


ERRORS = {
    "in the function": lambda: tg.grad(faulty)(X),
    "of shapes": lambda: tg.grad(lambda x: np.sum(x + np.ones(3)))(X),
    "of arguments": lambda: tg.grad(lambda x: x)("text"),
    "of results": lambda: tg.grad(lambda x: x)(X),
    "detached": lambda: tg.grad(lambda x: float(x[0]))(X),
    "unsupported": lambda: tg.grad(lambda x: np.packbits(x))(X),
    "nested": lambda: tg.grad(lambda x: tg.grad(faulty)(x)[0])(X),
}


@pytest.mark.parametrize("work", ERRORS.values(), ids=ERRORS)
def test_errors(work):
    def caught():
        with pytest.raises(Exception):  # noqa: B017
            work()

    assert growth(caught, 2000) < 600_000


def test_kept_variables():
    kept = []

    def work():
        kept.clear()
        tg.grad(lambda x: kept.append(x * 2.0) or np.sum(x))(X)

    assert growth(work, 5000) < 600_000


def test_a_recording_lives_as_long_as_its_pullback():
    large = np.ones(1_000_000)
    _, pull = tg.vjp(lambda x: np.sin(x) * np.cos(x), large)
    before = resident()
    del pull
    gc.collect()
    for _ in range(3):
        _, pull = tg.vjp(lambda x: np.sin(x) * np.cos(x), large)
        del pull
    gc.collect()
    assert resident() - before < 10_000_000


def test_arguments_and_functions_are_released():
    class Box(np.ndarray):
        pass

    class Loss:
        def __call__(self, x):
            return np.sum(x * x)

    loss = Loss()
    array = np.ones(100_000)
    alive = weakref.ref(loss), weakref.ref(array)
    tg.grad(loss)(array)
    value, pull = tg.vjp(loss, array)
    pull(1.0)
    del loss, array, value, pull
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


def test_intermediate_arrays_are_released():
    """A long chain of sums keeps none of its arrays: no rule reads them."""
    x = np.ones(1_000_000)

    def chain(x):
        y = x
        for _ in range(100):
            y = y + x
        return np.sum(y)

    before = resident()
    peak = []
    tg.grad(lambda x: (peak.append(resident()), chain(x), peak.append(resident()))[1])(x)
    assert peak[-1] - before < 200_000_000  # 100 arrays would be 800 MB


@pytest.mark.parametrize("size", [3, 3000])
def test_a_constant_is_one_node_however_often_it_is_read(size):
    constant = np.arange(1.0, 1.0 + size)

    def f(x):
        return np.sum(constant * x + constant * (x * x))

    lines = str(tg.draw(f, np.ones(size))).splitlines()
    assert sum(line.split()[1] == "constant" for line in lines) == 1
    assert np.array_equal(tg.grad(f)(np.ones(size)), 3.0 * constant)


def test_large_indices_of_what_is_not_recorded_are_released():
    def f(x):
        y = np.zeros_like(x)
        for _ in range(40):
            y.sum() + np.sum(y[np.arange(x.size)])
        return np.sum(x)

    large = np.ones(200_000)
    tg.grad(f)(large)
    before = resident()
    peak = []
    tg.grad(lambda x: (f(x), peak.append(resident()))[0])(large)
    assert peak[0] - before < 20_000_000
