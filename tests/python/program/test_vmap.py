"""vmap gives what a loop over the instances gives: within and outside of derivatives, where
branches part, and for all shapes, dtypes, axes and containers."""

import itertools
from collections import namedtuple

import numpy as np
import pytest
from program.looped import RNG, W, X, check, loop, looped, rosenbrock

import tapegrad as tg
from tapegrad import _core

# ---- derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [rosenbrock, loop])
def test_derivatives_within(f):
    check(tg.vmap(f)(X), looped(f, X))
    check(tg.vmap(tg.grad(f))(X), looped(tg.grad(f), X), 1e-10)
    check(tg.vmap(tg.hessian(f))(X), looped(tg.hessian(f), X), 1e-10)
    product = lambda x: tg.hvp(f)(x, W)
    check(tg.vmap(product)(X), looped(product, X), 1e-10)
    tangent = lambda x: tg.jvp(f, (x,), (W,))[1]
    check(tg.vmap(tangent)(X), looped(tangent, X), 1e-10)


def test_jacobians_within():
    f = lambda x: np.sin(x[:2]) * x[2:] @ np.ones(2) + x
    for transform in (tg.jacobian, tg.jacfwd, tg.jacrev):
        check(tg.vmap(transform(f))(X), looped(transform(f), X), 1e-10)


@pytest.mark.parametrize("f", [rosenbrock, loop])
def test_derivatives_outside(f):
    """Through the batch, by what f closes over and by the batch itself."""

    def batched(w, X):
        return np.sum(tg.vmap(lambda x: np.tanh(w @ x) * f(x * w))(X))

    def plain(w, X):
        return sum(np.tanh(w @ x) * f(x * w) for x in X)

    for k in (0, 1):
        wanted = tg.grad(plain, k)(W, X)
        check(tg.grad(batched, k)(W, X), wanted, 1e-9)
        check(tg.function(batched).grad(W, X, argnums=k), wanted, 1e-9)
    check(tg.hessian(batched)(W, X), tg.hessian(plain)(W, X), 1e-8)
    check(tg.function(batched).hessian(W, X), tg.hessian(plain)(W, X), 1e-8)
    check(tg.jvp(batched, (W, X), (W, X))[1], tg.jvp(plain, (W, X), (W, X))[1], 1e-9)
    per_example = tg.jacrev(lambda w: tg.vmap(lambda x: f(x * w))(X))(W)
    check(per_example, np.stack([tg.grad(lambda w, x=x: f(x * w))(W) for x in X]), 1e-9)


def written(w, x):
    y = w.copy()
    y[0] = x  # into a copy of what is recorded outside
    z = w * 2
    z[1:3] += x * w[0]
    return np.sum(y * y * z) + w[-1] * w[1] * x


def cached(w, x):
    if np.sum(w) > 0:  # a branch on what is outside
        return x * np.max(w)
    return x + int(w[0] * 10)


@pytest.mark.parametrize("f", [written, cached])
def test_what_is_read_from_outside(f):
    x = W + 0.5
    batched = lambda w, x: np.sum(tg.vmap(lambda v: f(w, v))(x))
    plain = lambda w, x: sum(f(w, v) for v in x)
    F = tg.function(batched)
    for w in (W, -W, W + 3.0):
        wanted = tg.grad(plain)(w, x)
        check(tg.grad(batched)(w, x), wanted)
        check(F.grad(w, x), wanted)
        check(tg.hessian(batched)(w, x), tg.hessian(plain)(w, x))
    check(tg.vmap(batched, (0, None))(np.stack([W, -W]), x), [plain(W, x), plain(-W, x)])


def test_loaded_programs():
    import pickle

    P = pickle.loads(pickle.dumps(tg.record(rosenbrock, X[0])))
    check(P.batch(X), looped(rosenbrock, X))
    check(P.batch(X, kind="hessian"), looped(tg.hessian(rosenbrock), X), 1e-10)
    check(tg.vmap(P)(X), looped(rosenbrock, X))
    total = lambda X: np.sum(tg.vmap(P)(X))
    check(tg.grad(total)(X), looped(tg.grad(rosenbrock), X), 1e-10)


def test_threads():
    from concurrent.futures import ThreadPoolExecutor

    f = tg.vmap(loop)
    wanted = looped(loop, X)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: f(X), range(40)):
            check(found, wanted)


def test_batches_of_batches():
    outer = tg.vmap(lambda x: tg.vmap(lambda y: x * y + 1 if x > y else y - x * x)(W))
    wanted = np.array([[x * y + 1 if x > y else y - x * x for y in W] for x in W])
    check(outer(W), wanted)
    total = lambda w: np.sum(outer(w))
    plain = lambda w: sum(x * y + 1 if x > y else y - x * x for y in W for x in w)
    check(tg.grad(total)(W), tg.grad(plain)(W))
    gradients = tg.vmap(tg.grad(lambda x: np.sum(tg.vmap(rosenbrock)(np.outer(x, x)))))
    check(gradients(X), looped(tg.grad(lambda x: sum(map(rosenbrock, np.outer(x, x)))), X), 1e-9)


def test_of_a_function():
    F = tg.function(loop)
    check(tg.vmap(F)(X), looped(loop, X))
    records = F.stats()["records"]
    check([F(x) for x in X], looped(loop, X))
    assert F.stats()["records"] == records  # the traces are the same


# ---- branches ------------------------------------------------------------------------------------


def halvings(x):
    n = 0
    while x > 1:
        x, n = x / 2, n + 1
    return x * n


def test_branches():
    z = np.array([0.5, 3.0, 9.0, 100.0, 3.3, -2.0, 1e5])
    f = tg.vmap(halvings)
    for values in (z, z[::-1], z[:3], z + 1):
        check(f(values), looped(halvings, values))
        check(tg.vmap(tg.grad(halvings))(values), looped(tg.grad(halvings), values))


def test_branches_within_programs():
    def total(w, z):
        return np.sum(tg.vmap(lambda x: w * np.exp(x) if x > w else -x * w * w)(z))

    def plain(w, z):
        return sum(w * np.exp(x) if x > w else -x * w * w for x in z)

    F = tg.function(total)
    z = np.array([-1.0, 2.0, -3.0, 0.2])
    for w, values in itertools.product((0.1, 1.0, -2.0), (z, -z, z + 1)):
        assert F(w, values) == pytest.approx(plain(w, values))
        assert F.grad(w, values) == pytest.approx(tg.grad(plain)(w, values))
        check(tg.grad(total, 1)(w, values), tg.grad(plain, 1)(w, values))


def test_guards_of_every_kind():
    def f(x, k):
        y = sorted(x)  # comparisons
        n = int(10 * x[0])  # an integer
        return y[0] * n + x[k]  # an index

    x, k = RNG.uniform(0, 1, (6, 3)), np.array([0, 2, 1, 1, 2, 0])
    check(tg.vmap(f)(x, k), looped(f, x, k))
    check(tg.vmap(lambda x: x * tg.stop_gradient(x))(W), W * W)


def test_nan_in_a_guard():
    f = lambda x: x * 2 if np.isnan(x) or x < 0 else -x
    z = np.array([np.nan, 1.0, -1.0, np.nan])
    check(tg.vmap(f)(z), looped(f, z))


def test_singular_instances():
    """What is singular on another branch does no harm."""

    def f(a):
        if a[0, 0] > 0:
            return np.linalg.solve(a, np.ones(2))
        return a[0] * 2

    a = np.stack([np.eye(2), -np.zeros((2, 2)), 3 * np.eye(2), np.diag([-1.0, 0.0])])
    check(tg.vmap(f)(a), looped(f, a))
    check(
        tg.grad(lambda a: np.sum(tg.vmap(f)(a)))(a),
        tg.grad(lambda a: sum(np.sum(f(x)) for x in a))(a),
    )
    with pytest.raises(np.linalg.LinAlgError):
        tg.vmap(np.linalg.inv)(np.zeros((2, 2, 2)))


def test_results_that_do_not_depend_on_the_arguments():
    z = np.array([1.0, -1.0])
    check(tg.vmap(lambda x: 1.0 if x > 0 else 2)(z), np.array([1.0, 2.0]))
    check(tg.vmap(lambda x: 3.0)(z), np.array([3.0, 3.0]))
    check(
        tg.vmap(lambda x: np.arange(2) if x > 0 else np.zeros(2))(z), np.array([[0, 1.0], [0, 0]])
    )
    check(tg.vmap(lambda x, w: np.sum(w), (0, None))(z, W), np.full(2, np.sum(W)))
    check(tg.vmap(tg.grad(lambda x: 3.0))(z), np.zeros(2))


# ---- shapes, dtypes, axes ------------------------------------------------------------------------


def test_axes():
    a, b = RNG.standard_normal((3, 5)), RNG.standard_normal(5)
    check(tg.vmap(lambda x, y: x * y, (1, None))(a, 2.0), (a * 2.0).T)
    check(tg.vmap(lambda x, y: x * y, (-1, 0), 1)(a, b), a * b)
    check(tg.vmap(lambda x, y: x * y, (1, 0), -1)(a, b), a * b)
    check(tg.vmap(lambda x: np.outer(x, x), 0, 1)(a), np.einsum("bi,bj->ibj", a, a))
    check(
        tg.vmap(lambda x, y: x @ y, [None, 1])(a, b[:, None] * np.ones(4)),
        looped(lambda y: a @ y, b[:, None] * np.ones(4), axes=[1]),
    )


Point = namedtuple("Point", "x y")


def test_containers():
    p = {"p": Point(X, W), "s": (2.0, [X[:, 0]])}
    f = lambda p: (p["p"].x @ p["p"].y * p["s"][0], {"k": p["s"][1][0], "c": 1.0, "n": None})
    axes = ({"p": Point(0, None), "s": (None, 0)},)
    value, rest = tg.vmap(f, axes, (0, {"k": 0, "c": None, "n": None}))(p)
    check(value, X @ W * 2.0)
    check(rest["k"], X[:, 0])
    assert rest["c"] == 1.0
    assert rest["n"] is None
    moved = tg.vmap(lambda x: Point(x, 2 * x), 0, Point(1, 0))(X)
    check(moved.x, X.T)
    check(moved.y, 2 * X)


def test_keywords():
    check(tg.vmap(lambda x, *, y, k: x * y + k)(X, y=W[:1] * np.ones(5), k=2), X * W[0] + 2)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_dtypes(dtype):
    x = (X + (1j * X[::-1] if dtype == "c16" else 0)).astype(dtype)
    f = lambda v: np.sin(v) * v[0] + np.sum(v) * 2
    check(tg.vmap(f)(x), looped(f, x), 1e-5 if dtype == "f4" else 1e-12)
    check(tg.vmap(lambda v: np.abs(v[0]) > 1)(x), np.abs(x[:, 0]) > 1)
    check(tg.vmap(lambda v: v * 2)(x[:, 0]), x[:, 0] * 2)


def test_integers_and_booleans():
    k = np.array([2, 0, 1])
    check(tg.vmap(lambda i: W[i])(k), W[k])
    check(tg.vmap(lambda x: x * 2 + 1)(k), k * 2 + 1)
    check(tg.vmap(lambda b, x: x if b else -x)(k > 0, W[:3]), np.where(k > 0, W[:3], -W[:3]))
    check(tg.vmap(lambda x: np.argmax(x))(X), np.argmax(X, 1))
    check(tg.vmap(np.sort)(X), np.sort(X))


def test_sizes():
    f = tg.vmap(lambda x: (np.sin(x), x > 0, np.sum(x)))
    for count in (0, 1, 2, 7):
        sines, truths, sums = f(X[:1] * np.ones((count, 1)))
        assert sines.shape == truths.shape == (count, 4)
        assert truths.dtype == bool
        assert sums.shape == (count,)
    check(tg.vmap(np.sum)(np.zeros((3, 0))), np.zeros(3))
    check(tg.vmap(lambda x: x * 2)(np.zeros((3, 0, 2))), np.zeros((3, 0, 2)))
    assert tg.grad(lambda x: np.sum(tg.vmap(np.sin)(x)))(np.zeros(0)).shape == (0,)


def test_programs_are_kept():
    calls = []
    f = tg.vmap(lambda x: (calls.append(0), np.sin(x))[1])
    for count in (4, 4, 5, 6, 7, 8, 9, 30, 31, 32, 4):
        check(f(np.linspace(0, 1, count)), np.sin(np.linspace(0, 1, count)))
    assert len(calls) == 1


def test_parts(monkeypatch):
    """A large batch runs in parts, the last of them filled up."""
    monkeypatch.setattr("tapegrad.program.batches.MOST_NUMBERS", 40)
    f = lambda x: np.sum(np.sin(x) * x) if x[0] > 0 else x[1]
    x = RNG.standard_normal((23, 4))
    check(tg.vmap(f)(x), looped(f, x))


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: tg.vmap(3), TypeError, "expected a function"),
        (lambda: tg.vmap(np.sin)(2.0), ValueError, "argument 0 is a float, which has no axis"),
        (lambda: tg.vmap(np.add)(X, X[:2]), ValueError, "argument 0 has 5, argument 1 has 2"),
        (lambda: tg.vmap(np.add, (0,))(X, X), ValueError, "in_axes has 1 entries"),
        (lambda: tg.vmap(np.sin, None)(X), ValueError, "no argument is mapped"),
        (lambda: tg.vmap(np.sin, 2)(X), ValueError, r"shape \(5, 4\), which has no axis 2"),
        (lambda: tg.vmap(np.sin, ({"a": 0},))(X), ValueError, "does not fit a single value"),
        (lambda: tg.vmap(np.sin, 0, 2)(X), ValueError, "out_axes=2"),
        (lambda: tg.vmap(np.sin, 0, None)(X), ValueError, "differs between instances"),
        (lambda: tg.vmap(np.sin, "x")(X), TypeError, "in_axes must be an integer"),
        (lambda: tg.vmap(lambda x: "a")(X), TypeError, "returned a str"),
        (lambda: tg.vmap(lambda x: x if x[0] > 0 else 1.0)(X), ValueError, "different shapes"),
        (lambda: tg.vmap(lambda x: x if x[0] > 0 else (x,))(X), ValueError, "different containers"),
        (lambda: tg.vmap(np.sin)(np.array(["a"])), TypeError, "argument 0 has dtype"),
        (lambda: tg.function(np.sum).batch(X, kind="third"), ValueError, "kind must be value"),
        (lambda: tg.function(np.sin).batch(X, kind="grad"), ValueError, "expected a scalar"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_errors_leave_no_recording_behind():
    def f(x):
        return np.sum(tg.vmap(lambda v: v @ np.ones(3))(x))

    for g in (tg.grad(f), tg.function(f), tg.vmap(f)):
        with pytest.raises(ValueError):
            g(np.ones((2, 5, 4)))
    assert not _core.recording()
    check(tg.grad(lambda x: np.sum(tg.vmap(np.sin)(x)))(W), np.cos(W))
