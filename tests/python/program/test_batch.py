"""The method `batch` of programs gives what a loop over the instances gives, for each kind of
derivative."""

import itertools

import numpy as np
import pytest
from program.looped import W, X, check, loop, looped, rosenbrock

import tapegrad as tg


@pytest.mark.parametrize("f", [rosenbrock, loop])
def test_batch(f):
    F = tg.function(f)
    check(F.batch(X), looped(f, X))
    check(F.batch(X, threads=2), looped(f, X))
    check(F.batch(X, kind="grad"), looped(tg.grad(f), X), 1e-10)
    value, gradient = F.batch(X, kind="value_and_grad")
    check(value, looped(f, X))
    check(gradient, looped(tg.grad(f), X), 1e-10)
    check(F.batch(X, kind="hessian"), looped(tg.hessian(f), X), 1e-10)
    check(F.batch(X, kind="jacobian"), looped(tg.grad(f), X), 1e-10)
    check(F.batch(X.T, kind="hessian", in_axes=1), looped(tg.hessian(f), X), 1e-10)
    assert F.batch(X[:0]).shape == (0,)
    assert F.batch(X[:0], kind="grad").shape == (0, 4)


@pytest.mark.parametrize("f", [lambda x: np.sin(x) * x[0], lambda x: x[:2] * x[2], np.diag])
def test_batch_of_jacobians(f):
    check(tg.function(f).batch(X, kind="jacobian"), looped(tg.jacobian(f), X), 1e-10)


def test_batch_of_containers():
    F = tg.function(lambda p, k: np.sum(np.sin(p["a"]) * p["b"]) * k)
    p = {"a": X, "b": X[:, 0]}
    gradient = F.batch(p, 3.0, kind="grad", in_axes=(0, None))
    check(gradient["a"], np.cos(X) * X[:, :1] * 3.0)
    check(gradient["b"], np.sum(np.sin(X), 1) * 3.0)
    one = tg.hessian(lambda p: np.sum(np.sin(p["a"]) * p["b"]) * 3.0)
    found = F.batch(p, 3.0, kind="hessian", in_axes=(0, None))
    for i, j in itertools.product("ab", "ab"):
        wanted = [one({"a": X[n], "b": X[n, 0]})[i][j] for n in range(5)]
        check(found[i][j], np.stack(wanted))
    check(F.batch(p, np.arange(5.0), kind="grad", argnums=1), np.sum(np.sin(X) * X[:, :1], 1))
    pair = tg.function(lambda x: (x, x[0] * x)).batch(X, kind="jacobian")
    check(pair[1], looped(tg.jacobian(lambda x: x[0] * x), X))


def test_batch_of_integers():
    F = tg.function(lambda x: np.sum(x**2))
    check(F.batch(np.arange(6).reshape(2, 3), kind="grad"), 2.0 * np.arange(6).reshape(2, 3))
    check(F.grad(np.arange(3)), 2.0 * np.arange(3))


def test_batch_of_a_program():
    P = tg.record(lambda x, p: np.sum(p * x**2), X[0], params=np.arange(4.0))
    check(P.batch(X), X**2 @ np.arange(4.0))
    check(P.batch(X, params=np.ones(4)), np.sum(X**2, 1))
    check(P.batch(X, kind="grad", params=np.ones(4)), 2 * X)
    check(tg.vmap(P)(X), X**2 @ np.arange(4.0))
    scalar = tg.record(lambda x: x * x, 2.0)
    check(scalar.batch(W), W * W)
    with pytest.raises(ValueError, match="was recorded for"):
        P.batch(X[:, :2])
