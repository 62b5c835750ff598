"""Polynomials and the rarer paddings against NumPy, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import check_derivatives, check_program, check_value

import tapegrad as tg
import tapegrad.numpy as tnp
from tapegrad.functions import IMPLEMENTATIONS

SMOOTH = """
np.polyadd(u, v)
np.polysub(u, v)
np.polymul(u, v)
np.polydiv(v, u)
np.polydiv(u, v)
np.polydiv(v, s)
np.polyder(v)
np.polyder(v, 2)
np.polyder(v, 6)
np.polyint(v)
np.polyint(v, 2, k=[1.0, 2.0])
np.polyint(v, k=s)
np.polyfit(v, w, 2)
np.polyfit(v, r, 1)
np.polyfit(v, w, 1, w=p)
np.polyfit(v, w, 1, cov=True)
np.polyfit(v, w, 1, cov="unscaled")
np.polyfit(v, r, 1, cov=True)
np.polyfit(v, r, 1, full=True)[1]
np.poly(u)
np.poly(c)
np.poly(m)
np.poly1d(v)(x)
np.poly1d(v).deriv()(x)
(np.poly1d(v) * np.poly1d(u))(s)
np.cumulative_prod(x, axis=0)
np.cumulative_prod(v, include_initial=True)
np.pad(x, 2, mode="reflect", reflect_type="odd")
np.pad(x, 7, mode="reflect", reflect_type="odd")
np.pad(x, 2, mode="symmetric", reflect_type="odd")
np.pad(x, ((9, 3), (1, 0)), mode="symmetric", reflect_type="odd")
np.pad(x[:1], 2, mode="reflect", reflect_type="odd")
np.pad(x, 2, mode="mean")
np.pad(x, 2, mode="mean", stat_length=2)
np.pad(x, 2, mode="maximum")
np.pad(x, 2, mode="minimum", stat_length=((1, 2), (3, 1)))
np.pad(x, 2, mode="median")
np.trim_zeros(np.pad(x, 1))
np.trim_zeros(np.pad(x, 1), axis=0)
np.trim_zeros(np.pad(x, 1), "f", axis=1)
""".strip().splitlines()


@pytest.mark.parametrize("expression", SMOOTH)
def test_value(expression):
    check_value(expression, rtol=1e-11 if "poly" in expression else None)


@pytest.mark.parametrize("expression", SMOOTH)
def test_derivatives(expression):
    check_derivatives(expression)


def test_a_fit_is_as_accurate_as_an_orthogonal_one():
    x = np.linspace(0.0, 1.0, 40)
    y = np.cos(3.0 * x)
    for degree in (3, 6, 8):
        expected = np.polyfit(x, y, degree)
        value, pullback = tg.vjp(lambda y, n=degree: np.polyfit(x, y, n), y)
        np.testing.assert_allclose(value, expected, rtol=1e-7)
        # Linear in y: the adjoint of the coefficient of x^k is a row of the pseudoinverse.
        g = np.eye(degree + 1)[0]
        row = np.linalg.pinv(np.vander(x, degree + 1))[0]
        np.testing.assert_allclose(pullback(g)[0], row, rtol=1e-5, atol=1e-6 * abs(row).max())


def test_repeated_eigenvalues_have_a_characteristic_polynomial():
    tg.testing.check_grads(np.poly, (np.eye(3),))
    assert np.allclose(tg.vjp(np.poly, 2.0 * np.eye(3))[0], [1, -6, 12, -8])


@pytest.mark.skipif(np.linalg.eigvals not in IMPLEMENTATIONS, reason="needs eigvals")
def test_roots():
    for p in ([1.0, -6.0, 11.0, -6.0], [0.0, 2.0, 1.0, 5.0, 0.0]):
        p = np.array(p)
        value, _ = tg.vjp(np.roots, p)
        np.testing.assert_allclose(np.sort(value), np.sort(np.roots(p)), rtol=1e-12)

    def f(p):
        return np.sort(np.roots(p).real)

    p = np.array([1.0, -6.0, 11.0, -6.0])
    # p'(r) dr = -sum_k r^(n-k) dp_k
    r = np.array([1.0, 2.0, 3.0])
    slopes = -np.vander(r, 4) / np.polyval(np.polyder(p), r)[:, None]
    np.testing.assert_allclose(tg.jacobian(f)(p), slopes, rtol=1e-10)
    tg.testing.check_grads(f, (p,))


# numpy.polynomial of tapegrad.numpy --------------------------------------------------------------

SERIES = """
tnp.polynomial.polynomial.polyval(u, v)
tnp.polynomial.polynomial.polyvander(u, 3)
tnp.polynomial.polynomial.polyder(v, 2, 1.5)
tnp.polynomial.polynomial.polyint(v, 2, k=[1.0, 2.0], lbnd=0.5)
tnp.polynomial.polynomial.polyadd(u, v)
tnp.polynomial.polynomial.polysub(u, v)
tnp.polynomial.polynomial.polymul(u, v)
tnp.polynomial.chebyshev.chebval(u, v)
tnp.polynomial.chebyshev.chebvander(u, 3)
tnp.polynomial.chebyshev.chebder(v, 2, 1.5)
tnp.polynomial.chebyshev.chebint(v, 2, k=[1.0, 2.0], lbnd=0.5)
tnp.polynomial.chebyshev.chebadd(u, v)
tnp.polynomial.chebyshev.chebsub(u, v)
tnp.polynomial.chebyshev.chebmul(u, v)
tnp.polynomial.legendre.legval(u, v)
tnp.polynomial.legendre.legvander(u, 3)
tnp.polynomial.legendre.legder(v, 2, 1.5)
tnp.polynomial.legendre.legint(v, 2, k=[1.0, 2.0], lbnd=0.5)
tnp.polynomial.legendre.legadd(u, v)
tnp.polynomial.legendre.legsub(u, v)
tnp.polynomial.legendre.legmul(u, v)
tnp.polynomial.hermite.hermval(u, v)
tnp.polynomial.hermite.hermvander(u, 3)
tnp.polynomial.hermite.hermder(v, 2, 1.5)
tnp.polynomial.hermite.hermint(v, 2, k=[1.0, 2.0], lbnd=0.5)
tnp.polynomial.hermite.hermadd(u, v)
tnp.polynomial.hermite.hermsub(u, v)
tnp.polynomial.hermite.hermmul(u, v)
tnp.polynomial.hermite_e.hermeval(u, v)
tnp.polynomial.hermite_e.hermevander(u, 3)
tnp.polynomial.hermite_e.hermeder(v, 2, 1.5)
tnp.polynomial.hermite_e.hermeint(v, 2, k=[1.0, 2.0], lbnd=0.5)
tnp.polynomial.hermite_e.hermeadd(u, v)
tnp.polynomial.hermite_e.hermesub(u, v)
tnp.polynomial.hermite_e.hermemul(u, v)
tnp.polynomial.laguerre.lagval(u, v)
tnp.polynomial.laguerre.lagvander(u, 3)
tnp.polynomial.laguerre.lagder(v, 2, 1.5)
tnp.polynomial.laguerre.lagint(v, 2, k=[1.0, 2.0], lbnd=0.5)
tnp.polynomial.laguerre.lagadd(u, v)
tnp.polynomial.laguerre.lagsub(u, v)
tnp.polynomial.laguerre.lagmul(u, v)
""".strip().splitlines()


@pytest.mark.parametrize("expression", SERIES)
def test_series(expression):
    check_value(expression, rtol=1e-12)
    check_derivatives(expression)


BASES = ["polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre"]
PREFIX = dict(zip(BASES, ["poly", "cheb", "leg", "herm", "herme", "lag"], strict=True))
C = np.array([0.7, -1.2, 0.4, 2.0])
X = np.array([0.3, -0.8])


@pytest.mark.parametrize("basis", BASES)
def test_series_of_numbers_and_of_several(basis):
    ours, plain = getattr(tnp.polynomial, basis), getattr(np.polynomial, basis)
    prefix = PREFIX[basis]
    calls = {
        "val at a number": lambda m, c, x: getattr(m, prefix + "val")(x[0], c),
        "val of several": lambda m, c, x: getattr(m, prefix + "val")(x, np.stack([c, 2 * c], 1)),
        "val, no tensor": lambda m, c, x: getattr(m, prefix + "val")(x, c.reshape(2, 2), False),
        "int of several": lambda m, c, x: getattr(m, prefix + "int")(c.reshape(2, 2), axis=1),
    }
    for name, call in calls.items():
        value, _ = tg.vjp(lambda c, x, f=call: f(ours, c, x), C, X)
        np.testing.assert_allclose(value, call(plain, C, X), rtol=1e-12, atol=1e-13, err_msg=name)
        tg.testing.check_grads(lambda c, x, f=call: f(ours, c, x), (C, X))
    assert ours is not plain and tnp.polynomial.Polynomial is np.polynomial.Polynomial
    assert getattr(ours, prefix + "roots") is getattr(plain, prefix + "roots")


EXTENDED = """
np.emath.sqrt(x).imag
np.emath.sqrt(p)
np.emath.log(x).real
np.emath.log2(x).real
np.emath.log10(p)
np.emath.logn(2.0, p)
np.emath.logn(p, x).real
np.emath.power(x, 3)
np.emath.power(x, 1.5).real
np.emath.arccos(x).real
np.emath.arcsin(x).imag
np.emath.arccos(x).imag
np.arcsin(z)
np.arccos(z).imag
np.emath.arcsin(x / 4.0)
np.emath.arctanh(x / 4.0)
np.lib.stride_tricks.sliding_window_view(x, 2, axis=1)
np.lib.stride_tricks.sliding_window_view(x, (2, 3))
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXTENDED)
def test_extended(expression):
    check_value(expression)
    check_derivatives(expression)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", SMOOTH + SERIES + EXTENDED)
def test_as_a_program(expression):
    check_program(expression)
