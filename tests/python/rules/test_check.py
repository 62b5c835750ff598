"""`rule.check` finds the wrong one among the rules, `tg.implement` puts rules where calls are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import tapegrad as tg
from tapegrad.functions import ufuncs
from tapegrad.functions.registry import IMPLEMENTATIONS
from tapegrad.rules import implementing

X = np.array([0.4, -1.1, 2.3])


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    """What a test implements is forgotten after it."""
    monkeypatch.setattr(ufuncs, "REGISTERED", dict(ufuncs.REGISTERED))
    monkeypatch.setattr(implementing, "REGISTERED", ufuncs.REGISTERED)
    before = dict(IMPLEMENTATIONS)
    yield
    for function in IMPLEMENTATIONS.keys() - before.keys():
        del IMPLEMENTATIONS[function]


def rules(jvp=1.0, vjp=1.0, jacobian=1.0, hvp=1.0):
    f = tg.custom_rule(lambda x, k: np.asarray(x) ** k)
    f.jvp(lambda t, y, x, k: jvp * k * x ** (k - 1) * t[0])
    f.vjp(lambda g, y, x, k: (vjp * k * x ** (k - 1) * g, None))
    f.jacobian(lambda y, x, k: (jacobian * np.diag(k * x ** (k - 1)), None))
    f.hvp(lambda t, g, y, x, k: (hvp * k * (k - 1) * x ** (k - 2) * t[0] * g, None))
    return f


def test_right_rules_pass():
    rules().check(X, 3)
    with pytest.raises(ValueError, match="no rules"):
        tg.custom_rule(np.sin).check(1.0)


@pytest.mark.parametrize("which", ["jvp", "vjp", "jacobian", "hvp"])
def test_a_wrong_rule_is_named(which):
    with pytest.raises(AssertionError, match=rf"{which} \(.*test_check.py:\d+\) gives") as caught:
        rules(**{which: 1.001}).check(X, 3)
    others = {"jvp", "vjp", "jacobian"} - {which}
    assert which == "hvp" or all(other in str(caught.value) for other in others)


def test_sparsity():
    from scipy import sparse

    for wrap in (np.asarray, sparse.csr_array):
        f = tg.custom_rule(lambda x: np.asarray(x) ** 2, sparsity=wrap(np.eye(3)))
        f.vjp(lambda g, y, x: (2.0 * x * g,))
        f.check(X)
        with pytest.raises(ValueError, match=r"\(3, 3\), its Jacobian \(2, 2\)"):
            tg.grad(lambda x: np.sum(f(x)))(X[:2])
    wrong = tg.custom_rule(lambda x: np.cumsum(np.asarray(x)), sparsity=np.eye(3))
    wrong.jacobian(lambda y, x: np.tri(3))
    with pytest.raises(AssertionError, match="row 1, column 0"):
        wrong.check(X)


def test_sparse_jacobians():
    from scipy import sparse

    f = tg.custom_rule(lambda x: np.diff(np.asarray(x)) ** 2)
    full = lambda x: 2 * np.diff(x)[:, None] * np.diff(np.eye(3), axis=0)
    f.jacobian(lambda y, x: sparse.csr_array(full(x)))
    assert np.allclose(tg.jacobian(f)(X), full(X)) and np.allclose(tg.jacfwd(f)(X), full(X))
    assert np.allclose(tg.function(lambda x: np.sum(f(x))).grad(X), full(X).sum(0))


def test_implement_a_ufunc_by_a_composition():
    with pytest.raises(tg.UnsupportedError, match="exprel"):
        tg.grad(special.exprel)(1.0)

    @tg.implement(special.exprel)
    def exprel(x):
        return np.expm1(x) / x

    slope = (np.exp(0.7) * (0.7 - 1.0) + 1.0) / 0.7**2
    assert tg.grad(special.exprel)(0.7) == pytest.approx(slope, rel=1e-13)
    assert tg.function(special.exprel).grad(0.7) == pytest.approx(slope, rel=1e-13)
    with pytest.raises(ValueError, match="already"):
        tg.implement(special.exprel, exprel)


def test_implement_by_a_custom_rule():
    rule = tg.custom_rule(special.struve, nondifferentiable=0)
    # d H_v(x) / dx = (H_{v-1} - H_{v+1} + (x/2)^v / (sqrt(pi) gamma(v + 3/2))) / 2
    rule.jvp(
        lambda t, y, v, x: (
            t[1]
            * 0.5
            * (
                rule(v - 1, x)
                - rule(v + 1, x)
                + (x / 2) ** v / (np.sqrt(np.pi) * special.gamma(v + 1.5))
            )
        )
    )
    tg.implement(special.struve, rule)
    h = 1e-5
    at = lambda x: special.struve(1.0, x)
    f = lambda x: special.struve(1.0, x)
    assert tg.grad(f)(0.8) == pytest.approx((at(0.8 + h) - at(0.8 - h)) / (2 * h), rel=1e-8)
    second = (at(0.8 + 1e-3) - 2 * at(0.8) + at(0.8 - 1e-3)) / 1e-6
    assert tg.derivative(f, 2)(0.8) == pytest.approx(second, rel=1e-5)


def test_implement_a_function_of_numpy():
    with pytest.raises(tg.UnsupportedError, match="packbits"):
        tg.grad(lambda x: np.sum(np.packbits(x)))(np.ones(8))
    with pytest.raises(ValueError, match=r"numpy\.sum has a rule"):
        tg.implement(np.sum, np.sum)
    with pytest.raises(ValueError, match="sin has a rule"):
        tg.implement(np.sin, np.sin)
    with pytest.raises(TypeError, match=r"does not dispatch.*tapegrad\.scipy.*tg\.custom_rule"):
        tg.implement(special.logsumexp, np.sum)
    with pytest.raises(TypeError, match="function"):
        tg.implement(np.packbits, 3)
    tg.implement(np.packbits, lambda x: 2.0 * x)
    assert np.array_equal(tg.grad(lambda x: np.sum(np.packbits(x)))(np.ones(8)), np.full(8, 2.0))
