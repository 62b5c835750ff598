"""A custom function of two arguments and two results in a chain, against the same code recorded:
all orders of modes, batches and programs; with rules in NumPy, and with opaque ones and `hvp`."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg

RNG = np.random.default_rng(0)
X = 0.5 * RNG.normal(size=6)
V = RNG.normal(size=6)
BATCH = 0.5 * RNG.normal(size=(3, 6))


def plain(a, b):
    return a * np.sin(b), np.sum(b**2) * a


def opaque(a, b):
    return plain(np.asarray(a), np.asarray(b))


def vjp(g, y, a, b):
    by_a = g[0] * np.sin(b) + g[1] * np.sum(b**2)
    return by_a, g[0] * a * np.cos(b) + 2 * b * np.sum(g[1] * a)


def jvp(t, y, a, b):
    first = t[0] * np.sin(b) + a * np.cos(b) * t[1]
    return first, np.sum(2 * b * t[1]) * a + np.sum(b**2) * t[0]


def hvp(t, g, y, a, b):
    g, t = [np.asarray(p) for p in g], [np.asarray(p) for p in t]
    a, b = np.asarray(a), np.asarray(b)
    by_a = g[0] * np.cos(b) * t[1] + g[1] * np.sum(2 * b * t[1])
    by_b = g[0] * (t[0] * np.cos(b) - a * np.sin(b) * t[1])
    return by_a, by_b + 2 * t[1] * np.sum(g[1] * a) + 2 * b * np.sum(g[1] * t[0])


def by_vjp():
    rule = tg.custom_rule(opaque)
    rule.vjp(vjp)
    return rule


def by_jvp():
    rule = tg.custom_rule(opaque)
    rule.jvp(jvp)
    return rule


def by_hvp():
    rule = tg.custom_rule(opaque)
    rule.vjp(lambda g, y, a, b: vjp([np.asarray(p) for p in g], y, np.asarray(a), np.asarray(b)))
    rule.hvp(hvp)
    rule.check(X[:3], X[3:])
    return rule


def chain(f):
    def g(x):
        u, v = f(x[:3], x[3:] * x[0])
        w, _ = f(v * x[1], np.exp(u))
        return np.sum(w * u) + np.sum(np.sin(v))

    return g


def close(found, expected, tolerance=1e-10):
    assert np.allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.fixture(params=[by_vjp, by_jvp, by_hvp], ids=lambda make: make.__name__)
def pair(request):
    return chain(request.param()), chain(plain)


def test_one_shot(pair):
    g, p = pair
    close(tg.grad(g)(X), tg.grad(p)(X))
    close(tg.jvp(g, (X,), (V,))[1], tg.jvp(p, (X,), (V,))[1])
    hessian, product = tg.hessian(p)(X), tg.hvp(p)(X, V)
    close(tg.hessian(g)(X), hessian)
    close(tg.hessian(g, chunk=2)(X), hessian)
    close(tg.hvp(g)(X, V), product)
    close(tg.jvp(tg.grad(g), (X,), (V,))[1], product)
    close(tg.grad(lambda x: tg.jvp(g, (x,), (V,))[1])(X), product)
    close(tg.grad(lambda x: tg.grad(g)(x) @ V)(X), product)
    close(tg.jvp(lambda x: tg.jvp(g, (x,), (V,))[1], (X,), (V,))[1], V @ product)
    for outer, inner in [(tg.jacfwd, tg.grad), (tg.jacrev, tg.jacfwd), (tg.jacfwd, tg.jacfwd)]:
        close(outer(inner(g))(X), hessian)


def test_in_programs_and_batches(pair):
    g, p = pair
    G = tg.function(g)
    for x in (X, X + 0.1):
        close(G.grad(x), tg.grad(p)(x))
        close(G.hessian(x), tg.hessian(p)(x))
        close(G.hvp(x, V), tg.hvp(p)(x, V))
    close(tg.vmap(tg.hessian(g))(BATCH), tg.vmap(tg.hessian(p))(BATCH))
    close(tg.function(tg.vmap(tg.grad(g)))(BATCH), tg.vmap(tg.grad(p))(BATCH))
    total = lambda f: lambda x: np.sum(tg.vmap(lambda d: f(x * d))(BATCH))
    close(tg.grad(total(g))(X), tg.grad(total(p))(X))
    close(tg.hessian(total(g))(X), tg.hessian(total(p))(X))


def test_third_order(request):
    cubic = lambda f: tg.grad(lambda x: V @ tg.hessian(f)(x) @ V)
    for make in (by_vjp, by_jvp):
        close(cubic(chain(make()))(X), cubic(chain(plain))(X), 1e-8)


def test_debugging(pair):
    g, p = pair
    with tg.debug():
        close(tg.grad(g)(X), tg.grad(p)(X))
        close(tg.function(g).grad(X), tg.grad(p)(X))
    assert "custom" in str(tg.trace_report(g, X))
