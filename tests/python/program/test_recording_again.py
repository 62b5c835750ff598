"""When `tg.function` records again and when it does not: branches and the policies for them, values
from outside that change."""

from types import SimpleNamespace

import numpy as np
import pytest

import tapegrad as tg


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
        with pytest.raises(tg.BranchError, match=r"test_recording_again\.py:\d+"):
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

    def test_what_containers_and_objects_hold(self):
        nested = {"k": [1.0, 2.0], "pair": ([3.0], {"a": np.ones(2)})}
        model = SimpleNamespace(inner=SimpleNamespace(scale=4.0, weights=[5.0]))

        def f(x):
            (third,), arrays = nested["pair"]
            held = nested["k"][1] * third * arrays["a"][0]
            return x * held * model.inner.scale * model.inner.weights[0]

        F = tg.function(f)

        def change(k):
            if k == 1:
                nested["k"][1] = 7.0
            if k == 2:
                nested["pair"][0][0] = -1.0
            if k == 3:
                nested["pair"][1]["a"] = np.full(2, 3.0)
            if k == 4:
                nested["pair"][1]["a"][0] = 9.0
            if k == 5:
                model.inner.scale = 0.5
            if k == 6:
                model.inner.weights[0] = 11.0
            if k == 7:
                nested["k"] = (0.0, 13.0)

        for k in range(8):
            change(k)
            assert F(2.0) == f(2.0) and F.grad(2.0) == f(1.0)

    def test_counters_do_not_record_again(self):
        count = 0

        def f(x):
            nonlocal count
            count += 1
            return x * x

        F = tg.function(f)
        assert [F(float(k)) for k in range(5)] == [0.0, 1.0, 4.0, 9.0, 16.0] and count == 1


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


@pytest.mark.parametrize("n", [3, 256, 257, 300, 1000, 2048])
def test_a_small_constant_is_read_as_it_was_at_each_use(n):
    """However few of its elements change between two operations."""

    def filled(x):
        h, y = np.zeros(n), 0.0
        for k in range(2):
            h[k + 1] = h[k] + k + 1.0
            y = y + np.sum(h * x)
        return y

    def one_hot(x):
        e, y = np.zeros(n), 0.0
        for k in range(3):
            e[k] = 1.0
            y = y + 10.0**k * np.dot(e, x) ** 2
            e[k] = 0.0
        return y

    def masked(x):
        mask, y = np.zeros(n, bool), 0.0
        for k in range(3):
            mask[k] = True
            y = y + 10.0**k * np.sum(np.where(mask, x, 0.0))
            mask[k] = False
        return y

    x = np.arange(1.0, n + 1)
    for f in filled, one_hot, masked:
        F = tg.function(f)
        assert F(x) == f(x)
        np.testing.assert_array_equal(F.grad(x), tg.grad(f)(x))
        np.testing.assert_array_equal(tg.vmap(f)(np.stack([x, x + 1])), [f(x), f(x + 1)])


@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "i8", "u8", "i1", "?", "c16"])
def test_every_element_of_a_small_constant_is_compared(dtype):
    for a in np.ones(300, dtype), np.ones((50, 30), dtype)[::2], np.ones(1000, dtype):
        F = tg.function(lambda x, a=a: np.sum(np.real(a) * x))
        assert F(2.0) == 2.0 * a.size
        for k in (1, 7, a.size // 3, a.size - 2):
            a.flat[k] = 0
            assert F(2.0) == 2.0 * np.count_nonzero(a)
        records = F.stats()["records"]
        assert F(3.0) == 3.0 * np.count_nonzero(a) and F.stats()["records"] == records


large = np.zeros(5000)


def test_a_local_name_is_no_global():
    F = tg.function(lambda large: np.sum(large**2))
    assert F(np.ones(2)) == 2.0
    large[:] += 1.0
    assert F(np.ones(2)) == 2.0 and F.stats()["records"] == 1


def test_columns_of_tables_of_any_width_are_one_signature():
    F = tg.function(lambda y: np.sum(np.sin(y) * y))
    for k in range(1, 9):
        table = np.arange(4.0 * k).reshape(4, k)
        F(table[:, -1])
        F(table[:, ::k])
    assert F.stats()["records"] <= 4
    calls = []
    V = tg.vmap(lambda y: calls.append(1) or np.sum(np.sin(y)), in_axes=1)
    for k in range(1, 9):
        V(np.ones((4, k)))
    assert len(calls) <= 2
