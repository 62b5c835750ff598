"""Functions from expressions of SymPy, expressions from programs, and SymPy's derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import tapegrad as tg

sympy = pytest.importorskip("sympy")
x, y = sympy.symbols("x y", real=True)

EXPRESSIONS = [
    x**2 * sympy.sin(y) + sympy.exp(-x),
    sympy.Max(x, y) + sympy.Min(x, y * y) + sympy.Abs(x),
    sympy.Piecewise((x**2, x > 1), (y, True)),
    sympy.atan2(x, y) + sympy.sqrt(x**2 + y**2) + sympy.log(x + 2),
    sympy.erf(x) + sympy.tanh(y) + x**y,
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_from_sympy(expression):
    f = tg.from_sympy(expression, (x, y))
    at = (1.3, 0.7)
    exact = lambda e: float(e.subs({x: at[0], y: at[1]}).evalf())
    assert f(*at) == pytest.approx(exact(expression), rel=1e-14)
    gradient = tg.grad(f, argnums=(0, 1))(*at)
    assert gradient == pytest.approx([exact(expression.diff(v)) for v in (x, y)], rel=1e-13)
    hessian = np.array(tg.hessian(f, argnums=(0, 1))(*at))
    assert np.allclose(hessian, [[exact(expression.diff(a, b)) for b in (x, y)] for a in (x, y)])
    F = tg.function(f)
    assert F.grad(*at, argnums=1) == pytest.approx(gradient[1])
    points = np.linspace(0.5, 2.0, 5)
    assert np.allclose(f(points, 0.7), [f(p, 0.7) for p in points])


def test_arrays_of_expressions():
    f = tg.from_sympy(sympy.Matrix([[x * y, x], [1, y**2]]))
    assert np.allclose(tg.jacobian(f)(2.0, 3.0), [[3, 1], [0, 0]])
    assert tg.from_sympy([x, x**2])(3.0).tolist() == [3.0, 9.0]
    with pytest.raises(ValueError, match="besides its arguments: y"):
        tg.from_sympy(x * y, [x])
    with pytest.raises((TypeError, sympy.SympifyError)):
        tg.from_sympy("no expression (")


def test_to_sympy():
    P = tg.record(lambda x: x**2 * np.sin(x) + np.exp(-x), 1.5)
    symbol = sympy.Symbol("x", real=True)
    assert sympy.simplify(P.to_sympy() - (symbol**2 * sympy.sin(symbol) + sympy.exp(-symbol))) == 0

    def f(v, a):
        w = np.stack([v[0] * a, v[1] ** 2, v[0] - v[1]])
        return np.sum(w[1:] * w[:-1]) + np.prod(w) + np.where(a > 0, a, -a) * v @ v

    P = tg.record(f, np.array([0.3, 0.8]), 1.2)
    expression = P.to_sympy(names=["v", "a"])
    at = dict(zip(("v_0", "v_1", "a"), (0.3, 0.8, 1.2), strict=True))
    back = tg.from_sympy(expression, sorted(expression.free_symbols, key=str))
    values = [at[str(s)] for s in sorted(expression.free_symbols, key=str)]
    assert back(*values) == pytest.approx(f(np.array([0.3, 0.8]), 1.2), rel=1e-14)


def test_to_sympy_of_arrays_and_trees():
    P = tg.record(lambda v: {"twice": 2.0 * v, "first": v[0], "one": 1}, np.ones(2))
    found = P.to_sympy()
    assert [str(e) for e in found["twice"]] == ["2*x_0", "2*x_1"]
    assert str(found["first"]) == "x_0" and found["one"] == 1
    with pytest.raises(tg.UnsupportedError, match="cholesky"):
        tg.record(lambda a: np.sum(np.linalg.cholesky(a)), np.eye(2)).to_sympy()


def test_differentiate_with_sympy():
    def symbolic(a, v):
        return sympy.erf(a) * v[0] ** 2 + sympy.sin(a * v[1])

    f = tg.differentiate_with(symbolic, "sympy")
    plain = lambda a, v: special.erf(a) * v[0] ** 2 + np.sin(a * v[1])
    v = np.array([0.4, 1.1])
    assert f(1.7, v) == pytest.approx(plain(1.7, v))
    for k in (0, 1):
        assert np.allclose(tg.grad(f, k)(1.7, v), tg.grad(plain, k)(1.7, v), rtol=1e-12)
        assert np.allclose(tg.hessian(f, k)(1.7, v), tg.hessian(plain, k)(1.7, v), rtol=1e-12)
        assert np.allclose(tg.function(f).grad(1.7, v, argnums=k), tg.grad(plain, k)(1.7, v))
