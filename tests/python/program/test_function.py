"""`tg.function` and `tg.record`: signatures, branches, policies, what is noticed, threads."""

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


class TestBranches:
    def test_every_way_is_found_again(self):
        calls = []

        @tg.function
        def f(x):
            calls.append(1)
            if x > 1.0:
                return x * 2.0
            return x * x if x > 0.0 else -x

        points = [2.0, 0.5, -1.0] * 5
        wanted = [4.0, 0.25, 1.0] * 5
        assert [f(x) for x in points] == wanted and len(calls) == 3
        assert [f.grad(x) for x in points] == [2.0, 1.0, -1.0] * 5 and len(calls) == 3
        stats = f.stats()
        assert stats["traces"] == 3 and stats["signatures"] == 1 and stats["hits"] > 20

    def test_loops_int_and_sorting(self):
        def f(x):
            total = 0.0
            for k in range(int(x[0])):
                total = total + x[1] * k
            while total < 10.0:
                total = total * 2.0 + 1.0
            return total + sorted([x[1], x[2]])[0]

        F = tg.function(f)
        for x in ([3.0, 1.0, 2.0], [5.0, 1.0, 2.0], [3.0, 4.0, 2.0], [3.5, 1.0, 2.0]):
            x = np.array(x)
            assert F(x) == f(x)
            np.testing.assert_allclose(F.grad(x), tg.grad(f)(x))

    def test_a_guard_that_is_known_beforehand_keeps_its_number(self):
        def f(x):
            y = x.copy()
            y[0] = 3.0
            z = np.sum(x) * int(y[0])
            if x[1] > 0.0:
                return z
            return -z if x[2] > 0.0 else 2.0 * z

        F = tg.function(f)
        for _ in range(3):
            for x in ([1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, -1.0, -1.0]):
                assert F(np.array(x)) == f(np.array(x))
        assert F.stats()["traces"] == F.stats()["records"] == 3

    def test_a_way_that_ends_in_a_constant(self):
        f = lambda x: 5.0 if x[0] > 1.0 else x[0] * x[1]
        up, down = np.array([2.0, 1.0]), np.array([0.5, 3.0])
        zero = np.zeros(2)
        for first, second in ((up, down), (down, up)):
            program = tg.function(f)
            for x in (first, second, first):
                assert program(x) == f(x)
                np.testing.assert_array_equal(program.grad(x), tg.grad(f)(x))
                np.testing.assert_array_equal(program.jacobian(x), tg.jacobian(f)(x))
                np.testing.assert_array_equal(program.hessian(x), tg.hessian(f)(x))
                assert tg.jvp(program, (x,), (up,)) == tg.jvp(f, (x,), (up,))
                np.testing.assert_array_equal(tg.hvp(program, (x,), (up,)), tg.hvp(f, (x,), (up,)))
                np.testing.assert_array_equal(tg.vjp(program, x)[1](1.0), tg.vjp(f, x)[1](1.0))
        np.testing.assert_array_equal(tg.function(lambda x: 3.0).grad(up), zero)
        np.testing.assert_array_equal(tg.function(lambda x: np.ones(3)).jacobian(up), [zero] * 3)

    def test_policies(self):
        f = lambda x: np.sin(x) if x > 0 else x * x
        g = tg.function(f, on_branch="raise")
        g(1.0)
        with pytest.raises(tg.BranchError, match=r"test_function\.py:\d+"):
            g(-1.0)
        with pytest.raises(tg.BranchError):
            g.value_and_grad(-1.0)
        assert g(2.0) == np.sin(2.0)
        h = tg.function(f, on_branch="warn")
        h(1.0)
        with pytest.warns(RuntimeWarning, match="another branch"):
            assert h(-2.0) == 4.0
        with pytest.raises(ValueError, match="on_branch"):
            tg.function(f, on_branch="ignore")

    def test_traces_are_bounded_and_endless_recording_is_said(self):
        F = tg.function(lambda x: x * int(x), max_traces=4)
        with pytest.warns(RuntimeWarning, match="recorded at each of its last 32 calls"):
            for k in range(40):
                assert F(k + 0.5) == (k + 0.5) * k
        assert F.stats()["traces"] == 4 and F.stats()["evicted"] == 36

    def test_exceptions(self):
        def f(A):
            try:
                return np.sum(np.linalg.inv(A))
            except np.linalg.LinAlgError:
                return np.sum(A) * 100.0

        F = tg.function(f)
        good, bad = np.array([[2.0, 0.0], [0.0, 4.0]]), np.zeros((2, 2))
        for A in (good, bad, good * 2, bad, bad + 1.0, good):
            assert F(A) == pytest.approx(f(A))
            np.testing.assert_allclose(F.grad(A), tg.grad(f)(A))

        @tg.function
        def g(x):
            if x < 0:
                raise ValueError("negative")
            return np.sqrt(x)

        assert g(4.0) == 2.0
        for _ in range(2):
            with pytest.raises(ValueError, match="negative"):
                g(-1.0)
        assert g(9.0) == 3.0

    def test_nan_is_a_way_of_its_own(self):
        f = lambda x: x * 2.0 if x > 0 else x * 3.0
        F = tg.function(f)
        assert F(1.0) == 2.0 and np.isnan(F(np.nan)) and F(-1.0) == -3.0


class TestSurroundings:
    def test_captured_arrays(self):
        A = np.arange(3.0)
        F = tg.function(lambda x: np.sum(A * x) + np.sum(2.0 * A))
        assert F(np.ones(3)) == 9.0
        A[1] = 10.0
        assert F(np.ones(3)) == 36.0
        assert np.array_equal(F.grad(np.ones(3)), A)

    def test_one_element_of_a_large_array_is_noticed_in_debug_mode(self):
        A = np.ones(30_000)
        F = tg.function(lambda x: np.sum(A * x))
        with tg.debug():
            assert F(2.0) == 60_000.0
            A[12_345] = 2.0
            assert F(2.0) == 60_002.0

    def test_names_attributes_and_items(self):
        rate, settings = 2.0, {"bias": 1.0}

        class Model:
            def __init__(self):
                self.scale = 3.0

            def loss(self, x):
                return self.scale * x

        model = Model()
        F = tg.function(lambda x: rate * x + settings["bias"])
        G = tg.function(model.loss)
        assert F(1.0) == 3.0 and G(1.0) == 3.0
        rate = 5.0
        assert F(1.0) == 6.0
        settings["bias"] = 10.0
        assert F(1.0) == 15.0
        model.scale = 7.0
        assert G(1.0) == 7.0 and G.grad(1.0) == 7.0
        records = G.stats()["records"]
        model.scale = 14.0 / 2.0
        assert G(1.0) == 7.0 and G.stats()["records"] == records

    def test_counters_do_not_record_again(self):
        count = 0

        def f(x):
            nonlocal count
            count += 1
            return x * x

        F = tg.function(f)
        assert [F(float(k)) for k in range(5)] == [0.0, 1.0, 4.0, 9.0, 16.0] and count == 1


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


@pytest.mark.parametrize("use", [lambda f, x: f(x), lambda f, x: f.grad(x)])
def test_a_large_constant_that_changes_while_it_is_recorded(use):
    def f(x):
        work = np.ones(x.size)
        first = np.sum(work * x)
        work[:] = 5.0
        return first + np.sum(work * x)

    small, large = np.ones(3), np.ones(3000)
    assert use(tg.function(f), small) is not None and f(small) == tg.function(f)(small) == 18.0
    with pytest.raises(ValueError, match="changed in place"):
        use(tg.function(f), large)


def test_a_constant_of_a_wide_dtype_is_refused():
    wide = np.ones(400, np.clongdouble)
    with pytest.raises(TypeError, match="dtype"):
        tg.function(lambda x: np.sum(np.abs(x * wide)))(np.ones(400))
