"""Rules live as long as the recordings and programs that name them, and no longer."""

from __future__ import annotations

import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import tapegrad as tg

X = np.array([0.4, -1.1, 2.3])


@tg.custom_rule
def cube(x, scale=1):
    return scale * np.asarray(x) ** 3


@cube.vjp
def _(g, y, x, *scale):
    return (3 * (scale[0] if scale else 1) * x**2 * g, *(None for _ in scale))


def made_here():
    rule = tg.custom_rule(lambda x: np.asarray(x) ** 2)
    rule.vjp(lambda g, y, x: (2.0 * x * g,))
    return rule


def test_nothing_leaks():
    gc.collect()
    f = lambda x: np.sum(cube(x))
    tg.grad(f)(X)
    before = len(gc.get_objects())
    for _ in range(2000):
        tg.grad(f)(X)
    gc.collect()
    assert len(gc.get_objects()) < before + 100
    seen = []
    for _ in range(50):
        rule = made_here()
        seen.append(weakref.ref(rule))
        tg.grad(lambda x, rule=rule: np.sum(rule(x)))(X)
        tg.hessian(lambda x, rule=rule: np.sum(rule(x)))(X)
    del rule
    gc.collect()
    assert all(ref() is None for ref in seen)


def recorded_with_a_rule():
    rule = made_here()
    P = tg.record(lambda x: np.sum(rule(x)), X)
    _, pullback = tg.vjp(rule, X)
    return P, P.grad(X), pullback, weakref.ref(rule)


def test_programs_and_pullbacks_keep_their_rules():
    P, gradient, pullback, rule = recorded_with_a_rule()
    gc.collect()
    assert np.allclose(gradient, 2 * X) and np.allclose(P.grad(X + 1.0), 2 * (X + 1.0))
    assert np.allclose(pullback(np.ones(3))[0], 2 * X)
    del P, pullback
    gc.collect()  # frees the tapes, and so
    gc.collect()  # the cycle of the rule and its calls
    assert rule() is None


def test_threads():
    F = tg.function(lambda x: np.sum(cube(x)))
    F.grad(X)
    found = {}

    def work(k):
        found[k] = [F.grad(X + k) for _ in range(20)] + [tg.grad(lambda x: np.sum(cube(x)))(X + k)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, gradients in found.items():
        assert all(np.allclose(g, 3 * (X + k) ** 2) for g in gradients)


def test_batches_on_several_threads():
    batch = np.linspace(-1.0, 1.0, 3000).reshape(1000, 3)
    try:
        tg.set_threads(3)
        found = tg.vmap(tg.grad(lambda x: np.sum(cube(x))))(batch)
    finally:
        tg.set_threads(1)
    assert np.allclose(found, 3 * batch**2)


class TestSaving:
    def programs(self):
        yield tg.record(lambda x: np.sum(np.sin(cube(x))), X), lambda x: np.sum(np.sin(x**3))
        yield (
            tg.record(lambda x: np.sum(cube(x, 2) * X), X),
            lambda x: np.sum(2 * x**3 * X),
        )
        inner = tg.grad(lambda x: np.sum(cube(x) ** 2))
        yield tg.record(lambda x: np.sum(inner(x) ** 2), X), lambda x: np.sum(36 * x**10)
        batched = tg.vmap(tg.grad(lambda x: cube(x)))
        yield tg.record(lambda x: np.sum(batched(x) ** 2), X), lambda x: np.sum(9 * x**4)

    def test_files_and_pickle(self, tmp_path):
        for k, (P, plain) in enumerate(self.programs()):
            path = tmp_path / f"{k}.tg"
            P.save(path)
            for Q in (tg.Program.load(path), pickle.loads(pickle.dumps(P))):
                assert Q(X + 0.1) == pytest.approx(plain(X + 0.1))
                assert np.allclose(Q.grad(X + 0.1), tg.grad(plain)(X + 0.1))
                assert np.allclose(Q.hvp(X, X), tg.hvp(plain)(X, X))
                Q.save(tmp_path / "again.tg")
                assert (tmp_path / "again.tg").read_bytes() == path.read_bytes()

    def test_rules_without_a_name(self, tmp_path):
        rule = made_here()
        P = tg.record(lambda x: np.sum(rule(x)), X)
        with pytest.raises(ValueError, match="lambda has no name"):
            P.save(tmp_path / "p.tg")
        named = tg.custom_rule(function_of_another_name)
        named.vjp(lambda g, y, x: (2.0 * x * g,))
        P = tg.record(lambda x: np.sum(named(x)), X)
        with pytest.raises(ValueError, match="found by its name"):
            P.save(tmp_path / "p.tg")

    def test_a_rule_that_is_not_there(self, tmp_path, monkeypatch):
        P = tg.record(lambda x: np.sum(cube(x)), X)
        P.save(tmp_path / "p.tg")
        data = (tmp_path / "p.tg").read_bytes()
        monkeypatch.setattr(cube, "__module__", "nowhere")
        P.save(tmp_path / "q.tg")
        with pytest.raises(ValueError, match=r"nowhere\.cube, which has not been imported"):
            tg.Program.load(tmp_path / "q.tg")
        assert tg.Program.load(tmp_path / "q.tg", types=[cube])(X) == pytest.approx(np.sum(X**3))
        monkeypatch.undo()
        assert tg.Program.load(tmp_path / "p.tg")(X) == pytest.approx(np.sum(X**3)) and data

    def test_listings_are_stable(self):
        lines = [tg.record(lambda x: np.sum(cube(x)), X).listing() for _ in range(2)]
        assert lines[0] == lines[1] and "custom %0 {cube}" in lines[0]


def function_of_another_name(x):
    return np.asarray(x) ** 2
