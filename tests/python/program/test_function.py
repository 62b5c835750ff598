"""`tg.function` and `tg.record`: signatures, composition, params and out, threads, size."""

import gc
import threading
import tracemalloc
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import tapegrad as tg


def rosen(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


X = np.linspace(-1.2, 1.1, 7)


class TestSignatures:
    def test_shapes_and_dtypes_are_recorded_apart(self):
        F = tg.function(rosen)
        for x in (X, X[:4], X.astype(np.float32), np.stack([X, X])[0], X):
            assert F(x) == pytest.approx(float(rosen(x)), rel=1e-5)
            assert F.grad(x).dtype == x.dtype
        assert F.stats()["signatures"] == F.stats()["records"] == 3

    def test_strided_byte_swapped_and_read_only_input(self):
        F = tg.function(rosen)
        wanted = tg.grad(rosen)(X)
        wide = np.repeat(X, 3)
        locked = X.copy()
        locked.flags.writeable = False
        for x in (wide[::3], X[::-1].copy()[::-1], X.astype(">f8"), locked, np.asfortranarray(X)):
            np.testing.assert_allclose(F.grad(x), wanted, rtol=1e-13)
            np.testing.assert_allclose(F.value_and_grad(x)[1], wanted, rtol=1e-13)
            np.testing.assert_allclose(F.hvp(x, x), tg.hvp(rosen)(X, X), rtol=1e-13)

    def test_integers_and_strings_belong_to_the_signature(self):
        F = tg.function(lambda x, n, kind: x**n if kind == "power" else x * n)
        assert (
            F(3.0, 2, "power") == 9.0 and F(3.0, 3, "power") == 27.0 and F(3.0, 2, "times") == 6.0
        )
        assert F.grad(3.0, 2, "power") == 6.0
        assert tg.function(lambda x: x**2).grad(3) == 6.0

    def test_static_arguments(self):
        F = tg.function(lambda x, scale: x * float(scale), static_argnums=1)
        assert F(2.0, 3.0) == 6.0 and F(2.0, 4.0) == 8.0 and F.stats()["records"] == 2
        G = tg.function(lambda x, scale: x * float(scale), static_argnames="scale")
        assert G(2.0, scale=3.0) == 6.0 and G(2.0, scale=4.0) == 8.0

    def test_containers(self):
        class P(NamedTuple):
            w: np.ndarray
            b: float

        @dataclass
        class D:
            p: P
            q: dict

        def f(d):
            return np.sum(d.p.w * d.p.b) + np.sum(d.q["z"] ** 2)

        d = D(P(np.ones(2), 3.0), {"z": np.arange(2.0)})
        g = tg.function(f).grad(d)
        assert type(g) is D and np.array_equal(g.p.w, [3, 3]) and g.p.b == 2.0
        assert np.array_equal(g.q["z"], [0, 2])
        out = D(P(np.empty(2), 0.0), {"z": np.empty(2)})
        with pytest.raises(ValueError, match="out"):
            tg.function(f).value_and_grad(d, out=out)

    def test_results_of_any_structure(self):
        F = tg.function(lambda x: {"a": (x, 2.0), "b": [np.sin(x), "text", None, np.arange(2)]})
        found = F(0.5)
        assert found["a"] == (0.5, 2.0) and found["b"][0] == np.sin(0.5)
        assert found["b"][1:3] == ["text", None] and np.array_equal(found["b"][3], [0, 1])
        found["b"][3][0] = 7
        assert F(0.5)["b"][3][0] == 0

    def test_constants_and_unused_inputs(self):
        F = tg.function(lambda x, y: np.sum(y))
        assert np.array_equal(F.grad(np.ones(3), np.ones(2)), np.zeros(3))
        assert (
            tg.function(lambda x: 4.0).grad(1.0) == 0.0 and tg.function(lambda x: 4.0)(1.0) == 4.0
        )
        assert tg.function(lambda x: x)(2.5) == 2.5
        assert np.array_equal(tg.function(lambda x: x[::-1])(X), X[::-1])

    def test_complex(self):
        def f(z):
            return np.real(np.sum(z * np.conj(z) * np.exp(z)))

        z = np.array([1.0 + 2.0j, -0.5 + 0.1j])
        F = tg.function(f)
        np.testing.assert_allclose(F.grad(z), tg.grad(f)(z), rtol=1e-13)

    def test_empty_arrays(self):
        F = tg.function(lambda x: np.sum(x * 2.0))
        assert F(np.ones((0, 3))) == 0.0 and F.grad(np.ones((0, 3))).shape == (0, 3)


class TestComposition:
    def test_transforms_use_programs(self):
        calls = []

        def f(x):
            calls.append(1)
            return rosen(x)

        F = tg.function(f)
        np.testing.assert_allclose(tg.grad(F)(X), tg.grad(rosen)(X), rtol=1e-13)
        np.testing.assert_allclose(tg.hessian(F)(X), tg.hessian(rosen)(X), rtol=1e-12)
        np.testing.assert_allclose(tg.jacfwd(F)(X), tg.grad(rosen)(X), rtol=1e-12)
        assert tg.jvp(F, (X,), (X,))[1] == pytest.approx(tg.jvp(rosen, (X,), (X,))[1])
        assert len(calls) == 1

    def test_functions_in_functions_and_in_recordings(self):
        inner = tg.function(lambda x: np.sin(x) * x)
        outer = tg.function(lambda x: np.sum(inner(x) ** 2))
        plain = lambda x: np.sum((np.sin(x) * x) ** 2)
        assert outer(X) == pytest.approx(plain(X))
        np.testing.assert_allclose(outer.grad(X), tg.grad(plain)(X), rtol=1e-12)
        np.testing.assert_allclose(tg.grad(lambda x: np.sum(inner(x) ** 2))(X), tg.grad(plain)(X))

    def test_derivatives_inside_a_function(self):
        F = tg.function(lambda x: np.sum(tg.grad(rosen)(x) ** 2))
        plain = lambda x: np.sum(tg.grad(rosen)(x) ** 2)
        assert F(X) == pytest.approx(plain(X), rel=1e-12)
        np.testing.assert_allclose(F.grad(X), tg.grad(plain)(X), rtol=1e-11)
        np.testing.assert_allclose(F.grad(X + 0.5), tg.grad(plain)(X + 0.5), rtol=1e-11)

    def test_hessian_operator_and_pullbacks(self):
        F = tg.function(rosen)
        H = tg.hessian(rosen)(X)
        np.testing.assert_allclose(F.hessian_operator(X) @ np.eye(7), H, rtol=1e-11, atol=1e-9)
        G = tg.function(lambda x: (np.sin(x[:3]), x[3] * x[4]))
        value, pullback = G.vjp(X)
        (found,) = pullback((np.ones(3), 2.0))
        (wanted,) = tg.vjp(lambda x: (np.sin(x[:3]), x[3] * x[4]), X)[1]((np.ones(3), 2.0))
        np.testing.assert_allclose(found, wanted)
        assert value[1] == X[3] * X[4]

    def test_second_derivatives_of_functions_that_read_elements(self):
        def f(x):
            y = np.zeros_like(x)
            for i in range(len(x)):
                y[i] = x[i] ** 3
            y[1:3] += x[0]
            y[x > 0.5] *= 2.0
            return np.sum(np.sin(y))

        F = tg.function(f)
        for x in (np.array([0.3, -0.2, 0.4, 0.9]), np.array([0.3, -0.2, 0.7, 0.1])):
            np.testing.assert_allclose(F.grad(x), tg.grad(f)(x), rtol=1e-12)
            np.testing.assert_allclose(F.hessian(x), tg.hessian(f)(x), rtol=1e-11, atol=1e-12)


class TestPrograms:
    def test_params(self):
        P = tg.record(lambda x, p: np.sum(p * x**2), np.ones(3), params=np.arange(3.0))
        assert P(np.ones(3)) == 3.0 and P(np.ones(3), params=np.ones(3)) == 3.0
        np.testing.assert_array_equal(P.grad(np.ones(3), params=np.ones(3)), [2.0, 2.0, 2.0])
        np.testing.assert_array_equal(P.grad(np.ones(3)), [0.0, 2.0, 4.0])
        with pytest.raises(TypeError, match="without params"):
            tg.record(rosen, X)(X, params=1.0)

    def test_other_signatures_are_refused(self):
        P = tg.record(rosen, X)
        with pytest.raises(ValueError, match="was recorded for"):
            P(X[:3])
        with pytest.raises(ValueError, match="was recorded for"):
            P.grad(X.astype(np.float32))

    def test_out(self):
        F = tg.function(rosen)
        out = np.empty(7)
        for _ in range(3):
            _, gradient = F.value_and_grad(X, out=out)
            assert gradient is out and F.grad(X, out=out) is out
        np.testing.assert_allclose(out, tg.grad(rosen)(X), rtol=1e-13)
        for wrong in (np.empty(6), np.empty(7, np.float32), [0.0] * 7, np.empty(14)[::2]):
            with pytest.raises(ValueError, match="out"):
                F.value_and_grad(X, out=wrong)

    def test_results_are_the_callers_own(self):
        F = tg.function(rosen)
        first = F.grad(X)
        kept = first.copy()
        F.grad(X + 1.0)
        np.testing.assert_array_equal(first, kept)


def test_threads_share_one_program():
    F = tg.function(lambda x: rosen(np.tanh(x)) if x[0] > 0 else rosen(x))
    points = [X + 0.1 * k for k in range(8)]
    wanted = [F.value_and_grad(x) for x in points]
    faults = []

    def work(k):
        for _ in range(300):
            value, gradient = F.value_and_grad(points[k])
            if value != wanted[k][0] or not np.array_equal(gradient, wanted[k][1]):
                faults.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults


def test_the_number_of_threads_changes_no_bit():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(400_000)
    F = tg.function(rosen)
    one = F.value_and_grad(x)
    try:
        tg.set_threads(2)
        two = F.value_and_grad(x)
    finally:
        tg.set_threads(1)
    assert one[0] == two[0] and np.array_equal(one[1], two[1])
    with pytest.raises(ValueError, match="at least one thread"):
        tg.set_threads(0)


@pytest.mark.parametrize("shape", [(300, 130, 64), (257, 140, 33), (2, 200, 90, 40)], ids=str)
def test_threads_share_products_to_the_bit(shape):
    *stack, m, k, n = shape
    random = np.random.default_rng(8)
    a, b = random.standard_normal((*stack, m, k)), random.standard_normal((*stack, k, n))
    program = tg.record(lambda a, b: np.tanh(a @ b) @ np.swapaxes(b, -1, -2), a, b)
    try:
        found = []
        for threads in (1, 2, 3):
            tg.set_threads(threads)
            found.append(program(a, b))
    finally:
        tg.set_threads(1)
    np.testing.assert_allclose(found[0], np.tanh(a @ b) @ np.swapaxes(b, -1, -2), rtol=1e-10)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_replays_do_not_grow():
    F = tg.function(rosen)
    out = np.empty(7)
    F.value_and_grad(X, out=out)
    gc.collect()
    tracemalloc.start()
    for _ in range(20_000):
        F.value_and_grad(X, out=out)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 20_000


def test_large_straight_line_code():
    def f(x):
        y = x[0]
        for k in range(20_000):
            y = y * 0.999 + x[k % 5] * 0.001
        return y * y

    F = tg.function(f)
    x = np.arange(1.0, 6.0)
    assert F(x) == pytest.approx(f(x), rel=1e-12)
    np.testing.assert_allclose(F.grad(x), tg.grad(f)(x), rtol=1e-10)


def test_a_constant_of_a_wide_dtype_is_refused():
    wide = np.ones(400, np.clongdouble)
    with pytest.raises(TypeError, match="dtype"):
        tg.function(lambda x: np.sum(np.abs(x * wide)))(np.ones(400))


def test_branches_of_values_that_are_computed_again():
    """The operands of `where` are in a list: the cost of computing it again reads them there."""

    def f(x):
        y = x
        for _ in range(4):
            y = np.where(y > 0.5, y, y * 0.9) + y[0] * y[1]
        return np.sum(y)

    x = np.ones(50)
    np.testing.assert_allclose(tg.function(f).grad(x), tg.grad(f)(x), 1e-14)
