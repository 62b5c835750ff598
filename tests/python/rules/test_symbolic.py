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


FUNCTIONS = [
    sympy.polygamma(1, x) + sympy.digamma(x) + sympy.harmonic(x),
    sympy.factorial(x) * sympy.jn(1, x),
    sympy.expint(1, x) + sympy.expint(2, x) + sympy.li(x),
    sympy.hyper([1, 2], [3], x) + sympy.hyper([2], [3], x) + sympy.hyper([0.5], [], x),
    sympy.elliptic_k(x) + sympy.elliptic_e(x),
    sympy.Integral(sympy.exp(-(y**2)), (y, 0, x)),
]


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_special_functions_from_sympy(expression):
    f = tg.from_sympy(expression)
    exact = lambda e: float(e.doit().subs(x, 0.4).evalf())
    assert f(0.4) == pytest.approx(exact(expression), rel=1e-12)
    assert tg.grad(f)(0.4) == pytest.approx(exact(expression.diff(x)), rel=1e-9)


@pytest.mark.parametrize(
    "expression",
    [
        sympy.DiracDelta(x),
        sympy.Derivative(sympy.besselj(x, y), x),
        sympy.Integral(sympy.exp(-(x**2)), x),
        sympy.meijerg([[1], []], [[1], []], x),
        sympy.Function("unknown")(x),
    ],
)
def test_functions_that_numpy_lacks_are_named(expression):
    name = type(expression).__name__
    with pytest.raises(tg.UnsupportedError, match=rf"no function for {name} of SymPy"):
        tg.from_sympy(expression)


def test_parameters_without_a_function_are_named():
    with pytest.raises(tg.UnsupportedError, match="expint of an order"):
        tg.from_sympy(sympy.expint(y, x))(0.5, 0.3)
    with pytest.raises(tg.UnsupportedError, match="hyper with 2 and 2 parameters"):
        tg.from_sympy(sympy.hyper([1, 2], [3, 4], x))(0.5)


def evaluated(found, **at):
    values = {sympy.Symbol(name, real=True): number for name, number in at.items()}
    number = lambda part: complex(sympy.sympify(part).subs(values).evalf())
    return np.vectorize(number, otypes=[complex])(np.asarray(found, dtype=object))


def test_complex_intermediates_to_sympy():
    symbol = sympy.Symbol("x", real=True)
    found = tg.record(lambda x: np.real(np.exp(1j * x)), 0.3).to_sympy()
    assert sympy.simplify(found - sympy.cos(symbol)) == 0
    assert tg.record(lambda x: np.imag(np.exp(1j * x)), 0.3).to_sympy() == sympy.sin(symbol)

    def f(x):
        z = np.exp(1j * x) * (x + 2j)
        return np.real(np.conj(z) * z * (1 + 1j)) + np.abs(z) + np.angle(z)

    assert evaluated(tg.record(f, 0.3).to_sympy(), x=0.7) == pytest.approx(f(0.7), rel=1e-14)
    z = sympy.Symbol("z")  # of a complex input: not a real one
    assert tg.record(lambda z: np.conj(z) * z, 1j).to_sympy(["z"]) == z * sympy.conjugate(z)


STRUCTURES = [
    lambda x: np.stack([np.stack([x, 2.0 * x]), np.stack([x**2, x])]),
    lambda x: np.stack([x * np.ones(2), np.array([2.0, 3.0])], axis=1),
    lambda x: x * (x > 0.5) + (x < 0.9),
    lambda x: np.where(np.logical_and(x > 0.5, x < 0.9), x, 1.0) * np.sum(x * np.ones(3) > 0.5),
    lambda x: (x > 0.5).astype(float) + (3.0 * x).astype(int) + (-3.0 * x).astype(int) * x,
    lambda x: x * x.astype(bool),
    lambda x: np.where(x, x > 0.5, 0.0) * x + np.where(np.logical_and(x, x > 0.9), 1.0, x),
    lambda x: x * np.logical_not(x) + np.logical_or(x - x, x > 0.1) * x,
    lambda x: x * np.logical_xor(x > 0.72, x > 0.1),
]


@pytest.mark.parametrize("f", STRUCTURES)
def test_structures_and_truth_values_to_sympy(f):
    found = tg.record(f, 0.7).to_sympy()
    for at in (0.7, 0.75):
        np.testing.assert_allclose(evaluated(found, x=at), f(np.float64(at)), rtol=1e-14)
