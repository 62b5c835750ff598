"""Independent recordings in several threads."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tapegrad as tg

THREADS = 8


@pytest.fixture(autouse=True)
def switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(work):
    """`work(k)` in each thread, all starting together; their results."""
    barrier = threading.Barrier(THREADS)

    def run(k):
        barrier.wait()
        return work(k)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_scalar_loops():
    def work(k):
        def f(x):
            y = x
            for i in range(200):
                y = np.sin(y) * x + i * 1e-3 * k
            return y

        return [tg.grad(f)(0.1 * k + 0.01 * j) for j in range(10)]

    assert in_threads(work) == [work(k) for k in range(THREADS)]


def test_arrays_and_nesting():
    def work(k):
        x = np.linspace(0.1, 1.0 + k, 50 + k)
        f = lambda x: np.sum(np.exp(-x) * x[::-1]) * tg.grad(lambda y: np.sum(y**3))(x)[0]
        results = []
        for _ in range(20):
            results = [tg.grad(f)(x), tg.hvp(f)(x, x), tg.jacobian(np.tanh)(x)]
        return results

    for found, wanted in zip(in_threads(work), map(work, range(THREADS)), strict=True):
        for a, b in zip(found, wanted, strict=True):
            assert np.array_equal(a, b)


def test_errors_stay_in_their_thread():
    def work(k):
        for i in range(50):
            if (i + k) % 2:
                with pytest.raises(ZeroDivisionError):
                    tg.grad(lambda x: x * (1 // 0))(1.0)
            else:
                assert tg.grad(lambda x: x * x)(3.0) == 6.0
        return True

    assert all(in_threads(work))


def test_a_pullback_serves_all_threads():
    x = np.linspace(0, 1, 100)
    _, pull = tg.vjp(lambda x: np.sin(x) * x, x)
    slope = np.cos(x) * x + np.sin(x)

    def work(k):
        return all(np.allclose(pull(np.full(100, k + 1.0))[0], (k + 1) * slope) for _ in range(50))

    assert all(in_threads(work))


def test_pullbacks_die_in_another_thread():
    pulls = [tg.vjp(np.sin, np.ones(1000) * k)[1] for k in range(64)]

    def work(k):
        while pulls:
            try:
                pull = pulls.pop()
            except IndexError:
                break
            pull(np.ones(1000))
            del pull
        return tg.grad(np.sin)(0.0)

    assert in_threads(work) == [1.0] * THREADS


def test_threads_come_and_go():
    results = []
    for _ in range(20):
        results.clear()
        threads = [
            threading.Thread(target=lambda: results.append(tg.grad(lambda x: x**3)(2.0)))
            for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [12.0] * THREADS
